"""Weighted sampling: the reference paths, the plain algorithm step by step, and the distribution it draws from."""

from pathlib import Path

import numpy as np
import pytest

from guerdon.realization import WeightedSampling, candidates
from guerdon.realization.candidates import Candidates
from guerdon.rewards import RectifiedRhoShapley
from guerdon.types import Contribution
from guerdon.valuation import MaximumMeanDiscrepancy

VECTORS = sorted((Path(__file__).parents[2] / "data").glob("mmd_*.npz"))


class Given:
    """Random numbers from a list."""

    def __init__(self, uniforms):
        self.uniforms = iter(np.asarray(uniforms).tolist())

    def random(self):
        return next(self.uniforms)


def vector_game(path):
    case = np.load(path)
    parties = [Contribution(f"P{i}", case[f"D{i}"]) for i in range(int(case["n"]))]
    return case, MaximumMeanDiscrepancy(float(case["ls"])).game(parties, case["G"])


def random_game(seed, sizes=(20, 5, 1), g=120, d=2, lengthscale="auto", kernel=None):
    rng = np.random.default_rng(seed)
    parties = [Contribution(f"P{i}", rng.normal(rng.normal(size=d), 0.5, size=(m, d))) for i, m in enumerate(sizes)]
    return MaximumMeanDiscrepancy(lengthscale, kernel).game(parties, rng.normal(size=(g, d)))


def plain_path(game, party, beta, uniforms, steps):
    """Algorithm 1 as it is written: every gain from v itself."""
    left, chosen = list(range(len(game.synthetic))), []
    values = [game.value(game.contributions[party].X)]
    for u in uniforms[:steps]:
        gains = np.array([game.value_of(game.union_sums(party, [*chosen, x])) for x in left]) - values[-1]
        spread = np.ptp(gains)
        scaled = (gains - gains.min()) / spread if spread > 0 else np.zeros(len(gains))
        p = np.exp(beta * (scaled - 1))
        place = int(np.searchsorted(np.cumsum(p) / p.sum(), u, side="right"))
        chosen.append(left.pop(place))
        values.append(values[-1] + gains[place])
    return chosen, values


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
class TestReferencePaths:
    def test_greedy(self, path):
        case, game = vector_game(path)
        for i in range(game.n):
            sample = WeightedSampling(np.inf).sample(game, i, 10.0, rng=Given([]))
            k = len(sample.indices)
            assert k > 0
            assert np.array_equal(sample.indices, case[f"greedy_sel{i}"][:k])
            np.testing.assert_allclose(sample.values, case[f"greedy_mu{i}"][: k + 1], atol=1e-12)

    @pytest.mark.parametrize("beta", [1, 2, 4, 8])
    def test_weighted(self, path, beta):
        case, game = vector_game(path)
        for i in range(game.n):
            target = float(case["ws_target"][i])
            sample = WeightedSampling(beta).sample(game, i, target, rng=Given(case["ws_uniforms"]))
            drawn, values = case[f"ws_sel{i}_b{beta}"], case[f"ws_mu{i}_b{beta}"]
            k = int(values.argmax())
            assert sample.steps == len(drawn)
            assert sample.stopped.replace(" ", "_") == str(case[f"ws_why{i}_b{beta}"])
            assert np.array_equal(sample.indices, drawn[:k])
            np.testing.assert_allclose(sample.values, values[: k + 1], atol=1e-12)
            assert abs(sample.drift) < 1e-12
            assert sample.reached == (sample.values[-1] >= target)
            if k == len(drawn):
                assert game.unbiased_mmd2_of(sample.sums) == pytest.approx(
                    float(case[f"ws_mmd2u{i}_b{beta}"]), abs=1e-12
                )

    def test_first_probabilities(self, path):
        case, game = vector_game(path)
        for i in range(game.n):
            p = case[f"ws_p0_{i}"]
            edges = np.cumsum(p)
            middles = edges - p / 2
            drawn = [Candidates.of(game, i, greedy=False).draw(1.0, u) for u in middles[::7]]
            assert drawn == list(range(len(p)))[::7]
            for edge in edges[:-1:13]:
                below, above = (Candidates.of(game, i, greedy=False).draw(1.0, edge + e) for e in (-1e-9, 1e-9))
                assert above == below + 1


@pytest.mark.parametrize("beta", [0.0, 1.0, 30.0])
@pytest.mark.parametrize("sizes", [(12, 3), (1, 8), (0, 9)])
def test_is_the_plain_algorithm(beta, sizes):
    game = random_game(0, sizes, g=40, d=3, lengthscale=0.9)
    uniforms = np.random.default_rng(1).random(40)
    sample = WeightedSampling(beta).sample(game, 0, 10.0, rng=Given(uniforms))
    chosen, values = plain_path(game, 0, beta, uniforms, sample.steps)
    assert sample.indices.tolist() == chosen[: len(sample.indices)]
    np.testing.assert_allclose(sample.values, values[: len(sample.values)], atol=1e-12)


@pytest.mark.parametrize("kernel", ["exponential", "rational_quadratic"])
def test_any_kernel(kernel):
    game = random_game(3, g=40, lengthscale=1.0, kernel=kernel)
    uniforms = np.random.default_rng(1).random(40)
    sample = WeightedSampling(3.0).sample(game, 1, 10.0, rng=Given(uniforms))
    chosen, values = plain_path(game, 1, 3.0, uniforms, sample.steps)
    assert sample.indices.tolist() == chosen[: len(sample.indices)]
    np.testing.assert_allclose(sample.values, values[: len(sample.values)], atol=1e-6)  # GPyTorch's distances


def test_clearing_out_the_taken_changes_nothing(monkeypatch):
    game = random_game(4, g=700)
    paths = []
    for fold, chunk in ((512, 256), (1, 256), (3, 5)):
        monkeypatch.setattr(candidates, "FOLD", fold)
        monkeypatch.setattr(candidates, "CHUNK", chunk)
        paths.append(WeightedSampling(1.0).sample(game, 0, 10.0, rng=np.random.default_rng(0)))
    assert paths[0].steps > 20
    for path in paths[1:]:
        assert np.array_equal(path.indices, paths[0].indices)
        np.testing.assert_allclose(path.values, paths[0].values, atol=1e-13)


class TestStopping:
    def test_reaches_its_target_within_one_points_gain(self):
        game = random_game(5, g=400)
        targets = RectifiedRhoShapley("rational")(game.shapley(), game)
        for reward in WeightedSampling(4.0)(game, targets, rng=np.random.default_rng(0)):
            if reward.stopped == "target" and len(reward.indices):
                assert reward.values[-2] < reward.target <= reward.values[-1]
                assert reward.shortfall == 0.0
            assert reward.reached == pytest.approx(reward.values[-1], abs=1e-12)
            np.testing.assert_array_equal(reward.points, game.synthetic[reward.indices])
            assert len(set(reward.indices.tolist())) == len(reward.indices)

    def test_nothing_is_drawn_where_the_target_is_met(self):
        game = random_game(6)
        own = float(game(np.eye(3, dtype=bool))[0])
        sample = WeightedSampling(1.0).sample(game, 0, own, rng=Given([]))
        assert sample.reached
        assert len(sample.indices) == 0
        assert sample.values.tolist() == [pytest.approx(own)]

    def test_stops_after_a_tenth_without_a_new_maximum_and_keeps_the_prefix(self):
        game = random_game(7, g=200)
        sample = WeightedSampling(1.0).sample(game, 0, 10.0, rng=np.random.default_rng(0))
        assert sample.stopped == "early stop"
        assert sample.steps == len(sample.indices) + 20
        assert sample.values[-1] == sample.values.max()
        assert not sample.reached
        assert sample.shortfall == pytest.approx(10.0 - sample.values[-1])

    def test_one_candidate_is_left(self):
        parties = [Contribution("A", np.zeros((1, 1)))]
        game = MaximumMeanDiscrepancy(1.0).game(parties, np.linspace(0.0, 30.0, 4)[:, None])
        sample = WeightedSampling(np.inf).sample(game, 0, 10.0, rng=Given([]))
        assert sample.stopped == "exhausted"
        assert sample.steps == 3
        single = MaximumMeanDiscrepancy(1.0).game(parties, np.ones((1, 1)))
        assert WeightedSampling(1.0).sample(single, 0, 10.0, rng=Given([])).steps == 0


class TestBeta:
    def test_zero_is_uniform(self):
        game = random_game(8, g=100)
        for u in (0.0, 0.005, 0.0100001, 0.37, 0.999999):
            assert Candidates.of(game, 0, greedy=False).draw(0.0, u) == int(u * 100)

    def test_equal_gains_are_uniform(self):
        game = MaximumMeanDiscrepancy(1.0).game([Contribution("A", [[0.0]])], np.ones((50, 1)))
        for u in (0.0, 0.5, 0.99):
            assert Candidates.of(game, 0, greedy=False).draw(8.0, u) == int(u * 50)

    def test_probabilities(self):
        """10,000 first picks: every candidate within 5 standard deviations of its probability."""
        game = random_game(9, g=30)
        rng, state = np.random.default_rng(0), Candidates.of(game, 0, greedy=False)
        gains = np.array([game.value_of(game.union_sums(0, [x])) for x in range(30)])
        p = np.exp(4 * (gains - gains.min()) / np.ptp(gains))
        p /= p.sum()
        counts = np.bincount([state.draw(4.0, rng.random()) for _ in range(10_000)], minlength=30)
        assert np.all(np.abs(counts - 10_000 * p) < 5 * np.sqrt(10_000 * p * (1 - p)))

    def test_higher_beta_takes_fewer_points(self):
        game = random_game(10, sizes=(30, 30, 30), g=600)
        ceiling = 0.98 * game.ceilings()[0]
        counts = [
            np.mean(
                [
                    len(WeightedSampling(b).sample(game, 0, ceiling, rng=np.random.default_rng(s)).indices)
                    for s in range(8)
                ]
            )
            for b in (0.0, 2.0, 8.0, np.inf)
        ]
        assert counts == sorted(counts, reverse=True)
        assert counts[0] > 1.5 * counts[-1]

    def test_a_huge_beta_is_nearly_greedy(self):
        game = random_game(11)
        greedy = WeightedSampling(np.inf).sample(game, 0, 0.9 * game.ceilings()[0], rng=Given([]))
        huge = WeightedSampling(1e300).sample(game, 0, 0.9 * game.ceilings()[0], rng=np.random.default_rng(0))
        assert np.array_equal(greedy.indices, huge.indices)

    def test_greedy_takes_the_first_of_equals(self):
        rng = np.random.default_rng(12)
        G = np.tile(rng.normal(size=(25, 2)), (4, 1))
        game = MaximumMeanDiscrepancy(0.5).game([Contribution("A", rng.normal(size=(5, 2)))], G)
        seen = set()
        for index in WeightedSampling(np.inf).sample(game, 0, 10.0, rng=Given([])).indices.tolist():
            assert all(index - 25 * k in seen for k in range(1, index // 25 + 1))
            seen.add(index)

    def test_infinity_can_be_written_in_a_configuration(self):
        assert WeightedSampling("inf") == WeightedSampling(np.inf)

    @pytest.mark.parametrize("bad", [-1.0, np.nan, "infinite", None, True])
    def test_bad_values_are_refused(self, bad):
        with pytest.raises(ValueError, match="beta"):
            WeightedSampling(bad)


class TestWrapper:
    def test_same_seed_same_rewards_and_each_its_own_stream(self):
        game = random_game(13)
        targets = 0.95 * game.ceilings()
        first = WeightedSampling(1.0)(game, targets, rng=np.random.default_rng(5))
        again = WeightedSampling(1.0)(game, targets, rng=np.random.default_rng(5))
        for one, two in zip(first, again, strict=True):
            assert np.array_equal(one.indices, two.indices)
        lowered = targets.copy()
        lowered[0] = -1.0
        others = WeightedSampling(1.0)(game, lowered, rng=np.random.default_rng(5))
        assert np.array_equal(others[1].indices, first[1].indices)
        assert len(others[0].indices) == 0

    def test_unbiased_mmd_comes_down(self):
        game = random_game(14, g=400)
        for reward in WeightedSampling(2.0)(game, 0.95 * game.ceilings(), rng=np.random.default_rng(0))[:2]:
            assert reward.mmd2_reached < reward.mmd2_alone
        assert np.isnan(game.unbiased_mmd2_of(game.union_sums(2)))  # a party of one point

    def test_progress_is_reported(self):
        calls = []
        game = random_game(15)
        WeightedSampling(1.0).sample(game, 0, 10.0, rng=np.random.default_rng(0), progress=lambda *c: calls.append(c))
        assert calls[0] == ("sample", 1, 120)

    def test_refusals(self):
        game = random_game(16)
        with pytest.raises(ValueError, match="row index"):
            WeightedSampling(1.0).sample(game, 3, 0.1, rng=Given([]))
        with pytest.raises(ValueError, match="finite"):
            WeightedSampling(1.0).sample(game, 0, np.nan, rng=Given([]))
        with pytest.raises(ValueError, match=r"\(3,\)"):
            WeightedSampling(1.0)(game, np.ones(2), rng=np.random.default_rng(0))
