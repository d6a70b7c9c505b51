"""The MMD game against the reference numbers, the plain formula, and the axioms of a game."""

from pathlib import Path

import gpytorch
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import guerdon.parallel
from guerdon.plugins import PluginError
from guerdon.shapley import Auto, exact_shapley
from guerdon.types import Contribution, all_coalitions
from guerdon.valuation import MaximumMeanDiscrepancy

VECTORS = sorted((Path(__file__).parents[2] / "data").glob("mmd_*.npz"))


def vector_game(path, lengthscale=None):
    case = np.load(path)
    parties = [Contribution(f"P{i}", case[f"D{i}"]) for i in range(int(case["n"]))]
    return case, MaximumMeanDiscrepancy(lengthscale or float(case["ls"])).game(parties, case["G"])


def random_parties(rng, sizes, d=2):
    return [Contribution(f"P{i}", rng.normal(rng.normal(size=d), 0.4, size=(m, d))) for i, m in enumerate(sizes)]


def plain_value(S, T, lengthscale):
    def k(X, Z):
        return np.exp(-np.square(X[:, None] - Z[None]).sum(axis=-1) / (2 * lengthscale**2))

    return 2 * k(S, T).sum() / (len(S) * len(T)) - k(S, S).sum() / len(S) ** 2


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
class TestReferenceNumbers:
    def test_sums_and_values(self, path):
        case, game = vector_game(path)
        np.testing.assert_allclose(game.A, case["A"], rtol=1e-12)
        np.testing.assert_allclose(game.B, case["B"], rtol=1e-12)
        np.testing.assert_allclose(game.candidate_sums, case["kT_G"], rtol=1e-12)
        np.testing.assert_allclose(game.table(), case["v"], atol=1e-12)
        np.testing.assert_allclose(game(all_coalitions(game.n)), case["v"], atol=1e-12)
        np.testing.assert_allclose(game.ceilings(), case["vmax"], atol=1e-12)

    def test_shapley_values(self, path):
        case, game = vector_game(path)
        np.testing.assert_allclose(game.shapley(), case["phi"], atol=1e-12)

    def test_unbiased_mmd(self, path):
        case, game = vector_game(path)
        before = [game.unbiased_mmd2_of(game.union_sums(i)) for i in range(game.n)]
        np.testing.assert_allclose(before, case["mmd2u_before"], atol=1e-12)

    def test_the_papers_lengthscale(self, path):
        case, game = vector_game(path, lengthscale="paper")
        assert game.lengthscale == pytest.approx(float(case["ls"]), rel=1e-14)


def test_values_are_those_of_the_formula():
    rng = np.random.default_rng(0)
    parties, G = random_parties(rng, (3, 300, 1, 40), d=6), rng.normal(size=(50, 6))
    game = MaximumMeanDiscrepancy(1.3).game(parties, G)
    T = np.concatenate([*(c.X for c in parties), G])
    for mask, members in enumerate(all_coalitions(4)):
        if mask:
            S = np.concatenate([c.X for c, joined in zip(parties, members, strict=True) if joined])
            assert game.table()[mask] == pytest.approx(plain_value(S, T, 1.3), abs=1e-13)
            assert game.value(S) == pytest.approx(plain_value(S, T, 1.3), abs=1e-13)
    assert game.table()[0] == 0.0
    assert game(np.zeros((1, 4), dtype=bool))[0] == 0.0
    assert game.value(np.empty((0, 6))) == 0.0
    for i, ceiling in enumerate(game.ceilings()):
        assert ceiling == pytest.approx(plain_value(np.concatenate([parties[i].X, G]), T, 1.3), abs=1e-13)


def test_far_from_the_origin_and_narrow_kernels_lose_no_digits():
    rng = np.random.default_rng(1)
    parties, G = random_parties(rng, (30, 20)), rng.normal(size=(40, 2))
    T = np.concatenate([*(c.X for c in parties), G])
    moved = [Contribution(c.party, c.X + 1024.0) for c in parties]
    for lengthscale in (0.01, 1.0):
        game = MaximumMeanDiscrepancy(lengthscale).game(parties, G)
        away = MaximumMeanDiscrepancy(lengthscale).game(moved, G + 1024.0)
        np.testing.assert_allclose(away.table(), game.table(), atol=1e-10)
        assert game.table()[1] == pytest.approx(plain_value(parties[0].X, T, lengthscale), abs=1e-13)
    assert not MaximumMeanDiscrepancy(1e-8).game(parties, G).kernel.expanded


def test_values_can_be_negative():
    rng = np.random.default_rng(2)
    parties, G = random_parties(rng, (5, 8, 200)), rng.normal(size=(100, 2))
    game = MaximumMeanDiscrepancy(1e-3).game(parties, G)
    assert game(np.eye(3, dtype=bool)).min() < 0
    np.testing.assert_allclose(game.shapley(), exact_shapley(game.table()), atol=1e-12)


def test_identical_parties_are_symmetric():
    rng = np.random.default_rng(3)
    parties = random_parties(rng, (20, 20, 7))
    parties[1] = Contribution("P1", parties[0].X)
    phi = MaximumMeanDiscrepancy("auto").game(parties, rng.normal(size=(60, 2))).shapley()
    assert phi[0] == pytest.approx(phi[1], abs=1e-14)


def test_a_party_without_rows_is_a_null_party():
    rng = np.random.default_rng(4)
    parties = [*random_parties(rng, (10, 5)), Contribution("empty", np.empty((0, 2)))]
    game = MaximumMeanDiscrepancy("auto").game(parties, rng.normal(size=(30, 2)))
    assert game(np.eye(3, dtype=bool))[2] == 0.0
    assert game.shapley()[2] == pytest.approx(0.0, abs=1e-14)
    np.testing.assert_allclose(game.shapley(), exact_shapley(game.table()), atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), n=st.integers(1, 8))
def test_closed_form_equals_enumeration(seed, n):
    rng = np.random.default_rng(seed)
    game = MaximumMeanDiscrepancy(0.7).game(random_parties(rng, rng.integers(1, 60, n)), rng.normal(size=(50, 2)))
    phi = game.shapley()
    np.testing.assert_allclose(phi, exact_shapley(game.table()), atol=1e-12)
    assert phi.sum() == pytest.approx(float(game(np.ones((1, n), dtype=bool))[0]), abs=1e-12)


def test_auto_uses_the_closed_form_and_reports_its_gap():
    rng = np.random.default_rng(5)
    game = MaximumMeanDiscrepancy(0.7).game(random_parties(rng, (5, 10, 20)), rng.normal(size=(50, 2)))
    result = Auto()(game, rng=rng)
    assert "closed form" in result.method
    assert result.standard_errors is None
    assert result.efficiency_gap is not None
    assert result.efficiency_gap < 1e-12


def test_bits_do_not_depend_on_the_number_of_cores(monkeypatch):
    rng = np.random.default_rng(11)
    parties, G = random_parties(rng, (300, 20, 500)), rng.normal(size=(3000, 2))
    found = []
    for cores in (1, 2, 5):
        monkeypatch.setattr(guerdon.parallel, "cpu_count", lambda cores=cores: cores)
        game = MaximumMeanDiscrepancy("auto").game(parties, G)
        found.append((game.lengthscale, game.block_sums, game.candidate_sums, game.shapley(), game.table()))
    for other in found[1:]:
        assert all(np.array_equal(one, two) for one, two in zip(found[0], other, strict=True))


class TestKernels:
    def test_gpytorchs_own_squared_exponential_gives_the_same(self):
        rng = np.random.default_rng(6)
        parties, G = random_parties(rng, (30, 5)), rng.normal(size=(300, 2))
        fast = MaximumMeanDiscrepancy(0.7).game(parties, G)
        kernel = gpytorch.kernels.RBFKernel()
        kernel.lengthscale = 0.7
        for other in (
            MaximumMeanDiscrepancy(0.7, kernel="rbf"),
            MaximumMeanDiscrepancy(1.0, kernel=kernel),
            MaximumMeanDiscrepancy(1.0, kernel="rbf(lengthscale=0.7)"),
        ):
            np.testing.assert_allclose(
                other.game(parties, G).table(), fast.table(), atol=1e-6
            )  # float32 hyperparameter
        exact = MaximumMeanDiscrepancy(0.7, kernel="rbf(lengthscale=1.0, outputscale=1.0)").game(parties, G)
        np.testing.assert_allclose(exact.table(), fast.table(), atol=1e-12)

    def test_any_other_kernel(self):
        rng = np.random.default_rng(7)
        parties, G = random_parties(rng, (30, 5)), rng.normal(size=(30, 2))
        game = MaximumMeanDiscrepancy("auto", kernel="exponential").game(parties, G)
        T = np.concatenate([*(c.X for c in parties), G])
        K = np.exp(-np.sqrt(np.square(parties[0].X[:, None] - T).sum(axis=-1)) / game.lengthscale)
        assert game(np.array([[True, False]]))[0] == pytest.approx(
            2 * K.mean() - K[:, :30].mean(), abs=1e-7
        )  # GPyTorch adds 1e-15 under the root
        assert game(np.eye(2, dtype=bool)).min() == pytest.approx(0.0, abs=1e-8)

    def test_an_unknown_kernel_is_refused(self):
        with pytest.raises(PluginError, match="rbf"):
            MaximumMeanDiscrepancy(1.0, kernel="no_such_kernel")


class TestLengthscale:
    @pytest.mark.parametrize("unit", [1e5, 1e-3])
    def test_auto_follows_the_unit_of_the_data(self, unit):
        rng = np.random.default_rng(8)
        parties, G = random_parties(rng, (25, 40, 3)), rng.normal(size=(200, 2))
        plain = MaximumMeanDiscrepancy("auto").game(parties, G)
        scaled = MaximumMeanDiscrepancy("auto").game([Contribution(c.party, unit * c.X) for c in parties], unit * G)
        assert scaled.lengthscale == pytest.approx(unit * plain.lengthscale, rel=1e-9)
        np.testing.assert_allclose(scaled.table(), plain.table(), atol=1e-9)

    @pytest.mark.parametrize("parties", [1, 2, 3])
    def test_auto_needs_parties_that_differ(self, parties):
        """Else v_N is that of every party, which the search makes 0; it was refused as sizes too far apart."""
        rng = np.random.default_rng(0)
        D, G = rng.normal(size=(10, 2)), rng.normal(size=(50, 2))
        same = [Contribution(f"party {i}", D) for i in range(parties)]
        with pytest.raises(
            ValueError, match=r"'auto' the pooled data is worth nothing .* Give lengthscale as a number"
        ):
            MaximumMeanDiscrepancy("auto").game(same, G)
        assert MaximumMeanDiscrepancy(1.0).game(same, G).shapley().min() > 0.0

    @pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
    def test_auto_is_the_smallest_that_holds(self, path):
        case, game = vector_game(path, lengthscale="auto")
        _, below = vector_game(path, lengthscale=game.lengthscale * (1 - 1e-8))
        alone = np.eye(game.n, dtype=bool)
        assert game(alone).min() >= -1e-13
        assert below(alone).min() < 0
        assert 0 <= float(case["ls"]) - game.lengthscale <= 1000 / 2**20

    def test_every_coalition_is_worth_something_then(self):
        rng = np.random.default_rng(9)
        game = MaximumMeanDiscrepancy("auto").game(random_parties(rng, (4, 9, 1, 12, 30)), rng.normal(size=(80, 2)))
        assert game.table().min() >= -1e-13

    def test_no_smallest_one(self):
        with pytest.raises(ValueError, match="half of all points"):
            MaximumMeanDiscrepancy("auto").game([Contribution("A", np.arange(6.0)[:, None])], np.array([[2.5]]))

    def test_coinciding_points(self):
        with pytest.raises(ValueError, match="coincide"):
            MaximumMeanDiscrepancy("auto").game([Contribution("A", np.ones((3, 1)))], np.ones((5, 1)))

    def test_the_papers_bracket_is_too_short_for_large_units(self):
        rng = np.random.default_rng(10)
        parties = [Contribution(c.party, 1e6 * c.X) for c in random_parties(rng, (5, 5))]
        with pytest.raises(ValueError, match="auto"):
            MaximumMeanDiscrepancy("paper").game(parties, 1e6 * rng.normal(size=(50, 2)))

    @pytest.mark.parametrize("bad", [0.0, -1.0, np.inf, np.nan, "median", True, None])
    def test_bad_values_are_refused(self, bad):
        with pytest.raises(ValueError, match="lengthscale"):
            MaximumMeanDiscrepancy(bad)


class TestRefusals:
    def test_what_comes_in(self):
        value, A = MaximumMeanDiscrepancy(1.0), Contribution("A", np.zeros((2, 2)))
        for contributions, synthetic, message in (
            ([], np.zeros((1, 2)), "at least one contribution"),
            ([A, Contribution("B", np.zeros((1, 3)))], np.zeros((1, 2)), "same features"),
            ([A], np.zeros((1, 3)), r"\(rows, 2\)"),
            ([A], np.zeros((0, 2)), "at least one row"),
            ([A], np.full((1, 2), np.nan), "finite"),
            ([Contribution("A", np.empty((0, 2)))], np.zeros((1, 2)), "without rows"),
        ):
            with pytest.raises(ValueError, match=message):
                value.game(contributions, synthetic)

    def test_tables_of_many_parties(self):
        game = MaximumMeanDiscrepancy(1.0).game([Contribution(str(i), [[float(i)]]) for i in range(21)], [[0.5]])
        with pytest.raises(ValueError, match="limit is 20"):
            game.table()
        assert game.shapley().sum() == pytest.approx(float(game(np.ones((1, 21), dtype=bool))[0]), abs=1e-12)

    def test_coalitions_of_another_number_of_parties(self):
        game = MaximumMeanDiscrepancy(1.0).game([Contribution("A", [[0.0]])], [[0.5]])
        with pytest.raises(ValueError, match=r"\(m, 1\)"):
            game(np.ones((1, 2), dtype=bool))
