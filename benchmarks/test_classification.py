"""What a reward of class probabilities does for each party: log loss on unseen rows, alone and with the reward.

Six partially sorted partitions of breast cancer among three clinics (partition of Sim et al. 2020), a fifth of the rows
unseen, standardised by the pool, a logistic model on (x, 1), rho = 0.5; without the blur of a run's rewards, and with.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

from guerdon.class_metrics import accuracy, area_under_curve, brier_score, calibration_error, log_loss
from guerdon.models import BayesianLogistic, FourierFeatures
from guerdon.pipeline import allocate
from guerdon.realization import LikelihoodTempering
from guerdon.rewards import RhoShapley
from guerdon.row_marks import RowMarks
from guerdon.scaling import Scaling
from guerdon.shapley import ExactShapley
from guerdon.types import Contribution
from guerdon.valuation import InformationGain
from simulations.partitions import PartialSort

SEEDS = range(6)
MEASURES = {
    "log loss": log_loss,
    "accuracy": accuracy,
    "AUC": area_under_curve,
    "Brier": brier_score,
    "calibration error": calibration_error,
}


class Party(NamedTuple):
    """alpha, and each measure alone and with the reward."""

    alpha: float
    alone: dict[str, float]
    reward: dict[str, float]


def parties(seed, features="Affine()", rows=0.0):
    """The three parties of one partition; ``rows`` is the run's reward-precision."""
    X, y = load_breast_cancer(return_X_y=True)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(y))
    unseen, rest = order[: len(y) // 5], np.sort(order[len(y) // 5 :])
    blocks = PartialSort(0.1).split(X[rest], 3, rng=rng)
    pool = [Contribution(f"clinic-{k}", X[rest[b]], y[rest[b]].astype(float)) for k, b in enumerate(blocks)]
    scaling = Scaling.of_pool([Contribution("all", X[rest])])
    scaled = [scaling.apply(c) for c in pool]
    if rows:
        scaled = [replace(c, marks=RowMarks.of(c).weighted(b"secret", rows)) for c in scaled]
    model = BayesianLogistic(features, classes=2).fit(scaled)
    made = allocate(scaled, InformationGain(model), ExactShapley(), RhoShapley(rho=0.5), LikelihoodTempering(), rng=rng)
    for reward, alpha, own in zip(made.rewards, made.shapley.alpha, pool, strict=True):
        units = Scaling.of_pool([Contribution("own", own.X)])  # alone, nothing comes from anybody else
        alone = BayesianLogistic(features, classes=2).posterior(units.features(own.X), own.y)
        p = alone.predict_proba(units.features(X[unseen])), reward.posterior.predict_proba(scaling.features(X[unseen]))
        yield Party(float(alpha), *({name: m(q, y[unseen]) for name, m in MEASURES.items()} for q in p))


def report(found, words):
    fell = sum(party.reward["log loss"] < party.alone["log loss"] for party in found)
    print(f"\n{words}: log loss falls for {fell} of {len(found)}")
    for name in MEASURES:
        alone, reward = (np.mean([side[name] for side in sides]) for sides in zip(*(p[1:] for p in found), strict=True))
        print(f"  {name:18s} {alone:.4f} -> {reward:.4f}")
    for party in sorted(found, key=lambda party: party.alpha):
        print(f"  alpha {party.alpha:.2f}  log loss {party.alone['log loss']:.3f} -> {party.reward['log loss']:.3f}")
    return fell


def test_log_loss_falls_for_nearly_all():
    found = [party for seed in SEEDS for party in parties(seed)]
    assert report(found, "Affine()") >= 16


@pytest.mark.parametrize("rows", [2.0])
def test_and_under_the_blur_of_a_run(rows):
    found = [party for seed in SEEDS for party in parties(seed, rows=rows)]
    assert report(found, f"Affine(), reward-precision {rows:g}") >= 16


def test_fourier_features():
    features = FourierFeatures(100, 8.0)
    found = [party for seed in SEEDS for party in parties(seed, features)]
    report(found, "FourierFeatures(100, 8)")
