"""Five parties of 1,000,000 rows each, from statistics, end to end: what it takes, by stage, and what leaves a party.

Through a grid without a network, one party after the other, in one process: CPU seconds, which the machine's other work
lengthens little, and the most memory that the process ever had. Files are written before the clock starts.
"""

import json
import logging
import resource
import time

import numpy as np
import polars as pl
import pytest

from clients.app import app
from server.app import mediate
from simulations.local_grid import LocalGrid
from wire.messages import CONTRIBUTE

logging.getLogger("flwr").setLevel(logging.ERROR)

PARTIES, ROWS, INPUTS = 5, 1_000_000, 32


@pytest.mark.timeout(0)
@pytest.mark.parametrize("private", ["", "3"], ids=["exact", "epsilon 3"])
def test_five_million_rows(tmp_path, private):
    rng = np.random.default_rng(0)
    w = rng.standard_normal(INPUTS) / np.sqrt(INPUTS)
    parties = [f"party-{k}" for k in range(PARTIES)]
    names = [f"x{k}" for k in range(INPUTS)]

    def write(name, rows):
        X = rng.standard_normal((rows, INPUTS), dtype=np.float32)
        table = pl.DataFrame(X, schema=names).with_columns(y=X @ w + rng.standard_normal(rows))
        table.write_parquet(tmp_path / f"{name}.parquet", compression="uncompressed")

    for party in parties:
        write(party, ROWS)
    write("public", 5_000)
    (tmp_path / "parties.json").write_text(json.dumps(parties))
    settings = {
        "data-dir": str(tmp_path),
        "run-dir": str(tmp_path / "run"),
        "parties": ",".join(parties),
        "contribute": "statistics",
        "model": "BayesianLinear(features='Affine()')",
        "public-file": str(tmp_path / "public.parquet"),
        "target": "y",
        "private": private,
        "holdout": 0.01,
        "join-timeout": 0.5,
        "timeout": 0.5,
    }
    sent, spent = [], {}

    def listen(node, message, reply):
        kind = message.metadata.message_type
        spent[kind] = spent.get(kind, 0.0) + time.process_time() - clock[0]
        clock[0] = time.process_time()
        if kind == CONTRIBUTE:
            sent.append(sum(len(array.data) for array in reply.content["arrays"].values()))
        return reply

    nodes = {100 + k: {"partition-id": k, "num-partitions": PARTIES} for k in range(PARTIES)}
    start, clock = time.process_time(), [time.process_time()]
    record = mediate(LocalGrid(app, nodes, settings, listen), settings).read_allocation()
    whole = time.process_time() - start
    assert record["stage"] == "delivered"
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    stages = ", ".join(f"{kind} {seconds:.1f}" for kind, seconds in spent.items())
    print(
        f"\n{PARTIES} x {ROWS:,} rows, M = {INPUTS + 1}, epsilon {private or 'none'}: {whole:.0f} s of CPU ({stages})"
    )
    print(
        f"at most {memory:.1f} GiB of memory; {max(sent):,} bytes left a party, of {ROWS * (INPUTS + 1) * 8:,} of rows"
    )
    assert max(sent) < 20_000
