"""Mean embeddings: the error of alpha by the number of frequencies, the time that rows take, generators beside those
fitted to rows, and what an embedding tells of who was in. Run with ``-s`` to see the tables."""

import time

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.metrics import roc_auc_score

from guerdon.generators import AdversarialForest, EmbeddedMixture, GaussianMixture, SyntheticData
from guerdon.generators.quality import sample_quality
from guerdon.mean_embedding import KernelFeatures, MeanEmbedding, with_noise
from guerdon.privacy import noise_multiplier
from guerdon.tables import Columns, Number
from guerdon.types import Contribution
from guerdon.valuation import EmbeddedDiscrepancy, MaximumMeanDiscrepancy
from simulations.partitions import ClassShares, PartialSort

TABLES = {
    "breast cancer": (load_breast_cancer, PartialSort(minimum_share=0.1), 3),
    "digits": (load_digits, ClassShares(shares="unequal"), 5),
}


def in_bounds(X):
    low, high = X.min(axis=0), X.max(axis=0)
    return 2.0 * (X - low) / np.where(high > low, high - low, 1.0) - 1.0


def half(d):
    """The length-scale of a run: half the root mean square distance of rows spread over the bounds."""
    return 0.5 * float(np.sqrt(2.0 * d / 3.0))


@pytest.mark.parametrize("name", TABLES)
def test_the_error_of_alpha_falls_with_the_frequencies(name):
    load, partition, n = TABLES[name]
    bunch, rng = load(), np.random.default_rng(1)
    X = in_bounds(bunch.data)
    blocks = partition.split(bunch.data, n, rng=np.random.default_rng(0), target=bunch.target)
    parties = [Contribution(f"p{k}", X[block]) for k, block in enumerate(blocks)]
    G = GaussianMixture(components=1).fit(parties, rng=rng).sample(1500, rng=rng).points
    for share in (1.0, 0.5):
        lengthscale = share * half(X.shape[1])
        exact = MaximumMeanDiscrepancy(lengthscale=lengthscale).game(parties, G).shapley()
        for count in (512, 2048, 4096):
            apart, told = [], []
            for seed in range(4):
                z = KernelFeatures(lengthscale, count, seed)
                game = EmbeddedDiscrepancy().game([MeanEmbedding.of(c.party, c.X, z) for c in parties], G)
                phi = game.shapley()
                apart.append(np.abs(phi / phi.max() - exact / exact.max()).max())
                told.append(game.alpha_errors.max())
            print(f"{name}, l = {lengthscale:.2f}, F = {count}: {max(apart):.4f}, told {max(told):.4f}")
    assert max(apart) < 0.03


@pytest.mark.parametrize(("name", "seed"), [(name, seed) for name in TABLES for seed in range(1)])
def test_a_generator_that_saw_no_row_is_beside_those_that_did(name, seed):
    load, _, _ = TABLES[name]
    bunch, rng = load(), np.random.default_rng(seed)
    X, y = in_bounds(bunch.data), bunch.target.astype(float)
    order = rng.permutation(len(X))
    unseen, pool = order[: round(0.3 * len(X))], order[round(0.3 * len(X)) :]
    columns = Columns.of([Number(str(j), j, low=-1.0, high=1.0) for j in range(X.shape[1])])
    rows = [Contribution("all", X[pool], y[pool], columns=columns)]
    classes = tuple(np.unique(y))

    def told(fitted):
        drawn = fitted.sample(2000, rng=np.random.default_rng(1))
        found = sample_quality(drawn, SyntheticData(X[pool], y[pool]), SyntheticData(X[unseen], y[unseen]))
        return f"1,000 MMD^2 {1000 * found.mmd2:.2f}, TSTR {found.usefulness:.3f}, TRTR {found.attainable:.3f}"

    print(f"{name}: mixture of rows: {told(GaussianMixture(components=1).fit(rows, rng=rng))}")
    print(f"{name}: forest: {told(AdversarialForest().fit(rows, rng=rng))}")
    for epsilon, count in ((np.inf, 4096), (10.0, 512), (3.0, 512), (1.0, 512)):
        z = KernelFeatures(half(X.shape[1]), count)
        part = MeanEmbedding.of("all", X[pool], z, y[pool], classes)
        if np.isfinite(epsilon):
            part = with_noise(part, noise_multiplier(epsilon, 1e-5), np.random.default_rng(seed).standard_normal)
        fitted = EmbeddedMixture().fit([part], columns=columns, rng=np.random.default_rng(seed))
        print(f"{name}: without rows, epsilon {epsilon:g}, F = {count}: {told(fitted)}")


@pytest.mark.parametrize("name", TABLES)
def test_what_an_embedding_tells_of_who_was_in(name):
    """The test of a row x is <z(x), s> less what other rows of the same kind explain of it."""
    load, _, _ = TABLES[name]
    X, rng = in_bounds(load().data), np.random.default_rng(0)
    order, m = rng.permutation(len(X)), 150
    rows, others = X[order[: 2 * m]], X[order[2 * m :]]
    for count in (512, 4096):
        z = KernelFeatures(half(X.shape[1]), count)
        part, Z, R = MeanEmbedding.of("all", rows[:m], z), z(rows), z(others)
        for epsilon in (np.inf, 30.0, 10.0, 3.0, 1.0):
            found = []
            for seed in range(5 if np.isfinite(epsilon) else 1):
                total = part.total
                if np.isfinite(epsilon):
                    normal = np.random.default_rng(seed).standard_normal
                    total = with_noise(part, noise_multiplier(epsilon, 1e-5), normal).total
                best = 0.0
                for ridge in (1e-4, 1e-2, 1.0):
                    explained = (Z @ R.T) @ np.linalg.solve(R @ R.T + ridge * np.eye(len(R)), R @ total)
                    best = max(best, roc_auc_score(np.arange(2 * m) < m, Z @ total - explained))
                found.append(best)
            print(f"{name}, F = {count}, epsilon {epsilon:g}: AUC {np.mean(found):.3f}")
    counted = np.linalg.lstsq(np.concatenate([Z, R]).T, part.total, rcond=1e-13)[0][: 2 * m]
    listed = roc_auc_score(np.arange(2 * m) < m, counted)
    print(f"{name}: by who has a list with all rows, without noise: AUC {listed:.3f}")


def test_time_is_linear_in_rows():
    rng, z, d = np.random.default_rng(0), KernelFeatures(3.0, 1024), 15
    G = rng.normal(0.6, 1.2, (2000, d))
    for rows in (5_000, 10_000, 20_000):
        parties = [Contribution(str(k), rng.normal(0.3 * k, 1.0, (rows // 5, d))) for k in range(5)]
        start = time.process_time()
        phi = EmbeddedDiscrepancy().game([MeanEmbedding.of(c.party, c.X, z) for c in parties], G).shapley()
        embedded = time.process_time() - start
        exact = MaximumMeanDiscrepancy(lengthscale=3.0).game(parties, G).shapley()
        all_pairs = time.process_time() - start - embedded
        apart = np.abs(phi / phi.max() - exact / exact.max()).max()
        print(f"{rows} rows: all pairs take {all_pairs / embedded:.1f} times as long; alpha differs by {apart:.4f}")
