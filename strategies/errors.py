"""How well a run's numbers are known, and what of it stands in the record, in a party's view and in the notes.

Two things leave them open: rows are a draw (``guerdon.valuation.row_draws``), and hyperparameters are learned
(``guerdon.valuation.value_uncertainty``). Rewards follow alpha at the run's rho and best reward.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from guerdon.pipeline import Allocation, MadeReward
from guerdon.types import FloatArray, RewardTargets
from guerdon.valuation import SamplingError, ValueUncertainty, sampling_error
from wire.pages.numbers import percent_text

__all__ = ["Errors"]

MUCH = 0.2
"""A note says it where nine of ten splits spread a party's alpha by more than this,"""

TIMES = 3.0
"""or its synthetic rows by more than this factor, and by more than MUCH of the synthetic pool."""

NAMED = 4
"""Parties that a note names."""


@dataclass(frozen=True, eq=False)
class Errors:
    """What is known of the errors of an allocation's numbers.

    Parameters
    ----------
    allocation : Allocation
    holdout : float
        The share of its file that each party holds out.
    sampling : SamplingError, optional
        By the draw of rows; None where the game can't say.
    likely : ValueUncertainty, optional
        Over hyperparameters that are about as likely; None where none were learned, or the run does not ask.
    """

    allocation: Allocation
    holdout: float
    sampling: SamplingError | None
    likely: ValueUncertainty | None

    @classmethod
    def of(cls, allocation: Allocation, holdout: float, likely: ValueUncertainty | None = None) -> Self:
        return cls(allocation, holdout, sampling_error(allocation.game, allocation.shapley, holdout=holdout), likely)

    def entry(self, i: int) -> dict[str, Any]:
        """What stands in party i's entry of the record."""
        found: dict[str, Any] = {}
        if self.sampling is not None:
            targets = self._targets(self.sampling.alpha_range)
            rows = self._rows(i, targets)
            found["sampling"] = {
                "shapley": float(self.sampling.shapley_errors[i]),
                "alpha": float(self.sampling.alpha_errors[i]),
                "alpha_range": _range(self.sampling.alpha_range[i]),
                "split": float(self.sampling.split_errors[i]),
                "split_range": _range(self.sampling.split_range[i]),
                "target": None if targets is None else _range(targets[i]),
                "synthetic_rows": None if rows is None else _range(rows),
            }
        if self.likely is not None and self.likely.models > 1:
            of_party = self.likely
            found["likely"] = {
                "value": _range(of_party.alone[i]),
                "shapley": _range(of_party.shapley[i]),
                "alpha": _range(of_party.alpha[i]),
                "target": None if of_party.rewards is None else _range(of_party.rewards[i]),
            }
        return found

    def record(self) -> dict[str, Any]:
        """What stands in the record of the whole run."""
        found: dict[str, Any] = {}
        if self.sampling is not None:
            found["sampling"] = {"level": 0.9, "holdout": self.holdout, "sentence": self._draw_sentence()}
        if self.likely is not None:
            of_all = self.likely.record()
            pool = None if self.likely.models == 1 else _range(self.likely.pool)
            found["likely"] = {
                **{key: of_all[key] for key in ("level", "drop", "models", "identified", "sentence")},
                "pool": pool,
            }
        return found

    def warnings(self) -> list[str]:
        return [sentence for sentence, warns in self.sentences() if warns]

    def sentences(self) -> list[tuple[str, bool]]:
        """What to say of it, and whether it warns."""
        found = []
        if self.likely is not None and self.likely.models > 1:
            more = "" if not self.likely.identified else "; the ranges below the numbers of the table are of these"
            found.append((self.likely.sentence + more, not self.likely.identified))
        if self.sampling is not None:
            found.append((self._draw_sentence(), False))
            if split := self._split_sentence(self.sampling):
                found.append((split, True))
        return found

    def _draw_sentence(self) -> str:
        by = f"; which {percent_text(self.holdout)} of a file are held out makes "
        share = f"{by}{np.sqrt(self.holdout):.0%} of it" if self.holdout else ""
        return (
            "alpha's ± is its standard error by the draw of rows, were others drawn in their place, with "
            f"hyperparameters, length-scale and scaling as they are{share}"
        )

    def _split_sentence(self, sampling: SamplingError) -> str:
        """That another split of the same files would change much for somebody; "" where it would not."""
        parties, alpha = self.allocation.parties, self.allocation.shapley.alpha
        targets = self._targets(sampling.split_range)
        told = []
        for i in np.argsort(sampling.split_range[:, 0] - sampling.split_range[:, 1], kind="stable"):
            low, high = sampling.split_range[i]
            rows = self._rows(int(i), targets)
            if high - low > MUCH or (rows is not None and self._far_apart(*rows)):
                drawn = "" if rows is None else f", and its synthetic rows {rows[0]:,.0f} to {rows[1]:,.0f}"
                told.append(f"alpha of {parties[i]} ({alpha[i]:.2f}) would be {low:.2f} to {high:.2f}{drawn}")
        if not told:
            return ""
        more = f"; and so on for {len(told) - NAMED} more" if len(told) > NAMED else ""
        return (
            f"which rows are held out is chance, and decides much here: in nine of ten other splits of the same files "
            f"{'; '.join(told[:NAMED])}{more}. More rows, or fewer of them held out, make it firmer"
        )

    def _far_apart(self, fewest: float, most: float) -> bool:
        pool = len(getattr(self.allocation.game, "synthetic", ()))
        return most > TIMES * fewest and most - fewest > MUCH * pool

    def _targets(self, alpha: FloatArray) -> FloatArray | None:
        """r_i (n, 2) at these alphas, with the run's rho and best reward; None where rewards do not follow them."""
        targets, game = self.allocation.targets, self.allocation.game
        alone = np.asarray(game(np.eye(game.n, dtype=bool)))
        now = _by_alpha(targets, self.allocation.shapley.alpha[:, None], alone)
        if now is None or not np.allclose(now[:, 0], targets.values, rtol=1e-6, atol=1e-12):
            return None
        return _by_alpha(targets, alpha, alone)

    def _rows(self, i: int, targets: FloatArray | None) -> FloatArray | None:
        """How many synthetic rows (2,) party i's reward has at such targets; None where it is none of such.

        As drawn, up to the target; beyond, as if what lacks to the ceiling fell as b / (b + rows).
        """
        made = next(iter(self.allocation.rewards[i : i + 1]), None)
        growth = None if made is None else _facts(made).get("growth")
        if growth is None or targets is None or len(growth["rows"]) < 2:  # none drawn tell nothing of more
            return None
        rows, values = np.array(growth["rows"], dtype=float), np.maximum.accumulate(growth["values"])
        pool = len(getattr(self.allocation.game, "synthetic", ())) or np.inf
        ceiling, gained = float(self.allocation.targets.ceilings[i]), float(values[-1] - values[0])
        found = []
        for target in targets[i]:
            if target <= values[-1]:
                found.append(float(np.interp(target, values, rows)))
            elif gained <= 0.0 or target >= ceiling:
                found.append(float(pool))
            else:
                b = rows[-1] * (ceiling - values[-1]) / gained
                found.append(min(float(pool), b * ((ceiling - values[0]) / (ceiling - target) - 1.0)))
        return np.round(found)


def _by_alpha(targets: RewardTargets, alpha: FloatArray, alone: FloatArray) -> FloatArray | None:
    """max(v_i, alpha_i^rho v*), and at most the ceiling: (n, k) of alphas (n, k)."""
    if targets.rho is None:
        return None
    shares = np.power(np.clip(alpha, 0.0, None), targets.rho) * targets.maximum
    return np.asarray(np.clip(shares, alone[:, None], np.maximum(targets.ceilings, alone)[:, None]))


def _facts(made: MadeReward) -> dict[str, Any]:
    return dict(made.facts())


def _range(bounds: Sequence[float] | FloatArray) -> dict[str, float]:
    low, high = bounds
    return {"least": float(low), "most": float(high)}
