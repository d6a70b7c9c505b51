"""Rows that count up to the median party's number, and public references: against every draw, written out."""

from itertools import combinations, product

import numpy as np
import pytest

from guerdon.realization import WeightedSampling
from guerdon.rewards import RectifiedRhoShapley, certify
from guerdon.shapley import RowShapley, exact_shapley
from guerdon.types import Contribution
from guerdon.valuation import MaximumMeanDiscrepancy

LENGTHSCALE = 0.8
SIZES, COUNTS = (2, 4, 3), (2, 3, 3)
RNG = np.random.default_rng(0)
PARTIES = [Contribution(name, RNG.normal(size=(m, 2))) for name, m in zip("abc", SIZES, strict=True)]
G, PUBLIC = RNG.normal(size=(5, 2)), RNG.normal(size=(4, 2))
DRAWS = list(product(*[combinations(range(m), c) for m, c in zip(SIZES, COUNTS, strict=True)]))
WEIGHTS = {
    "pool": (13.0, [1.0, 0.75, 1.0, 1.0]),
    "parties": (13.0, [13 / 6 / 2, 13 / 6 / 4, 13 / 6 / 3, 13 / 2 / 5]),
    "public": (4.0, [0.0, 0.0, 0.0, 0.0]),
}


def k(X, Z):
    return np.exp(-np.square(X[:, None] - Z[None]).sum(axis=-1) / (2 * LENGTHSCALE**2))


def value(S, reference):
    t, weights = WEIGHTS[reference]
    clouds = [*(c.X for c in PARTIES), G]
    to_T = sum(w * k(S, X).sum(axis=1) for w, X in zip(weights, clouds, strict=True))
    if reference == "public":
        to_T = to_T + k(S, PUBLIC).sum(axis=1)
    return 2 * to_T.mean() / t - k(S, S).mean()


def drawn(draw, members):
    return np.concatenate([PARTIES[i].X[list(draw[i])] for i in members])


def over_draws(members, reference, more=None):
    more = np.empty((0, 2)) if more is None else more
    return np.mean([value(np.concatenate([drawn(draw, members), more]), reference) for draw in DRAWS])


@pytest.fixture(params=WEIGHTS)
def reference(request):
    return request.param


@pytest.fixture
def game(reference):
    valuation = MaximumMeanDiscrepancy(lengthscale=LENGTHSCALE, reference=reference, rows="median")
    return valuation.game(PARTIES, G, public=PUBLIC)


def test_values_are_means_over_all_draws_of_the_median_partys_number_of_rows(game, reference):
    assert tuple(game.sizes) == COUNTS
    assert game.reference == WEIGHTS[reference][0]
    coalitions = [[i for i in range(3) if mask >> i & 1] for mask in range(1, 8)]
    table = [0.0, *(over_draws(members, reference) for members in coalitions)]
    assert game.table() == pytest.approx(table, abs=1e-14)
    assert game(np.array([[True, True, False]])) == pytest.approx(table[3], abs=1e-14)
    assert game.shapley() == pytest.approx(exact_shapley(np.array(table)), abs=1e-13)
    assert game.ceilings() == pytest.approx([over_draws([i], reference, G) for i in range(3)], abs=1e-14)
    assert game.value(G[:3]) == pytest.approx(value(G[:3], reference), abs=1e-14)


def test_values_of_rows_are_means_over_the_draws_that_they_are_in(game, reference):
    starts = np.cumsum([0, *SIZES[:-1]])
    phi = np.zeros(sum(SIZES))
    for draw in DRAWS:
        X, m = drawn(draw, range(3)), sum(COUNTS)
        table = np.zeros(1 << m)
        for mask in range(1, 1 << m):
            table[mask] = value(X[[j for j in range(m) if mask >> j & 1]], reference)
        places = [starts[i] + j for i in range(3) for j in draw[i]]
        phi[places] += exact_shapley(table) / len(DRAWS)
    assert game.row_shapley() == pytest.approx(phi, abs=1e-14)
    by_party = RowShapley()(game, rng=np.random.default_rng(0)).values
    assert by_party.sum() == pytest.approx(game.table()[-1], abs=1e-14)


def test_rewards_follow_the_rows_that_count(game, reference):
    sums = game.union_sums(1, [0, 2])
    assert sums.size == COUNTS[1] + 2
    assert game.value_of(sums) == pytest.approx(over_draws([1], reference, G[[0, 2]]), abs=1e-14)
    target = 0.99 * float(game.ceilings()[1])
    sample = WeightedSampling(beta=1.0).sample(game, 1, target, rng=np.random.default_rng(0))
    for drawn_so_far, reached in enumerate(sample.values):
        expected = over_draws([1], reference, G[sample.indices[:drawn_so_far]])
        assert reached == pytest.approx(expected, abs=1e-13)


def test_the_certificate_holds_as_for_any_game(game):
    phi = exact_shapley(game.table())
    certificate = certify(game, phi, RectifiedRhoShapley("none", rho=0.5)(phi, game))
    assert certificate["F1"].holds
    assert certificate["F2"].holds


def test_where_nobody_has_more_than_the_median_all_is_the_papers():
    even = [Contribution(name, np.random.default_rng(i).normal(size=(4, 2))) for i, name in enumerate("abc")]
    paper, median = (MaximumMeanDiscrepancy(lengthscale=1.0, rows=rows).game(even, G) for rows in ("all", "median"))
    assert median.table() == pytest.approx(paper.table(), abs=1e-15)
    assert median.row_shapley() == pytest.approx(paper.row_shapley(), abs=1e-15)
    for (rows, ours), (same, theirs) in zip(median.row_influences(), paper.row_influences(), strict=True):
        assert rows == same
        np.testing.assert_allclose(ours, theirs, atol=1e-14)


def test_copies_of_all_rows_buy_nothing_and_move_nobody():
    rng = np.random.default_rng(1)
    even = [Contribution(name, rng.normal(size=(20, 2))) for name in "abcd"]
    copied = [Contribution("a", np.tile(even[0].X, (5, 1))), *even[1:]]
    gained = {}
    for rows in ("all", "median"):
        valuation = MaximumMeanDiscrepancy(lengthscale=1.0, rows=rows)
        honest, lied = valuation.game(even, G), valuation.game(copied, G)
        shares = [g.shapley() / g.shapley().sum() for g in (honest, lied)]
        gained[rows] = shares[1][0] - shares[0][0]
    assert gained["all"] > 0.02
    assert gained["median"] < 0.0  # a draw of copies holds fewer different rows


def test_names_with_few_rows_each_take_no_rows_from_others():
    rng = np.random.default_rng(2)
    even = [Contribution(name, rng.normal(size=(20, 2))) for name in "abcde"]
    shells = [Contribution(f"a-{i}", even[0].X[5 * i : 5 * i + 5]) for i in range(4)]
    median = MaximumMeanDiscrepancy(lengthscale=1.0, rows="median")
    honest, lied = median.game(even, G), median.game([*shells, *even[1:]], G)
    by_rows = [RowShapley()(g, rng=rng).values for g in (honest, lied)]
    assert by_rows[1][:4].sum() == pytest.approx(by_rows[0][0], rel=1e-11)
    assert by_rows[1][4:] == pytest.approx(by_rows[0][1:], rel=1e-11)


@pytest.mark.parametrize(("sizes", "counted"), [((9, 4), (4, 4)), ((2, 4, 9), (2, 4, 4)), ((2, 4, 6, 9), (2, 4, 6, 6))])
def test_the_median_party(sizes, counted):
    parties = [Contribution(f"P{i}", RNG.normal(size=(m, 2))) for i, m in enumerate(sizes)]
    valuation = MaximumMeanDiscrepancy(lengthscale=1.0, rows="median")
    assert tuple(valuation.game(parties, G).sizes) == counted
    assert [len(c) for c in valuation.fitted_to(parties, rng=RNG)] == list(counted)


@pytest.mark.parametrize("rows", ["all", "median"])
def test_no_party_moves_a_public_reference(rows):
    valuation = MaximumMeanDiscrepancy(lengthscale=1.0, reference="public", rows=rows)
    far = [Contribution("a", PARTIES[0].X + 50.0), *PARTIES[1:]]
    honest, lied = (valuation.game(parties, G, public=PUBLIC) for parties in (PARTIES, far))
    others = np.array([[False, True, True]])
    assert lied(others) == pytest.approx(honest(others), rel=1e-12)
    assert lied(np.array([[True, False, False]])) < 0.0


@pytest.mark.parametrize("rows", ["all", "median"])
@pytest.mark.parametrize("reference", WEIGHTS)
def test_no_party_has_a_negative_value_at_the_length_scale_found(reference, rows):
    rng = np.random.default_rng(3)
    parties = [Contribution(f"P{i}", rng.normal(i, 1.0, size=(m, 2))) for i, m in enumerate((30, 80, 40))]
    valuation = MaximumMeanDiscrepancy(reference=reference, rows=rows)
    game = valuation.game(parties, rng.normal(1.0, 1.5, size=(50, 2)), public=rng.normal(1.0, 1.5, size=(60, 2)))
    assert -1e-12 <= game(np.eye(3, dtype=bool)).min() < 1e-6


def test_a_public_reference_needs_rows():
    with pytest.raises(ValueError, match=r"there are none: give game\(\.\.\., public=rows\)"):
        MaximumMeanDiscrepancy(reference="public").game(PARTIES, G)
    with pytest.raises(ValueError, match="rows is 'all' or 'median', got 'few'"):
        MaximumMeanDiscrepancy(rows="few")
