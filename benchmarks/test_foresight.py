"""What ``foresee`` says from sizes and epsilons alone, against whole collaborations: the table in docs/privacy.md.

Each setting is run with three seeds through a grid without a network: parties with files, public rows, sums with the
noise that they ask for, rewards. An error is that of predictions on unseen rows: how far they are from the best line
of all rows, in the mean of the square, over what the best line explains; 1 is as bad as the mean.
"""

import json
import logging
import math
import zlib
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from clients.app import app
from clients.reward_store import load_reward
from guerdon.foresight import LEAST_GAIN, Assumptions, foresee
from guerdon.models import Affine, BayesianLinear
from guerdon.scaling import Scaling
from guerdon.types import Contribution
from server.app import mediate
from simulations.datasets.files import data_file
from simulations.local_grid import LocalGrid
from wire.kinds.model import predictor_of

logging.getLogger("flwr").setLevel(logging.ERROR)

inf = math.inf
SEEDS = range(3)
PUBLIC, UNSEEN = 1000, 6000

SETTINGS = [
    ("drawn", 14, [227, 220, 91, 107], [inf] * 4),
    ("drawn", 14, [227, 220, 91, 107], [1, 1, 3, inf]),
    ("drawn", 14, [645] * 4, [10] * 4),
    ("drawn", 14, [645] * 4, [40] * 4),
    ("drawn", 14, [2270, 2200, 910, 1070], [3] * 4),
    ("drawn", 14, [2270, 2200, 910, 1070], [10, 10, 30, inf]),
    ("drawn", 14, [20_000] * 4, [3] * 4),
    ("drawn", 4, [500, 1000, 2000], [3, 3, inf]),
    ("drawn", 4, [20_000, 5_000, 5_000], [1, 1, 1]),
    ("California", 8, [300, 600, 900], [inf] * 3),
    ("California", 8, [2000, 2000, 2000], [10, 10, inf]),
    ("California", 8, [4000, 4000, 4000], [30] * 3),
]


def rows(source, d, count, rng):
    """Inputs and outputs of so many rows, and the noise that public rows would be known to have."""
    if source == "drawn":
        w = rng.standard_normal(d)
        X = rng.standard_normal((count, d))
        return X, X @ w * math.sqrt(0.5) / np.linalg.norm(w) + math.sqrt(0.5) * rng.standard_normal(count)
    try:
        table = pl.read_csv(data_file("california_housing_raw.csv.gz")).drop_nulls().to_numpy()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    chosen = rng.permutation(len(table))[:count]
    return table[chosen, :-1], table[chosen, -1] / 1e5


def line(X, y):
    """The best line through the rows, and the variance that it leaves."""
    design = np.column_stack([X, np.ones(len(X))])
    weights = np.linalg.lstsq(design, y, rcond=None)[0]
    return lambda inputs: np.column_stack([inputs, np.ones(len(inputs))]) @ weights


def collaboration(folder, source, d, sizes, epsilons, seed):
    """Errors alone and with the reward (n,), values of rewards (n,) and of own rows (n,), by a run of its own."""
    rng = np.random.default_rng([seed, zlib.crc32(source.encode()), *sizes])
    X, y = rows(source, d, sum(sizes) + PUBLIC + UNSEEN, rng)
    names, parties = [f"x{k}" for k in range(d)], [f"party-{k}" for k in range(len(sizes))]
    ends = np.cumsum([*sizes, PUBLIC])
    parts = np.split(np.arange(len(X)), ends)
    folder.mkdir()

    def write(file, part):
        pl.DataFrame(np.column_stack([X[part], y[part]]), schema=[*names, "y"]).write_parquet(folder / file)

    for party, part in zip(parties, parts, strict=False):
        write(f"{party}.parquet", part)
    write("public.parquet", parts[-2])
    (folder / "parties.json").write_text(json.dumps(parties))
    settings = {
        "data-dir": str(folder),
        "run-dir": str(folder / "run"),
        "parties": ",".join(parties),
        "contribute": "statistics",
        "model": "BayesianLinear(features='Affine()')",
        "public-file": str(folder / "public.parquet"),
        "target": "y",
        "private": ",".join(f"{e:g}" for e in epsilons),
        "holdout": 0.0,
        "seed": seed,
        "join-timeout": 0.5,
        "timeout": 0.5,
    }
    nodes = {100 + k: {"partition-id": k, "num-partitions": len(sizes)} for k in range(len(sizes))}
    record = mediate(LocalGrid(app, nodes, settings), settings).read_allocation()
    public = Contribution("public", X[parts[-2]], y[parts[-2]], tuple(names))
    scaling = Scaling.of_pool([public])
    model = BayesianLinear(features=Affine()).fit([scaling.apply(public)])
    unseen = parts[-1]
    best = line(X, y)(X[unseen])
    explained = best.var()
    found = []
    for entry, part in zip(record["parties"], parts, strict=False):
        own = scaling.apply(Contribution(entry["party"], X[part], y[part], tuple(names)))
        inputs = scaling.features(X[unseen])
        alone = model.posterior(own.X, own.y).predict(inputs)[0] * scaling.target_scale + scaling.target_mean
        reward = predictor_of(load_reward(Path(entry["store"]))).predict(X[unseen])[0]
        beyond = [np.mean((guess - best) ** 2) / explained for guess in (alone, reward)]
        found.append([*beyond, float(entry["reached"]), model.information_gain(own.X)])
    return np.array(found).T, float(model.noise)


def verdict(alone, reward):
    change = reward - alone
    return "even" if abs(change) <= LEAST_GAIN * alone else "gains" if change < 0 else "loses"


@pytest.mark.timeout(0)
def test_verdicts_agree_with_what_runs_show(tmp_path):
    agreed = parties = 0
    print("\n| data, features | rows | epsilon | reward in nats: foreseen | in runs | errors alone / reward: ", end="")
    print("foreseen | in runs |\n| --- | --- | --- | --- | --- | --- | --- |")
    for number, (source, d, sizes, epsilons) in enumerate(SETTINGS):
        runs = [collaboration(tmp_path / f"{number}-{seed}", source, d, sizes, epsilons, seed) for seed in SEEDS]
        found, noise = np.mean([r[0] for r in runs], axis=0), np.mean([r[1] for r in runs])
        seen = foresee(sizes, epsilons, Assumptions(d + 1, noise=round(float(noise), 2)))
        texts = [verdict(alone, reward) for alone, reward in found[:2].T]
        ours = [p.verdict.replace("about ", "") for p in seen.parties]
        agreed += sum(a == b for a, b in zip(texts, ours, strict=True))
        parties += len(sizes)

        def pairs(alone, reward, words):
            return "; ".join(f"{a:.2g} / {r:.2g} {w}" for a, r, w in zip(alone, reward, words, strict=True))

        print(
            f"| {source}, {d + 1} | {', '.join(f'{m:,}' for m in sizes)} | {', '.join(f'{e:g}' for e in epsilons)} | "
            + ", ".join(f"{p.reward:.1f}" for p in seen.parties)
            + " | "
            + ", ".join(f"{r:.1f}" for r in found[2])
            + " | "
            + pairs([p.error_alone for p in seen.parties], [p.error_reward for p in seen.parties], ours)
            + " | "
            + pairs(found[0], found[1], texts)
            + " |"
        )
    print(f"\n{agreed} of {parties} verdicts agree")
    assert agreed >= 0.85 * parties
