"""rho-Shapley fair rewards: Sim et al. (ICML 2020), Definition 2 and Theorem 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from guerdon.checks import unwrap_scalars
from guerdon.types import (
    FloatArray,
    Game,
    RewardTargets,
    ShapleyValues,
    TableGame,
    Thresholds,
    ceilings_of,
    shapley_array,
)

__all__ = ["TIE", "RhoShapley", "relative_shapley", "rho_thresholds", "weaker_coalitions"]

TIE = 1e-12
"""Shapley values within TIE phi* of each other are equal, and within TIE phi* of 0 are 0."""

ROUNDING = 1e-6
"""A negative Shapley value within ROUNDING phi* of 0 may be what rounding left of a value that is monotone."""

NOTHING = 1e-9
"""A party of Shapley value 0 counts as worthless where its own data is worth less than NOTHING v_N."""


@dataclass(frozen=True)
class RhoShapley:
    """r_i = (phi_i / phi*)^rho v_N: the larger rho, the closer to proportional; the smaller, the more for all.

    Sim et al. (ICML 2020), Theorem 1.

    Parameters
    ----------
    rho : float in [0, 1] or str
        The fairness exponent. "rational" is min(1, rho_r), the most proportional at which every party gets at least
        what its own data is worth (R4); "stable" is min(1, rho_s), at which no coalition does better by itself (R6). A
        party that brings more can raise either, and be worse off by it: strict monotonicity (F4 of Theorem 1) is for a
        number that was agreed on beforehand.

    Raises
    ------
    ValueError
        rho is outside [0, 1] or an unknown word.

    Examples
    --------
    >>> from guerdon.types import TableGame, ceilings_of
    >>> game = TableGame([0.0, 7.0, 5.0, 8.0])
    >>> RhoShapley(rho=1)([5.0, 3.0], game).values
    array([8. , 4.8])
    """

    rho: float | Literal["rational", "stable"] = "stable"

    def __post_init__(self) -> None:
        unwrap_scalars(self, "rho")
        known_word = self.rho in ("rational", "stable")
        is_number = isinstance(self.rho, (int, float)) and not isinstance(self.rho, bool)
        if not known_word and not (is_number and 0.0 <= float(self.rho) <= 1.0):
            raise ValueError(f"rho must be a number in [0, 1], 'rational' or 'stable', got {self.rho!r}")

    def __call__(self, shapley: ShapleyValues | ArrayLike, game: Game | ArrayLike) -> RewardTargets:
        """Targets from Shapley values (n,) and the game (or its table), of which v_i, v_{C_i} and v_N are used."""
        game = _as_game(game)
        alpha = relative_shapley(shapley, getattr(game, "parties", None))
        pool = _pool_value(game)
        thresholds = rho_thresholds(shapley, game)
        rho = {"rational": min(1.0, thresholds.rational), "stable": min(1.0, thresholds.stable)}.get(str(self.rho))
        rho = float(self.rho) if rho is None else rho
        with np.errstate(divide="ignore", invalid="ignore"):
            exponent = np.where(alpha == 1.0, 0.0, rho * np.log(alpha)) if rho > 0.0 else np.zeros_like(alpha)
        return RewardTargets(
            values=pool * np.exp(exponent),
            rho=rho,
            maximum=pool,
            ceilings=ceilings_of(game),
            thresholds=thresholds,
            deficits=-pool * np.expm1(exponent) + 0.0,
            rho_from_game=isinstance(self.rho, str),
        )


def relative_shapley(
    shapley: ShapleyValues | ArrayLike, parties: tuple[str, ...] | None = None, *, negative: bool = False
) -> FloatArray:
    """alpha_i = phi_i / phi* (n,), with ties at 0 and at 1 made exact.

    Raises
    ------
    ValueError
        None is positive, or one is negative (by more than TIE phi*) and ``negative`` does not allow that.
    """
    phi = shapley_array(shapley)
    top = float(phi.max())
    if top <= 0.0:
        raise ValueError(
            f"no party has a positive Shapley value (the largest is {top:.6g}): the pooled data is worth nothing, as "
            "where no input varies or all parties sent the same single row"
        )
    alpha = phi / top
    alpha[np.abs(alpha) <= TIE] = 0.0
    alpha[alpha >= 1.0 - TIE] = 1.0
    if np.any(alpha < 0.0) and not negative:
        worst = int(np.argmin(alpha))
        name = f"party {worst}" if parties is None else f"party {parties[worst]!r}"
        if alpha[worst] >= -ROUNDING:
            raise ValueError(
                f"{name} has a Shapley value of {phi[worst]:.3g}, which is 0 as far as float64 can tell beside the "
                f"{top:.6g} of the largest: its data is worth too little against the others' for its share to be "
                "known, as where noise variances differ by many orders of magnitude. Leave the party out, or check its "
                "noise."
            )
        raise ValueError(
            f"{name} has a negative Shapley value, {phi[worst]:.6g}: its data lowers the value of the coalitions it "
            "joins, so rho-Shapley rewards are not defined. Leave the party out, or use a value that is monotone."
        )
    return alpha


def weaker_coalitions(shapley: ShapleyValues | ArrayLike) -> NDArray[np.bool_]:
    """C_i = {j : phi_j <= phi_i} as the rows of an (n, n) boolean array; ties are in."""
    phi = shapley_array(shapley)
    weaker: NDArray[np.bool_] = phi[None, :] <= phi[:, None] + TIE * np.abs(phi).max()
    return weaker


def rho_thresholds(shapley: ShapleyValues | ArrayLike, game: Game | ArrayLike) -> Thresholds:
    """rho_r = min_i log(v_i / v_N) / log(phi_i / phi*), and rho_s with v_{C_i} in place of v_i; uncapped.

    Sim et al. (ICML 2020), Theorem 1. Parties with phi_i = phi* get v_N whatever rho is and are left out; a value of 0
    bounds nothing; a value above v_N counts as v_N.
    """
    game = _as_game(game)
    alpha = relative_shapley(shapley, getattr(game, "parties", None))
    pool = _pool_value(game)
    alone = game(np.eye(len(alpha), dtype=bool))
    weaker = game(weaker_coalitions(shapley))
    return Thresholds(rational=_largest_rho(alpha, alone / pool), stable=_largest_rho(alpha, weaker / pool))


def _largest_rho(alpha: FloatArray, share: FloatArray) -> float:
    """The largest rho with alpha_i^rho >= share_i for every i, where share_i = v / v_N: inf if nothing binds."""
    binds = (alpha < 1.0) & (share > np.where(alpha == 0.0, NOTHING, 0.0))
    if not np.any(binds):
        return float("inf")
    with np.errstate(divide="ignore"):
        bounds = np.log(np.minimum(share[binds], 1.0)) / np.log(alpha[binds])
    return float(bounds.min()) + 0.0  # -0.0 + 0.0 = 0.0


def _pool_value(game: Game) -> float:
    pool = float(game(np.ones((1, game.n), dtype=bool))[0])
    if pool <= 0.0:
        raise ValueError(f"the pooled data is worth {pool:.6g}: there is nothing to reward")
    return pool


def _as_game(game: Game | ArrayLike) -> Game:
    return game if callable(game) else TableGame(np.asarray(game, dtype=np.float64))
