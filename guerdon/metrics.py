"""How good predictions are, and how close one set of points is to another."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from guerdon.types import FloatArray
from guerdon.valuation.kernel_sums import cross_sums, self_sums
from guerdon.valuation.pair_kernels import pair_kernel

if TYPE_CHECKING:
    from gpytorch.kernels import Kernel

__all__ = [
    "class_imbalance",
    "coverage",
    "expected_mnlp",
    "knn_kl",
    "mmd2_biased",
    "mmd2_unbiased",
    "mnlp",
    "proportionality",
    "rmse",
    "wasserstein2_squared",
]


def mnlp(mean: FloatArray, variance: FloatArray, y: FloatArray) -> float:
    """Mean negative log probability, in nats: the mean of 1/2 (log(2 pi variance) + (mean - y)^2 / variance).

    Sim et al. (ICML 2020), equation 3. All (k,); variance includes observation noise. Lower is better.

    Examples
    --------
    >>> round(mnlp(np.zeros(1), np.ones(1), np.zeros(1)), 6)  # 1/2 log(2 pi)
    0.918939
    """
    return expected_mnlp(mean, variance, y, np.zeros(1))


def expected_mnlp(mean: FloatArray, variance: FloatArray, y: FloatArray, mean_variance: FloatArray) -> float:
    """The expectation of ``mnlp`` when the predictive mean itself is random with this mean and variance (k,).

    E (mu - y)^2 = (E mu - y)^2 + Var mu, so no noise needs to be drawn.
    """
    mean, variance, y = (np.asarray(a, dtype=np.float64) for a in (mean, variance, y))
    if not mean.shape == variance.shape == y.shape or mean.size == 0:
        raise ValueError(
            f"mean, variance and y must share one shape (k,), got {mean.shape}, {variance.shape}, {y.shape}"
        )
    if np.any(~(variance > 0)):
        raise ValueError(f"variances must be positive, got {variance.min()}")
    return float(np.mean(0.5 * (np.log(2 * np.pi * variance) + (np.square(mean - y) + mean_variance) / variance)))


def coverage(mean: FloatArray, variance: FloatArray, y: FloatArray, level: float) -> float:
    """Share of outputs within the central predictive interval of this probability: ``level`` where calibrated.

    |y - mean| <= z sqrt(variance) with z = Phi^-1((1 + level) / 2). All (k,); variance includes observation noise.

    Examples
    --------
    >>> coverage(np.zeros(4), np.ones(4), np.array([0.0, 0.6, 0.7, 3.0]), level=0.5)  # z = 0.674
    0.5
    """
    mean, variance, y = (np.asarray(a, dtype=np.float64) for a in (mean, variance, y))
    if not mean.shape == variance.shape == y.shape or mean.size == 0:
        raise ValueError(
            f"mean, variance and y must share one shape (k,), got {mean.shape}, {variance.shape}, {y.shape}"
        )
    if not 0.0 < level < 1.0:
        raise ValueError(f"level is a probability between 0 and 1, got {level!r}")
    from scipy.special import ndtri

    return float(np.mean(np.abs(y - mean) <= ndtri(0.5 * (1.0 + level)) * np.sqrt(variance)))


def rmse(mean: FloatArray, y: FloatArray) -> float:
    """Root mean squared error of predictions (k,), in the unit of y."""
    mean, y = np.asarray(mean, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if mean.shape != y.shape or mean.size == 0:
        raise ValueError(f"mean and y must share one shape (k,), got {mean.shape} and {y.shape}")
    return float(np.sqrt(np.mean(np.square(mean - y))))


def mmd2_unbiased(S: ArrayLike, T: ArrayLike, lengthscale: float, kernel: Kernel | str | None = None) -> float:
    """The unbiased estimate of MMD^2 (Tay et al. 2022, equation 1), which may be negative.

    1/(s (s-1)) sum_{S,S, not the same} k - 2/(s t) sum_{S,T} k + 1/(t (t-1)) sum_{T,T, not the same} k; blocked, never
    a matrix of all pairs. S (s, d) and T (t, d) of two points at least; k(x, z) = exp(-|x - z|^2 / (2 l^2)), or a
    kernel on inputs / l.

    Examples
    --------
    >>> points = np.array([[0.0], [1.0]])
    >>> round(mmd2_unbiased(points, points, lengthscale=1.0), 6)  # e^(-1/2) - (1 + e^(-1/2)) + e^(-1/2)
    -0.393469
    """
    S, T = _points(S, "S", 2), _points(T, "T", 2)
    within_S, between, within_T, own_S, own_T = _mmd_sums(S, T, lengthscale, kernel)
    s, t = len(S), len(T)
    return (within_S - own_S) / (s * (s - 1)) - 2.0 * between / (s * t) + (within_T - own_T) / (t * (t - 1))


def mmd2_biased(S: ArrayLike, T: ArrayLike, lengthscale: float, kernel: Kernel | str | None = None) -> float:
    """The biased estimate of MMD^2, never negative: 1/s^2 sum_{S,S} k - 2/(s t) sum_{S,T} k + 1/t^2 sum_{T,T} k."""
    S, T = _points(S, "S", 1), _points(T, "T", 1)
    within_S, between, within_T, _, _ = _mmd_sums(S, T, lengthscale, kernel)
    s, t = len(S), len(T)
    return within_S / s**2 - 2.0 * between / (s * t) + within_T / t**2


def knn_kl(S: ArrayLike, T: ArrayLike, ks: Iterable[int] = range(2, 7)) -> float:
    """k-nearest-neighbour estimate of D(S || T) in nats, averaged over ks (Perez-Cruz 2008), S (s, d) inside T (t, d).

    D_k = d/s sum_{x in S} log(nu_k(x) / rho_k(x)) + log((t - 1) / (s - 1)), with rho_k and nu_k the distances to the
    k-th nearest other point of S and of T. A point is not its own neighbour in either set, so T has t - 1 others, and
    D(T || T) = 0 exactly.

    Repeated rows make distances of 0, whose logarithms say nothing: those terms are left out of the mean, and so is
    a k that has no others. A RuntimeWarning counts both.

    Raises
    ------
    ValueError
        S has too few points, a point of S is not in T, or distances for every k are all 0.
    """
    from scipy.spatial import cKDTree  # here: whoever only scores predictions loads none of it

    S, T = _points(S, "S", 2), _points(T, "T", 2)
    orders = sorted(set(ks))
    if not orders or orders[0] < 1 or orders[-1] >= len(S):
        raise ValueError(f"ks must be neighbours from 1 to {len(S) - 1} (S has {len(S)} points), got {orders}")
    within, among = (
        np.asarray(cKDTree(points).query(S, k=orders[-1] + 1)[0])  # (s, k + 1), itself first
        for points in (S, T)
    )
    if np.any(among[:, 0] > 0.0):
        missing = int(np.count_nonzero(among[:, 0] > 0.0))
        raise ValueError(f"S must lie inside T, but {missing} of its {len(S)} points are not in T")
    rho, nu = within[:, orders], among[:, orders]
    usable = (rho > 0.0) & (nu > 0.0)
    kept = usable.any(axis=0)  # (number of ks,)
    if not kept.any():
        raise ValueError(
            "every point of S repeats in T, so all neighbour distances are 0: take larger ks, or remove repeated rows"
        )
    left_out = usable.size - int(np.count_nonzero(usable))
    if left_out:
        whole = f", with them {np.count_nonzero(~kept)} of {len(orders)} ks" if not kept.all() else ""
        warnings.warn(
            f"{left_out} of {usable.size} neighbour distances are 0 (repeated rows) and were left out{whole}",
            RuntimeWarning,
            stacklevel=2,
        )
    ratios = np.log(np.where(usable, nu, 1.0) / np.where(usable, rho, 1.0))
    means = ratios.sum(axis=0)[kept] / usable.sum(axis=0)[kept]
    return float(S.shape[1] * means.mean() + np.log((len(T) - 1) / (len(S) - 1)))


def wasserstein2_squared(S: ArrayLike, T: ArrayLike) -> float:
    """Squared Wasserstein-2 distance of the Gaussians fitted to S (s, d) and T (t, d), in squared units of the data.

    |m_S - m_T|^2 + tr(C_S + C_T - 2 (C_S^(1/2) C_T C_S^(1/2))^(1/2)) with unbiased covariances, as in the Frechet
    inception distance.
    """
    S, T = _points(S, "S", 2), _points(T, "T", 2)
    C_S, C_T = (np.atleast_2d(np.cov(points, rowvar=False)) for points in (S, T))
    values, vectors = np.linalg.eigh(C_S)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ C_T @ root), 0.0)).sum()
    shift = np.square(S.mean(axis=0) - T.mean(axis=0)).sum()
    return float(max(shift + np.trace(C_S) + np.trace(C_T) - 2.0 * cross, 0.0))


def class_imbalance(labels: ArrayLike, classes: int | Sequence[float]) -> float:
    """(1/m) sum_y p_y^2 over the m classes, p_y being the share of class y: 1/m^2 when balanced, 1/m when all are one.

    Parameters
    ----------
    labels : (k,) array
        The label of each row.
    classes : int or sequence
        The class labels, or how many when they are 0, 1, ....

    Examples
    --------
    >>> class_imbalance([0, 1, 1, 1], classes=2)
    0.3125
    """
    values = np.asarray(labels, dtype=np.float64)
    known = np.asarray(classes, dtype=np.float64)
    known = np.arange(int(known), dtype=np.float64) if known.ndim == 0 else known
    if values.ndim != 1 or not values.size or not known.size:
        raise ValueError(f"labels must have shape (k,) and classes not be empty, got {values.shape} and {classes!r}")
    strange = sorted(set(values.tolist()) - set(known.tolist()))
    if strange:
        raise ValueError(f"labels must be among the classes {known.tolist()}, got {strange[0]:g}")
    shares = np.mean(values[:, None] == known, axis=0)
    return float(np.square(shares).mean())


def _mmd_sums(
    S: FloatArray, T: FloatArray, lengthscale: float, kernel: Kernel | str | None
) -> tuple[float, float, float, float, float]:
    """sum_{S,S} k, sum_{S,T} k, sum_{T,T} k, sum_S k(x, x), sum_T k(x, x)."""
    if S.shape[1] != T.shape[1]:
        raise ValueError(f"S and T must have the same features, got shapes {S.shape} and {T.shape}")
    k = pair_kernel(kernel, lengthscale, S, T)
    sums = (self_sums(k, S), cross_sums(k, S, T).rows, self_sums(k, T), k.diagonal(S), k.diagonal(T))
    within_S, between, within_T, own_S, own_T = (float(values.sum()) for values in sums)
    return within_S, between, within_T, own_S, own_T


def _points(values: ArrayLike, name: str, at_least: int) -> FloatArray:
    points = np.asarray(values, dtype=np.float64)
    if points.ndim != 2 or len(points) < at_least or not np.all(np.isfinite(points)):
        raise ValueError(
            f"{name} must be finite with shape (rows, features), {at_least} rows or more, got {points.shape}"
        )
    return points


def proportionality(rewards: ArrayLike, shapley: ArrayLike) -> float:
    """How nearly rewards are proportional to Shapley values, in (0, 1]: Jain's index of x_i = r_i / phi_i.

    (sum x)^2 / (n sum x^2) over the parties with phi_i > 1e-12 max |phi| (Jain, Chiu and Hawe, 1984): 1 at rho = 1,
    less the more rewards are levelled; NaN where there is no such party, or none of them gets anything.

    Examples
    --------
    >>> round(proportionality([8.0, 4.8], [5.0, 3.0]), 12)
    1.0
    """
    r, phi = np.asarray(rewards, dtype=np.float64), np.asarray(shapley, dtype=np.float64)
    if r.shape != phi.shape or r.ndim != 1:
        raise ValueError(f"rewards and Shapley values must share one shape (n,), got {r.shape} and {phi.shape}")
    some = phi > 1e-12 * np.abs(phi).max(initial=0.0)
    x = r[some] / phi[some]
    squares = float(x @ x)
    return float(x.sum() ** 2 / (len(x) * squares)) if squares > 0.0 else float("nan")
