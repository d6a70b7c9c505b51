"""What a strategy brings for the parties' side: functions that answer the messages it sends.

A handler is called as ``handler(party, content)`` at the party, where ``party`` has a ``name``, its own ``data`` and
``note(...)`` for its own ledger, and ``content`` is what the mediator sent; it returns what to send back, or raises
MessageError with the reason why not. One that answers ``evaluate.NAME`` returns scores (``encode_scores``) and is
called once a run: asked again, the party says the same. A strategy names its handlers by the type of message that they
answer, in a mapping on its class::

    class MyStrategy(PoolingMediator):
        handlers = {"query.count": count}
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from flwr.app import RecordDict

from guerdon.plugins import PluginError, parse_call

__all__ = ["OURS", "Handler", "handlers_of", "travels"]

Handler = Callable[[Any, RecordDict], RecordDict]

OURS: Mapping[str, str] = {
    "CosineGradientRewards": "wire.kinds.lessons",
    "TrainingTimeRewards": "wire.kinds.lessons",
}
"""Where the handlers of those strategies on offer by bare name that have some are, as ``HANDLERS``."""

NONE: Mapping[str, Handler] = {}


HOME = Path(__file__).resolve().parents[1]
"""The folder that the running app's packages lie in, and a user's own modules beside them."""


def travels(module: str, *, here: bool = False) -> bool:
    """Whether a module is part of the running app, or, where ``here`` is true, lies in the working directory."""
    top = module.partition(".")[0]
    places = (HOME, Path.cwd()) if here else (HOME,)
    return any((place / f"{top}.py").is_file() or (place / top / "__init__.py").is_file() for place in places)


def handlers_of(strategy: str) -> Mapping[str, Handler]:
    """The handlers of the strategy that a run config names, by message type; none where it has none.

    Only modules that travel in the app are imported: the run config, which the mediator writes, must not choose among
    whatever else is installed at a party.

    Parameters
    ----------
    strategy : str
        The run config's text, such as ``my_module:MyStrategy(share=0.5)``.
    """
    try:
        call = parse_call(strategy)
    except PluginError:
        return NONE
    if call.module is None and call.name in OURS:
        ours: Mapping[str, Handler] = importlib.import_module(OURS[call.name]).HANDLERS
        return ours
    module = call.module
    if module is None or not travels(module):
        return NONE
    found: Mapping[str, Handler] = getattr(getattr(importlib.import_module(module), call.name, None), "handlers", NONE)
    return found
