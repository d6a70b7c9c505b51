"""Synthetic-data rewards as a library: three clinics with different patients, and each gets rows that it lacks.

    python examples/synthetic_rewards.py

Tay et al. (AAAI 2022) on scikit-learn's breast cancer data, without Flower.
"""

import numpy as np
from sklearn.datasets import load_breast_cancer

from guerdon.generators import GaussianMixture, grow_until_feasible
from guerdon.metrics import mmd2_unbiased
from guerdon.realization import WeightedSampling
from guerdon.rewards import RectifiedRhoShapley, certify
from guerdon.scaling import Scaling
from guerdon.shapley import Auto
from guerdon.types import Contribution
from guerdon.valuation import MaximumMeanDiscrepancy

rng = np.random.default_rng(0)
tumours = load_breast_cancer()
features = tumours.data[:, :8]
malignant, benign = (rng.permutation(np.flatnonzero(tumours.target == label)) for label in (0, 1))

rows = {
    "hospital": np.concatenate([malignant[:80], benign[:80]]),  # sees both kinds
    "oncology": malignant[80:180],  # sees the ill
    "screening": benign[80:180],  # sees the healthy
}
pool = [Contribution(name, features[at], tumours.target[at].astype(float)) for name, at in rows.items()]
scaling = Scaling.of_pool(pool)
pool = [scaling.apply(contribution) for contribution in pool]

# G: synthetic rows from a density fitted to the pool, doubled until the scheme's bounds can be met, or the limit
generator = GaussianMixture(max_components=5).fit(pool, rng=rng)
value = MaximumMeanDiscrepancy(lengthscale="auto")
grown = grow_until_feasible(
    pool, generator, value, Auto(), RectifiedRhoShapley(incentive="stable"), size=1000, limit=8000, rng=rng
)
targets, alpha = grown.targets, grown.shapley.values / grown.shapley.values.max()

print(f"rho = {targets.rho:.3f}, v* = {targets.maximum:.4f}, |G| = {len(grown.synthetic)}")
print("party           v_i  alpha   target  reached  rows got   unbiased MMD^2 to all")
alone = grown.game(np.eye(3, dtype=bool))
everything = np.concatenate([*(c.X for c in pool), grown.synthetic.points])
sampling = WeightedSampling(beta=4.0)
for i, (own, target, stream) in enumerate(zip(pool, targets.values, rng.spawn(3), strict=True)):
    drawn = sampling.sample(grown.game, i, target, rng=stream)
    reward = grown.synthetic.points[drawn.indices]
    before, after = (
        mmd2_unbiased(own_rows, everything, grown.game.lengthscale)
        for own_rows in (own.X, np.concatenate([own.X, reward]))
    )
    print(
        f"{own.party:10} {alone[i]:8.4f} {alpha[i]:6.3f} {target:8.4f} {drawn.exact:8.4f} {len(reward):9d}"
        f"   {before:9.4f} -> {after:.4f}"
    )

certificate = certify(grown.game, grown.shapley, targets)
print()
print(f"R6, no group does better by itself: {'holds' if certificate.R6.holds else 'fails'}. {certificate.R6.witness}")
