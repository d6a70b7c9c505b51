"""The game of mean embeddings against the game of rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits

from guerdon.mean_embedding import KernelFeatures, MeanEmbedding, with_noise
from guerdon.privacy import noise_multiplier
from guerdon.realization import WeightedSampling
from guerdon.rewards import RectifiedRhoShapley
from guerdon.shapley import ExactShapley
from guerdon.types import Contribution
from guerdon.valuation import MaximumMeanDiscrepancy
from guerdon.valuation.embedded_mmd import EmbeddedDiscrepancy, EmbeddedGame

NAMES = ("ada", "bob", "cid")


def blobs(seed: int = 0, sizes: tuple[int, ...] = (60, 90, 150)) -> list[Contribution]:
    rng = np.random.default_rng(seed)
    return [
        Contribution(name, rng.normal(0.7 * k, 1.0, size=(size, 4)))
        for k, (name, size) in enumerate(zip(NAMES, sizes, strict=True))
    ]


def embedded(parties: list[Contribution], z: KernelFeatures) -> list[MeanEmbedding]:
    return [MeanEmbedding.of(c.party, c.X, z) for c in parties]


def synthetic(parties: list[Contribution], count: int, seed: int = 1) -> np.ndarray:
    rng, pool = np.random.default_rng(seed), np.concatenate([c.X for c in parties])
    return pool.mean(axis=0) + pool.std(axis=0) * rng.normal(size=(count, pool.shape[1]))


def divided(data: np.ndarray, target: np.ndarray, n: int) -> list[Contribution]:
    """Parties with different mixes of the classes, in units in which columns go from -1 to 1."""
    low, high = data.min(axis=0), data.max(axis=0)
    X = 2.0 * (data - low) / np.where(high > low, high - low, 1.0) - 1.0
    order = np.argsort(target + 2.0 * np.random.default_rng(0).normal(size=len(target)), kind="stable")
    return [Contribution(f"p{k}", X[part]) for k, part in enumerate(np.array_split(order, n))]


class TestAgainstRows:
    @pytest.mark.parametrize(("load", "n"), [(load_breast_cancer, 3), (load_digits, 5)])
    def test_alpha_is_within_a_hundredth_and_within_the_stated_error(self, load: object, n: int) -> None:
        bunch = load()  # type: ignore[operator]
        parties = divided(bunch.data, bunch.target, n)
        G = synthetic(parties, 400)
        lengthscale = 0.5 * float(np.sqrt(2.0 * bunch.data.shape[1] / 3.0))
        rows = MaximumMeanDiscrepancy(lengthscale=lengthscale).game(parties, G)
        alpha = rows.shapley() / rows.shapley().max()
        game = EmbeddedDiscrepancy().game(embedded(parties, KernelFeatures(lengthscale, 4096)), G)
        found = game.shapley() / game.shapley().max()
        errors = game.alpha_errors
        assert errors is not None
        assert np.abs(found - alpha).max() < 0.01
        assert np.all(np.abs(found - alpha) <= 4.0 * errors + 1e-9)
        assert errors.max() < 0.01
        np.testing.assert_allclose(game.ceilings(), rows.ceilings(), atol=0.01)
        np.testing.assert_allclose(game.table(), rows.table(), atol=0.01)
        assert game.value(G[:50]) == pytest.approx(rows.value(G[:50]), abs=0.01)

    def test_the_closed_form_is_enumeration(self) -> None:
        parties = blobs()
        game = EmbeddedDiscrepancy().game(embedded(parties, KernelFeatures(1.0, 256)), synthetic(parties, 100))
        np.testing.assert_allclose(game.shapley(), ExactShapley()(game).values, rtol=0, atol=1e-12)

    def test_the_order_of_parties_changes_no_bit(self) -> None:
        parties = blobs()
        found, G = embedded(parties, KernelFeatures(1.0, 256)), synthetic(parties, 100)
        one, other = EmbeddedDiscrepancy().game(found, G), EmbeddedDiscrepancy().game(found, G)
        assert one.table().tobytes() == other.table().tobytes()
        turned = EmbeddedDiscrepancy().game(found[::-1], G)
        np.testing.assert_allclose(turned.shapley()[::-1], one.shapley(), rtol=1e-12)

    def test_no_union_is_nearer_to_everything_than_everything(self) -> None:
        """Or stable rewards would conflict with ceilings by what the features miss."""
        parties = blobs()
        game = EmbeddedDiscrepancy().game(embedded(parties, KernelFeatures(2.0, 64)), synthetic(parties, 3000))
        everything = float(game.block_sums.sum()) / game.reference**2  # v(T)
        assert game.table().max() <= everything
        assert game.ceilings().max() <= everything

    def test_rewards_are_sampled_up_to_their_targets(self) -> None:
        parties = blobs()
        game = EmbeddedDiscrepancy().game(embedded(parties, KernelFeatures(1.5, 1024)), synthetic(parties, 800))
        targets = RectifiedRhoShapley(incentive="none", rho=0.5)(game.shapley(), game)
        for made in WeightedSampling(beta=2.0)(game, targets, rng=np.random.default_rng(0)):
            assert made.reached >= made.target - 1e-9
            assert abs(made.drift) < 1e-10
            assert np.isfinite(made.mmd2_reached)

    def test_embeddings_of_other_features_are_refused(self) -> None:
        parties = blobs()
        mixed = [*embedded(parties[:2], KernelFeatures(1.0, 64)), *embedded(parties[2:], KernelFeatures(2.0, 64))]
        with pytest.raises(ValueError, match="same features, got others of cid"):
            EmbeddedDiscrepancy().game(mixed, np.zeros((3, 4)))

    def test_row_shapley_is_refused(self) -> None:
        parties = blobs()
        game = EmbeddedDiscrepancy().game(embedded(parties, KernelFeatures(1.0, 64)), np.zeros((3, 4)))
        with pytest.raises(ValueError, match="shares out by rows"):
            game.row_shapley()


class TestPrivacy:
    def game(self, epsilon: float, seed: int) -> EmbeddedGame:
        parties = blobs(sizes=(200, 200, 300))
        found = embedded(parties, KernelFeatures(2.0, 128))
        if np.isfinite(epsilon):
            normal = np.random.default_rng(seed).standard_normal
            found[1] = with_noise(found[1], noise_multiplier(epsilon, 1e-5), normal)
        return EmbeddedDiscrepancy().game(found, synthetic(parties, 200))

    def test_more_privacy_never_raises_the_value_of_a_partys_own_data(self) -> None:
        own = np.array([[False, True, False]])
        for seed in range(30):
            values = [float(self.game(epsilon, seed)(own)[0]) for epsilon in (np.inf, 30.0, 10.0, 3.0, 1.0, 0.3, 0.1)]
            assert np.all(np.diff(values) <= 1e-12), (seed, values)
            assert values[-1] >= -1e-12

    def test_more_privacy_brings_a_smaller_share(self) -> None:
        shares = [
            np.mean([self.game(epsilon, seed).shapley()[1] for seed in range(20)])
            for epsilon in (np.inf, 10.0, 3.0, 1.0, 0.3, 0.1)
        ]
        assert np.all(np.diff(shares[:4]) < 0.0), shares
        np.testing.assert_allclose(shares[4:], 0.0, atol=0.02)  # no more than nobody's

    def test_the_noise_adds_nothing_on_average(self) -> None:
        exact = self.game(np.inf, 0)
        found = [self.game(10.0, seed) for seed in range(100)]
        share = found[0].counted[1] / exact.counted[1]
        mean = np.mean([game.block_sums[1, 1] for game in found]) / share**2
        spread = np.std([game.block_sums[1, 1] for game in found]) / share**2
        assert mean == pytest.approx(exact.block_sums[1, 1], abs=max(4 * spread / 10, 0.02 * exact.block_sums[1, 1]))


class TestFewPrivateRows:
    """Parties whose noise is more than their rows count as parties without rows, and abort nothing."""

    def game(self, epsilons: tuple[float, ...], rows: int, seed: int) -> EmbeddedGame:
        parties = blobs(seed, sizes=(rows,) * 3)
        normal = np.random.default_rng(seed).standard_normal
        found = [
            with_noise(e, noise_multiplier(epsilon, 1e-5), normal) if np.isfinite(epsilon) else e
            for e, epsilon in zip(embedded(parties, KernelFeatures(2.0, 512)), epsilons, strict=True)
        ]
        return EmbeddedDiscrepancy().game(found, synthetic(parties, 300))

    def test_they_have_the_value_of_nobody(self) -> None:
        for seed in range(6):
            for epsilon in (0.05, 0.1, 0.2):
                game = self.game((epsilon, np.inf, np.inf), 100, seed)
                assert game.sizes[0] == 0.0
                phi = game.shapley()
                assert phi[0] == pytest.approx(0.0, abs=1e-12)
                assert phi[1:].min() > 0.0
                assert game(np.array([[True, False, False]]))[0] == 0.0
                assert game.alpha_errors is not None
                RectifiedRhoShapley(incentive="none", rho=0.5)(phi, game)

    @pytest.mark.parametrize(("epsilon", "rows"), [(0.1, 100), (0.1, 300), (0.3, 100)])
    def test_where_nobody_is_left_it_is_said_so(self, epsilon: float, rows: int) -> None:
        for seed in range(8):
            with pytest.raises(ValueError, match="no party's embedding tells anything beside the noise"):
                self.game((epsilon,) * 3, rows, seed)

    @pytest.mark.parametrize(("epsilon", "rows"), [(1.0, 100), (1.0, 300), (3.0, 100), (0.3, 1000)])
    def test_whoever_is_left_has_a_positive_value(self, epsilon: float, rows: int) -> None:
        for seed in range(4):
            try:
                game = self.game((epsilon,) * 3, rows, seed)
            except ValueError as error:
                assert "beside the noise" in str(error)  # noqa: PT017
                continue
            assert game.shapley().min() > -1e-12

    def test_no_error_of_alpha_where_no_part_has_a_positive_value(self) -> None:
        parties = blobs(sizes=(60, 90, 150))
        game = EmbeddedDiscrepancy().game(embedded(parties, KernelFeatures(1.0, 64)), synthetic(parties, 100))
        assert game.alpha_errors is not None
        assert replace(game, penalty=game.counted**2 * 10.0).alpha_errors is None
