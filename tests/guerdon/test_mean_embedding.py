"""Mean embeddings: what they estimate, what they refuse, and the noise of private ones."""

from __future__ import annotations

import numpy as np
import pytest

from guerdon.mean_embedding import KernelFeatures, MeanEmbedding, with_noise
from guerdon.privacy import noise_multiplier

Z = KernelFeatures(lengthscale=1.5, frequencies=256)


def rows(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 3))


class TestKernelFeatures:
    def test_products_are_the_kernel_on_average_over_seeds_and_one_of_a_row_with_itself(self) -> None:
        X = rows(6)
        found = [z @ z.T for z in (KernelFeatures(1.5, 256, seed)(X) for seed in range(100))]
        kernel = np.exp(-np.square(X[:, None] - X[None]).sum(axis=2) / (2 * 1.5**2))
        np.testing.assert_allclose(np.mean(found, axis=0), kernel, atol=4 * 0.03 / 10)
        for products in found:
            np.testing.assert_allclose(np.diagonal(products), 1.0, rtol=1e-14)

    def test_of_one_hots_it_is_the_overlap_kernel(self) -> None:
        found = [z @ z.T for z in (KernelFeatures(1.0, 512, seed)(np.eye(3)) for seed in range(40))]
        np.testing.assert_allclose(np.mean(found, axis=0), np.where(np.eye(3) > 0, 1.0, np.exp(-1.0)), atol=0.01)

    def test_a_sum_in_blocks_is_the_sum_and_the_parts_are_all(self) -> None:
        X, z = rows(3000), KernelFeatures(1.0, 512)
        np.testing.assert_allclose(z.sum(X), z(X).sum(axis=0), rtol=1e-9, atol=1e-9)
        assert sorted(np.concatenate([places for _, places in z.parts(16)])) == list(range(1024))
        whole = np.concatenate([z.at(X[:5], some) for some, _ in z.parts(16)], axis=1)
        np.testing.assert_allclose(np.square(whole).sum(axis=1), 1.0)

    @pytest.mark.parametrize("wrong", [(0.0, 4), (np.inf, 4), (1.0, 0), (1.0, 2.5)])
    def test_refuses_what_is_no_kernel(self, wrong: tuple[float, int]) -> None:
        with pytest.raises(ValueError, match=r"lengthscale|frequencies"):
            KernelFeatures(*wrong)


class TestMeanEmbedding:
    def test_by_classes_sums_add_up(self) -> None:
        X, y = rows(60), np.repeat([0.0, 1.0], 30)
        found = MeanEmbedding.of("ada", X, Z, y, (0.0, 1.0))
        np.testing.assert_allclose(found.total, Z.sum(X), atol=1e-12)
        assert (found.counts.tolist(), len(found), found.exact) == ([30.0, 30.0, 0.0], 60, True)

    @pytest.mark.parametrize(
        ("counts", "told"),
        [
            ((30, 25), (30, 25, 0)),
            ((30, 5), (0, 0, 35)),  # 5 alone would be told apart
            ((30, 25, 5), (30, 0, 30)),
            ((30, 12, 9), (30, 0, 0, 21)),
        ],
    )
    def test_no_sum_is_over_few_rows(self, counts: tuple[int, ...], told: tuple[int, ...]) -> None:
        y = np.repeat(np.arange(len(counts), dtype=float), counts)
        found = MeanEmbedding.of("ada", rows(len(y)), Z, y, range(len(counts))).told()
        assert [c for c in found.counts if c] == [c for c in told if c]
        assert found.size == sum(counts)
        np.testing.assert_allclose(found.total, Z.sum(rows(len(y))), atol=1e-12)

    def test_of_few_rows_there_is_none(self) -> None:
        with pytest.raises(ValueError, match="fewer than 20 rows"):
            MeanEmbedding.of("ada", rows(19), Z).told()

    def test_refuses_what_is_no_sum_of_features(self) -> None:
        total = Z.sum(rows(40))[None]
        for sums, counts, reason in (
            (2.0 * total * 40, [40.0], "is no sum over its rows"),
            (total, [40.5], "whole numbers"),
            (np.full_like(total, np.nan), [40.0], "finite"),
            (total[:, :-2], [40.0], "shape"),
        ):
            with pytest.raises(ValueError, match=reason):
                MeanEmbedding("ada", Z, sums, np.array(counts))


class TestNoise:
    def test_is_what_the_promise_takes(self) -> None:
        X, y = rows(300), np.repeat([0.0, 1.0], 150)
        exact = MeanEmbedding.of("ada", X, Z, y, (0.0, 1.0))
        rng, multiplier = np.random.default_rng(3), noise_multiplier(2.0, 1e-5)
        found = [with_noise(exact, multiplier, rng.standard_normal) for _ in range(200)]
        largest = np.hypot(1.0, 0.5)  # one row moves a sum by 1, and its count, taken times 1/2
        assert found[0].noise == pytest.approx(multiplier * largest)
        assert found[0].count_noise == pytest.approx(2.0 * multiplier * largest)
        noise = np.array([f.sums[:2] - exact.sums[:2] for f in found]) / found[0].noise
        assert noise.mean() == pytest.approx(0.0, abs=4 / np.sqrt(noise.size))
        assert noise.std() == pytest.approx(1.0, abs=0.01)
        counts = np.array([f.counts[:2] - exact.counts[:2] for f in found]) / found[0].count_noise
        assert counts.std() == pytest.approx(1.0, abs=0.12)
        assert all(not f.sums[2].any() and f.counts[2] == 0.0 for f in found)
        squares = [f.total @ f.total - f.variance * f.features.width for f in found]
        assert np.mean(squares) == pytest.approx(
            exact.total @ exact.total, abs=4 * np.std(squares) / np.sqrt(len(squares))
        )

    def test_one_row_moves_what_is_sent_by_no_more_than_that(self) -> None:
        X, y = rows(50), np.repeat([0.0, 1.0], 25)
        for row in (X[:1], 1e6 * X[:1]):
            one = MeanEmbedding.of("ada", X, Z, y, (0.0, 1.0))
            more = MeanEmbedding.of("ada", np.concatenate([X, row]), Z, np.append(y, 1.0), (0.0, 1.0))
            moved = np.append((more.sums - one.sums).ravel(), 0.5 * (more.counts - one.counts))
            assert np.linalg.norm(moved) <= np.hypot(1.0, 0.5) * (1 + 1e-12)
