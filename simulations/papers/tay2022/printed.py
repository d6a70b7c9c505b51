"""What Tay et al. (AAAI 2022) print: Tables 5 to 16 of appendix I.9 and the SVM correlations of section 6.

Figures 1, 2 and those of appendix I.9 print no numbers.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ALPHA", "BETA_CORRELATIONS", "FULL_TABLES", "SVM_CORRELATIONS", "Estimate", "FullTable"]

Case = tuple[str, str]
"""A data set and a split."""


class Estimate(NamedTuple):
    """A mean and its standard error, as printed."""

    mean: float
    standard_error: float


class FullTable(NamedTuple):
    """One of Tables 9 to 16.

    counts : |G_i| of the five parties, by beta; mmd2 : the unbiased MMD^2 of D_i u G_i to T, by beta;
    rewards : r_i; maximum : v*.
    """

    number: int
    maximum: float
    rho: float
    lengthscale: float
    rewards: tuple[float, ...]
    counts: dict[int, tuple[int, ...]]
    mmd2: dict[int, tuple[float, ...]]


ALPHA: dict[Case, tuple[float, ...]] = {
    ("credit-ratings", "equal-disjoint"): (0.417, 0.710, 1.0, 0.320, 0.881),
    ("credit-card", "equal-disjoint"): (0.252, 0.962, 1.0, 0.888, 0.513),
    ("mnist", "equal-disjoint"): (0.530, 0.569, 0.946, 0.853, 1.0),
    ("cifar10", "equal-disjoint"): (0.379, 1.0, 0.683, 0.907, 0.117),
    ("credit-ratings", "unequal"): (0.996, 1.0, 0.233, 0.647, 0.321),
    ("credit-card", "unequal"): (1.0, 0.956, 0.153, 0.824, 0.583),
    ("mnist", "unequal"): (1.0, 0.998, 0.256, 0.517, 0.368),
    ("cifar10", "unequal"): (1.0, 0.971, 0.264, 0.477, 0.173),
}
"""Tables 5 and 6: the Shapley values, divided by the largest."""

BETA_CORRELATIONS: dict[Case, tuple[Estimate, Estimate]] = {
    ("credit-ratings", "equal-disjoint"): (Estimate(-0.851, 0.0233), Estimate(-0.737, 0.0794)),
    ("credit-card", "equal-disjoint"): (Estimate(-0.906, 6.23e-3), Estimate(-0.944, 0.0122)),
    ("mnist", "equal-disjoint"): (Estimate(-0.869, 0.00506), Estimate(-0.679, 0.100)),
    ("cifar10", "equal-disjoint"): (Estimate(-0.906, 0.00793), Estimate(-0.0839, 0.287)),
    ("credit-ratings", "unequal"): (Estimate(-0.834, 0.00649), Estimate(-0.928, 0.0274)),
    ("credit-card", "unequal"): (Estimate(-0.926, 0.0132), Estimate(-0.963, 8.23e-3)),
    ("mnist", "unequal"): (Estimate(-0.837, 0.0164), Estimate(-0.868, 0.0183)),
    ("cifar10", "unequal"): (Estimate(-0.945, 0.00792), Estimate(-0.622, 0.171)),
}
"""Tables 7 and 8: over the parties, the correlation of beta with |G_i| and with the unbiased MMD^2."""

SVM_CORRELATIONS: dict[Case, float] = {
    ("credit-card", "equal-disjoint"): 0.523,
    ("mnist", "equal-disjoint"): 0.459,
    ("cifar10", "equal-disjoint"): 0.174,
    ("credit-card", "unequal"): 0.791,
    ("mnist", "unequal"): 0.338,
    ("cifar10", "unequal"): 0.835,
}
"""Section 6: the correlation of a party's classification accuracy with alpha."""

FULL_TABLES: dict[Case, FullTable] = {
    ("credit-ratings", "equal-disjoint"): FullTable(
        number=9,
        maximum=0.536,
        rho=0.0943,
        lengthscale=0.265,
        rewards=(0.493, 0.519, 0.536, 0.481, 0.529),
        counts={
            1: (1510, 1854, 6123, 1437, 2071),
            2: (1239, 1451, 4412, 1253, 1560),
            4: (1080, 1189, 3139, 1083, 1189),
            8: (1010, 1062, 3314, 1014, 1019),
        },
        mmd2={
            1: (4.22e-2, 1.68e-2, -5.87e-5, 5.43e-2, 6.24e-3),
            2: (4.22e-2, 1.68e-2, -7.95e-5, 5.43e-2, 6.19e-3),
            4: (4.22e-2, 1.68e-2, -1.07e-4, 5.42e-2, 6.18e-3),
            8: (4.22e-2, 1.68e-2, -1.01e-4, 5.42e-2, 6.15e-3),
        },
    ),
    ("credit-ratings", "unequal"): FullTable(
        number=10,
        maximum=0.0898,
        rho=0.00751,
        lengthscale=0.0672,
        rewards=(0.0898, 0.0898, 0.0888, 0.0895, 0.089),
        counts={
            1: (13484, 36481, 2823, 2344, 2661),
            2: (6976, 18314, 1981, 1630, 1783),
            4: (3849, 10732, 1556, 1122, 1335),
            8: (2162, 5425, 1407, 985, 1204),
        },
        mmd2={
            1: (-6.86e-5, -3.27e-5, 7.28e-4, 1.22e-5, 5.04e-4),
            2: (-1.20e-4, -5.54e-5, 6.60e-4, -6.05e-5, 4.24e-4),
            4: (-1.94e-4, -8.59e-5, 6.11e-4, -1.44e-4, 3.65e-4),
            8: (-2.94e-4, -1.50e-4, 5.89e-4, -1.75e-4, 3.39e-4),
        },
    ),
    ("credit-card", "equal-disjoint"): FullTable(
        number=11,
        maximum=0.00849,
        rho=0.254,
        lengthscale=0.387,
        rewards=(0.00598, 0.00841, 0.00849, 0.00824, 0.00716),
        counts={
            1: (3268, 10182, 47824, 7319, 4634),
            2: (2810, 7799, 36080, 5278, 3516),
            4: (2315, 5459, 24222, 3946, 2580),
            8: (2086, 4196, 17303, 3137, 2101),
        },
        mmd2={
            1: (2.38e-3, 1.50e-5, -2.13e-5, 1.67e-4, 1.22e-3),
            2: (2.38e-3, 2.83e-6, -2.66e-5, 1.52e-4, 1.21e-3),
            4: (2.37e-3, -1.45e-5, -3.65e-5, 1.37e-4, 1.19e-3),
            8: (2.36e-3, -2.75e-5, -4.70e-5, 1.26e-4, 1.18e-3),
        },
    ),
    ("credit-card", "unequal"): FullTable(
        number=12,
        maximum=0.00365,
        rho=0.186,
        lengthscale=0.274,
        rewards=(0.00365, 0.00362, 0.00258, 0.00352, 0.0033),
        counts={
            1: (66545, 13855, 3001, 7067, 5295),
            2: (53627, 10774, 2749, 5387, 3895),
            4: (38954, 8183, 2455, 3999, 2804),
            8: (31119, 6365, 2102, 3186, 2128),
        },
        mmd2={
            1: (-1.78e-5, -2.67e-5, 9.45e-4, 4.26e-5, 2.47e-4),
            2: (-2.09e-5, -3.71e-5, 9.41e-4, 2.93e-5, 2.32e-4),
            4: (-2.65e-5, -4.95e-5, 9.36e-4, 1.45e-5, 2.16e-4),
            8: (-3.15e-5, -6.16e-5, 9.29e-4, 3.46e-6, 2.04e-4),
        },
    ),
    ("mnist", "equal-disjoint"): FullTable(
        number=13,
        maximum=0.276,
        rho=0.520,
        lengthscale=3.36,
        rewards=(0.199, 0.206, 0.269, 0.255, 0.276),
        counts={
            1: (3511, 3346, 8959, 6663, 27698),
            2: (3115, 2797, 7203, 5499, 19614),
            4: (2729, 2406, 5805, 4773, 14871),
            8: (2600, 2251, 5281, 4397, 12803),
        },
        mmd2={
            1: (7.79e-2, 7.04e-2, 8.12e-3, 2.22e-2, 2.92e-4),
            2: (7.79e-2, 7.04e-2, 8.11e-3, 2.22e-2, 2.84e-4),
            4: (7.79e-2, 7.04e-2, 8.09e-3, 2.22e-2, 2.83e-4),
            8: (7.79e-2, 7.04e-2, 8.09e-3, 2.22e-2, 2.83e-4),
        },
    ),
    ("mnist", "unequal"): FullTable(
        number=14,
        maximum=0.0764,
        rho=0.00988,
        lengthscale=1.53,
        rewards=(0.0764, 0.0764, 0.0754, 0.0759, 0.0757),
        counts={
            1: (4624, 3723, 13384, 13852, 12985),
            2: (2492, 2512, 9301, 9569, 9509),
            4: (1661, 1542, 6784, 7330, 7030),
            8: (1365, 1063, 6034, 6708, 6332),
        },
        mmd2={
            1: (-8.70e-5, -9.44e-5, 9.81e-4, 4.57e-4, 7.09e-4),
            2: (-1.14e-4, -1.11e-4, 9.65e-4, 4.39e-4, 6.96e-4),
            4: (-1.28e-4, -1.30e-4, 9.55e-4, 4.32e-4, 6.86e-4),
            8: (-1.35e-4, -1.41e-4, 9.50e-4, 4.28e-4, 6.82e-4),
        },
    ),
    ("cifar10", "equal-disjoint"): FullTable(
        number=15,
        maximum=0.500,
        rho=0.894,
        lengthscale=2.88,
        rewards=(0.210, 0.500, 0.356, 0.458, 0.0735),
        counts={
            1: (539, 15490, 1348, 3425, 339),
            2: (484, 13367, 1197, 2824, 319),
            4: (447, 11754, 1051, 2335, 279),
            8: (421, 10647, 945, 2105, 271),
        },
        mmd2={
            1: (2.93e-1, 2.91e-3, 1.48e-1, 4.48e-2, 4.30e-1),
            2: (2.93e-1, 2.92e-3, 1.47e-1, 4.48e-2, 4.29e-1),
            4: (2.93e-1, 2.91e-3, 1.48e-1, 4.48e-2, 4.29e-1),
            8: (2.93e-1, 2.90e-3, 1.47e-1, 4.48e-2, 4.30e-1),
        },
    ),
    ("cifar10", "unequal"): FullTable(
        number=16,
        maximum=0.133,
        rho=0.835,
        lengthscale=1.24,
        rewards=(0.133, 0.129, 0.0436, 0.0715, 0.0307),
        counts={
            1: (7638, 5411, 745, 1676, 534),
            2: (6919, 4901, 694, 1555, 508),
            4: (6229, 4407, 647, 1431, 479),
            8: (5729, 3994, 606, 1352, 445),
        },
        mmd2={
            1: (2.23e-3, 5.48e-3, 9.12e-2, 6.34e-2, 1.04e-1),
            2: (2.23e-3, 5.48e-3, 9.12e-2, 6.33e-2, 1.04e-1),
            4: (2.23e-3, 5.47e-3, 9.12e-2, 6.33e-2, 1.04e-1),
            8: (2.22e-3, 5.47e-3, 9.12e-2, 6.33e-2, 1.04e-1),
        },
    ),
}
"""Tables 9 to 16."""
