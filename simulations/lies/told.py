"""A lie in a run with messages: the liar's file is what it sends, and its true rows are kept beside the run."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from guerdon.plugins import PluginError, build
from guerdon.types import Contribution
from simulations.lies import OFFER
from simulations.lies.catalogue import Honest, Lie
from simulations.staging import check_modules, importable
from wire.parsing import read_json

if TYPE_CHECKING:
    from simulations.prepare import Plan

__all__ = ["FILE", "Told", "add_to_run", "keep", "tell_of", "told_lie"]

FILE = "lie.json"
"""In the run directory: who lied, how, and what it came to."""


@dataclass(frozen=True, eq=False)
class Told:
    """Who lies, with what part, the party's true rows and what it sends."""

    party: str
    text: str
    lie: Lie
    true: Contribution
    sent: tuple[Contribution, ...]


def told_lie(planned: Plan, text: str, caller: Path) -> Told:
    """The lie that ``PARTY=Lie(...)`` names, told of this plan's data.

    Raises
    ------
    PluginError
        The text is no such thing, there is no such party or lie, or the lie can't be put into a file.
    """
    party, equals, part = (piece.strip() for piece in text.partition("="))
    names = planned.config.parties.split(",")
    if not equals or party not in names:
        raise PluginError(f"--lie {text!r}: write PARTY=Lie(...), the party one of {', '.join(names)}")
    data, place = planned.dataset, names.index(party)
    if data.image_shape is not None:
        raise PluginError(f"--lie {text!r}: lies are told of tables, and {data.name} holds images")
    rows = planned.blocks[place]
    true = Contribution(party, data.features[rows], data.target[rows], data.feature_names)
    check_modules({"lie": part}, caller)
    with importable(caller):
        lie: Lie = build(part, OFFER)
        sent = tuple(lie(true, rng=np.random.default_rng([planned.config.seed, 12, place])))
    if any(c.noise is not None for c in sent):
        raise PluginError(
            f"--lie {text!r} declares a noise variance, and the parties' files have no column for one: "
            f"python -m simulations lies SCENARIO --only lie={part} tells it without files"
        )
    return Told(party, part, lie, true, sent)


def tell_of(planned: Plan, told: Told) -> dict[str, Any]:
    """What the lie came to against honesty, by a collaboration without messages with the same data and parts."""
    from simulations.lies.collaboration import Collaboration, Rules

    collaboration = Collaboration(planned, planned.config.parties.split(",").index(told.party))
    rules = Rules("this run's", {})
    lied, honest = collaboration.earned(told.lie, rules), collaboration.earned(Honest(), rules)
    unit = "MMD^2" if collaboration.synthetic else "nats a prediction"
    names = f", as {', '.join(c.party for c in told.sent)}" if len(told.sent) > 1 else ""
    said = (
        f"{told.party} lied: {told.text}{names}. Its reward is worth {lied.reward:.3g} of the largest, where honesty "
        f"gets {honest.reward:.3g}; its share of the value is {lied.share:.3g}, where honesty has {honest.share:.3g}; "
        f"its own true rows with its reward lose {lied.utility:.4g} on unseen rows, where honesty loses "
        f"{honest.utility:.4g} ({unit}, less is better): the lie "
        f"{'paid' if lied.utility < honest.utility else 'did not pay'}"
    )
    cost = ", ".join(f"{p} {honest.alphas[p]:.3g} to {a:.3g}" for p, a in lied.alphas.items())
    return {
        "party": told.party,
        "lie": told.text,
        "sent_as": [c.party for c in told.sent],
        "lied": asdict(lied),
        "honest": asdict(honest),
        "sentences": [said, f"what the lie does to the alpha of the honest: {cost}"],
    }


def add_to_run(run: Path) -> None:
    """Put what a run's lie came to among its notes, and draw its report again; nothing where nobody lied."""
    from server.report import write_report
    from server.run_directory import RunDirectory

    if not (run / FILE).exists():
        return
    directory = RunDirectory(run)
    allocation = directory.load_allocation()
    sentences = read_json((run / FILE).read_bytes())["sentences"]
    if allocation is None or sentences[0] in allocation["notes"]:
        return
    directory.save_allocation({**allocation, "notes": [*sentences, *allocation["notes"]]})
    write_report(directory)


def keep(run: Path, about: dict[str, Any]) -> None:
    """Write ``RUN/lie.json``."""
    (run / FILE).write_text(json.dumps(about, indent=1), encoding="utf-8")
