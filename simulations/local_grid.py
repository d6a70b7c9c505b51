"""A Grid without a network: each message goes to the ClientApp at once, through a true wire round trip.

For tests of strategies: no Ray, no processes. It reaches into Flower's private parts, as little else does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from flwr.app import Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.common.constant import ErrorCode
from flwr.serverapp import Grid
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects
from flwr.supercore.inflatable.inflatable_utils import inflate_object_from_contents
from flwr.supercore.task_identity import TaskIdentity

__all__ = ["LocalGrid", "over_the_wire"]


class LocalGrid(Grid):
    """Nodes by id, each with a node config of its own.

    Parameters
    ----------
    app : the parties' ClientApp
    node_configs : node id -> node config
    run_config : what every party reads as its run config
    tamper : called as tamper(node id, message, reply); returns the reply to deliver, or None to lose it
    """

    def __init__(
        self,
        app: ClientApp,
        node_configs: Mapping[int, Mapping[str, Any]],
        run_config: Mapping[str, Any],
        tamper: Callable[[int, Message, Message], Message | None] | None = None,
    ) -> None:
        TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, 1, 1
        self.app = app
        self.contexts = {
            node: Context(1, node, dict(config), RecordDict(), dict(run_config))
            for node, config in node_configs.items()
        }
        self.tamper = tamper or (lambda node, message, reply: reply)
        self.sent: list[Message] = []
        self._replies: dict[str, Message] = {}

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        ids = []
        for message in messages:
            message.metadata.__dict__["_message_id"] = message.object_id
            self.sent.append(message)
            ids.append(message.metadata.message_id)
            reply = self._answer(over_the_wire(message))
            delivered = self.tamper(message.metadata.dst_node_id, message, reply)
            if delivered is not None:
                self._replies[message.metadata.message_id] = over_the_wire(delivered)
        return ids

    def _answer(self, message: Message) -> Message:
        try:
            return self.app(message, self.contexts[message.metadata.dst_node_id])
        except Exception as error:
            reason = f"{type(error)}:<'{error}'>"
            return Message(Error(ErrorCode.CLIENT_APP_RAISED_EXCEPTION, reason), reply_to=message)

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        return [self._replies.pop(message_id) for message_id in list(message_ids) if message_id in self._replies]

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        return self.pull_messages(self.push_messages(messages))

    def get_node_ids(self) -> Iterable[int]:
        return list(self.contexts)

    def set_run(self, run: Any) -> None:
        raise AssertionError("a LocalGrid has no run")

    @property
    def run(self) -> Any:
        raise AssertionError("a LocalGrid has no run")

    def create_message(self, *args: Any, **kwargs: Any) -> Message:
        raise AssertionError("deprecated in Flower: build a Message")


def over_the_wire(message: Message) -> Message:
    """The message as the other side gets it: deflated to bytes and inflated again."""
    contents = {object_id: o.deflate() for object_id, o in get_all_nested_objects(message).items()}
    received = cast(Message, inflate_object_from_contents(message.object_id, contents))
    received.metadata.__dict__["_message_id"] = message.metadata.message_id
    return received
