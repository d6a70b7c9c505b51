"""The paper's credit ratings end to end at full size: five parties of 1,000 rows, |G| = 100,000, beta = 1."""

import resource
import time

import numpy as np
import pytest

from guerdon.realization import WeightedSampling
from guerdon.rewards import RectifiedRhoShapley
from guerdon.shapley import Auto
from guerdon.types import Contribution
from guerdon.valuation import MaximumMeanDiscrepancy
from simulations.datasets.credit_ratings import credit_ratings

SPREAD = {
    "equal-disjoint": ([1565, 1844, 6447, 1494, 2161], [40, 57, 250, 30, 84]),
    "unequal": ([12001, 34476, 2807, 2527, 2765], [1368, 2951, 94, 138, 126]),
}
"""Mean and standard deviation of the counts |G_i| over ten streams (``vectors/README.md``)."""


@pytest.mark.parametrize("split", list(SPREAD))
def test_full_size(benchmark, split):
    """Aim: minutes, and under 2 GB."""
    data = credit_ratings(split)
    parties = [Contribution(f"party-{i + 1}", X) for i, X in enumerate(data.parties)]
    start = time.perf_counter()
    game = MaximumMeanDiscrepancy("paper").game(parties, data.synthetic)
    shapley = Auto()(game, rng=np.random.default_rng(0))
    targets = RectifiedRhoShapley("stable")(shapley, game)
    valued = time.perf_counter() - start
    rewards = benchmark.pedantic(lambda: WeightedSampling(1.0)(game, targets, rng=np.random.default_rng(0)), rounds=1)
    sampled = time.perf_counter() - start - valued
    counts = np.array([len(reward.indices) for reward in rewards])
    rises = np.concatenate([np.diff(reward.values) > 0 for reward in rewards]).mean()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    drift = max(abs(reward.drift) for reward in rewards)
    benchmark.extra_info.update(
        valued_s=valued, sampled_s=sampled, counts=counts.tolist(), peak_gb=peak, drift=drift, share_of_rises=rises
    )
    print(
        f"\n{split}: valued in {valued:.1f} s, sampled {counts.tolist()} in {sampled:.1f} s "
        f"({1e3 * sampled / counts.sum():.2f} ms a point), peak {peak:.2f} GB, drift {drift:.0e}, rises {rises:.0%}"
    )
    mean, deviation = (np.array(numbers) for numbers in SPREAD[split])
    assert all(reward.stopped == "target" for reward in rewards)
    assert np.all(np.abs(counts - mean) < 5 * deviation)
    assert peak < 2.0
