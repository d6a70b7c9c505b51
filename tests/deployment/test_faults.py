"""Parties and mediators that break down in a run of real processes; docs/reliability.md has the table.

A row ends with what must hold: nothing that was pooled or made is lost, nobody holds another's reward, and a resumed
run comes to the bits that the same files and the same secret seed give in one process without a network.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from shutil import copy, rmtree

import pytest

from clients.app import app as client_app
from clients.approval import app_hash
from server.app import mediate
from simulations.processes import Service
from simulations.staging import stage
from tests.deployment.consortium import PARTIES, ROOT, Consortium, wait_until
from tests.deployment.family import family, signal_family
from tests.deployment.runs import AGREED, Run, file_hash, held, node_config, store, write_data
from tests.fakes import LocalGrid

pytestmark = [pytest.mark.deployment, pytest.mark.timeout(900)]  # Flower takes a minute to notice a dead node
slow = pytest.mark.slow

THREE = (*PARTIES, "west")

SEED = {"GUERDON_NOISE_SEED": "11"}


class Parties:
    """The parties' machines, started and broken one by one."""

    def __init__(self, consortium: Consortium, app: Path) -> None:
        self.consortium = consortium
        self.app = app
        self._nodes: dict[str, Service] = {}

    def connect(self, *names: str) -> None:
        """Start the SuperNodes of these that are not running, and end the others'."""
        self.leave(*(set(self._nodes) - set(names)))
        for name in names:
            if name not in self._nodes or self._nodes[name].ended() is not None:
                node = node_config(self.consortium, name)
                self._nodes[name] = self.consortium.party(name, [app_hash(self.app)], node)

    def leave(self, *names: str) -> None:
        for name in names:
            self._nodes.pop(name).stop()

    def kill(self, name: str) -> None:
        self.consortium.kill(self._nodes.pop(name))

    def freeze(self, name: str) -> None:
        """Stop the whole machine."""
        signal_family(self._nodes[name].group, signal.SIGSTOP)

    def freeze_app(self, name: str) -> None:
        """Stop what computes the answer; its SuperNode goes on telling the SuperLink that it is there."""
        node = self._nodes[name].group
        for process in sorted(set(family(node)) - {node}):  # a parent before its children, so that it starts no more
            os.kill(process, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        signal_family(self._nodes[name].group, signal.SIGCONT)

    def wait_until_asked(self, name: str, run: Run) -> None:
        """Wait until a party's SuperNode holds the request for its contribution; its app takes seconds to answer."""
        run.wait_for_stage("contribute")

        def asked() -> bool:
            received = [line for line in self._nodes[name].tail(5000).splitlines() if "Receiving: " in line]
            return "Receiving: train.contribute" in received[-1]

        wait_until(f"{name} is asked to contribute", asked)

    def come_back(self) -> None:
        """What a service manager does: Flower's SuperNodes end when the SuperLink does not know them any more."""
        names = list(self._nodes)
        for name in names:
            wait_until(f"{name} ends", lambda name=name: self._nodes[name].ended() is not None)  # type: ignore[misc]
        self.connect(*names)


@pytest.fixture(scope="module")
def consortium(tmp_path_factory: pytest.TempPathFactory, nginx: None) -> Iterator[Consortium]:
    """One of its own, since its mediator dies."""
    with Consortium(tmp_path_factory.mktemp("faults") / "keys", THREE, SEED) as consortium:
        write_data(consortium)
        yield consortium


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a part of the parties' own, ``Gated``."""
    return stage([ROOT / "tests" / "gated.py"], tmp_path_factory.mktemp("app") / "app")


@pytest.fixture(scope="module")
def _parties(consortium: Consortium, app: Path) -> Iterator[Parties]:
    parties = Parties(consortium, app)
    yield parties
    parties.connect()


@pytest.fixture
def parties(_parties: Parties) -> Parties:
    """With empty stores."""
    for name in THREE:
        rmtree(store(_parties.consortium, name), ignore_errors=True)
    return _parties


def break_down(consortium: Consortium) -> None:
    """Kill the SuperLink with the ServerApp, and start another that remembers nothing."""
    commands = [Path(f"/proc/{pid}/cmdline").read_text() for pid in family(consortium.superlink.group)]
    assert any("flwr-serverapp" in command for command in commands)  # the app is among what is killed
    consortium.kill(consortium.superlink)
    consortium.start_mediator()


def same_bits(run: Run, consortium: Consortium, names: tuple[str, ...], tmp_path: Path) -> None:
    """The parties hold, and the mediator decided, what one process without a network comes to by the same secrets."""
    for name in names:  # that of the party says which rows it sends
        own = tmp_path / "one-process" / name
        own.mkdir(parents=True)
        copy(store(consortium, name) / "_holdout.json", own)
    config = {**run.config, "run-dir": str(tmp_path / "one-process" / run.path.name)}
    nodes = {
        k + 1: {
            "party": name,
            "data-path": str(consortium.folder / name / "data.csv"),
            "reward-dir": str(tmp_path / "one-process" / name),
            **AGREED,
        }
        for k, name in enumerate(names)
    }
    with pytest.MonkeyPatch.context() as patch:
        for key, value in SEED.items():
            patch.setenv(key, value)
        mediate(LocalGrid(client_app, nodes, config), config)
    truth = Run(Path(config["run-dir"]))
    assert run.made() == truth.made()
    assert run.decided() == truth.decided()
    assert run.delivered() == run.made()
    for name in names:
        assert held(consortium, name) == {run.path.name: run.made()[name]}
        expected = file_hash(truth.path / "rewards" / name / "reward.npz")
        assert file_hash(run.path / "rewards" / name / "reward.npz") == expected
        assert file_hash(store(consortium, name) / run.path.name / "reward.npz") == expected


def noise(run: Run) -> list[float]:
    """The finite positive noise variances of its rewards: without one there would be no bits to lose."""
    return [entry["eta"] for entry in run.record()["parties"] if isinstance(entry["eta"], float) and entry["eta"] > 0]


def test_a_run_whose_parties_are_not_there_fails_and_names_them(
    consortium: Consortium, parties: Parties, tmp_path: Path
) -> None:
    parties.connect()
    run = Run(tmp_path / "offline", **{"join-timeout": 2.0})
    run.submit(consortium, parties.app)
    end = run.end()
    assert end["event"] == "failed"
    assert "0 of the at least 2 parties" in end["reason"]
    for name in PARTIES:
        assert f"{name}: it did not introduce itself within join-timeout = 2 s" in end["reason"]
    assert sorted(entry["party"] for entry in run.ledger("refused")) == sorted(PARTIES)


def test_parties_are_waited_for_and_a_mediator_killed_with_the_rewards_made_delivers_the_same(
    consortium: Consortium, parties: Parties, tmp_path: Path
) -> None:
    """Two rows in one run, since each half of a run takes half a minute."""
    parties.connect()
    run = Run(tmp_path / "made", **{"join-timeout": 120.0})
    run.submit(consortium, parties.app)
    run.wait_for_stage("join")
    parties.connect(*PARTIES)  # late, but before the deadline
    run.wait_for("the rewards are made", lambda: bool(run.made()))
    break_down(consortium)
    made, decided = run.made(), run.decided()
    assert sorted(made) == sorted(PARTIES)
    assert not any(held(consortium, name) for name in PARTIES)
    parties.come_back()
    run.resume(consortium, parties.app)
    run.finish()
    assert not any(event.get("stage") in ("contribute", "value", "realize") for event in run.events())
    assert (run.made(), run.decided()) == (made, decided)
    assert len(noise(run)) > 0
    same_bits(run, consortium, PARTIES, tmp_path)


@slow
def test_an_undisturbed_run_comes_to_the_bits_of_one_process(
    consortium: Consortium, parties: Parties, tmp_path: Path
) -> None:
    parties.connect(*PARTIES)
    run = Run(tmp_path / "undisturbed")
    run.submit(consortium, parties.app)
    run.finish()
    same_bits(run, consortium, PARTIES, tmp_path)


@slow
def test_a_party_that_is_not_there_is_waited_for_and_then_left_out(
    consortium: Consortium, parties: Parties, tmp_path: Path
) -> None:
    parties.connect(*PARTIES)
    run = Run(tmp_path / "without", THREE, **{"join-timeout": 60.0})
    run.submit(consortium, parties.app)
    run.finish()
    assert run.seconds("join", "contribute") >= 60.0
    (refused,) = run.record()["refused"]
    assert refused["party"] == "west"
    assert refused["reason"].startswith("it did not introduce itself within join-timeout = 60 s")
    same_bits(run, consortium, PARTIES, tmp_path)


@slow
def test_fewer_parties_than_min_parties_fail_the_run_by_name(
    consortium: Consortium, parties: Parties, tmp_path: Path
) -> None:
    parties.connect(*PARTIES)
    run = Run(tmp_path / "too-few", THREE, **{"join-timeout": 60.0, "min-parties": 3})
    run.submit(consortium, parties.app)
    end = run.end()
    assert end["event"] == "failed"
    assert "2 of the at least 3 parties" in end["reason"]
    assert "Missing: west: it did not introduce itself within join-timeout = 60 s" in end["reason"]
    assert run.ledger("contributed") == []  # nobody was asked for data in vain


@slow
def test_a_party_killed_while_it_contributes_is_left_out(
    consortium: Consortium, parties: Parties, tmp_path: Path
) -> None:
    parties.connect(*THREE)
    run = Run(tmp_path / "killed", THREE)
    run.submit(consortium, parties.app)
    parties.wait_until_asked("west", run)
    parties.kill("west")
    run.finish()
    (refused,) = run.record()["refused"]
    assert (refused["party"], refused["stage"]) == ("west", "contribute")
    assert "Flower error 5" in refused["reason"]
    parties.connect(*THREE)
    assert held(consortium, "west") == {}
    same_bits(run, consortium, PARTIES, tmp_path)


@slow
@pytest.mark.parametrize(
    ("stops", "reason"),
    [("its app", "no answer within 90 s"), ("its machine", "Flower error 5")],
    ids=["app", "machine"],
)
def test_a_party_slower_than_the_timeout_is_left_out_and_its_late_answer_counts_for_nothing(
    consortium: Consortium, parties: Parties, tmp_path: Path, stops: str, reason: str
) -> None:
    parties.connect(*THREE)
    run = Run(tmp_path / "slow", THREE, timeout=90.0)
    run.submit(consortium, parties.app)
    parties.wait_until_asked("west", run)
    (parties.freeze_app if stops == "its app" else parties.freeze)("west")
    run.wait_for_stage("pool")
    parties.thaw("west")
    run.finish()
    (refused,) = run.record()["refused"]
    assert (refused["party"], refused["stage"]) == ("west", "contribute")
    assert reason in refused["reason"]
    assert [entry["party"] for entry in run.ledger("contributed")] == sorted(PARTIES)
    assert held(consortium, "west") == {}
    same_bits(run, consortium, PARTIES, tmp_path)


@slow
def test_a_party_killed_between_the_rounds_gets_its_reward_when_the_run_is_resumed_and_keeps_it(
    consortium: Consortium, parties: Parties, tmp_path: Path
) -> None:
    parties.connect(*PARTIES)
    run = Run(tmp_path / "between")
    run.submit(consortium, parties.app)
    run.wait_for_stage("deliver")
    parties.kill("south")
    run.finish()
    made = run.made()
    assert run.delivered() == {"north": made["north"]}
    assert "Flower error 5" in run.ledger("missed")[-1]["reason"]
    assert held(consortium, "south") == {}
    parties.connect(*PARTIES)
    run.resume(consortium, parties.app)
    run.finish()
    assert run.made() == made
    same_bits(run, consortium, PARTIES, tmp_path)
    parties.kill("south")
    parties.connect(*PARTIES)
    assert held(consortium, "south") == {"between": made["south"]}


@slow
def test_a_mediator_killed_after_pooling_asks_nobody_again(
    consortium: Consortium, parties: Parties, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    parties.connect(*PARTIES)
    run = Run(tmp_path / "pooled", shapley=f"gated:Gated(gate='{gate}')")
    run.submit(consortium, parties.app)
    run.wait_for("the pool is being valued", gate.with_suffix(".reached").exists)
    assert run.made() == {}
    pool = {path.name: file_hash(path) for path in (run.path / "pool").iterdir()}
    break_down(consortium)
    gate.touch()
    parties.come_back()
    run.resume(consortium, parties.app)
    run.finish()
    assert {path.name: file_hash(path) for path in (run.path / "pool").iterdir()} == pool
    assert not any(event.get("stage") == "contribute" for event in run.events())
    assert [entry["party"] for entry in run.ledger("contributed")] == sorted(PARTIES)
    run.config = {key: value for key, value in run.config.items() if key != "shapley"}
    same_bits(run, consortium, PARTIES, tmp_path)


@slow
def test_a_mediator_killed_with_half_of_the_rewards_pushed_gives_the_other_half_later(
    consortium: Consortium, parties: Parties, tmp_path: Path
) -> None:
    parties.connect(*PARTIES)
    run = Run(tmp_path / "half")
    run.submit(consortium, parties.app)
    run.wait_for_stage("deliver")
    parties.freeze("south")
    first = store(consortium, "north") / "half"
    run.wait_for("north holds its reward", (first / "reward.json").exists)
    break_down(consortium)
    made = run.made()
    assert held(consortium, "north") == {"half": made["north"]}
    assert held(consortium, "south") == {}
    parties.thaw("south")
    parties.come_back()
    run.resume(consortium, parties.app)
    run.finish()
    assert run.made() == made
    same_bits(run, consortium, PARTIES, tmp_path)


@slow
def test_a_run_resumed_while_a_party_is_away_gives_the_others_theirs_and_waits_with_its_own(
    consortium: Consortium, parties: Parties, tmp_path: Path
) -> None:
    parties.connect(*PARTIES)
    run = Run(tmp_path / "away")
    run.submit(consortium, parties.app)
    run.wait_for("the rewards are made", lambda: bool(run.made()))
    break_down(consortium)
    parties.come_back()
    parties.kill("south")
    run.resume(consortium, parties.app, **{"join-timeout": 60.0})
    run.finish()
    assert run.delivered() == {"north": run.made()["north"]}
    assert held(consortium, "south") == {}
    parties.connect(*PARTIES)
    run.resume(consortium, parties.app)
    run.finish()
    same_bits(run, consortium, PARTIES, tmp_path)
