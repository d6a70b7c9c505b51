"""Linear models from sums over rows in the place of the rows: the same values, rewards and noise.

Sums say of the weights what a few rows of features say (``Statistics.like_rows``), so that a model whose features were
computed by the parties is the same model on these rows, its features the identity until it predicts.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from guerdon.models.coalition_sums import gain
from guerdon.models.features import Features
from guerdon.models.maximum_likelihood import NOISE_BOUNDS
from guerdon.models.party_effects import Effects, PartyEffects, effects_are_open, rotated
from guerdon.models.party_noise import BY_PARTY, Noise, noise_of_party, noise_of_rows
from guerdon.models.pool import require_known
from guerdon.models.protocols import FitReport
from guerdon.models.sums_likelihood import RotatedRows
from guerdon.row_marks import RowMarks
from guerdon.scaling import Scaling
from guerdon.types import Contribution, FloatArray, Statistics

__all__ = [
    "FEWEST_PARTIES",
    "all_statistics",
    "as_rows",
    "in_units",
    "likeliest_noise",
    "noiseless_gain",
    "rotated_parts",
    "rows_in_units",
]

FEWEST_PARTIES = 3
"""Of fewer, the likelihood says that one differs and not which: measured with two, it blamed the honest one of a
party that sent inputs from a wide box, whose rows then kept .38 of their information and the liar's all of it."""

NOISES = 200
"""Noise variances at which the likelihood is looked at before its highest peaks are followed."""

PEAKS = 2

WARY = 5.0
"""E|w|^2 over M for sums with noise: 1 is the prior's, and 4 stand for the edge that eigenvalues are lowered by, whose
square, 2 M gram_noise^2, is what it errs by in each direction (t has half of gram_noise^2 E|w|^2). Measured: z^2 of the
weights under their posterior .1 to 1.1 in 20 settings; without, to 3.4."""


def all_statistics(parts: Sequence[Contribution] | Sequence[Statistics]) -> bool:
    """Whether the parties brought statistics.

    Raises
    ------
    ValueError
        Some brought statistics and others rows.
    """
    brought = [p.party for p in parts if isinstance(p, Statistics)]
    if brought and len(brought) < len(parts):
        rest = [p.party for p in parts if not isinstance(p, Statistics)]
        raise ValueError(
            f"{', '.join(brought)} brought statistics and {', '.join(rest)} rows: expected the same of all parties"
        )
    return bool(brought)


def as_rows(model: Any, parts: Sequence[Contribution] | Sequence[Statistics]) -> tuple[Any, Sequence[Contribution]]:
    """The model and the contributions that it takes: themselves, or the same model on rows that say what they say.

    Statistics become rows like them. Where the model has party effects, the parties' own weights are integrated out.

    Parameters
    ----------
    model : Model
        With its noise known, where the parts are statistics, and its effects, where it has any.
    parts : sequence of Contribution or of Statistics

    Raises
    ------
    ValueError
        The model can't be had from statistics, its noise is open, or the parties' features differ in number.
    """
    if all_statistics(parts):
        on_computed = getattr(model, "on_computed", None)
        if on_computed is None:
            raise ValueError(
                f"{type(model).__name__} can't be had from statistics: expected BayesianLinear, on features that the "
                "parties can compute"
            )
        noise = require_known("noise", model.noise)
        sums = _alike(cast(Sequence[Statistics], parts))
        model, parts = on_computed(), [_rows_like(part, noise_of_party(noise, part.party)) for part in sums]
    if getattr(model, "effects", None) is not None:
        model, parts = model.of_shared_weights(parts)
    return model, cast(Sequence[Contribution], parts)


def in_units(part: Statistics, scaling: Scaling) -> Statistics:
    """The sums over the same rows in other units, of features (x, 1) and without noise.

    With T what scaling does to (x, 1, y), the sums over (x, 1, y) become T S T', so that nobody is asked again.
    """
    F, z = _in_units(*part.like_rows()[:2], scaling)
    before = part.like_rows()[1]
    left = max(0.0, part.square - float(before @ before)) / scaling.target_scale**2
    return Statistics(part.party, F.T @ F, F.T @ z, float(z @ z) + left, part.rows)


def rows_in_units(part: Statistics, noise: float, scaling: Scaling | None = None) -> Contribution:
    """Rows that say of the weights what the sums say, in other units, marked by what the party sent.

    So whatever is drawn for them is the same in every run in which the party sends the same sums. Of sums with noise
    they say a little less than ``like_rows`` by itself, so that nobody is surer than they allow (``WARY``).

    Parameters
    ----------
    part : Statistics
        As the party sent it.
    noise : float
        The noise VARIANCE of outputs given the weights, in the units that are wanted.
    scaling : Scaling, optional
        Into these units, of features (x, 1) without noise.
    """
    F, z, beside = part.like_rows(WARY * len(part.moment))
    signs = np.sign(F[np.arange(len(F)), np.abs(F).argmax(axis=1)])  # eigenvectors come with either sign
    F, z = signs[:, None] * F, signs * z
    marks = RowMarks(_keys(part, len(z)))
    if scaling is not None:
        F, z = _in_units(F, z, scaling)
        marks = marks.divided(scaling.target_scale)
    return Contribution(part.party, F, z, noise=None if part.exact else noise + beside, marks=marks)


def noiseless_gain(part: Statistics, noise: float) -> float:
    """About what noisy sums would tell in nats without their noise: 1/2 log det(I + F' F / noise).

    Its eigenvalues are less the edge of the noise's spectrum, so that it is rather too little.
    """
    return gain(part.like_rows()[0] / np.sqrt(noise))


def _in_units(F: FloatArray, z: FloatArray, scaling: Scaling) -> tuple[FloatArray, FloatArray]:
    constant = F[:, -1]
    inputs = (F[:, :-1] - np.outer(constant, scaling.feature_mean)) / scaling.feature_scale
    return np.column_stack([inputs, constant]), (z - constant * scaling.target_mean) / scaling.target_scale


def _keys(part: Statistics, count: int) -> NDArray[np.uint8]:
    """A key for each of so many rows like the sums, of the sums themselves."""
    whole = blake2b(part.party.encode(), digest_size=16)
    for sums in (part.gram, part.moment, np.array([part.square, float(part.rows)])):
        whole.update((sums + 0.0).tobytes())
    digests = [blake2b(whole.digest(), salt=k.to_bytes(16, "little"), digest_size=16).digest() for k in range(count)]
    return np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(count, 16)


def likeliest_noise(parts: Sequence[Statistics]) -> tuple[float, FitReport]:
    """The noise VARIANCE of outputs given the weights, by maximum likelihood from the sums alone.

    With rows F (k, M), z, and variances e beside the noise for each party (``Statistics.like_rows``), the weights out,
    z ~ N(0, F F' + diag(s + e)); where there is no noise, m - k further numbers, whose squares sum to y' y - z' z,
    vary by s alone: log p(y) of the rows themselves, up to a constant that is their own.

    Returns
    -------
    noise : float
    report : FitReport

    Raises
    ------
    ValueError
        The parties' features differ in number.
    """
    profile = _Profile(_alike(parts))
    values = np.geomspace(*NOISE_BOUNDS, NOISES) * profile.scale
    found = np.array([profile(s) for s in values])
    padded = np.concatenate([[-np.inf], found[:, 0], [-np.inf]])
    peaks = np.flatnonzero((padded[1:-1] >= padded[:-2]) & (padded[1:-1] >= padded[2:]))
    ends = [profile.peak(values, int(k)) for k in sorted(peaks, key=lambda k: -padded[k + 1])[:PEAKS]]
    best = max(ends, key=lambda s: profile(s)[0])
    likelihood, slope = profile(best)
    at_bound = not values[0] < best < values[-1]
    report = FitReport(likelihood, 0.0 if at_bound else abs(slope), profile.evaluations, len(ends), at_bound)
    return best, report


def rotated_parts(
    parts: Sequence[Contribution] | Sequence[Statistics], features: Features | None, noise: Noise, effects: Effects
) -> list[RotatedRows]:
    """What the likelihood of noise variances and party effects needs of rows or sums, one a party.

    Parameters
    ----------
    parts : sequence of Contribution or of Statistics
    features : Features or None
        phi of the rows.
    noise : Noise
        The model's: None is one open variance for all that bring none of their own.
    effects : Effects
        The model's; of fewer than three parties with rows nobody can tell which one differs, and none is learned to.

    Raises
    ------
    ValueError
        A party sent no outputs, or sums with noise of their own whose outputs' noise is to be learned by party.
    """
    every = cast(Sequence[Contribution | Statistics], parts)
    if all_statistics(parts):
        _alike(cast(Sequence[Statistics], parts))
    if silent := [p.party for p in every if isinstance(p, Contribution) and p.y is None]:
        raise ValueError(f"outputs y are needed, but {', '.join(silent)} sent none")
    told = sum(len(p) > 0 for p in every) >= FEWEST_PARTIES
    found = []
    for k, part in enumerate(every):
        effect = np.nan if effects_are_open(effects) and told and len(part) else 0.0
        if isinstance(effects, PartyEffects):
            effect = effects.of(part.party)
        group = k if noise == BY_PARTY else 0
        found.append(_rotated_part(part, features, noise, group, effect))
    return found


def _rotated_part(
    part: Contribution | Statistics, features: Features | None, noise: Noise, group: int, effect: float
) -> RotatedRows:
    is_open = noise == BY_PARTY or noise is None
    if isinstance(part, Statistics):
        known = np.nan if is_open else noise_of_party(noise, part.party)
        F, z, beside = part.like_rows()
        if not part.exact:
            if noise == BY_PARTY:
                raise ValueError(f"the sums of {part.party!r} have noise of their own, and do not tell that of outputs")
            return RotatedRows(F, z, beside, 0.0, 0.0, known, group, effect)
        turned, z, _ = rotated(None, F, z, np.ones(len(z)))
        further = len(part) - len(turned)
        left = max(0.0, part.square - float(np.square(z).sum())) if further else 0.0
        return RotatedRows(turned, z, np.zeros(len(turned)), further, left, known, group, effect)
    own = noise is None and part.noise is not None
    rows = np.ones(len(part)) if is_open and not own else noise_of_rows(noise, part)
    shared = float(np.exp(np.mean(np.log(rows)))) if len(rows) else 1.0
    F, z, left = rotated(features, part.X, np.asarray(part.y), np.sqrt(shared / rows))
    known = np.nan if is_open and not own else shared
    return RotatedRows(F, z, np.zeros(len(F)), len(part) - len(F), left, known, group, effect)


def _alike(parts: Sequence[Statistics]) -> Sequence[Statistics]:
    widths = {part.party: len(part.moment) for part in parts}
    if len(set(widths.values())) > 1:
        raise ValueError(f"all parties must bring sums over the same features, got {widths}")
    return parts


def _rows_like(part: Statistics, noise: float) -> Contribution:
    F, z, beside = part.like_rows()
    return Contribution(part.party, F, z, noise=None if part.exact else noise + beside)


class _Profile:
    """log p and its slope against log s, of the noise variance s."""

    def __init__(self, parts: Sequence[Statistics]) -> None:
        exact = [p for p in parts if p.exact]
        rows = [p.like_rows() for p in parts if not p.exact]
        self.further, self.left, self.evaluations = 0, 0.0, 0
        if exact:
            together = Statistics(
                "all",
                np.sum([p.gram for p in exact], axis=0),
                np.sum([p.moment for p in exact], axis=0),
                float(np.sum([p.square for p in exact])),
                sum(map(len, exact)),
            )
            F, z, beside = together.like_rows()
            rows.insert(0, (F, z, beside))
            self.further, self.left = len(together) - len(z), max(0.0, together.square - float(z @ z))
        self.F = np.concatenate([F for F, _, _ in rows])
        self.z = np.concatenate([z for _, z, _ in rows])
        self.beside = np.concatenate([e for _, _, e in rows])
        # rows of one noise variance keep their density when rotated, and then have a diagonal F F'
        self.diagonal: FloatArray | None = None
        if len(rows) == 1 and exact:
            U, singular, _ = np.linalg.svd(self.F, full_matrices=False)
            self.diagonal, self.z = np.square(singular), U.T @ self.z
        known = sum(map(len, parts))
        self.scale = (float(self.z @ self.z) + self.left) / known if known else 0.0
        if not self.scale > 0.0:
            self.scale = 1.0

    def __call__(self, s: float) -> tuple[float, float]:
        self.evaluations += 1
        rest = -0.5 * (self.further * np.log(s) + self.left / s)
        slope = -0.5 * (self.further - self.left / s)
        if self.diagonal is not None:
            spread = s + self.diagonal
            rest -= 0.5 * float(np.sum(np.log(spread) + np.square(self.z) / spread))
            slope -= 0.5 * s * float(np.sum(1.0 / spread - np.square(self.z / spread)))
        else:
            noise = s + self.beside
            P, b = self.F / np.sqrt(noise)[:, None], self.z / np.sqrt(noise)
            root = np.linalg.cholesky(P.T @ P + np.eye(P.shape[1]))
            half = lapack.dtrtrs(root, P.T, lower=1)[0]
            off = b - half.T @ (half @ b)
            rest -= float(np.log(np.diagonal(root)).sum() + 0.5 * np.sum(np.log(noise)) + 0.5 * (b @ off))
            slope -= 0.5 * s * float(np.sum((1.0 - np.square(half).sum(axis=0) - np.square(off)) / noise))
        return float(rest - 0.5 * (len(self.z) + self.further) * np.log(2.0 * np.pi)), float(slope)

    def peak(self, values: FloatArray, k: int) -> float:
        """Where the likelihood is highest about one of the values: where its slope is 0, or an end of the range."""
        from scipy.optimize import brentq  # here: only learning takes it

        low, high = np.log(values[max(k - 1, 0)]), np.log(values[min(k + 1, len(values) - 1)])

        def slope(x: float) -> float:
            return self(float(np.exp(x)))[1]

        if slope(low) <= 0.0 or slope(high) >= 0.0:
            return float(values[k])
        return float(np.exp(brentq(slope, low, high, xtol=1e-14, rtol=8.9e-16)))
