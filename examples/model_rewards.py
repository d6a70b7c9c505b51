"""Model rewards as a library: three hospitals, one Gaussian process, and each gets a model worth what it contributed.

    python examples/model_rewards.py

Sim et al. (ICML 2020) on scikit-learn's diabetes data, without Flower: the mathematics is a library.
"""

import numpy as np
from sklearn.datasets import load_diabetes

from guerdon.metrics import mnlp
from guerdon.models import GaussianProcess
from guerdon.pipeline import allocate
from guerdon.realization import NoiseInjection
from guerdon.rewards import RhoShapley
from guerdon.scaling import Scaling
from guerdon.shapley import Auto
from guerdon.types import Contribution
from guerdon.valuation import InformationGain

rng = np.random.default_rng(0)
patients = load_diabetes(scaled=False)
order = rng.permutation(len(patients.data))
test, *shares = np.split(order, [142, 192, 292])  # 142 patients to score on; 50, 100 and 150 to contribute

pool = [
    Contribution(name, patients.data[rows], patients.target[rows])
    for name, rows in zip(["small", "middle", "large"], shares, strict=True)
]
scaling = Scaling.of_pool(pool)
pool = [scaling.apply(contribution) for contribution in pool]

model = GaussianProcess("rbf").fit(pool)  # length-scale, output scale, noise and mean by maximum likelihood
found = allocate(pool, InformationGain(model), Auto(), RhoShapley("stable"), NoiseInjection(), rng=rng)

alone = found.game(np.eye(found.game.n, dtype=bool))  # (n,) v_i in nats
alpha = found.shapley.values / found.shapley.values.max()

X_test = scaling.features(patients.data[test])
y_test = (patients.target[test] - scaling.target_mean) / scaling.target_scale

print(f"rho = {found.targets.rho:.3f}, the pool is worth {found.targets.maximum:.2f} nats")
print("party       v_i  phi_i  alpha  target  reached     eta  MNLP alone -> rewarded")
for i, reward in enumerate(found.rewards):
    before, after = (mnlp(*posterior.predict(X_test), y_test) for posterior in (reward.alone, reward.posterior))
    print(
        f"{reward.party:8} {alone[i]:6.2f} {found.shapley.values[i]:6.2f} {alpha[i]:6.3f} {reward.target:7.2f}"
        f" {reward.reached:8.2f} {reward.eta:7.3g} {before:13.3f} -> {after:.3f}"
    )

print()
for check in found.certificate:
    state = {True: "holds", False: "fails", None: "not checked"}[check.holds]
    print(f"{check.name:9} {state:11} {check.title}")
