"""docs/deployment.md as printed: its blocks are run in its order, and what it says comes out is what comes out."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clients.reward_store import load_reward
from simulations.processes import ANSI, Keeper, Service
from tests.deployment.consortium import ROOT, free_port, open_port, wait_until

pytestmark = [pytest.mark.deployment, pytest.mark.slow, pytest.mark.timeout(900)]

TEXT = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
BLOCKS = [block.strip() for block in re.findall(r"^```\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)]
HOSPITALS = ("cleveland", "hungarian", "switzerland", "va")
DATA = ROOT.parent / "shared" / "data" / "heart_disease_4sites.csv"


class Guide:
    """Shells in the checkout with the guide's two variables; its folder, and all ports but 9400, are this test's."""

    def __init__(self, folder: Path, keeper: Keeper) -> None:
        self.folder, self.keeper = folder, keeper
        self.services: dict[str, Service] = {}
        self.ports = {port: str(free_port()) for port in ("9443", "9511", "9512", "9513", "9514")}
        path = os.pathsep.join([str(Path(sys.executable).parent), "/usr/sbin", os.environ["PATH"]])
        self.environment = {**os.environ, "PATH": path}

    def block(self, *holds: str) -> str:
        """The block of the guide that holds all of these."""
        (found,) = (block for block in BLOCKS if all(text in block for text in holds))
        return found

    def run(self, commands: str, exits: int = 0) -> str:
        """What the commands print, in one shell that has done the guide's first block."""
        done = subprocess.run(
            ["bash", "-c", self._script(commands)],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == exits, done.stdout + done.stderr
        return ANSI.sub("", done.stdout)

    def stay(self, name: str, commands: str) -> Service:
        """A shell that stays open."""
        log = self.folder.parent / f"{name}.log"
        argv = ["/bin/bash", "-c", self._script(commands)]
        self.services[name] = Service(argv, env=self.environment, cwd=ROOT, log=log, keeper=self.keeper)
        return self.services[name]

    def says(self, name: str, text: str) -> None:
        """Wait until a shell that stays open has printed this."""
        service = self.services[name]
        wait_until(f"{name}: {text}", lambda: text in service.tail(1000) or service.ended() is not None)
        assert service.ended() is None, service.tail()

    def _script(self, commands: str) -> str:
        first = self.block("G=/tmp/guide").replace("/tmp/guide", str(self.folder))
        for printed, free in self.ports.items():
            commands = re.sub(rf"\b{printed}\b", free, commands)
        return f"{first}\n{commands}"


@pytest.fixture
def guide(tmp_path: Path, nginx: None) -> Iterator[Guide]:
    if open_port(9400):
        pytest.skip("the guide's SuperLink listens on port 9400, which is taken")
    keeper = Keeper(tmp_path / "nothing")
    guide = Guide(tmp_path / "guide", keeper)
    yield guide
    for service in reversed(guide.services.values()):
        service.stop()
    keeper.close()


def hospitals(guide: Guide) -> Callable[[str], str]:
    """Step 1 with the hospitals' files; what step 5 writes is as printed."""
    if not DATA.exists():
        pytest.skip(f"{DATA} is not there")
    guide.run(guide.block("heart_disease_4sites.csv"))
    check, mend = (block for block in BLOCKS if "python -m clients check" in block)
    assert words(guide.block("below the minimum")) <= words(guide.run(check, exits=1))
    sent = "You would send 150 rows of 17 features and the target disease, 20.4 kB; 50 rows stay here."
    assert sent in guide.run(mend)
    return lambda block: block


def diabetes(guide: Guide) -> Callable[[str], str]:
    """Step 1 for who lacks those, and what it says of step 5."""
    guide.run("install -d -m 700 $G\n" + guide.block("load_diabetes"))

    def as_written(block: str) -> str:
        block = re.sub("^schema-file = .*$", 'target = "target"', block, flags=re.MULTILINE)
        return re.sub("^strategy = .*$", 'strategy = "ModelRewards()"', block, flags=re.MULTILINE)

    return as_written


@pytest.mark.parametrize("prepare", [hospitals, diabetes])
def test_every_party_ends_with_its_reward(guide: Guide, prepare: Callable[[Guide], Callable[[str], str]]) -> None:
    as_written = prepare(guide)
    guide.run(guide.block("server credentials"))
    guide.stay("superlink", guide.block("flower-superlink --host"))
    guide.stay("door", guide.block("nginx -e stderr"))
    for port in (9400, int(guide.ports["9443"])):
        wait_until(f"port {port} is open", lambda port=port: open_port(port), 60.0)  # type: ignore[misc]
    assert guide.run(guide.block("supernode register")).count("registered successfully.") == 4
    assert re.fullmatch(r"[0-9a-f]{64}\n", guide.run("python -m clients.supernode --hash"))
    for port, party in enumerate(HOSPITALS, start=9511):
        node = guide.block("P=va PORT=9514").replace("P=va PORT=9514", f"P={party} PORT={port}")
        guide.stay(
            party, node if prepare is hospitals else re.sub("^SCHEMA=.*$", "SCHEMA=any", node, flags=re.MULTILINE)
        )
    for party in HOSPITALS:
        guide.says(party, "SuperNode ID")

    dry = guide.run(as_written(guide.block("dry-run = true")))
    assert not list((guide.folder / "run").glob("pool/*"))
    if prepare is hospitals:
        assert words(guide.block("columns   target")) <= words(dry)
    assert "va" in guide.run(guide.block("clients proposals"))

    shown = guide.run(guide.block("sed -i '/^dry-run"))
    if prepare is hospitals:
        assert {"227", "220", "92", "150"} <= words(shown)  # which rows these are is secret, and so are the values
        assert 29.0 < float(re.findall(r"v_N = ([\d.]+) nats", shown)[0]) < 35.0
    record = json.loads((guide.folder / "run" / "allocation.json").read_text())
    assert (record["stage"], record["refused"]) == ("delivered", [])
    for party in HOSPITALS:
        assert load_reward(guide.folder / f"{party}-reward" / "run").about["party"] == party
    show, predict = guide.block("clients predict").splitlines()
    kind = "classification" if prepare is hospitals else "model"
    assert f"A {kind} reward for va, from run run." in guide.run(show)
    said = guide.run(predict.replace("NEW.csv", "$G/cleveland.csv")).splitlines()
    assert len(said) == len((guide.folder / "cleveland.csv").read_text().splitlines())
    assert said[0].endswith("disease=no,disease=yes" if prepare is hospitals else "_mean,target_sd")
    assert all(re.search(r",-?\d+\.\d+,\d+\.\d+$", line) for line in said[1:])

    extract, audit = guide.block("server extract").splitlines()
    guide.run(extract)
    assert guide.run(audit).count("agrees") == 3

    (node,) = re.findall(r"SuperNode ID: (\d+)", guide.services["va"].tail(1000))
    guide.run(guide.block("supernode unregister").replace(" ID ", f" {node} "))
    wait_until("va's SuperNode ends", lambda: guide.services["va"].ended() is not None)
    guide.run("python -m simulations purge $G/run")
    assert not (guide.folder / "run" / "pool").exists()


def words(text: str) -> set[str]:
    """What is printed, without lines and columns."""
    return set(re.sub(r"[^\w.'(),:-]+", " ", text).split())
