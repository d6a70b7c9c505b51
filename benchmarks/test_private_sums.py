"""Sums with noise over epsilon: error of the pool's weights, value and calibration. The table in docs/privacy.md.

Four parties with 227, 220, 91 and 107 rows, or ten times as many, and 1,000 public rows, from which units, bounds and
the noise of outputs come. Drawn: 14 independent features and a constant, which explain half of the outputs' variance.
California: the eight columns of its houses, and a constant. The error is what predictions are off by beyond the true
weights (drawn), or those of all houses, over what features explain. z^2 is the difference of weights over the
posterior's own covariance, a feature: 1 is calibrated, less is cautious.
"""

import math

import numpy as np
import polars as pl
import pytest

from guerdon.models import Affine, BayesianLinear
from guerdon.models.statistics import rows_in_units
from guerdon.models.sums import bounds_of, sums_of
from guerdon.privacy import noise_multiplier, noisy_sums
from guerdon.scaling import Scaling
from guerdon.types import Contribution
from simulations.datasets.files import data_file

SIZES = np.array([227, 220, 91, 107])
PUBLIC = 1000
SEEDS = range(10)
EPSILONS = (math.inf, 30.0, 10.0, 3.0, 1.0, 0.3)
DELTA = 1e-5


def drawn(rng, count):
    w = rng.standard_normal(14)
    w *= math.sqrt(0.5) / np.linalg.norm(w)
    X = rng.standard_normal((count, 14))
    return X, X @ w + math.sqrt(0.5) * rng.standard_normal(count), np.append(w, 0.0)


def houses(rng, count):
    try:
        table = pl.read_csv(data_file("california_housing_raw.csv.gz")).drop_nulls().to_numpy()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    table = table[rng.permutation(len(table))]
    X, y = table[:, :-1], table[:, -1]
    design = np.column_stack([X, np.ones(len(X))])
    return X[:count], y[:count], np.linalg.lstsq(design, y, rcond=None)[0]


def pooled(source, times, epsilon, seed):
    """(error of the pool, mean error of the parties alone at home, v_N in nats, z^2)"""
    rng = np.random.default_rng([seed, times])
    sizes = times * SIZES
    X, y, w = source(rng, int(sizes.sum()) + PUBLIC)
    public = Contribution("public", X[:PUBLIC], y[:PUBLIC])
    scaling, features = Scaling.of_pool([public]), Affine()
    scaled = scaling.apply(public)
    noise = float(BayesianLinear(features=features).fit([scaled]).noise)
    bounds = bounds_of(features, scaled.X, scaled.y)
    units = np.append(w[:-1] * scaling.feature_scale, w[-1] + w[:-1] @ scaling.feature_mean - scaling.target_mean)
    truth = units / scaling.target_scale
    metric = scaled.X - scaled.X.mean(axis=0)
    metric = np.column_stack([metric, np.ones(PUBLIC)])
    explained = np.mean((metric @ np.append(truth[:-1], 0.0)) ** 2)

    def error(mean):
        return np.mean((metric @ (mean - truth)) ** 2) / explained

    eye, alone = np.eye(len(truth)), []
    A, h = np.zeros_like(eye), np.zeros(len(truth))
    at = PUBLIC
    for k, m in enumerate(sizes):
        own, out = X[at : at + m], y[at : at + m]
        at += m
        exact, _ = sums_of(f"party-{k}", own, out, features, scaling)
        alone.append(error(np.linalg.solve(eye + exact.gram / noise, exact.moment / noise)))
        if epsilon != math.inf:
            clipped, _ = sums_of(f"party-{k}", own, out, features, scaling, bounds)
            exact = noisy_sums(clipped, bounds, noise_multiplier(epsilon, DELTA), rng.standard_normal)
        rows = rows_in_units(exact, noise)
        spread = noise if rows.noise is None else rows.noise
        A, h = A + (rows.X.T / spread) @ rows.X, h + (rows.X.T / spread) @ rows.y
    mean = np.linalg.solve(eye + A, h)
    off = mean - truth
    z2 = off @ (eye + A) @ off / len(truth)
    return error(mean), np.mean(alone), 0.5 * np.linalg.slogdet(eye + A)[1], z2


@pytest.mark.timeout(0)
def test_the_smaller_epsilon_the_larger_the_error_and_never_a_larger_value():
    print("\n| data, rows | epsilon | error of the pool | alone at home | v_N, nats | z^2 |")
    print("| --- | --- | --- | --- | --- | --- |")
    for source, name in ((drawn, "drawn"), (houses, "California")):
        for times in (1, 10):
            before = math.inf
            for epsilon in EPSILONS:
                error, alone, value, z2 = np.mean([pooled(source, times, epsilon, seed) for seed in SEEDS], axis=0)
                private = "none" if epsilon == math.inf else f"{epsilon:g}"
                cells = (f"{name}, {times * SIZES.sum():,}", private, f"{error:.2g}", f"{alone:.2g}", f"{value:.1f}")
                print(f"| {' | '.join(cells)} | {z2:.2f} |")
                assert value <= before
                assert z2 < 1.2 or source is houses  # no line is true of houses
                before = value
