"""Data valued by its maximum mean discrepancy to all data, real and synthetic: Tay et al. (AAAI 2022), section 3."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from guerdon.checks import common_features, unwrap_scalars
from guerdon.duplicates import some_of, without_near_copies
from guerdon.models.kernels import check_kernel
from guerdon.types import Contribution, FloatArray, Progress, SyntheticGame, silent
from guerdon.valuation.kernel_sums import cross_sums, party_sums, self_sums
from guerdon.valuation.lengthscale import paper_lengthscale, smallest_lengthscale
from guerdon.valuation.mmd_game import MaximumMeanDiscrepancyGame, finite_rows, over_reference
from guerdon.valuation.pair_kernels import PairKernel, pair_kernel

if TYPE_CHECKING:
    from gpytorch.kernels import Kernel

__all__ = ["MaximumMeanDiscrepancy", "MaximumMeanDiscrepancyGame"]


WORTHLESS = 1e-8
"""A pool worth less than this share of all data, real and synthetic, is worth nothing."""

GROUP_ROWS = 1024
"""Parties are valued together in groups of so many rows during the search: few large passes, yet an early no."""


OFFERS: Mapping[str, tuple[str, ...]] = {
    "reference": ("pool", "parties", "public"),
    "near_duplicates": ("kept", "once"),
    "rows": ("all", "median"),
}
"""What the words may be."""


@dataclass(frozen=True, eq=False)
class MaximumMeanDiscrepancy:
    """v(S) = 2/(s t) sum_{S,T} k - 1/s^2 sum_{S,S} k, the negative squared MMD to T up to a constant (equation 2).

    Neither non-negative nor monotone in general; the length-scale search makes every party's own value, and with them
    every coalition's, at least 0.

    Parameters
    ----------
    lengthscale : float or str
        l in the data's unit. "auto" comes down from the data's own spread to where the first v(D_i) would turn
        negative, on any scale: the smallest for which every v(D_i) >= 0, unless they turn positive again far below, as
        they can where rows repeat. It needs parties whose rows differ. "paper" is the published linear bisection of
        [0.01, 1000].
    kernel : None, GPyTorch kernel or str
        exp(-|x - z|^2 / (2 l^2)) when None; else this kernel on inputs divided by ``lengthscale`` (1.0 leaves it as it
        is; what its text leaves open is 1). MMD tells distributions apart if the kernel is characteristic (appendix A):
        rbf, exponential and the Materns are, linear is not.
    reference : str
        What T is. "pool" is the paper's, all parties' rows and G alike: whoever brings more rows moves it, and its own
        rows are worth more for that. "parties" is half G and half the parties, 1/n each, whatever number of rows they
        bring; where G is fitted for it, it should be to such a mixture too (``fitted_to``). "public" is rows that are
        nobody's, which the game is given: no party moves it.
    rows : str
        How many of a party's rows count. "all" is the paper's, where whoever brings more rows is more of every
        coalition that it is in. "median": of no party more than the median party has (of two, the smaller): a
        coalition's value is the mean over all draws of so many rows of each member, and a party's rows count so many
        times in T and for its reward.
    near_duplicates : str
        "kept", or "once": of a party's rows that are (nearly) copies of each other only the first is valued
        (``guerdon.duplicates.near_copies``).

    Examples
    --------
    >>> parties = [Contribution("A", [[0.0], [1.0]]), Contribution("B", [[3.0]])]
    >>> game = MaximumMeanDiscrepancy(lengthscale=1.0).game(parties, np.array([[2.0]]))
    >>> game(np.array([[True, False], [True, True]])).round(6)
    array([0.222078, 0.475063])
    """

    gives: ClassVar[type] = SyntheticGame
    unit: ClassVar[str] = "-MMD² + const"

    lengthscale: float | Literal["auto", "paper"] = "auto"
    kernel: Kernel | str | None = None
    reference: Literal["pool", "parties", "public"] = "pool"
    near_duplicates: Literal["kept", "once"] = "kept"
    rows: Literal["all", "median"] = "all"

    def __post_init__(self) -> None:
        unwrap_scalars(self, "lengthscale")
        for name, offer in OFFERS.items():
            if getattr(self, name) not in offer:
                raise ValueError(f"{name} is {' or '.join(map(repr, offer))}, got {getattr(self, name)!r}")
        word = self.lengthscale in ("auto", "paper")
        number = isinstance(self.lengthscale, (int, float)) and not isinstance(self.lengthscale, bool)
        if not word and not (number and 0.0 < float(self.lengthscale) < np.inf):
            raise ValueError(f"lengthscale must be a positive number, 'auto' or 'paper', got {self.lengthscale!r}")
        if self.kernel is not None:
            check_kernel(self.kernel)

    @property
    def asks(self) -> tuple[str, ...]:
        """What ``game`` can't do without beside parties and G."""
        return ("public",) if self.reference == "public" else ()

    def game(
        self,
        contributions: Sequence[Contribution],
        synthetic: ArrayLike,
        *,
        public: ArrayLike | None = None,
        progress: Progress = silent,
    ) -> MaximumMeanDiscrepancyGame:
        """The game of these parties with the synthetic pool G (g, d), in one blocked pass over T x T.

        Each pair of points is looked at once; memory is 2 MB a core beside vectors of t numbers. ``public`` are the
        rows of T (p, d) for reference='public', and not looked at otherwise. ``progress`` is called as
        progress("value", kernel values done, in all), and with "lengthscale" during a search.

        Raises
        ------
        ValueError
            No party, no rows, features that differ, no synthetic point, no public rows where they are the reference,
            or no length-scale that fits.
        """
        contributions = tuple(contributions)
        G = _checked(contributions, synthetic)
        P = self._public(public, G.shape[1])
        if self.near_duplicates == "once":
            contributions = tuple(without_near_copies(c) for c in contributions)
        pool = np.concatenate([c.X for c in contributions])
        sizes = [len(c) for c in contributions]
        counts = None if self.rows == "all" else np.minimum(sizes, _middle(sizes))
        weights = self._weights(sizes, sizes if counts is None else counts, len(G))
        lengthscale = self._lengthscale(contributions, pool, G, weights, counts, P, progress)
        kernel = pair_kernel(self.kernel, lengthscale, pool, G)
        block_sums, candidate_sums = _pass(kernel, pool, sizes, G, weights, P, progress)
        game = MaximumMeanDiscrepancyGame(
            contributions, G, lengthscale, kernel, block_sums, candidate_sums, weights, progress, counts, P
        )
        if self.lengthscale == "auto":
            _require_a_value(game, game.reference_value)
        return game

    def fitted_to(self, contributions: Sequence[Contribution], *, rng: np.random.Generator) -> list[Contribution]:
        """The rows that a generator of G should be fitted to, so that it is a model of what T holds of the parties.

        All of them where the reference is the pool and all rows count. Else no more rows of any party, drawn at random,
        than the median party has (of two, the smaller): then no number of rows makes a party most of what the generator
        learns, nor does withholding starve it.
        """
        if self.near_duplicates == "once":
            contributions = [without_near_copies(c) for c in contributions]
        if self.reference == "pool" and self.rows == "all":
            return list(contributions)
        most = _middle([len(c) for c in contributions])
        return [
            some_of(c, np.sort(g.permutation(len(c))[:most]))
            for c, g in zip(contributions, rng.spawn(len(contributions)), strict=True)
        ]

    def _public(self, public: ArrayLike | None, features: int) -> FloatArray | None:
        if self.reference != "public":
            return None
        P = np.empty((0, features)) if public is None else finite_rows(public, features)
        if not len(P):
            raise ValueError(
                "reference='public' values data by public rows, and there are none: give game(..., public=rows)"
            )
        return P

    def _weights(self, sizes: Sequence[int], counts: ArrayLike, synthetic: int) -> FloatArray:
        """How often each point of a party, and of G, counts in T: (n + 1,)."""
        m, c = np.asarray(sizes, dtype=np.float64), np.asarray(counts, dtype=np.float64)
        if self.reference == "public":
            return np.zeros(len(m) + 1)
        of_parties, of_G = np.divide(c, m, out=np.ones(len(m)), where=m > 0), 1.0
        if self.reference == "parties":  # half of t for all with rows alike, and half for G
            t = c.sum() + synthetic
            of_parties = np.divide(0.5 * t / np.sum(m > 0), m, out=np.zeros(len(m)), where=m > 0)
            of_G = 0.5 * t / synthetic
        return np.append(of_parties, of_G)

    def _lengthscale(
        self,
        contributions: Sequence[Contribution],
        pool: FloatArray,
        G: FloatArray,
        weights: FloatArray,
        counts: NDArray[np.int64] | None,
        public: FloatArray | None,
        progress: Progress,
    ) -> float:
        if isinstance(self.lengthscale, (int, float)):
            return float(self.lengthscale)
        T, clouds = np.concatenate([pool, G] if public is None else [pool, public]), [*(c.X for c in contributions), G]
        counted = [len(c) for c in contributions] if counts is None else counts.tolist()
        order = [(c.X, count) for c, count in zip(contributions, counted, strict=True) if len(c)]
        t = sum(counted) + len(G) if public is None else len(public)
        diagonal = float(np.linalg.norm(np.ptp(T, axis=0)))

        def holds(lengthscale: float) -> bool:
            """Whether v(D_i) >= 0 for all i; v is concave in the empirical measure, so unions follow."""
            if self.kernel is None and (diagonal / lengthscale) ** 2 <= 2.0 * np.log(2.0):
                return True  # every k >= 1/2, so v >= 2/2 - 1
            kernel = pair_kernel(self.kernel, lengthscale, pool, G)
            for start, group in _groups(order):
                values = _alone(kernel, group, lambda X: over_reference(kernel, X, clouds, weights, public) / t)
                if values.min() < 0.0:
                    order.insert(0, order.pop(start + int(values.argmin())))  # who failed is asked first next time
                    return False
            return True

        if self.lengthscale == "paper":
            return paper_lengthscale(holds, progress)
        return smallest_lengthscale(holds, float(np.sqrt(2.0 * T.var(axis=0).sum())), progress)


def _require_a_value(game: MaximumMeanDiscrepancyGame, of_all: float) -> None:
    """Refuse a pool that the search itself made worth nothing, against what T is worth.

    Raises
    ------
    ValueError
    """
    pool = float(game(np.ones((1, game.n), dtype=bool))[0])
    if not pool > WORTHLESS * of_all:
        who = "there is one party only" if game.n == 1 else "the parties' rows are (almost) the same"
        such = f", such as {2.0 * game.lengthscale:.3g}" if game.lengthscale > 1e-9 else ", such as the data's spread"
        raise ValueError(
            f"with lengthscale='auto' the pooled data is worth nothing ({pool:.2g}): that is the smallest length-scale "
            f"at which no party's data has a negative value, where the least of them is 0, and {who}, so that the pool "
            f"is worth as little. Give lengthscale as a number{such}"
        )


def _pass(
    kernel: PairKernel,
    pool: FloatArray,
    sizes: Sequence[int],
    G: FloatArray,
    weights: FloatArray,
    public: FloatArray | None,
    progress: Progress,
) -> tuple[FloatArray, FloatArray]:
    """Sums of k between the parties and G (n + 1, n + 1), and over T for every point of G (g,)."""
    done, total = 0, len(pool) ** 2 + len(pool) * len(G) + len(G) * (len(G) + 1) // 2

    def advance(pairs: int) -> None:
        nonlocal done
        done = min(done + pairs, total)
        progress("value", done, total)

    n = len(sizes)
    owner = np.repeat(np.arange(n), sizes)
    sums = np.zeros((n + 1, n + 1))
    sums[:n, :n] = party_sums(kernel, pool, sizes, advance)
    pool_to_G = cross_sums(kernel, pool, G, advance)
    sums[:n, n] = sums[n, :n] = np.bincount(owner, weights=pool_to_G.rows, minlength=n)
    within_G = self_sums(kernel, G, advance)
    sums[n, n] = within_G.sum()
    if public is None and np.all(weights == 1.0):
        return sums, pool_to_G.columns + within_G
    clouds = [*np.split(pool, np.cumsum(sizes)[:-1]), G]
    return sums, over_reference(kernel, G, clouds, weights, public)


def _middle(sizes: Sequence[int]) -> int:
    """How many rows the median party has: of an even number the larger of the middle two, and of two the smaller.

    The larger, so that a few names with few rows each do not pull everybody's rows down; of two parties nobody can say
    which of them has too many.
    """
    ordered = sorted(size for size in sizes if size > 0)
    return ordered[len(ordered) // 2 if len(ordered) > 2 else 0] if ordered else 0


def _groups(order: Sequence[tuple[FloatArray, int]]) -> Iterator[tuple[int, Sequence[tuple[FloatArray, int]]]]:
    """Consecutive sets of about GROUP_ROWS rows together, each with the place of its first."""
    start = 0
    while start < len(order):
        stop, rows = start, 0
        while stop < len(order) and (stop == start or rows + len(order[stop][0]) <= GROUP_ROWS):
            rows, stop = rows + len(order[stop][0]), stop + 1
        yield start, order[start:stop]
        start = stop


def _alone(
    kernel: PairKernel, group: Sequence[tuple[FloatArray, int]], to_reference: Callable[[FloatArray], FloatArray]
) -> FloatArray:
    """v of each of these parties' rows, so many of which count, from their mean k with T: (number of parties,)."""
    clouds, counted = zip(*group, strict=True)
    X, sizes, c = np.concatenate(clouds), np.array([len(cloud) for cloud in clouds]), np.array(counted)
    starts = np.cumsum(sizes) - sizes
    mean = np.add.reduceat(to_reference(X), starts) / sizes
    within = np.diagonal(party_sums(kernel, X, sizes.tolist()))
    if np.any(c < sizes):
        diagonal = np.add.reduceat(kernel.diagonal(X), starts)
        pairs = c * (c - 1) / np.maximum(sizes * (sizes - 1), 1)
        return np.asarray(2.0 * mean - (pairs * (within - diagonal) + c / sizes * diagonal) / c**2)
    return np.asarray(2.0 * mean - within / sizes**2)


def _checked(contributions: Sequence[Contribution], synthetic: ArrayLike) -> FloatArray:
    features = common_features(contributions)
    if not any(len(c) for c in contributions):
        raise ValueError("a game needs at least one row of data, got parties without rows only")
    G = finite_rows(synthetic, features)
    if not len(G):
        raise ValueError("the synthetic pool must have at least one row, got none")
    return G
