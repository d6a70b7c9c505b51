"""The numerical hazards of Guerdon, each with one owner.

Everything here works on B = I + L^-1/2 K L^-1/2 (K a kernel matrix, L the diagonal of noise variances), whose
eigenvalues are at least 1 in exact arithmetic; log det B is twice the information gain in nats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas, lapack

from guerdon.threads import one_thread
from guerdon.types import FloatArray, Progress, silent

__all__ = [
    "PRECISION",
    "LossOfPrecisionError",
    "chain_half_log_determinants",
    "excess_spectrum",
    "half_log_determinant",
    "lattice_explained",
    "lattice_half_log_determinants",
    "psd_cholesky",
    "require_precision",
    "rounding_error",
    "triangular_factor",
    "whitened",
]

PRECISION = 1e-6
"""A half log-determinant whose estimated relative rounding error is above this is refused."""


class LossOfPrecisionError(ValueError):
    """A matrix is so close to singular that float64 can't give its determinant; the message says how to mend it."""


def triangular_factor(width: int, blocks: Iterable[FloatArray]) -> FloatArray:
    """R (min(m, M), M) of the QR factors of rows (m, M) that come in blocks: R' R = sum block' block, M = ``width``.

    One block after the other, each with the R so far, so that only one is in memory. As with any QR factors by
    Householder's reflections, rows that are much larger than others come first, or else the small ones lose digits.
    """
    R = np.empty((0, width))
    with one_thread():
        for block in blocks:
            R = np.asarray(np.linalg.qr(np.concatenate([R, block]), mode="r"))
    return R


def whitened(K: FloatArray, noise: FloatArray) -> FloatArray:
    """B = I + L^-1/2 K L^-1/2 for a kernel matrix K (m, m) and noise variances (m,)."""
    scale = 1.0 / np.sqrt(noise)
    B = K * scale[:, None] * scale[None, :]
    B[np.diag_indices_from(B)] += 1.0
    return B


def psd_cholesky(B: FloatArray, what: str = "the kernel matrix") -> FloatArray:
    """Lower Cholesky factor of a symmetric positive definite (m, m) matrix; no jitter is ever added.

    Raises
    ------
    LossOfPrecisionError
        A pivot is not positive: repeated rows with (almost) no noise, or a kernel that is not positive definite.
    """
    factor, info = lapack.dpotrf(np.asfortranarray(B), lower=1, clean=1)
    if info != 0:
        raise LossOfPrecisionError(
            f"{what} is singular to working precision at row {info}, or not positive definite: rows repeat (almost) "
            "exactly and the noise variance is too small to tell them apart, or the kernel is not positive definite on "
            "these inputs. Raise the noise variance, or remove the repeated rows; if no rows repeat, take another "
            "kernel."
        )
    return np.asarray(factor)


def rounding_error(B: FloatArray, factor: FloatArray, *, floor: FloatArray | float = 1.0, enough: float = 0.0) -> float:
    """The rounding error to expect in 1/2 log det B, to first order: half of eps sum_j B_jj (B^-1)_jj.

    Pivots don't tell it: they are B_jj themselves where a matrix is singular, and its rounding hides that.

    Parameters
    ----------
    B : (m, m) array
    factor : (m, m) array
        Its lower Cholesky factor.
    floor : float or (m,) array
        A diagonal matrix that B is no smaller than, so that (B^-1)_jj <= 1 / floor_j.
    enough : float
        Where the bound that ``floor`` gives is below this, it is returned, and saves m^3 / 3 flops.
    """
    eps = float(np.finfo(np.float64).eps)
    bound = 0.5 * eps * float(np.sum(np.diagonal(B) / floor))
    if bound <= enough:
        return bound
    inverse, info = lapack.dtrtri(factor, lower=1)
    if info != 0:
        return float("inf")
    return float(0.5 * eps * np.sum(np.diagonal(B) * np.square(np.tril(inverse)).sum(axis=0)))


def require_precision(value: float, error: float, what: str) -> None:
    """Refuse an information gain of ``value`` nats whose rounding error is above PRECISION of itself (or of 1 nat).

    Raises
    ------
    LossOfPrecisionError
    """
    if not error <= PRECISION * max(1.0, abs(value)):  # NaN is refused too
        raise LossOfPrecisionError(
            f"the information gain of {what} is {value:.6g} nats with a rounding error of about {error:.1g}: the noise "
            "variance is too small for float64 against (almost) repeated rows. Raise the noise variance, or remove the "
            "repeated rows."
        )


def half_log_determinant(B: FloatArray, what: str = "the kernel matrix") -> float:
    """1/2 log det B, refused where rounding could have moved it by more than PRECISION of itself (or of 1 nat)."""
    factor = psd_cholesky(B, what)
    value = float(np.sum(np.log(np.diagonal(factor))))
    require_precision(value, rounding_error(B, factor, enough=PRECISION), what)
    return value


def excess_spectrum(
    S: FloatArray, noise: FloatArray, scale: float, known: float = 0.0, what: str = "the pooled data"
) -> tuple[FloatArray, FloatArray]:
    """What S (m, m), positive semi-definite, adds to the spectrum of diag(noise): (excess (m,), floor (m,)).

    floor is ``noise`` in ascending order and floor + excess the eigenvalues of S + diag(noise), so that
    1/2 log det(I + S (diag(noise) + eta I)^-1) = 1/2 sum_j log1p(excess_j / (floor_j + eta)) for every eta >= 0.

    Parameters
    ----------
    scale : float
        The norm of the matrix that S was computed from, whose rounding errors S inherits.
    known : float
        Nats gained before; the precision required is relative to the sum.

    Raises
    ------
    LossOfPrecisionError
        Eigenvalues are known to about eps ``scale``, which is too coarse against so little noise.
    """
    floor = np.sort(noise)
    if len(floor) == 0:
        return np.empty(0), floor
    shared = float(floor[0]) if floor[0] == floor[-1] else None
    # Both spectra are ascending, so no difference is negative but by rounding (Weyl).
    excess = np.linalg.eigvalsh(S) if shared else np.linalg.eigvalsh(S + np.diag(noise)) - floor
    excess = np.clip(excess, 0.0, None)
    value = known + float(0.5 * np.sum(np.log1p(excess / floor)))
    error = float(0.5 * np.finfo(np.float64).eps * scale * np.sqrt(np.sum(np.square(1.0 / (floor + excess)))))
    require_precision(value, error, what)
    return excess, floor


def lattice_half_log_determinants(B: FloatArray, sizes: Sequence[int], *, progress: Progress = silent) -> FloatArray:
    """1/2 log det of B restricted to the rows of every coalition: a (2**n,) table indexed by bitmask.

    A right-looking depth-first walk of the subset lattice. A node is a coalition together with the Schur complement of
    the parties that may still join it; joining costs one Cholesky of the newcomer's block, one triangular solve and one
    symmetric update, whatever the coalition's size; declining costs a view. The largest parties are decided first,
    since a decision at depth k is worked through 2**k times.

    Parameters
    ----------
    B : (m, m) array
        Symmetric positive definite, rows grouped by party in the order of ``sizes``.
    sizes : sequence of n int
        The number of rows of each party, summing to m.
    progress : callable
        Called as progress("value", coalitions done, 2**n).

    Notes
    -----
    Bits are the same on any number of cores: the walk runs on one BLAS thread.
    """
    return _walked(B, sizes, None, lambda value, _: value, progress)


def lattice_explained(
    B: FloatArray,
    sizes: Sequence[int],
    cross: FloatArray,
    worth: Callable[[FloatArray], float],
    *,
    progress: Progress = silent,
) -> FloatArray:
    """worth(e_C) of every coalition C, e_C (q,) = the diagonal of X_C B_CC^-1 X_C' for rows X = ``cross`` (q, m).

    The same walk as ``lattice_half_log_determinants``: a node carries also what the rows X have in common with those
    who may still join, given the coalition, and joining takes it off.

    Parameters
    ----------
    B : (m, m) array
    sizes : sequence of n int
    cross : (q, m) array
    worth : callable
        Of what is explained (q,), the value of the coalition.
    progress : callable
    """
    return _walked(B, sizes, cross, lambda _, explained: worth(explained), progress)


def _walked(
    B: FloatArray,
    sizes: Sequence[int],
    cross: FloatArray | None,
    worth: Callable[[float, FloatArray], float],
    progress: Progress,
) -> FloatArray:
    n = len(sizes)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    if starts[-1] != len(B):
        raise ValueError(f"sizes sum to {starts[-1]} but B has {len(B)} rows")
    order = sorted(range(n), key=lambda i: -sizes[i])  # stable, so ties keep their order
    rows = np.concatenate([np.arange(starts[i], starts[i + 1]) for i in order])
    table = np.zeros(1 << n)
    report_every = max(1, (1 << n) // 64)
    done = 0
    nothing = np.empty((0, 0))

    def walk(depth: int, mask: int, value: float, S: FloatArray, X: FloatArray, explained: FloatArray) -> None:
        """Set the table for every coalition that agrees with ``mask`` on the parties decided so far."""
        nonlocal done
        while depth < n:
            party, b = order[depth], sizes[order[depth]]
            joined_value, joined_S, joined_X, more = value, S[b:, b:], X[:, b:], explained
            if b:
                factor = psd_cholesky(S[:b, :b])
                joined_value = value + float(np.sum(np.log(np.diagonal(factor))))
                if cross is not None:
                    V = blas.dtrsm(1.0, factor, X[:, :b].T, lower=1)
                    more = explained + np.einsum("bq,bq->q", V, V)
                if len(S) > b:
                    # W = factor^-1 S[:b, b:]; the complement's lower triangle is S[b:, b:] - W' W.
                    W = blas.dtrsm(1.0, factor, S[b:, :b].T, lower=1)
                    joined_S = blas.dsyrk(
                        -1.0, W, beta=1.0, c=np.array(S[b:, b:], order="F"), trans=1, lower=1, overwrite_c=1
                    )
                    if cross is not None:
                        joined_X = X[:, b:] - V.T @ W
            walk(depth + 1, mask | 1 << party, joined_value, joined_S, joined_X, more)
            S, X = S[b:, b:], X[:, b:]
            depth += 1
        table[mask] = worth(value, explained)
        done += 1
        if done % report_every == 0 or done == 1 << n:
            progress("value", done, 1 << n)

    with one_thread():
        X = nothing if cross is None else np.asarray(cross[:, rows])
        walk(0, 0, 0.0, np.asfortranarray(B[np.ix_(rows, rows)]), X, np.zeros(len(X)))
    return table


def chain_half_log_determinants(B: FloatArray, sizes: Sequence[int], orders: NDArray[np.intp]) -> FloatArray:
    """1/2 log det of B restricted to the first parties of an order, for all prefixes: orders (k, n) -> (k, n + 1).

    One Cholesky factor of the permuted matrix gives a whole order: a prefix's factor is its leading block. Column 0 is
    the empty prefix's 0.

    Raises
    ------
    LossOfPrecisionError
        A matrix is too close to singular.
    """
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.intp)
    if starts[-1] != len(B):
        raise ValueError(f"sizes sum to {starts[-1]} but B has {len(B)} rows")
    values = np.zeros((len(orders), len(sizes) + 1))
    with one_thread():
        for k, order in enumerate(orders):
            rows = np.concatenate([np.arange(starts[i], starts[i + 1]) for i in order])
            permuted = B[np.ix_(rows, rows)]
            factor = psd_cholesky(permuted, "the pooled data")
            sums = np.concatenate([[0.0], np.cumsum(np.log(np.diagonal(factor)))])
            values[k] = sums[np.concatenate([[0], np.cumsum(np.asarray(sizes)[order])])]
            require_precision(values[k, -1], rounding_error(permuted, factor, enough=PRECISION), "the pooled data")
    return values
