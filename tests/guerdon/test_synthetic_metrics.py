"""Distances between sets of points: closed forms, the plain formula, and refusals."""

import warnings

import numpy as np
import pytest
from gpytorch.kernels import LinearKernel

from guerdon.metrics import class_imbalance, knn_kl, mmd2_biased, mmd2_unbiased, wasserstein2_squared


def kernel(X, Z, lengthscale):
    return np.exp(-np.square(X[:, None] - Z[None]).sum(axis=-1) / (2 * lengthscale**2))


class TestMmd:
    def test_formulas(self):
        rng = np.random.default_rng(0)
        S, T = rng.normal(size=(30, 3)), rng.normal(0.3, 1.0, size=(700, 3))
        K, L, M = kernel(S, S, 0.9), kernel(T, T, 0.9), kernel(S, T, 0.9).mean()
        unbiased = (K.sum() - 30) / (30 * 29) - 2 * M + (L.sum() - 700) / (700 * 699)
        assert mmd2_unbiased(S, T, 0.9) == pytest.approx(unbiased, abs=1e-14)
        assert mmd2_biased(S, T, 0.9) == pytest.approx(K.mean() - 2 * M + L.mean(), abs=1e-14)

    def test_a_set_and_itself(self):
        S = np.random.default_rng(1).normal(size=(40, 2))
        assert mmd2_biased(S, S, 1.0) == pytest.approx(0.0, abs=1e-15)
        assert mmd2_unbiased(S, S, 1.0) < 0

    def test_any_kernel(self):
        rng = np.random.default_rng(2)
        S, T = rng.normal(size=(10, 2)), rng.normal(size=(20, 2))
        linear = LinearKernel()
        linear.variance = 1.0
        assert mmd2_biased(S, T, 1.0, kernel=linear) == pytest.approx(np.square(S.mean(axis=0) - T.mean(axis=0)).sum())

    def test_refusals(self):
        with pytest.raises(ValueError, match="2 rows or more"):
            mmd2_unbiased(np.zeros((1, 2)), np.zeros((3, 2)), 1.0)
        with pytest.raises(ValueError, match="same features"):
            mmd2_biased(np.zeros((3, 2)), np.zeros((3, 1)), 1.0)


class TestNearestNeighbours:
    def test_everything_against_itself(self):
        T = np.random.default_rng(0).normal(size=(50, 3))
        assert knn_kl(T, T) == 0.0

    def test_by_hand(self):
        """S = {0, 1, 4}, T adds 2: nearest other points 1, 1, 3 in S and 1, 1, 2 in T."""
        S, T = np.array([[0.0], [1.0], [4.0]]), np.array([[0.0], [1.0], [4.0], [2.0]])
        assert knn_kl(S, T, ks=[1]) == pytest.approx(np.log(2 / 3) / 3 + np.log(3 / 2))

    def test_plain_loops(self):
        rng = np.random.default_rng(1)
        T = rng.normal(size=(60, 2))
        S = T[:25]
        expected = []
        for k in range(2, 7):
            logs = []
            for i in range(25):
                within = np.sort(np.linalg.norm(np.delete(S, i, axis=0) - S[i], axis=1))[k - 1]
                among = np.sort(np.linalg.norm(np.delete(T, i, axis=0) - S[i], axis=1))[k - 1]
                logs.append(np.log(among / within))
            expected.append(2 * np.mean(logs) + np.log(59 / 24))
        assert knn_kl(S, T) == pytest.approx(np.mean(expected), abs=1e-12)

    def test_estimates_the_divergence_of_a_half(self):
        """S the points of T with a positive first coordinate: D = log 2."""
        T = np.random.default_rng(2).normal(size=(20_000, 2))
        assert knn_kl(T[T[:, 0] > 0], T) == pytest.approx(np.log(2), abs=0.05)

    def test_repeated_rows_are_left_out_and_counted(self):
        rng = np.random.default_rng(3)
        S = rng.normal(size=(30, 2))
        S[1] = S[0]
        T = np.concatenate([S, rng.normal(size=(40, 2))])
        with pytest.warns(RuntimeWarning, match="2 of 30 neighbour distances are 0"):
            estimate = knn_kl(S, T, ks=[1])
        assert np.isfinite(estimate)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            knn_kl(S, T)  # the second neighbours are apart

    def test_a_k_whose_distances_are_all_zero_is_left_out_and_counted(self):
        rng = np.random.default_rng(5)
        S = rng.normal(size=(30, 2))
        T = np.concatenate([S, S, rng.normal(size=(40, 2))])
        with pytest.warns(RuntimeWarning, match="30 of 60 neighbour distances are 0 .* left out, with them 1 of 2 ks"):
            estimate = knn_kl(S, T, ks=[1, 2])
        assert estimate == knn_kl(S, T, ks=[2])
        with pytest.raises(ValueError, match="take larger ks, or remove repeated rows"):
            knn_kl(S, T, ks=[1])

    def test_refusals(self):
        rng = np.random.default_rng(4)
        S, T = rng.normal(size=(10, 2)), rng.normal(size=(20, 2))
        with pytest.raises(ValueError, match="inside T"):
            knn_kl(S, T)
        with pytest.raises(ValueError, match="from 1 to 4"):
            knn_kl(T[:5], T)
        with pytest.raises(ValueError, match="repeated rows"):
            knn_kl(np.zeros((8, 2)), np.zeros((9, 2)))


class TestWasserstein:
    def test_a_shift(self):
        S = np.random.default_rng(0).normal(size=(50, 3))
        assert wasserstein2_squared(S, S + np.array([1.0, 2.0, 0.0])) == pytest.approx(5.0)
        assert wasserstein2_squared(S, S) == pytest.approx(0.0, abs=1e-12)

    def test_one_dimension(self):
        """(m - n)^2 + (s - t)^2."""
        rng = np.random.default_rng(1)
        S, T = rng.normal(2.0, 3.0, size=(100, 1)), rng.normal(size=(80, 1))
        expected = (S.mean() - T.mean()) ** 2 + (S.std(ddof=1) - T.std(ddof=1)) ** 2
        assert wasserstein2_squared(S, T) == pytest.approx(expected)

    def test_singular_covariances(self):
        S = np.array([[0.0, 1.0], [2.0, 1.0], [4.0, 1.0]])
        assert wasserstein2_squared(S, 2 * S) == pytest.approx(4.0 + 1.0 + 4.0)


class TestClassImbalance:
    def test_extremes(self):
        assert class_imbalance([0, 1, 2, 3], 4) == pytest.approx(1 / 16)
        assert class_imbalance([2, 2, 2], 4) == pytest.approx(1 / 4)
        assert class_imbalance([5.0, 7.0], [5, 7]) == pytest.approx(1 / 4)

    def test_unknown_labels_are_refused(self):
        with pytest.raises(ValueError, match="got 4"):
            class_imbalance([0, 4], 4)
