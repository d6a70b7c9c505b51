"""Bayesian linear regression on features that are given, or trained on public rows and then frozen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Self, cast

import numpy as np

from guerdon.checks import unwrap_scalars
from guerdon.models.feature_model import FeatureModel
from guerdon.models.feature_rows import FeatureRows
from guerdon.models.features import Computed, Features, as_features, describe_features
from guerdon.models.likelihoods import linear_likelihood
from guerdon.models.likely import likely_thetas, spread_of_values
from guerdon.models.linear_gaussian import LinearGaussian
from guerdon.models.linear_gaussian_posterior import LinearGaussianPosterior
from guerdon.models.maximum_likelihood import NOISE_BOUNDS, Problem, maximize_likelihood
from guerdon.models.noise_profile import likeliest_noises, noise_profile
from guerdon.models.party_effects import (
    Effects,
    PartyEffects,
    check_effects,
    described_effects,
    effects_are_open,
    of_shared_weights,
)
from guerdon.models.party_noise import (
    BY_PARTY,
    Groups,
    Noise,
    PartyNoise,
    check_noise,
    described_noise,
    known_noise,
    learned_noise,
    median_noise,
    noise_groups,
    noise_is_open,
)
from guerdon.models.pool import Pool, check_report, plain_noise, pool_of
from guerdon.models.protocols import FitReport
from guerdon.models.statistics import all_statistics, likeliest_noise, rotated_parts
from guerdon.models.sums_likelihood import SumsLikelihood
from guerdon.types import Contribution, FloatArray, Progress, Statistics, silent

__all__ = ["BayesianLinear"]

LIKELY = 12
"""Models of about the same likelihood that are looked at more closely."""

NOISES = 400
"""Values of an open noise variance at which the likelihood is looked at: 9 decades, 5 % apart."""


@dataclass(frozen=True, eq=False)
class BayesianLinear(FeatureModel, LinearGaussian):
    """y = w' phi(x) + e with w ~ N(0, I) and e ~ N(0, noise).

    The value of data is the information gain on w: I(w; D) = 1/2 log det(I + Phi' L^-1 Phi) in nats (Sim et al., ICML
    2020, equation 1). A reward holds the mean and covariance of w, and none of the pool's rows.

    Parameters
    ----------
    noise : float or str, optional
        Noise VARIANCE of rows that bring none of their own; None to learn it, "by-party" to learn one for each party
        (``guerdon.models.PartyNoise``), which what it declares can only raise.
    features : Features or str, optional
        phi, or a text such as ``"Affine()"``; the inputs themselves when None, so that a constant needs ``Affine()``.
    effects : PartyEffects or str, optional
        "by-party" to learn how far each party's own weights are from those that all share, by which its rows count for
        less (``guerdon.models.PartyEffects``); none when None. Values are then asked of a game, as
        ``InformationGain(model).game(contributions)``, which integrates the parties' own weights out.
    report : FitReport, optional
        How ``fit`` ended; set by it.

    Examples
    --------
    >>> round(BayesianLinear(noise=0.5).information_gain(np.array([[1.0]])), 6)  # 1/2 log(1 + 1/0.5)
    0.549306
    """

    discloses_rows: ClassVar[str] = ""
    """How others' rows come into a reward: they don't."""

    noise: Noise = None
    features: Features | str | None = None
    effects: Effects = None
    report: FitReport | None = None

    def __post_init__(self) -> None:
        unwrap_scalars(self, "noise")
        check_noise(self.noise)
        check_effects(self.effects)
        check_report(self.report)
        object.__setattr__(self, "features", as_features(self.features))

    def fit(self, contributions: Sequence[Contribution] | Sequence[Statistics], *, progress: Progress = silent) -> Self:
        """The model with its noise variance, where open, learned by maximum likelihood on the pool, to convergence.

        The likelihood is looked at over all noise levels, and followed from its highest peaks. Rows with a noise
        variance of their own keep it. Where nothing is open, outputs only serve the report: without
        them the model is returned as it is. From statistics (``Statistics``) it learns what it would from their rows.

        Raises
        ------
        ConvergenceError
            The gradient did not vanish from any start.
        ValueError
            The noise is open, and a party sent no outputs.
        """
        if isinstance(self.effects, PartyEffects) and known_noise(self.noise) is not None:
            return self
        if self.effects is not None or (all_statistics(contributions) and self.noise == BY_PARTY):
            return self._fit_rotated(contributions)
        if all_statistics(contributions):
            if self.noise is not None:
                return self
            noise, report = likeliest_noise(cast(Sequence[Statistics], contributions))
            return replace(self, noise=noise, report=report)
        contributions = cast(Sequence[Contribution], contributions)
        if any(c.y is None for c in contributions) and not noise_is_open(contributions, self.noise):
            return self
        pool = pool_of(contributions, self.noise)
        rows = FeatureRows(self._features(), pool.X)
        groups = noise_groups(contributions, self.noise)
        index = None if groups is None else groups.owner
        likelihood = linear_likelihood(rows, pool.y, pool.noise, index)
        peaks = None
        if np.any(np.isnan(pool.noise)) and np.var(pool.y) > 0.0:
            values = np.geomspace(*NOISE_BOUNDS, NOISES) * float(np.var(pool.y))
            peaks = likeliest_noises(rows, pool.y, pool.noise, values)
        fitted = maximize_likelihood(
            None, likelihood, pool.y, pool.noise, 0.0, noise_starts=peaks, groups=index, progress=progress
        )
        return replace(self, noise=learned_noise(self.noise, fitted.noise, groups), report=fitted.report)

    def _fit_rotated(self, contributions: Sequence[Contribution] | Sequence[Statistics]) -> Self:
        """The model with noise variances and party effects learned together, from what is left of rows or sums."""
        likelihood = SumsLikelihood(rotated_parts(contributions, self._features(), self.noise, self.effects))
        end = likelihood.likeliest()
        return replace(self._learned(likelihood, end.theta, contributions), report=likelihood.report(end))

    def _learned(
        self, likelihood: SumsLikelihood, theta: FloatArray, parts: Sequence[Contribution] | Sequence[Statistics]
    ) -> Self:
        """The model that theta stands for."""
        noise, effect = (values.tolist() for values in likelihood.variances(theta))
        names = [part.party for part in parts]
        rows = {part.party for part in parts if len(part)}
        learned: Noise = self.noise
        if self.noise == BY_PARTY:
            learned = PartyNoise({name: s for name, s in zip(names, noise, strict=True) if name in rows})
        elif self.noise is None and likelihood.noises:
            learned = float(np.exp(theta[0]))
        effects = (
            PartyEffects(dict(zip(names, effect, strict=True))) if effects_are_open(self.effects) else self.effects
        )
        return replace(self, noise=learned, effects=effects, report=None)

    def of_shared_weights(self, contributions: Sequence[Contribution]) -> tuple[Self, list[Contribution]]:
        """The same model without effects, and rows that say of the shared weights what each party's rows do.

        Raises
        ------
        ValueError
            The effects are open.
        """
        effects = self.effects
        if not isinstance(effects, PartyEffects):
            raise ValueError("the model's effects are open: call fit() to learn them, or leave effects='by-party' out")
        rows = [of_shared_weights(self._features(), c, self.noise_of(c), effects.of(c.party)) for c in contributions]
        return replace(self.on_computed(), effects=None), rows

    def median(self, fitted: Sequence[BayesianLinear], features: int) -> Self:
        """The model with the median, in log, of the fitted ones' noise where that is open (``median_fit``)."""
        return replace(self, noise=median_noise(self.noise, [m.noise for m in fitted]), report=None)

    def on_computed(self) -> Self:
        """The model for rows that come as features already, which predicts as this one does."""
        features = self._features()
        return self if isinstance(features, Computed) else replace(self, features=Computed(features))

    def unlearned(self, own: Contribution | Statistics) -> Self:
        """The model with half of the outputs' variance as its noise where that is open: for rows that tell none.

        Of sums, half of the outputs' mean square; 1/2 where noise hides that.
        """
        if isinstance(own, Statistics):
            known = own.exact and own.rows and own.square > 0.0
            plain = 0.5 * own.square / own.rows if known else 0.5
        else:
            plain = plain_noise(own.y)
        noise = plain if known_noise(self.noise) is None else self.noise
        return replace(self, noise=noise, effects=None, report=None)

    def likely(
        self, contributions: Sequence[Contribution], *, drop: float, fitted: BayesianLinear | None = None
    ) -> list[Self]:
        """Models whose noise is within ``drop`` nats as likely as the likeliest, the likeliest first; one if given."""
        if self.effects is not None:
            return self._likely_rotated(contributions, drop, fitted)
        pool = pool_of(contributions, self.noise)
        if not np.any(np.isnan(pool.noise)):
            return [self]
        if (groups := noise_groups(contributions, self.noise)) is not None:
            return self._likely_by_party(contributions, pool, groups, drop, fitted)
        values = np.geomspace(*NOISE_BOUNDS, NOISES) * float(np.var(pool.y))
        profile = noise_profile(FeatureRows(self._features(), pool.X), pool.y, pool.noise, values)
        inside = values[profile >= profile.max() - drop]
        spread = inside[np.unique(np.linspace(0, len(inside) - 1, LIKELY).round().astype(int))]
        return [replace(self, noise=float(s), report=None) for s in [values[profile.argmax()], *spread]]

    def _likely_rotated(
        self, contributions: Sequence[Contribution], drop: float, fitted: BayesianLinear | None
    ) -> list[Self]:
        likelihood = SumsLikelihood(rotated_parts(contributions, self._features(), self.noise, self.effects))
        if not likelihood.free:
            return [self]

        def model(theta: FloatArray) -> Any:
            return self._learned(likelihood, theta, contributions)

        def value(theta: FloatArray) -> float:
            there, rows = model(theta).of_shared_weights(contributions)
            return float(there.information_gains(rows)[-1])

        found = likely_thetas(likelihood, None, drop, value, likelihood.likeliest().theta)
        return [model(theta) for theta, _ in spread_of_values(found)]

    def _likely_by_party(
        self,
        contributions: Sequence[Contribution],
        pool: Pool,
        groups: Groups,
        drop: float,
        fitted: BayesianLinear | None,
    ) -> list[Self]:
        likelihood = linear_likelihood(FeatureRows(self._features(), pool.X), pool.y, pool.noise, groups.owner)
        problem = Problem(None, likelihood, pool.y, pool.noise, 0.0, groups.owner)

        def model(theta: FloatArray) -> Any:
            return replace(self, noise=groups.noise(np.exp(theta)), report=None)

        def value(theta: FloatArray) -> float:
            there = model(theta)
            noise = np.concatenate([there.noise_of(c) for c in contributions])
            return float(there.information_gain(pool.X, noise))

        likeliest = None if fitted is None else np.log(groups.variances(fitted.noise))
        found = likely_thetas(problem, None, drop, value, likeliest)
        return [model(theta) for theta, _ in spread_of_values(found)]

    def describe(self) -> dict[str, Any]:
        """The features, the noise variance, and how the fit ended."""
        fit = None if self.report is None else asdict(self.report)
        effects = {} if self.effects is None else {"effects": described_effects(self.effects)}
        return {
            "features": describe_features(self._features()),
            "noise": described_noise(self.noise),
            **effects,
            "fit": fit,
        }

    def posterior(
        self, X: FloatArray, y: FloatArray, noise: float | FloatArray | None = None
    ) -> LinearGaussianPosterior:
        """The belief after outputs y (m,) at X (m, d), measured with the noise variances given, else the model's.

        Raises
        ------
        ValueError
            Some party has weights of its own, and nobody says whose these rows are.
        """
        if isinstance(self.effects, PartyEffects) and any(self.effects.variances.values()):
            raise ValueError(
                "the model has party effects, and rows alone do not say whose they are: expected "
                "guerdon.models.statistics.as_rows(model, contributions), which integrates the parties' own weights out"
            )
        return super().posterior(X, y, noise)

    def _white(self, contribution: Contribution) -> FeatureRows:
        """L^-1/2 Phi: (m, M).

        Raises
        ------
        ValueError
            The model has party effects, by which rows of a party are not independent given the shared weights.
        """
        if self.effects is not None:
            raise ValueError(
                "the model has party effects: expected it in a game, such as InformationGain(model).game(contributions)"
                ", which integrates the parties' own weights out"
            )
        return super()._white(contribution)
