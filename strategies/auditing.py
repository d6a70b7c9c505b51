"""The audit of rewards before they are delivered: twins of each are attacked (``guerdon.audit``), and what that found
is written down, told, and held against ``max-disclosure``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from guerdon.audit import (
    Attack,
    Cells,
    Disclosure,
    Halves,
    Scored,
    Targets,
    density_ratio,
    guesses,
    judge_attacks,
    nearest,
    singling_out,
    split_in_halves,
    twin_rewards,
)
from guerdon.generators import SyntheticData
from guerdon.images import from_pixels
from guerdon.pipeline import Allocation, MadeReward, Realization, ValueFunction
from guerdon.privacy import noise_multiplier
from guerdon.row_marks import shown
from guerdon.scaling import Scaling
from guerdon.tables import Columns
from guerdon.types import Contribution, FloatArray, Progress
from wire.kinds.withheld import Withheld
from wire.messages import Reward

__all__ = [
    "Losses",
    "SyntheticTwin",
    "audit_models",
    "audit_statistics",
    "audit_synthetic",
    "disclosure_record",
    "exposure_of",
    "nothing_found",
    "why_held_back",
    "withheld",
]

ATTACKED = 2_000
"""Rows of others that a reward is attacked with at most, drawn at random."""

DIGITS = 2
"""Of what parties are told: it is of single rows."""

Losses = Callable[[Any, Contribution], Mapping[str, FloatArray]]
"""How badly a model predicts each row, by name: losses(posterior, rows) -> {"log loss": (m,)}."""


class SyntheticTwin(NamedTuple):
    """What one half of the rows came to: each party's synthetic rows, in the order of the parties."""

    drawn: Sequence[SyntheticData]


# What is attacked.


def audit_models(
    allocation: Allocation,
    scaled: Sequence[Contribution],
    value: ValueFunction,
    realization: Realization,
    *,
    carrier: ValueFunction,
    losses: Losses,
    rng: np.random.Generator,
    progress: Progress,
) -> list[Disclosure]:
    """What each party's model gives away of the others' rows.

    A twin has the hyperparameters that were learned on all rows: those are few numbers, and each row's part in them is
    not attacked.
    """
    split_rng, rows_rng, *draw = rng.spawn(4)
    halves, n = split_in_halves(scaled, split_rng), len(scaled)
    twins = []
    for k in range(2):
        twins.append(twin_rewards(allocation, halves.half(k == 1), value, realization, carrier=carrier, rng=draw[k]))
        progress("audit", k + 1, n + 2)
    found = []
    for i, made in enumerate(allocation.rewards):
        if _is_own_only(made):
            found.append(Disclosure(made.party, harmless=True))
        else:
            targets, places = _targets(halves, i, rows_rng)
            rows = _rows_at([shown(c) for c in scaled], places)
            scored = [_model_scores(twin[i], rows, losses) for twin in twins]
            found.append(judge_attacks(made.party, allocation.parties, targets, scored))
        progress("audit", i + 3, n + 2)
    return found


def audit_synthetic(
    allocation: Allocation,
    pool: Sequence[Contribution],
    drawn: Sequence[SyntheticData],
    twin: Callable[[Sequence[Contribution], np.random.Generator], SyntheticTwin],
    *,
    columns: Columns | None,
    rng: np.random.Generator,
    progress: Progress,
) -> list[Disclosure]:
    """What each party's synthetic rows give away of the others'.

    Parameters
    ----------
    allocation : Allocation
    pool : sequence of Contribution
        In the units that synthetic rows are drawn in.
    drawn : sequence of SyntheticData
        The rewards themselves, by party.
    twin : callable
        Makes rewards in the same way from one half: twin(contributions, rng), as many rows a party as ``drawn`` has.
    columns : Columns or None
        What the features are; None of pixels.
    """
    split_rng, rows_rng, *own = rng.spawn(4 + len(pool))
    halves, n = split_in_halves(pool, split_rng), len(pool)
    twins = []
    for k in range(2):
        twins.append(twin(halves.half(k == 1), own[k]))
        progress("audit", k + 1, n + 2)
    inputs = [replace(c, y=None) for c in pool]
    units = Scaling.identity(pool[0].X.shape[1]) if columns is None else Scaling.of_pool(inputs)
    found = []
    for i, party in enumerate(allocation.parties):
        if len(drawn[i]) == 0:
            found.append(Disclosure(party, harmless=True))
        else:
            targets, places = _targets(halves, i, rows_rng)
            rows = _rows_at(pool, places)
            scored = [
                _synthetic_scores(rows, made.drawn[i], pool[i], inside, columns=columns, units=units, rng=own[2 + i])
                for made, inside in zip(twins, (targets.first, ~targets.first), strict=True)
            ]
            judged = judge_attacks(party, allocation.parties, targets, scored)
            closest = _closest(units.features(_pixels_or_points(drawn[i])), units.features(rows.X))
            found.append(replace(judged, closest=closest))
        progress("audit", i + 3, n + 2)
    return found


def audit_statistics(sums: Sequence[Any], rewards: Sequence[MadeReward]) -> list[Disclosure]:
    """What can be said of rewards made from sums, of which no half is there to make twins of.

    Noise that gives (epsilon, delta) gives AUC <= Phi(mu / sqrt 2) for every attack on one row's presence, mu = 1 /
    sigma: the noise separates two normal distributions a distance of mu apart at best (Dong, Roth and Su 2022).
    """
    bounds = {
        s.party: 1.0 if s.exact else float(ndtr(1.0 / (noise_multiplier(s.epsilon, s.delta) * np.sqrt(2.0))))
        for s in sums
    }
    found = []
    for made in rewards:
        others = {party: bound for party, bound in bounds.items() if party != made.party}
        exact = [party for party, bound in others.items() if bound == 1.0]
        if _is_own_only(made):
            found.append(Disclosure(made.party, harmless=True))
        elif exact:
            reason = (
                f"{', '.join(exact)} sent sums without noise: no row is here to attack it with, and no promise bounds "
                "what it gives away"
            )
            found.append(Disclosure(made.party, reason=reason))
        else:
            found.append(Disclosure(made.party, bound=max(others.values())))
    return found


def nothing_found(parties: Sequence[str], reason: str) -> list[Disclosure]:
    """Where no reward could be audited."""
    return [Disclosure(party, reason=reason) for party in parties]


def _is_own_only(made: MadeReward) -> bool:
    """Whether nothing of the others is in a model: noise of infinite variance on their outputs, or no power of them."""
    facts = made.facts()
    return facts.get("eta") == float("inf") or facts.get("kappa") == 0.0


def _targets(halves: Halves, i: int, rng: np.random.Generator) -> tuple[Targets, NDArray[np.intp]]:
    """The others' rows, or some of them, and where they stand in the pool."""
    owners = np.concatenate([np.full(len(c), k) for k, c in enumerate(halves.contributions)])
    places = np.flatnonzero(owners != i)
    if len(places) > ATTACKED:
        places = np.sort(rng.choice(places, ATTACKED, replace=False))
    first, groups = np.concatenate(halves.first)[places], np.concatenate(halves.groups)[places]
    return Targets(owners[places], first, groups), places


def _rows_at(pool: Sequence[Contribution], places: NDArray[np.intp]) -> Contribution:
    outputs = [c.y for c in pool if c.y is not None]
    y = np.concatenate(outputs)[places] if len(outputs) == len(pool) else None
    return Contribution("(others)", np.concatenate([c.X for c in pool])[places], y)


def _model_scores(made: Any, rows: Contribution, losses: Losses) -> dict[str, Scored]:
    lost = losses(made.posterior, rows)
    scored = {name: Scored(-loss) for name, loss in lost.items()}
    if (alone := getattr(made, "alone", None)) is not None:
        own = losses(alone, rows)
        scored |= {f"{name} against its own model's": Scored(own[name] - loss) for name, loss in lost.items()}
    held = [
        array
        for array in made.posterior.arrays().values()
        if array.ndim == 2
        and array.dtype == np.float64
        and array.shape[1] == rows.X.shape[1]
        and array.shape[0] != array.shape[1]  # a covariance
    ]
    if held:
        scored["rows that stand in the model"] = nearest(rows.X, np.concatenate(held))
    return scored


def _synthetic_scores(
    rows: Contribution,
    drawn: SyntheticData,
    own: Contribution,
    inside: NDArray[np.bool_],
    *,
    columns: Columns | None,
    units: Scaling,
    rng: np.random.Generator,
) -> dict[str, Scored]:
    S = _pixels_or_points(drawn)
    X, near, world = (units.features(block) for block in (rows.X, S, own.X))
    scored = {"nearest row": nearest(X, near)}
    if min(len(S), len(own.X)) > 1:
        scored["density ratio"] = density_ratio(X, near, world)
    if columns is not None:
        labelled = rows.y is not None and drawn.labels is not None
        cells = Cells.of(columns, rows.X, rows.y if labelled else None)
        drawn_cells = Cells.of(columns, S, drawn.labels if labelled else None)
        scored["singling out"] = singling_out(cells, inside, drawn_cells, rng)
        scored["guessing cells"] = guesses(cells, drawn_cells)
    return scored


def _pixels_or_points(drawn: SyntheticData) -> FloatArray:
    return drawn.points if drawn.pixels is None else from_pixels(drawn.pixels)


def _closest(drawn: FloatArray, rows: FloatArray) -> tuple[float, float]:
    """The median distance of a row drawn to the nearest of others, and of one of these to its nearest other."""
    to_rows = float(np.median(-nearest(drawn, rows).scores))
    squares = np.square(rows).sum(axis=1)
    between = np.maximum(squares[:, None] + squares - 2.0 * rows @ rows.T, 0.0)
    np.fill_diagonal(between, np.inf)
    return to_rows, float(np.median(np.sqrt(between.min(axis=1))))


# What is said of it.


def disclosure_record(found: Disclosure) -> dict[str, Any]:
    """As allocation.json holds it."""
    strongest = found.strongest
    return {
        "most": found.most,
        "bound": found.bound,
        "harmless": found.harmless,
        "reason": found.reason,
        "rows": found.rows,
        "closest": None if found.closest is None else {"to_rows": found.closest[0], "between_rows": found.closest[1]},
        "strongest": None if strongest is None else _said(strongest),
        "attacks": [_said(attack) for attack in found.attacks],
        "exposed": {
            party: {"auc": area.auc, "interval": {"least": area.low, "most": area.high}}
            for party, area in found.exposed.items()
        },
    }


def exposure_of(party: str, found: Sequence[Disclosure]) -> dict[str, Any]:
    """What a party is told: how far others' rewards tell its own rows, the worst of them, with two digits."""
    areas = [own.exposed[party] for own in found if party in own.exposed]
    if not areas:
        return {}
    worst = max(areas)
    return {
        "auc": round(worst.auc, DIGITS),
        "least": round(worst.low, DIGITS),
        "most": round(worst.high, DIGITS),
        "rewards": len(areas),
    }


def why_held_back(found: Disclosure, limit: float) -> str:
    """Why a reward stays with the mediator, "" where it may go.

    The upper end of the intervals decides, not the estimate: a reward goes where it is shown that no attack does
    better than the limit, not where it is not shown that one does. The party is told it too, so nothing is said of
    any other party.
    """
    if found.most <= limit:
        return ""
    said = f"max-disclosure = {limit:g}"
    if found.reason:
        return f"{said}, and it could not be audited"
    if found.bound is not None:
        return f"{said}, and all that the noise on the others' sums promises is an AUC of at most {found.bound:.2f}"
    worst = max(found.attacks, key=lambda attack: attack.area.high)
    auc, low, high = worst.area
    how = (
        f"{said}, and which rows of others were in can be told with an AUC of {auc:.2f} ({low:.2f} to {high:.2f}), "
        f"by {worst.name}"
    )
    return how if low > limit else f"{how}; the upper end decides, and on so few rows it is no lower"


def withheld(reward: Reward, reason: str) -> Reward:
    """What a party gets in the place of its reward: what is common knowledge, its own numbers, and why."""
    kept = {key: value for key, value in reward.about.items() if key in Withheld.keeps}
    return Reward({}, {**kept, "kind": Withheld.name, "held_back": reason})


def _said(attack: Attack) -> dict[str, Any]:
    auc, low, high = attack.area
    shares = {} if attack.inside is None else {"inside": attack.inside, "outside": attack.outside}
    return {"name": attack.name, "auc": auc, "interval": {"least": low, "most": high}, **shares}
