"""What models of noisy sums give away of single rows, beside what the noise promises.

The loss attack on twins of a linear model in random Fourier features of the diabetes data, each of one random half of
the rows: without noise, and with that of several epsilons (delta 1e-5). The bound is on any attack.
"""

import numpy as np
import pytest
from scipy.stats import norm

from guerdon.audit import area_with_interval
from guerdon.models import BayesianLinear, FourierFeatures
from guerdon.models.statistics import rows_in_units
from guerdon.models.sums import bounds_of, sums_of
from guerdon.privacy import noise_multiplier, noisy_sums
from guerdon.scaling import Scaling
from guerdon.types import Contribution
from simulations.datasets import Diabetes

NOISE, SEEDS = 0.3, range(20)


def attack(epsilon, seed):
    rng = np.random.default_rng(seed)
    data = Diabetes().load(np.random.default_rng(0))
    X, y = data.features, data.target
    scaling = Scaling.of_pool([Contribution("all", X, y)])
    rows = scaling.apply(Contribution("all", X, y))
    features = FourierFeatures(count=100, lengthscale=3.0)
    inside = rng.permutation(len(X)) < len(X) // 2
    model = BayesianLinear(features=features, noise=NOISE).fit([rows])
    bounds = bounds_of(model.features, rows.X, rows.y)
    scores = []
    for side in (inside, ~inside):
        identity = Scaling.identity(X.shape[1])
        sums, _ = sums_of("all", rows.X[side], rows.y[side], model.features, identity, bounds)
        if np.isfinite(epsilon):
            sums = noisy_sums(sums, bounds, noise_multiplier(epsilon, 1e-5), rng.standard_normal)
        like = rows_in_units(sums, NOISE)
        posterior = model.on_computed().posterior(like.X, like.y, like.noise)
        mean, variance = posterior.predict(rows.X)
        scores.append(-0.5 * (np.log(variance) + (rows.y - mean) ** 2 / variance))
    return area_with_interval((scores[0], scores[1]), inside)


@pytest.mark.parametrize("epsilon", [np.inf, 10.0, 3.0, 1.0])
def test_noise_hides_rows(epsilon):
    found = np.array([attack(epsilon, seed).auc for seed in SEEDS])
    bound = norm.cdf(1.0 / (noise_multiplier(epsilon, 1e-5) * 2**0.5)) if np.isfinite(epsilon) else 1.0
    error = found.std(ddof=1) / np.sqrt(len(found))
    print(f"epsilon {epsilon}: AUC {found.mean():.3f} +- {error:.3f}, at most {bound:.3f}")
    assert found.mean() <= bound + 2 * error
