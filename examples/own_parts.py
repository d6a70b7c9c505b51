"""Parts of one's own: a valuation and a scheme, each held to its contract, in one allocation with parts of ours.

    python examples/own_parts.py

In a run the same classes are named in the config, as ``my_module:Rows()``; docs/extending.md has a part of each kind.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.datasets import load_diabetes

from guerdon.pipeline import allocate
from guerdon.rewards import RhoShapley
from guerdon.shapley import ExactShapley
from guerdon.testing import RewardSchemeSuite, ValueFunctionSuite
from guerdon.types import Contribution, RewardTargets, TableGame, all_coalitions


@dataclass(frozen=True)
class Rows:
    """v(C) = log(1 + the number of different rows in C): more is better, each further row a little less."""

    def game(self, contributions, *, progress=None):
        if len({c.X.shape[1] for c in contributions}) != 1:
            raise ValueError("rows are counted where all parties have the same columns: give every party the same ones")
        held = [{row.tobytes() for row in c.X} for c in contributions]
        coalitions = all_coalitions(len(held))  # (2**n, n)
        unions = [set().union(*(h for h, inside in zip(held, c, strict=True) if inside)) for c in coalitions]
        return TableGame(np.log1p([len(union) for union in unions]), tuple(c.party for c in contributions))


@dataclass(frozen=True)
class Halfway:
    """r_i = (v_i + v_N) / 2: half of what a party lacks."""

    def __call__(self, shapley, game):
        whole = float(game(np.ones((1, game.n), dtype=bool))[0])
        values = (game(np.eye(game.n, dtype=bool)) + whole) / 2
        return RewardTargets(values, rho=None, maximum=float(values.max()), ceilings=np.full(game.n, whole))


class TestRows(ValueFunctionSuite):
    """pytest collects it; ``run`` does without."""

    monotone = True

    def make(self):
        return Rows()


class TestHalfway(RewardSchemeSuite):
    conditions = ("R1", "R2", "R3", "R4")

    def make(self):
        return Halfway()


if __name__ == "__main__":
    TestRows().run()
    TestHalfway().run()
    print("both suites pass")

    X = load_diabetes().data
    pool = [Contribution("first", X[:200]), Contribution("second", X[150:250]), Contribution("third", X[400:])]
    for scheme in (Halfway(), RhoShapley("stable")):
        found = allocate(pool, Rows(), ExactShapley(), scheme, None, rng=np.random.default_rng(0))
        print(type(scheme).__name__)
        for party, phi, target in zip(found.parties, found.shapley.values, found.targets.values, strict=True):
            print(f"  {party:7} phi {phi:.3f}   reward worth {target:.3f}")
        broken = [check.name for check in found.certificate if check.holds is False]
        print(f"  does not hold: {', '.join(broken) or 'nothing'}")
