"""The conformance suite of strategies: whole runs with both sides in one process, without Ray or a network.

As those in ``guerdon.testing``, a suite holds the tests and a subclass says what is tested::

    from simulations.testing import StrategySuite

    class TestMyStrategy(StrategySuite):
        strategy = "my_module:MyStrategy(share=0.5)"

The module can lie in any folder from which tests import it; ``pytest check_my_module.py`` there runs the suite. It is
not among those because it needs Flower, which ``guerdon`` never loads.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from flwr.app import Message
from rich.console import Console

from clients.app import app
from clients.holdout import Dealer
from guerdon.testing import Suite
from server.app import mediate
from server.config import RunConfig
from server.run_directory import RunDirectory
from simulations.local_grid import LocalGrid
from simulations.present import present
from wire import handlers, messages

__all__ = ["StrategySuite"]

Tamper = Callable[[int, Message, Message], Message | None]
MODULE = re.compile(r"([A-Za-z_][\w.]*):[A-Za-z_]")
"""The module in the text of a part of one's own, which may stand within another's."""

NODES = {"east": 300, "north": 100, "west": 200}
"""Flower's node of each party: not in the order of their names."""


class StrategySuite(Suite):
    """A strategy as the run config names it, on three parties with 20, 30 and 40 rows of ``x1``, ``x2`` and ``y``.

    strategy : its text; config : other keys of the run config; labels : whether y is a class (0, 1, 2) or a number.
    """

    strategy: str = ""
    config: Mapping[str, Any] = {}
    labels: bool = False

    def make(self) -> str:
        if not self.strategy:
            raise NotImplementedError(
                f'{type(self).__name__}: define make(self), or strategy = "my_module:MyStrategy()": what to test'
            )
        return self.strategy

    def test_the_run_config_takes_it(self) -> None:
        strategy, _, texts = RunConfig.parse({"strategy": self.make(), **self.config}).build_parts()
        assert texts["strategy"] == self.make(), f"expected the text {self.make()!r}, got {texts['strategy']!r}"
        assert isinstance(strategy.rounds, int), f"rounds is a whole number, got {strategy.rounds!r}"
        for kind in strategy.handlers:
            category, _, action = kind.partition(".")
            fits = category in ("query", "train", "evaluate") and action.isidentifier()
            assert fits, f"a handler answers query.NAME, train.NAME or evaluate.NAME, got {kind!r}"

    def test_every_party_takes_its_own_reward(self) -> None:
        with self._run() as directory:
            record, (rewards, _) = directory.read_allocation(), _rewards(directory)
            assert record["stage"] == "delivered", f"the run ended {record['stage']!r}: {record['notes']}"
            names = [entry["party"] for entry in record["parties"]]
            assert names == sorted(NODES) == sorted(rewards), f"parties {sorted(NODES)} expected, got {names}"
            for party, reward in rewards.items():
                said = (reward.about.get("party"), reward.about.get("run"))
                assert said == (party, directory.name), f"{party}'s reward says party and run {said}"

    def test_its_record_can_be_shown(self) -> None:
        with self._run() as directory:
            printed = io.StringIO()
            present(directory.read_allocation(), directory.path, Console(file=printed, width=160))
            missing = [party for party in NODES if party not in printed.getvalue()]
            assert not missing, f"the table lacks {missing}"

    def test_the_order_of_arrival_changes_nothing(self) -> None:
        with self._run(sorted(NODES)) as one, self._run(sorted(NODES, reverse=True)) as other:
            assert _hashes(one) == _hashes(other), "rewards depend on who came first: sort by the parties' names"

    def test_same_secret_same_rewards(self) -> None:
        with self._run() as one, self._run() as other:
            assert _hashes(one) == _hashes(other), "draw from the journal's secrets and settings.seed only"

    def test_a_missed_reward_comes_as_it_was(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            with self._run(folder=folder, tamper=_losing("north", messages.REWARD)) as first:
                made = _hashes(first)
                missed = [e["party"] for e in first.read_allocation()["parties"] if not e["delivered"]]
                assert missed == ["north"], f"only north missed its reward, the record says {missed}"
            with self._run(folder=folder, resume=True) as again:
                assert again.read_allocation()["stage"] == "delivered", "a resumed run delivers what was missed"
                assert _hashes(again) == made, "a resumed run delivers the rewards that were made, and makes none anew"

    def test_who_does_not_answer_is_named(self) -> None:
        with self._run(tamper=_losing("north")) as directory:
            record = directory.read_allocation()
            said = json.dumps([record["refused"], record["notes"]])
            assert "north" in said, f"north never answered, and neither refusals nor notes say so: {said}"
            served = {entry["party"] for entry in record["parties"] if entry["delivered"]}
            assert {"east", "west"} <= served, f"the others go on and get their rewards, got {served}"

    def test_no_row_is_written_where_others_look(self) -> None:
        with self._run() as directory:
            written = "".join(
                (directory.path / f"{name}.jsonl").read_text(encoding="utf-8") for name in ("events", "ledger")
            )
            rows = [repr(float(x)) for table in _tables(self.labels).values() for x in table["x1"]]
            assert not [x for x in rows if x in written], "events and ledger hold no value of a row"

    @contextmanager
    def _run(
        self,
        order: Sequence[str] = ("north", "west", "east"),
        *,
        folder: str | None = None,
        tamper: Tamper | None = None,
        resume: bool = False,
    ) -> Iterator[RunDirectory]:
        """A whole run, in a folder that is gone afterwards unless one is given."""
        with (
            tempfile.TemporaryDirectory() as temporary,
            _secret("1"),
            _travelling([self.make(), *self.config.values()]),
        ):
            home = Path(folder or temporary)
            data = home / "data"
            data.mkdir(exist_ok=True)
            for party, table in _tables(self.labels).items():
                table.write_parquet(data / f"{party}.parquet")
                Dealer(party.encode(), 0, tuple(table.columns), np.zeros(0, np.uint64)).write(data / f"{party}-reward")
            settings = {
                "run-dir": str(home / "run"),
                "parties": ",".join(sorted(NODES)),
                "target": "y",
                "join-timeout": 1.0,
                "timeout": 0.2,
                "resume": resume,
                "discloses-rows": True,  # the parties agree to whatever the parts do
                **self.config,
                "strategy": self.make(),
            }
            nodes = {
                NODES[party]: {
                    "party": party,
                    "data-path": str(data / f"{party}.parquet"),
                    "min-held-out": 1,
                    "discloses-rows": True,
                }
                for party in order
            }
            yield mediate(LocalGrid(app, nodes, settings, tamper), settings)


def _tables(labels: bool) -> dict[str, pl.DataFrame]:
    tables = {}
    for k, party in enumerate(sorted(NODES)):
        rng = np.random.default_rng(k)
        x1, x2 = rng.normal(size=(2, 20 + 10 * k))
        y = (x1 > -0.5).astype(float) + (x1 > 0.5) if labels else np.sin(x1) + x2 + 0.1 * rng.normal(size=len(x1))
        tables[party] = pl.DataFrame({"x1": x1, "x2": x2, "y": y})
    return tables


def _losing(party: str, kind: str | None = None) -> Tamper:
    """The party's replies are lost: those to one type of message, or all but who it is."""

    def tamper(node: int, message: Message, reply: Message) -> Message | None:
        sent = message.metadata.message_type
        lost = sent == kind if kind else sent != messages.INTRODUCE
        return None if node == NODES[party] and lost else reply

    return tamper


def _rewards(directory: RunDirectory) -> Any:
    found = directory.load_rewards()
    assert found is not None, "no rewards were kept before they were pushed"
    return found


def _hashes(directory: RunDirectory) -> dict[str, str]:
    return {party: reward.hash for party, reward in _rewards(directory)[0].items()}


@contextmanager
def _travelling(texts: Iterable[object]) -> Iterator[None]:
    """While entered, the parties' app finds the modules that these parts name where a run has copied them to: in its
    own folder."""
    named = [module for text in texts if isinstance(text, str) for module in MODULE.findall(text)]
    before = handlers.HOME
    if named:
        file = Path(str(importlib.import_module(named[0].partition(".")[0]).__file__)).resolve()
        handlers.HOME = file.parents[1] if file.name == "__init__.py" else file.parent
    try:
        yield
    finally:
        handlers.HOME = before


@contextmanager
def _secret(seed: str) -> Iterator[None]:
    before = os.environ.get("GUERDON_NOISE_SEED")
    os.environ["GUERDON_NOISE_SEED"] = seed
    try:
        yield
    finally:
        if before is None:
            del os.environ["GUERDON_NOISE_SEED"]
        else:
            os.environ["GUERDON_NOISE_SEED"] = before
