"""Large contributions between real processes: they arrive, and the memory of each role stays below what is stated."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType

import numpy as np
import polars as pl
import pytest

from clients.approval import app_hash
from simulations.staging import stage
from tests.deployment.consortium import Consortium
from tests.deployment.family import family
from tests.deployment.runs import Run, held, node_config

pytestmark = [pytest.mark.deployment, pytest.mark.slow, pytest.mark.timeout(3600)]

FIVE = ("east", "middle", "north", "south", "west")
COLUMNS = 49  # and the target
SENT = 250_000  # rows of 50 float64 numbers: 100 MB
MEGABYTES = SENT * (COLUMNS + 1) * 8 / 1e6

MEDIATOR, PARTY = 12.0, 15.0
"""Peak memory that docs/reliability.md states: of the mediator in sizes of the pool, of a party in sizes of its own."""


class Peaks(threading.Thread):
    """The largest memory of each role while entered: the shares (PSS) of a process and all that comes from it."""

    def __init__(self, roots: Mapping[str, int]) -> None:
        super().__init__(daemon=True)
        self.roots = roots
        self.peaks: dict[str, int] = defaultdict(int)
        self._done = threading.Event()

    def __enter__(self) -> Peaks:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._done.set()
        self.join()

    def run(self) -> None:
        while not self._done.wait(0.5):
            now = {role: sum(map(share, family(root))) for role, root in self.roots.items()}
            now["all together"] = sum(now.values())
            for role, size in now.items():
                self.peaks[role] = max(self.peaks[role], size)


def share(process: int) -> int:
    """Bytes of a process, each page divided by the number of processes that have it; 0 once it has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


@pytest.fixture(scope="module")
def consortium(tmp_path_factory: pytest.TempPathFactory, nginx: None) -> Iterator[Consortium]:
    with Consortium(tmp_path_factory.mktemp("size") / "keys", FIVE) as consortium:
        weights = np.random.default_rng(0).normal(size=COLUMNS)
        for k, party in enumerate(FIVE):
            rng = np.random.default_rng(k + 1)
            X = rng.normal(size=(SENT * 4 // 3 + 1, COLUMNS))
            table = pl.DataFrame({f"c{j}": X[:, j] for j in range(COLUMNS)})
            y = X @ weights + rng.normal(size=len(X))
            table.with_columns(y=pl.Series(y)).write_parquet(consortium.folder / party / "data.parquet")
        yield consortium
        for party in FIVE:
            (consortium.folder / party / "data.parquet").unlink()


def test_five_parties_pool_a_hundred_megabytes_each(consortium: Consortium, tmp_path: Path) -> None:
    app = stage([], tmp_path / "app")
    nodes = {
        party: consortium.party(party, [app_hash(app)], node_config(consortium, party).replace(".csv", ".parquet"))
        for party in FIVE
    }
    run = Run(tmp_path / "large", FIVE, model="BayesianLinear(features='Affine()')", timeout=1800.0)
    run.config = {**run.config, "join-timeout": 600.0}
    roots = {party: node.group for party, node in nodes.items()}
    with Peaks({"mediator": consortium.superlink.group, "door": consortium.door.group, **roots}) as peaks:
        run.submit(consortium, app)
        run.finish(3000.0)
    for path in (run.path / "pool").iterdir():
        assert path.stat().st_size >= 1e6 * MEGABYTES
        path.unlink()
    assert [entry["rows"] for entry in run.ledger("contributed")] == pytest.approx([SENT] * len(FIVE), abs=2)
    assert sorted(run.delivered()) == sorted(FIVE)
    for party in FIVE:
        assert held(consortium, party) == {"large": run.made()[party]}
    megabytes = {role: round(size / 1e6) for role, size in peaks.peaks.items()}
    stages = {name: run.seconds(name, after) for name, after in (("join", "contribute"), ("contribute", "pool"))}
    stages |= {"pool": run.seconds("pool", "alone"), "alone": run.seconds("alone", "deliver")}
    stages |= {"deliver": run.seconds("deliver", "score"), "score": run.seconds("score", "finished")}
    print(json.dumps({"peak MB": megabytes, "seconds": stages}, indent=1))
    assert megabytes["mediator"] <= MEDIATOR * len(FIVE) * MEGABYTES
    assert max(megabytes[party] for party in FIVE) <= PARTY * MEGABYTES
