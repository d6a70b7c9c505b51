"""Generators on mixed tables: how near their rows are to unseen ones, how many are no rows of the table, and what a
classifier trained on them gets right.

Half of the rows are the pool, half unseen. MMD^2 is unbiased, of 2,000 drawn rows in standard units, at the median
distance; accuracy is of a logistic regression on unseen rows.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from clients.encoding import encode
from guerdon.generators import AdversarialForest, GaussianMixture, KernelDensity, SyntheticData
from guerdon.generators.quality import sample_quality
from guerdon.scaling import Scaling
from guerdon.tables import Boolean, Category, Columns, Gap, Number
from guerdon.types import Contribution
from simulations.datasets.files import data_file
from wire.decoding import columns_of
from wire.schema import Schema

SEEDS = range(5)
DRAWN = 2000

GENERATORS = {
    "adversarial forest": AdversarialForest(),
    "Gaussian mixture, categories by component": GaussianMixture(),
    "Gaussian mixture of one-hots": GaussianMixture(),  # which is told nothing of columns
    "kernel density": KernelDensity(),
}


def clinic(seed):
    """1,200 patients of a made clinic, whose columns depend on each other: (X, y, columns)."""
    rng, m = np.random.default_rng(seed), 1200
    ward = rng.choice(4, m, p=[0.5, 0.3, 0.15, 0.05])
    female = rng.random(m) < 0.3 + 0.15 * ward
    age = np.clip(np.round(rng.normal(45 + 8 * ward, 9)), 18, 95)
    sick = (rng.random(m) < 1 / (1 + np.exp(-(0.08 * (age - 55) + 1.5 * (ward == 2) - 1.0)))).astype(float)
    stay = rng.poisson(1 + 4 * sick).astype(float)
    cholesterol = rng.normal(5 + 0.03 * (age - 50) + 0.5 * female, 0.7)
    gap = rng.random(m) < 0.1 + 0.2 * (ward == 1)
    X = np.column_stack([age, np.eye(4)[ward], female, stay, np.where(gap, 5.0, cholesterol), gap])
    return (
        X,
        sick,
        Columns.of(
            [
                Number("age", 0, 18, 95, whole=True),
                Category("ward", (1, 2, 3, 4)),
                Boolean("female", 5),
                Number("stay", 6, 0, whole=True),
                Number("cholesterol", 7, 0, 20, gap=Gap(5.0, 8)),
            ]
        ),
    )


def hearts(seed):
    """The patients of four hospitals, by the schema of docs/deployment.md, disease yes or no."""
    del seed
    try:
        path = data_file("heart_disease_4sites.csv")
    except FileNotFoundError as error:
        pytest.skip(str(error))
    text = (Path(__file__).parents[1] / "docs" / "deployment" / "heart-disease.toml").read_text()
    schema = Schema.from_toml(text)
    table = pl.read_csv(path, infer_schema=False).filter(pl.col("trestbps").fill_null("") != "0")
    table = table.with_columns(disease=(pl.col("num") != "0").cast(pl.String))
    encoded = encode(table, schema)
    assert not encoded.problems
    assert encoded.y is not None
    return encoded.X, encoded.y, columns_of(schema).refined(encoded.X)


def compared(table, seed):
    """MMD^2, share of impossible rows and accuracy of each generator; and the accuracy of real rows."""
    X, y, columns = table(seed)
    order = np.random.default_rng(100 + seed).permutation(len(X))
    pool, unseen = order[: len(X) // 2], order[len(X) // 2 :]
    raw = Contribution("pool", X[pool], y[pool], columns=columns)
    scaling = Scaling.of_pool([replace(raw, y=None)])
    scaled = scaling.apply(replace(raw, y=None))
    scaled = replace(scaled, y=raw.y)
    data = SyntheticData(scaled.X, raw.y)
    held = SyntheticData(scaling.features(X[unseen]), y[unseen])
    found = {}
    for name, generator in GENERATORS.items():
        told = replace(scaled, columns=None) if "one-hots" in name else scaled
        drawn = generator.fit([told], rng=np.random.default_rng(seed)).sample(DRAWN, rng=np.random.default_rng(seed))
        own = scaling.original_features(drawn.points)
        possible = np.isclose(columns.conform(own), own, rtol=0, atol=1e-9).all(axis=1)
        quality = sample_quality(drawn, data, held)
        found[name] = (quality.mmd2, 1 - possible.mean(), quality.usefulness)
    return found, quality.attainable


@pytest.mark.parametrize("table", [clinic, hearts])
def test_the_forest_is_nearest_of_those_that_repeat_no_rows(table):
    runs = [compared(table, seed) for seed in SEEDS]
    print(f"\n{table.__name__}, means of {len(SEEDS)} seeds (standard deviations)")
    print(f"{'':44}{'MMD^2 x 1000':>18}{'impossible rows':>18}{'accuracy':>18}")
    means = {}
    for name in GENERATORS:
        rows = np.array([found[name] for found, _ in runs])
        mean, deviation = rows.mean(axis=0), rows.std(axis=0, ddof=1)
        means[name] = mean
        cells = [(1e3 * mean[0], 1e3 * deviation[0]), (mean[1], deviation[1]), (mean[2], deviation[2])]
        print(f"{name:44}" + "".join(f"{f'{m:.3f} ({s:.3f})':>18}" for m, s in cells))
    print(f"{'real rows':44}{'':36}{np.mean([attainable for _, attainable in runs]):>18.3f}")
    forest = means["adversarial forest"]
    for name in ("Gaussian mixture, categories by component", "Gaussian mixture of one-hots"):
        assert forest[0] < means[name][0]
    for name in GENERATORS:
        assert bool(means[name][1] == 0.0) is ("of one-hots" not in name)
