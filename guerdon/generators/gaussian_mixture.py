"""A Gaussian mixture as generator: given, or fitted to the pool with as many components as BIC finds."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as ScikitMixture

from guerdon.generators.labeller import Labeller
from guerdon.generators.protocols import FittedGenerator, GeneratorFitError, pooled_rows
from guerdon.threads import one_thread
from guerdon.types import Contribution, FloatArray

__all__ = ["GaussianMixture", "MixtureDensity"]

REGULARISER = 1e-6
"""Added to each feature's variance, in units of its variance over the pool (scikit-learn's own default)."""

COLLAPSED = 10 * REGULARISER
"""A component whose smallest variance is below this has collapsed onto a few rows: its fit is not used."""

SINGULAR = 1e-10
"""Smallest eigenvalue of the pool's correlation matrix, to its largest, below which the covariance is singular."""


@dataclass(frozen=True, eq=False)
class MixtureDensity:
    """sum_c weights_c N(means_c, covariances_c): (c,), (c, d), (c, d, d)."""

    weights: FloatArray
    means: FloatArray
    covariances: FloatArray
    bic: float | None = None

    def draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        component = rng.choice(len(self.weights), size=n, p=self.weights)
        z = rng.standard_normal((n, self.means.shape[1]))
        factors = np.linalg.cholesky(self.covariances)
        with one_thread():
            for c, factor in enumerate(factors):
                rows = component == c
                z[rows] = z[rows] @ factor.T
        return np.asarray(self.means[component] + z)

    def describe(self) -> dict[str, Any]:
        fitted = {} if self.bic is None else {"bic": self.bic}
        return {"generator": "Gaussian mixture", "components": len(self.weights), **fitted}


@dataclass(frozen=True, eq=False)
class GaussianMixture:
    """A mixture of Gaussians with full covariances.

    Parameters
    ----------
    components : int, optional
        How many to fit; the number of smallest BIC from 1 to ``max_components`` when None.
    max_components : int
    means : (c, d) array, optional
        Given: nothing is fitted, and ``covariances`` must be given too.
    covariances : float, (d, d) array or (c, d, d) array, optional
        A number is the variance of every feature.
    weights : (c,) array, optional
        Equal when None.

    Raises
    ------
    ValueError
        Parameters that don't fit together, or a given covariance that is not positive definite.

    Examples
    --------
    >>> mixture = GaussianMixture(means=((0.0, 0.0), (1.0, 1.0)), covariances=0.005)
    >>> fitted = mixture.fit([Contribution("A", np.zeros((1, 2)))], rng=np.random.default_rng(0))
    >>> fitted.sample(3, rng=np.random.default_rng(1)).points.shape
    (3, 2)
    """

    components: int | None = None
    max_components: int = 10
    means: ArrayLike | None = None
    covariances: ArrayLike | None = None
    weights: ArrayLike | None = None

    def __post_init__(self) -> None:
        for name in ("components", "max_components"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
        if (self.means is None) != (self.covariances is None) or (self.weights is not None and self.means is None):
            raise ValueError("means and covariances are given together (and weights with them), or none of them")
        if self.means is not None:
            _given(self.means, self.covariances, self.weights)

    def fit(self, contributions: Sequence[Contribution], *, rng: np.random.Generator) -> FittedGenerator:
        """The mixture for this pool; a given one is taken as it is."""
        labeller = Labeller.of(contributions)
        if self.means is None:
            return FittedGenerator(self._fitted(contributions, rng), labeller)
        density = _given(self.means, self.covariances, self.weights)
        widths = {c.X.shape[1] for c in contributions}
        if widths - {density.means.shape[1]}:
            raise GeneratorFitError(f"means have {density.means.shape[1]} features, the parties' data {sorted(widths)}")
        return FittedGenerator(density, labeller)

    def _fitted(self, contributions: Sequence[Contribution], rng: np.random.Generator) -> MixtureDensity:
        features = contributions[0].X.shape[1] if contributions else 0
        fewest = max(self.components or 1, features + 1)
        why = f"a Gaussian mixture of {self.components or 1} components in {features} features"
        pool = pooled_rows(contributions, fewest, why)
        center, scale = pool.mean(axis=0), _scales(pool, contributions)
        units = (pool - center) / scale
        counts = [self.components] if self.components else range(1, min(self.max_components, len(pool)) + 1)
        seeds = rng.integers(2**31 - 1, size=len(counts))
        fits = [_fit(units, count, int(seed)) for count, seed in zip(counts, seeds, strict=True)]
        usable = [fit for fit in fits if fit is not None]
        if not usable:
            raise GeneratorFitError(
                f"no mixture of {', '.join(str(count) for count in counts)} components fits {len(pool)} rows in "
                f"{features} features: a component collapses onto a few rows. Use fewer components, or KernelDensity()."
            )
        best = min(usable, key=lambda fit: fit[1])
        mixture, bic = best
        return MixtureDensity(
            weights=mixture.weights_ / mixture.weights_.sum(),
            means=center + mixture.means_ * scale,
            covariances=mixture.covariances_ * np.outer(scale, scale),
            bic=bic,
        )


def _fit(units: FloatArray, components: int, seed: int) -> tuple[Any, float] | None:
    """A converged fit with its BIC; None where a component has collapsed or the search did not converge."""
    mixture = ScikitMixture(components, n_init=3, max_iter=500, reg_covar=REGULARISER, random_state=seed)
    with one_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # refused below
        try:
            mixture.fit(units)
        except ValueError:  # scikit-learn's "ill-defined empirical covariance"
            return None
        narrowest = np.linalg.eigvalsh(mixture.covariances_).min()
        if not mixture.converged_ or narrowest < COLLAPSED:
            return None
        return mixture, float(mixture.bic(units))


def _scales(pool: FloatArray, contributions: Sequence[Contribution]) -> FloatArray:
    """Standard deviations (d,), refused where the pool's covariance is singular."""
    scale = pool.std(axis=0)
    constant = np.flatnonzero(scale <= 1e-12 * np.abs(pool).max(axis=0))
    if constant.size:
        names = next((c.feature_names for c in contributions if c.feature_names is not None), None)
        named = [str(column) if names is None else repr(names[column]) for column in constant]
        raise GeneratorFitError(
            f"column {', '.join(named)} is constant over all parties, so the covariance is singular: leave it out, or "
            "use KernelDensity()"
        )
    spectrum = np.linalg.eigvalsh(np.atleast_2d(np.corrcoef(pool, rowvar=False)))
    if spectrum[0] <= SINGULAR * spectrum[-1]:
        raise GeneratorFitError(
            "the pool's covariance is singular: some columns are sums of others. Leave them out, or use KernelDensity()"
        )
    return np.asarray(scale)


def _given(means: ArrayLike, covariances: ArrayLike | None, weights: ArrayLike | None) -> MixtureDensity:
    mu = np.atleast_2d(np.asarray(means, dtype=np.float64))
    count, d = mu.shape
    spread = np.asarray(covariances, dtype=np.float64)
    spread = spread * np.eye(d) if spread.ndim == 0 else spread
    if spread.shape not in ((d, d), (count, d, d)):
        raise ValueError(f"covariances must be one variance, ({d}, {d}) or ({count}, {d}, {d}), got {spread.shape}")
    spread = np.broadcast_to(spread, (count, d, d)).copy()
    share = np.full(count, 1.0 / count) if weights is None else np.asarray(weights, dtype=np.float64)
    if share.shape != (count,) or np.any(share < 0) or not np.isclose(share.sum(), 1.0):
        raise ValueError(f"weights must be ({count},), not negative and sum to 1, got {share.tolist()}")
    for c, covariance in enumerate(spread):
        if not np.allclose(covariance, covariance.T) or np.linalg.eigvalsh(covariance)[0] <= 0:
            raise ValueError(
                f"the covariance of component {c} is not symmetric positive definite: {covariance.tolist()}"
            )
    return MixtureDensity(share / share.sum(), mu, spread)
