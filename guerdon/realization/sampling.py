"""Synthetic-data rewards by weighted sampling: Tay et al. (AAAI 2022), section 4.2 and algorithm 1.

From D_i, points x of G are added one at a time, each drawn with probability proportional to exp(beta d_x), d_x being
the gain in value Delta_x rescaled to [0, 1] over what is left of G, until the value reaches r_i.

With s points so far, kS[x] the sum of k(x, y) over them and kT[x] the sum over T,

    Delta_x = s/(s+1) sigma_ST + 2 kT[x] / (t (s+1)) - (s^2 sigma_S + 2 kS[x] + k(x,x)) / (s+1)^2 - v(S)
            = 2 / (s+1)^2 * Z[x] + (what no x changes),    Z[x] = (s+1) kT[x]/t - kS[x] - k(x,x)/2

(the denominators of the paper's (20)-(21) are misprinted). The rescaled gain is that of Z, and when y is taken Z grows
by kT[x]/t - k(x, y): one row of the kernel a step, O(|G| d).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from guerdon.checks import unwrap_scalars
from guerdon.realization.candidates import Candidates
from guerdon.threads import one_thread
from guerdon.types import FloatArray, Progress, RewardTargets, SyntheticGame, silent
from guerdon.valuation.mmd_game import MaximumMeanDiscrepancyGame, UnionSums

__all__ = ["Sample", "SyntheticReward", "Uniforms", "WeightedSampling"]

Stopped = Literal["target", "early stop", "exhausted"]

PATIENCE = 10
"""Sampling stops after |G| / PATIENCE steps without a new largest value (the published code's 0.1 |G|)."""


STEPS = 150
"""Points of a curve of values at most."""


class Uniforms(Protocol):
    """Where the random numbers come from, such as a ``numpy.random.Generator``."""

    def random(self) -> float:
        """The next number in [0, 1)."""
        ...


@dataclass(frozen=True, eq=False)
class Sample:
    """The points drawn for one party, in the order drawn, cut back to where the largest value was reached.

    Attributes
    ----------
    indices : (k,) array
        Rows of G.
    values : (k + 1,) array
        v(D_i), then v after each point, as they were updated along the way.
    target : float
        r_i.
    stopped : str
        Why: "target"; "early stop", no new largest value in 0.1 |G| steps; or "exhausted", one candidate left.
    steps : int
        How many points were drawn before the cut.
    exact : float
        v(D_i u G_i) computed afresh.
    sums : UnionSums
        The kernel sums that it was computed from.
    """

    indices: NDArray[np.int64]
    values: FloatArray
    target: float
    stopped: Stopped
    steps: int
    exact: float
    sums: UnionSums

    @property
    def reached(self) -> bool:
        """Whether the value met the target."""
        return self.stopped == "target"

    @property
    def shortfall(self) -> float:
        """How much the value is below the target, 0 when it was reached."""
        return 0.0 if self.reached else max(self.target - float(self.values[-1]), 0.0)

    @property
    def drift(self) -> float:
        """The updated value less the exact one."""
        return float(self.values[-1]) - self.exact


@dataclass(frozen=True, eq=False)
class SyntheticReward:
    """One party's synthetic data.

    Attributes
    ----------
    party : str
        Whose reward it is.
    target : float
        r_i.
    reached : float
        v(D_i u G_i), computed afresh.
    points : (k, d) array
        G_i, in the order drawn.
    indices : (k,) array
        Its rows of G.
    values : (k + 1,) array
        The value along the way.
    stopped : str
        Why the drawing ended, as in ``Sample``.
    shortfall, drift : float
        As in ``Sample``.
    mmd2_alone, mmd2_reached : float
        The unbiased MMD^2 to T of D_i and of D_i u G_i (NaN for fewer than two points).
    """

    party: str
    target: float
    reached: float
    points: FloatArray
    indices: NDArray[np.int64]
    values: FloatArray
    stopped: Stopped
    shortfall: float
    drift: float
    mmd2_alone: float
    mmd2_reached: float

    @property
    def contains(self) -> str:
        """What whoever gets the reward can read from it."""
        return "synthetic rows"

    def facts(self) -> Mapping[str, Any]:
        """How many ``synthetic_rows``, the unbiased ``mmd2`` (None where it is not defined) ``alone`` and with the
        ``reward``, why sampling ``stopped``, the value's ``drift``, and its ``growth`` along the way."""
        mmd2 = {"alone": self.mmd2_alone, "reward": self.mmd2_reached}
        return {
            "synthetic_rows": len(self.points),
            "mmd2": {side: None if np.isnan(value) else value for side, value in mmd2.items()},
            "stopped": self.stopped,
            "drift": self.drift,
            "growth": _growth(self.values),
        }


@dataclass(frozen=True)
class WeightedSampling:
    """Realize the targets of an MMD game by sampling from its synthetic pool.

    Parameters
    ----------
    beta : float in [0, inf] or str
        The inverse temperature. 0 draws uniformly; the larger, the fewer points and the closer to T they are; inf
        (or "inf", for a run's configuration) always takes the best point, the first in G's order on ties.

    Raises
    ------
    ValueError
        beta is negative or not a number.
    """

    needs: ClassVar[type] = SyntheticGame

    beta: float | Literal["inf"] = 1.0

    def __post_init__(self) -> None:
        unwrap_scalars(self, "beta")
        if self.beta == "inf":
            object.__setattr__(self, "beta", float("inf"))
        number = isinstance(self.beta, (int, float)) and not isinstance(self.beta, bool)
        if not number or not float(self.beta) >= 0.0:
            raise ValueError(f"beta must be a number in [0, inf], got {self.beta!r}")

    def __call__(
        self, game: MaximumMeanDiscrepancyGame, targets: RewardTargets | ArrayLike, *, rng: np.random.Generator
    ) -> tuple[SyntheticReward, ...]:
        """One reward a party, in the game's order, each drawn with a generator of its own spawned from ``rng``."""
        values = targets.values if isinstance(targets, RewardTargets) else np.asarray(targets, dtype=np.float64)
        if values.shape != (game.n,):
            raise ValueError(f"targets must have shape ({game.n},), one a party, got {values.shape}")
        rewards = []
        for i, generator in enumerate(rng.spawn(game.n)):
            sample = self.sample(game, i, float(values[i]), rng=generator, progress=game.progress)
            rewards.append(_reward(game, i, sample))
            game.progress("realize", i + 1, game.n)
        return tuple(rewards)

    def sample(
        self,
        game: MaximumMeanDiscrepancyGame,
        party: int,
        target: float,
        *,
        rng: Uniforms,
        progress: Progress = silent,
    ) -> Sample:
        """Points for one party, from ``rng.random()`` once a step (never for beta = inf).

        The point taken is the first, in G's order among those left, whose cumulative probability exceeds the random
        number. No point is drawn where v(D_i) meets the target already.

        Parameters
        ----------
        game : MaximumMeanDiscrepancyGame
            The game whose ``synthetic`` is G.
        party : int
            The party's row.
        target : float
            r_i.
        rng : Generator
            Or anything else with random() -> float in [0, 1).
        progress : callable
            Called as progress("sample", points drawn, |G|), a hundred times at most.
        """
        if not 0 <= party < game.n:
            raise ValueError(f"party must be a row index from 0 to {game.n - 1}, got {party}")
        if not np.isfinite(target):
            raise ValueError(f"the target must be finite, got {target}")
        with one_thread():
            path, stopped = self._walk(game, party, target, rng, progress)
        best = int(np.argmax(path.values))
        indices = np.array(path.picks[:best], dtype=np.int64)
        sums = game.union_sums(party, indices)
        values = np.array(path.values[: best + 1])
        return Sample(indices, values, target, stopped, len(path.picks), game.value_of(sums), sums)

    def _walk(
        self, game: MaximumMeanDiscrepancyGame, party: int, target: float, rng: Uniforms, progress: Progress
    ) -> tuple[_Path, Stopped]:
        total = len(game.synthetic)
        report_every = max(1, total // 100)
        beta = float(self.beta)
        greedy = bool(np.isinf(beta))
        candidates = Candidates.of(game, party, greedy=greedy)
        path = _Path([candidates.value], [])
        highest, since = candidates.value, 0
        while True:
            if path.values[-1] >= target:
                return path, "target"
            if path.picks and since * PATIENCE >= total:
                return path, "early stop"
            if candidates.left <= 1:
                return path, "exhausted"
            place = candidates.best() if greedy else candidates.draw(beta, rng.random())
            path.picks.append(candidates.take(place))
            path.values.append(candidates.value)
            highest, since = (candidates.value, 0) if candidates.value > highest else (highest, since + 1)
            if len(path.picks) % report_every == 0:
                progress("sample", len(path.picks), total)


@dataclass(frozen=True, eq=False)
class _Path:
    """values[0] is v(D_i), values[k] the value after the first k picks."""

    values: list[float]
    picks: list[int]


def _growth(values: FloatArray) -> dict[str, list[float]]:
    """The value v(D_i u the first k rows), at up to 150 numbers of rows k, the first and the last among them."""
    chosen = np.unique(np.linspace(0, len(values) - 1, STEPS).astype(int))
    return {"rows": chosen.tolist(), "values": np.asarray(values)[chosen].tolist()}


def _reward(game: MaximumMeanDiscrepancyGame, i: int, sample: Sample) -> SyntheticReward:
    return SyntheticReward(
        party=game.parties[i],
        target=sample.target,
        reached=sample.exact,
        points=game.synthetic[sample.indices],
        indices=sample.indices,
        values=sample.values,
        stopped=sample.stopped,
        shortfall=sample.shortfall,
        drift=sample.drift,
        mmd2_alone=game.unbiased_mmd2_of(game.union_sums(i)),
        mmd2_reached=game.unbiased_mmd2_of(sample.sums),
    )
