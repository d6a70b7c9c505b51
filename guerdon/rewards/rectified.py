"""Rectified rho-Shapley fair rewards and their linear program: Tay et al. (AAAI 2022), section 4.1."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from guerdon.checks import is_number, unwrap_scalars
from guerdon.rewards.rho_shapley import relative_shapley, weaker_coalitions
from guerdon.types import FloatArray, RewardTargets, ShapleyValues, Thresholds, ceilings_of, shapley_array

__all__ = ["InfeasibleRewardsError", "RectifiedRhoShapley"]

SLACK = 1e-12
"""How far (relative) a bound may be missed by rounding."""


class InfeasibleRewardsError(ValueError):
    """No rho and v* meet the bounds; ``parties`` are the indices of those whose bounds conflict."""

    def __init__(self, message: str, parties: tuple[int, ...]) -> None:
        super().__init__(message)
        self.parties = parties


@dataclass(frozen=True)
class RectifiedRhoShapley:
    """r_i = max(v_c({i}), alpha_i^rho v*) with alpha_i = phi_i / phi* (equation 6), v* as large as the ceilings allow.

    rho and v* maximise log v* + epsilon rho subject to floor_i <= v* alpha_i^rho <= ceiling_i and 0 <= rho <= 1, a
    linear program in (log v*, rho). For a given rho the best v* is min_i ceiling_i / alpha_i^rho, which does not fall
    as rho grows; so for every epsilon >= 0 the optimum is the largest feasible rho. What is feasible follows exactly
    by eliminating v*: rho (log alpha_j - log alpha_i) <= log ceiling_j - log floor_i for every pair (i, j), and a pair
    that can't be met names the parties in conflict.

    A floor <= 0 binds nothing. A party with alpha_i <= 0 (the game need not be monotone) keeps its own data,
    r_i = v_c({i}), and puts no bound on the others.

    Parameters
    ----------
    incentive : str
        The floors: "stable", v_c(C_i) with C_i = {j : phi_j <= phi_i} (Proposition 3c); "rational", v_c({i}) (3b); or
        "none", where the maximum in equation 6 alone keeps parties from losing (3a).
    rho : float in [0, 1], optional
        Given: v* = min_i ceiling_i / alpha_i^rho, floors aside (footnote 4); the certificate says what then holds.
    epsilon : float, at least 0
        The weight of rho in the program, 0.001 in the paper. By the above it changes nothing.

    Raises
    ------
    ValueError
        A parameter is not one of these.

    Examples
    --------
    >>> RectifiedRhoShapley("rational")([4.0, 1.0], singles=[0.4, 0.3], ceilings=[0.9, 0.8]).values.round(12)
    array([0.9, 0.3])
    """

    incentive: Literal["stable", "rational", "none"] = "stable"
    rho: float | None = None
    epsilon: float = 1e-3

    def __post_init__(self) -> None:
        unwrap_scalars(self, "rho", "epsilon")
        if self.incentive not in ("stable", "rational", "none"):
            raise ValueError(f"incentive must be 'stable', 'rational' or 'none', got {self.incentive!r}")
        if self.rho is not None and not (is_number(self.rho) and 0.0 <= self.rho <= 1.0):
            raise ValueError(f"rho must be a number in [0, 1] or None, to be found, got {self.rho!r}")
        if not (is_number(self.epsilon) and 0.0 <= self.epsilon < np.inf):
            raise ValueError(f"epsilon must be a number of at least 0, got {self.epsilon!r}")

    def __call__(
        self,
        shapley: ShapleyValues | ArrayLike,
        singles: ArrayLike | Any,
        ceilings: ArrayLike | None = None,
        floors: ArrayLike | None = None,
        *,
        parties: tuple[str, ...] | None = None,
    ) -> RewardTargets:
        """Targets from Shapley values and the bounds.

        Parameters
        ----------
        shapley : (n,) array or ShapleyValues
        singles : (n,) array or Game
            v_c({i}); a game brings all the bounds, with ceilings v_N where it has none of its own.
        ceilings : (n,) array, optional
            v(D_i u G).
        floors : (n,) array, optional
            v_c(C_i), needed for "stable" unless rho is given.
        parties : sequence of n str, optional
            Names for messages.

        Returns
        -------
        RewardTargets
            ``maximum`` is v*; ``thresholds`` the largest rho that the rational and the stable floors allow, -inf where
            none does or the floors are not known.

        Raises
        ------
        InfeasibleRewardsError
            No rho meets the bounds. More synthetic data moves the ceilings closer together.
        ValueError
            Shapes don't fit, or no Shapley value is positive.
        """
        if callable(singles):
            game = singles
            singles, ceilings = game(np.eye(game.n, dtype=bool)), ceilings_of(game)
            floors = game(weaker_coalitions(shapley))
            parties = parties or getattr(game, "parties", None)
        phi = shapley_array(shapley)
        names = parties or tuple(str(i) for i in range(len(phi)))
        alpha = relative_shapley(phi, names, negative=True)
        alone = _bounds(singles, "singles", len(phi))
        tops = _bounds(ceilings, "ceilings", len(phi))
        weaker = None if floors is None else _bounds(floors, "floors", len(phi))
        rational = _feasible(alpha, alone, tops)
        stable = None if weaker is None else _feasible(alpha, weaker, tops)
        rho = self._rho(rational, stable, tops, alpha, names)
        targets = _targets(alpha, alone, tops, rho, Thresholds(rational.largest, stable.largest if stable else -np.inf))
        return replace(targets, rho_from_game=self.rho is None)

    def _rho(
        self, rational: _Range, stable: _Range | None, ceilings: FloatArray, alpha: FloatArray, names: tuple[str, ...]
    ) -> float:
        """The largest rho that the incentive's floors allow, or the given one."""
        flat = np.flatnonzero((alpha > 0.0) & (ceilings <= 0.0))
        if flat.size:
            raise InfeasibleRewardsError(
                f"party {names[flat[0]]!r} and all the synthetic data are worth {ceilings[flat[0]]:.6g}, so there is "
                "no positive reward: use a larger length-scale ('auto' makes values at least 0) or a better generator",
                tuple(flat.tolist()),
            )
        if self.rho is not None:
            return float(self.rho)
        if self.incentive == "none":
            return 1.0
        if self.incentive == "stable" and stable is None:
            raise ValueError("incentive='stable' needs floors, v_c(C_i) of each party (n,); got None")
        found = stable if self.incentive == "stable" and stable is not None else rational
        if found.conflicts:
            clashes = ", and ".join(
                f"{names[i]!r} (alpha {alpha[i]:.4g}) must get at least {floor} while "
                f"{'it' if i == j else f'{names[j]!r} (alpha {alpha[j]:.4g})'} can get at most {ceiling}"
                for i, j, (floor, ceiling) in ((i, j, _told_apart(*bounds)) for i, j, *bounds in found.conflicts)
            )
            raise InfeasibleRewardsError(
                f"no rho in [0, 1] gives {self.incentive} rewards: {clashes}. Add synthetic data, take "
                "incentive='rational' or 'none', or give rho.",
                tuple(sorted({party for clash in found.conflicts for party in clash[:2]})),
            )
        return found.largest


class _Conflict(NamedTuple):
    """The floor of party i against the ceiling of party j."""

    i: int
    j: int
    floor: float
    ceiling: float


class _Range(NamedTuple):
    """The largest rho in [0, 1] that all pairs of bounds allow; -inf where some of them conflict."""

    largest: float
    conflicts: tuple[_Conflict, ...] = ()


def _feasible(alpha: FloatArray, floors: FloatArray, ceilings: FloatArray) -> _Range:
    """Eliminate log v*: (log alpha_j - log alpha_i) rho <= log ceiling_j - log floor_i for all i, j with alpha > 0."""
    upper = np.flatnonzero((alpha > 0.0) & (ceilings > 0.0))
    lower = np.flatnonzero((alpha > 0.0) & (floors > 0.0))
    if not lower.size or not upper.size:
        return _Range(1.0)
    log_alpha = np.log(np.where(alpha > 0.0, alpha, 1.0))
    slope = log_alpha[None, upper] - log_alpha[lower, None]  # (floors, ceilings)
    room = np.log(ceilings[upper])[None, :] - np.log(floors[lower])[:, None]
    highest = np.full_like(slope, np.inf)
    np.divide(room, slope, out=highest, where=slope > SLACK)
    rho = min(1.0, max(0.0, float(highest.min())))
    excess = slope * rho - room  # by how much, in log value, each floor is above each ceiling at the best rho
    if excess.max() <= SLACK:
        return _Range(rho)
    clashing = {int(excess.argmax())}
    if slope.flat[excess.argmax()] < -SLACK:  # a larger rho would do, were it not for the bound that keeps it down
        clashing |= {int(highest.argmin())} if rho < 1.0 else set()
    places = [(int(lower[i]), int(upper[j])) for i, j in (divmod(place, len(upper)) for place in sorted(clashing))]
    return _Range(-np.inf, tuple(_Conflict(i, j, float(floors[i]), float(ceilings[j])) for i, j in places))


def _targets(
    alpha: FloatArray, alone: FloatArray, ceilings: FloatArray, rho: float, thresholds: Thresholds
) -> RewardTargets:
    shares = np.flatnonzero(alpha > 0.0)
    exponent = np.full(len(alpha), -np.inf)
    exponent[shares] = rho * np.log(alpha[shares])
    maximum = float(np.min(ceilings[shares] / np.exp(exponent[shares])))
    values, deficits = maximum * np.exp(exponent), -maximum * np.expm1(exponent) + 0.0
    own = (alone > values) | (alpha <= 0.0)
    return RewardTargets(
        values=np.where(own, alone, values),
        rho=rho,
        maximum=maximum,
        ceilings=ceilings,
        thresholds=thresholds,
        deficits=np.where(own, maximum - alone, deficits),
    )


def _told_apart(one: float, other: float) -> tuple[str, str]:
    """Both numbers as text, with 6 digits or as many as show that they differ."""
    digits = next((d for d in range(6, 17) if f"{one:.{d}g}" != f"{other:.{d}g}"), 17)
    return f"{one:.{digits}g}", f"{other:.{digits}g}"


def _bounds(values: ArrayLike | None, name: str, n: int) -> FloatArray:
    if values is None:
        raise ValueError(f"{name} must have shape ({n},), one a party, got None")
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (n,) or not np.all(np.isfinite(array)):
        raise ValueError(f"{name} must be finite with shape ({n},), one a party, got {array!r}")
    return array
