"""A Grid that says when each reply arrives and who is waited for: Flower's own waits for all of them in silence."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from flwr.app import Message, RecordDict
from flwr.serverapp import Grid

from strategies.waiting import Patience

__all__ = ["AttentiveGrid"]


class AttentiveGrid(Grid):
    """Delegates to another grid, but collects replies as they come and reports how many are there.

    Parameters
    ----------
    grid : the grid of the ServerApp
    arrived : called as arrived(replies so far, messages sent)
    poll : seconds between two looks
    tell : takes a sentence on who is waited for, now and then
    name : what a node is called in it
    """

    def __init__(
        self,
        grid: Grid,
        arrived: Callable[[int, int], None],
        poll: float = 0.2,
        *,
        tell: Callable[[str], object] = lambda text: None,
        name: Callable[[int], str] = lambda node: f"node-{node}",
    ) -> None:
        self._grid, self._arrived, self._poll = grid, arrived, poll
        self._tell, self._name = tell, name

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        """Push all, and pull until every reply is there or ``timeout`` seconds have passed."""
        sent = list(messages)
        if not sent:
            return []
        open_ids = {message_id for message_id in self._grid.push_messages(sent) if message_id}
        nodes = {message.metadata.message_id: message.metadata.dst_node_id for message in sent}
        patience = Patience(self._tell)
        deadline = None if timeout is None else time.monotonic() + timeout
        replies: list[Message] = []
        while open_ids:
            new = list(self._grid.pull_messages(open_ids))
            open_ids -= {reply.metadata.reply_to_message_id for reply in new}
            replies += new
            if new:
                self._arrived(len(replies), len(sent))
            if deadline is not None and time.monotonic() >= deadline:
                break
            if open_ids:
                patience.wait_for([self._name(nodes[message_id]) for message_id in open_ids], "to answer")
                time.sleep(self._poll)
        return replies

    def set_run(self, run: Any) -> None:
        self._grid.set_run(run)

    @property
    def run(self) -> Any:
        return self._grid.run

    def create_message(
        self, content: RecordDict, message_type: str, dst_node_id: int, group_id: str, ttl: float | None = None
    ) -> Message:
        return self._grid.create_message(content, message_type, dst_node_id, group_id, ttl)

    def get_node_ids(self) -> Iterable[int]:
        return self._grid.get_node_ids()

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        return self._grid.push_messages(messages)

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        return self._grid.pull_messages(message_ids)
