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


@pytest.fixture
def rng():
    return np.random.default_rng(0)


class TestReferenceOfParties:
    """T is half G and half the parties, 1/n each: the formula on weighted points; numbers of rows buy nothing of it."""

    def game(self, rng, sizes=(6, 9, 4), **options):
        parties, G = random_parties(rng, sizes), rng.normal(size=(12, 2))
        valuation = MaximumMeanDiscrepancy(lengthscale=0.8, reference="parties", **options)
        return parties, G, valuation.game(parties, G)

    def plain(self, S, parties, G):
        def k(X, Z):
            return np.exp(-np.square(X[:, None] - Z[None]).sum(axis=-1) / (2 * 0.8**2))

        to_parties = np.mean([k(S, c.X).mean() for c in parties])
        return to_parties + k(S, G).mean() - k(S, S).mean()  # 2 (1/2 parties + 1/2 G)

    def test_values_ceilings_and_single_points(self, rng):
        parties, G, game = self.game(rng)
        for members in all_coalitions(3)[1:]:
            S = np.concatenate([c.X for c, member in zip(parties, members, strict=True) if member])
            assert game(members[None])[0] == pytest.approx(self.plain(S, parties, G), rel=1e-12)
        with_G = [self.plain(np.concatenate([c.X, G]), parties, G) for c in parties]
        assert game.ceilings() == pytest.approx(with_G, rel=1e-12)
        assert game.value(G[:3]) == pytest.approx(self.plain(G[:3], parties, G), rel=1e-12)
        sums = game.union_sums(1, [0, 5])
        assert game.value_of(sums) == pytest.approx(
            self.plain(np.concatenate([parties[1].X, G[[0, 5]]]), parties, G), rel=1e-12
        )

    def test_closed_forms(self, rng):
        _, _, game = self.game(rng)
        assert game.shapley() == pytest.approx(exact_shapley(game.table()), abs=1e-11)
        assert game.row_shapley().sum() == pytest.approx(game.table()[-1], rel=1e-11)

    def test_copies_of_all_rows_do_not_move_the_reference(self, rng):
        parties, G, game = self.game(rng)
        copied = [Contribution(parties[0].party, np.tile(parties[0].X, (4, 1))), *parties[1:]]
        again = MaximumMeanDiscrepancy(lengthscale=0.8, reference="parties").game(copied, G)
        alone = np.eye(3, dtype=bool)
        assert again(alone) == pytest.approx(game(alone), rel=1e-12)
        pool = MaximumMeanDiscrepancy(lengthscale=0.8)
        assert not np.allclose(pool.game(copied, G)(alone), pool.game(parties, G)(alone), rtol=1e-3)

    def test_pool_is_what_it_was(self, rng):
        parties, G = random_parties(rng, (5, 7)), rng.normal(size=(8, 2))
        game = MaximumMeanDiscrepancy(lengthscale=1.0).game(parties, G)
        assert np.array_equal(game.weights, np.ones(3))
        assert np.array_equal(game.A, game.block_sums[:-1] @ np.ones(3))

    def test_no_party_has_a_negative_value_at_the_length_scale_found(self, rng):
        parties, G = random_parties(rng, (30, 80)), rng.normal(size=(50, 2))
        game = MaximumMeanDiscrepancy(lengthscale="auto", reference="parties").game(parties, G)
        assert game(np.eye(2, dtype=bool)).min() >= -1e-12

    def test_a_generator_is_fitted_to_no_more_rows_of_a_party_than_the_median(self, rng):
        parties = random_parties(rng, (10, 20, 90))
        fitted = MaximumMeanDiscrepancy(reference="parties").fitted_to(parties, rng=rng)
        assert [len(c) for c in fitted] == [10, 20, 20]
        assert MaximumMeanDiscrepancy().fitted_to(parties, rng=rng) == parties

    def test_near_copies_count_once(self, rng):
        parties, G = random_parties(rng, (60, 60)), rng.normal(size=(20, 2))
        copied = [Contribution("P0", np.concatenate([parties[0].X, parties[0].X + 1e-6])), parties[1]]
        once = MaximumMeanDiscrepancy(lengthscale=1.0, near_duplicates="once")
        found, expected = once.game(copied, G), once.game(parties, G)
        np.testing.assert_allclose(found.A, expected.A, rtol=1e-12)

    @pytest.mark.parametrize("wrong", [{"reference": "all"}, {"near_duplicates": "twice"}])
    def test_refuses(self, wrong):
        with pytest.raises(ValueError, match="got"):
            MaximumMeanDiscrepancy(**wrong)
