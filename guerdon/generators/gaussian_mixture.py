"""A Gaussian mixture as generator: given, or fitted to the pool with as many components as BIC finds."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from guerdon.generators.dependence import Dependence
from guerdon.generators.labeller import Labeller
from guerdon.generators.protocols import FittedGenerator, GeneratorFitError, pooled_columns, pooled_rows
from guerdon.tables import Columns, Parts
from guerdon.threads import one_thread
from guerdon.types import Contribution, FloatArray

__all__ = ["GaussianMixture", "MixtureDensity", "TableDensity"]

REGULARISER = 1e-6
"""Added to each feature's variance, in units of its variance over the pool (scikit-learn's own default)."""

COLLAPSED = 10 * REGULARISER
"""A component whose smallest variance is below this has collapsed onto a few rows: its fit is not used."""


@dataclass(frozen=True, eq=False)
class MixtureDensity:
    """sum_c weights_c N(means_c, covariances_c): (c,), (c, d), (c, d, d)."""

    weights: FloatArray
    means: FloatArray
    covariances: FloatArray
    bic: float | None = None

    def draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        return self.draw_with_components(n, rng)[0]

    def draw_with_components(self, n: int, rng: np.random.Generator) -> tuple[FloatArray, NDArray[np.int64]]:
        """The points (n, d), and which component each comes from (n,)."""
        component = rng.choice(len(self.weights), size=n, p=self.weights)
        z = rng.standard_normal((n, self.means.shape[1]))
        factors = np.linalg.cholesky(self.covariances)
        with one_thread():
            for c, factor in enumerate(factors):
                rows = component == c
                z[rows] = z[rows] @ factor.T
        return np.asarray(self.means[component] + z), component

    def describe(self) -> dict[str, Any]:
        fitted = {} if self.bic is None else {"bic": self.bic}
        return {"generator": "Gaussian mixture", "components": len(self.weights), **fitted}


@dataclass(frozen=True, eq=False)
class TableDensity:
    """A mixture of the numbers of a table that are free, what follows from them, and codes by component.

    Attributes
    ----------
    mixture : MixtureDensity
        Of the free numbers.
    dependence : Dependence
        How the other numbers follow.
    places : (p,) array
        The features that are numbers.
    shares : tuple of (c, levels) array
        For each column of few levels how often each is drawn in each component.
    columns : Columns or None
        What the columns are; all numbers, where that is not known.
    """

    mixture: MixtureDensity
    dependence: Dependence
    places: NDArray[np.intp]
    shares: tuple[FloatArray, ...]
    columns: Columns | None

    def draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        free, component = self.mixture.draw_with_components(n, rng)
        numbers = self.dependence(free)
        if self.columns is None or not self.columns.is_mixed:
            return numbers
        points = np.zeros((n, len(self.columns)))
        points[:, self.places] = numbers
        ends = [shares[component].cumsum(axis=1)[:, :-1] for shares in self.shares]
        codes = np.stack([(rng.random(n)[:, None] > end).sum(axis=1) for end in ends], axis=1)
        return self.columns.join(self.columns.split(points).numbers, codes)

    def describe(self) -> dict[str, Any]:
        by_shares = {"by_their_shares_in_each_component": len(self.shares)} if self.shares else {}
        return {**self.mixture.describe(), **by_shares}


@dataclass(frozen=True, eq=False)
class GaussianMixture:
    """A mixture of Gaussians with full covariances.

    It is one of numbers: a column that is constant or follows from others linearly is left out of it and follows again
    in what is drawn. Columns of few levels (categories, yes or no, gaps) are drawn independently of each other by their
    shares in each component, so that each keeps its shares; what ties them to the numbers is the component alone.

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
        columns = pooled_columns(contributions)
        if self.means is None:
            return FittedGenerator(self._fitted(contributions, columns, rng), labeller, columns=columns)
        density = _given(self.means, self.covariances, self.weights)
        widths = {c.X.shape[1] for c in contributions}
        if widths - {density.means.shape[1]}:
            raise GeneratorFitError(f"means have {density.means.shape[1]} features, the parties' data {sorted(widths)}")
        return FittedGenerator(density, labeller, columns=columns)

    def _fitted(
        self, contributions: Sequence[Contribution], columns: Columns | None, rng: np.random.Generator
    ) -> MixtureDensity | TableDensity:
        pool = pooled_rows(contributions, 1, "a Gaussian mixture")
        places = np.arange(pool.shape[1])
        parts = Parts(pool, np.zeros(pool.shape, dtype=bool), np.empty((len(pool), 0), dtype=np.int64))
        if columns is not None:
            places = np.array([column.place for column in columns.numbers], dtype=np.intp)
            parts = columns.split(pool)._replace(numbers=pool[:, places])
        numbers = _without_gaps(parts, rng)
        self._check_size(numbers)
        dependence = Dependence.of(numbers)
        free = np.ascontiguousarray(numbers[:, dependence.free])  # sums depend on how rows lie, to their last bits
        mixture, members = self._mixture(free, rng) if free.shape[1] else (_one(), np.ones((len(pool), 1)))
        if len(dependence.free) == pool.shape[1]:
            return mixture
        shares = [
            np.stack([members[codes == level].sum(axis=0) for level in range(levels)], axis=1)
            for codes, levels in zip(parts.codes.T, columns.levels if columns is not None else (), strict=True)
        ]
        return TableDensity(
            mixture, dependence, places, tuple(share / share.sum(axis=1, keepdims=True) for share in shares), columns
        )

    def _check_size(self, numbers: FloatArray) -> None:
        """Refuse fewer rows than a covariance of the numbers that vary takes: all would follow from a few."""
        features, components = int((np.ptp(numbers, axis=0) > 0.0).sum()), self.components or 1
        fewest = max(components, features + 1)
        if len(numbers) < fewest:
            raise GeneratorFitError(
                f"a Gaussian mixture of {components} components in {features} features needs at least {fewest} rows, "
                f"got {len(numbers)}"
            )

    def _mixture(self, pool: FloatArray, rng: np.random.Generator) -> tuple[MixtureDensity, FloatArray]:
        """The mixture of numbers of which none follows from others, and how much each row is of each component."""
        rows, features = pool.shape
        center, scale = pool.mean(axis=0), pool.std(axis=0)
        units = (pool - center) / scale
        counts = [self.components] if self.components else range(1, min(self.max_components, rows) + 1)
        seeds = rng.integers(2**31 - 1, size=len(counts))
        fits = [_fit(units, count, int(seed)) for count, seed in zip(counts, seeds, strict=True)]
        usable = [fit for fit in fits if fit is not None]
        if not usable:
            raise GeneratorFitError(
                f"no mixture of {', '.join(str(count) for count in counts)} components fits {rows} rows in "
                f"{features} features: a component collapses onto a few rows. Use fewer components, or KernelDensity()."
            )
        best, bic = min(usable, key=lambda fit: fit[1])
        density = MixtureDensity(
            weights=best.weights_ / best.weights_.sum(),
            means=center + best.means_ * scale,
            covariances=best.covariances_ * np.outer(scale, scale),
            bic=bic,
        )
        with one_thread():
            return density, best.predict_proba(units)


def _one() -> MixtureDensity:
    """One component of no numbers at all."""
    return MixtureDensity(np.ones(1), np.zeros((1, 0)), np.zeros((1, 0, 0)))


def _without_gaps(parts: Parts, rng: np.random.Generator) -> FloatArray:
    """The numbers (m, p), with one that is known, at random, for each that stands in for a gap."""
    numbers = parts.numbers
    if not parts.gaps.any():
        return numbers
    numbers = numbers.copy()
    for column, gap in zip(numbers.T, parts.gaps.T, strict=True):
        if gap.any() and not gap.all():
            column[gap] = rng.choice(column[~gap], size=int(gap.sum()))
    return numbers


def _fit(units: FloatArray, components: int, seed: int) -> tuple[Any, float] | None:
    """A converged fit with its BIC; None where a component has collapsed or the search did not converge."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture as ScikitMixture  # here: most runs need none

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
