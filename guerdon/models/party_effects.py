"""Party effects: how far each party's own weights are from those that all share, learned with the rest.

A party's rows follow weights of its own, w + u with u ~ N(0, tau2 I): its patients differ, or its rows are made up.
With the u integrated out, as in a mixed model (Laird & Ware, Biometrics 1982) or a meta-analysis of studies that differ
(DerSimonian & Laird 1986), rows with Phi' Phi = U diag(g) U' tell of the shared weights

    A = U diag(g / (s2 + tau2 g)) U',

at most 1 / tau2 in any direction, however many rows there are and however far out they lie. A party whose rows say
something else of w than the others' do, by more than their noise explains, gets tau2 > 0, and its rows count for less.
It takes three parties: of two that differ the likelihood says nothing reliable about which one does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from guerdon.linalg import triangular_factor
from guerdon.models.feature_rows import FeatureRows
from guerdon.models.features import Features
from guerdon.models.party_noise import BY_PARTY
from guerdon.models.pool import blocks
from guerdon.row_marks import RowMarks, shown, weights_of
from guerdon.types import Contribution, FloatArray

__all__ = [
    "Effects",
    "PartyEffects",
    "check_effects",
    "described_effects",
    "effects_are_open",
    "of_shared_weights",
    "rotated",
]


@dataclass(frozen=True)
class PartyEffects:
    """The VARIANCE of each party's own weights about the shared ones, in units of the weights' prior variance.

    Parameters
    ----------
    variances : mapping of str to float
        By the party's name; 0 where its rows agree with the others'.

    Examples
    --------
    >>> PartyEffects({"ada": 0.0, "bob": 0.04}).of("bob")
    0.04
    """

    variances: Mapping[str, float]

    def of(self, party: str) -> float:
        """The party's; 0 for one that is not known."""
        return float(self.variances.get(party, 0.0))


Effects = Literal["by-party"] | PartyEffects | None
"""A linear model's party effects: none, "by-party" to learn them, or what was learned."""


def check_effects(effects: object) -> None:
    """Refuse a model's effects that are none.

    Raises
    ------
    ValueError
    """
    known = effects is None or (isinstance(effects, str) and effects == BY_PARTY)
    if isinstance(effects, PartyEffects):
        known = all(0.0 <= v < np.inf for v in effects.variances.values())
    if not known:
        raise ValueError(
            "effects is None, 'by-party' to learn how far each party's weights are from those that all share, or "
            f"PartyEffects of variances of at least 0, got {effects!r}"
        )


def effects_are_open(effects: Effects) -> bool:
    """Whether they are still to be learned."""
    return isinstance(effects, str)


def described_effects(effects: Effects) -> str | dict[str, float] | None:
    """A model's effects as plain numbers and text: by party, where they are known."""
    return dict(effects.variances) if isinstance(effects, PartyEffects) else effects


def of_shared_weights(
    features: Features | None, contribution: Contribution, noise: FloatArray, effect: float
) -> Contribution:
    """Rows of features that say of the shared weights what a party's rows do, its own weights integrated out.

    With Phi = V diag(sqrt g) U', the rows F = diag(sqrt g) U' have outputs z = V' y with variances s2 + tau2 g: noise
    on z is noise on y, so that whatever is done to rows is done to these. Rows of several noise variances are brought
    to their geometric mean before, each by its weight.

    Parameters
    ----------
    features : Features or None
        phi; the inputs themselves when None.
    contribution : Contribution
        The party's rows; where their marks show them in other units, or give them weights in what others get, so do
        those of what is returned.
    noise : (m,) array
        Their noise VARIANCES.
    effect : float
        tau2.
    """
    marks = contribution.marks
    found = _rotated(features, contribution, noise, effect)
    if marks is None:
        return found
    own = shown(contribution)
    plain, weights = _rotated(features, own, noise, effect), weights_of(own)
    others = None if np.all(weights == 1.0) else _rotated(features, own, noise, effect, weights)
    unit = marks.unit if own.marks is None else own.marks.unit
    of_shown = RowMarks.together(marks.keys, len(plain), unit)
    plain = replace(plain, marks=replace(of_shown, others=None if others is None else replace(others, marks=of_shown)))
    if own is contribution:
        return plain
    return replace(found, marks=replace(RowMarks.together(marks.keys, len(found), marks.unit), shown=plain))


def _rotated(
    features: Features | None,
    contribution: Contribution,
    noise: FloatArray,
    effect: float,
    weights: FloatArray | float = 1.0,
) -> Contribution:
    shared = float(np.exp(np.mean(np.log(noise)))) if len(noise) else 1.0
    y = np.zeros(len(contribution)) if contribution.y is None else contribution.y
    F, z, _ = rotated(features, contribution.X, y, np.sqrt(shared * weights / noise))
    return Contribution(
        contribution.party, F, None if contribution.y is None else z, noise=shared + effect * np.square(F).sum(axis=1)
    )


def rotated(
    features: Features | None, X: FloatArray, y: FloatArray, scale: FloatArray
) -> tuple[FloatArray, FloatArray, float]:
    """F = diag(sqrt g) U' (k, M), z = V' y (k,) and y' y - z' z of rows times their ``scale`` (m,), V diag(sqrt g) U'.

    The Gram matrix is never formed, which would square the condition number.
    """
    rows = FeatureRows(features, X)
    M = rows.width

    def scaled() -> Sequence[FloatArray]:
        return [
            np.column_stack([Phi, y[block]]) * scale[block, None]
            for Phi, block in zip(rows, blocks(len(X)), strict=True)
        ]

    R = triangular_factor(M + 1, scaled())
    V, root, U = np.linalg.svd(R[:, :M], full_matrices=False)
    sign = _signs(U)
    F = (sign * root)[:, None] * U
    z = V.T @ R[:, M]
    return F, sign * z, float(np.sum(np.square(R[:, M] - V @ z))) if len(X) > len(F) else 0.0


def _signs(U: FloatArray) -> NDArray[np.float64]:
    """Singular vectors come with either sign: that with which each row's largest entry is positive."""
    return np.asarray(np.sign(U[np.arange(len(U)), np.abs(U).argmax(axis=1)]), dtype=np.float64)
