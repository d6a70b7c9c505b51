"""The synthetic Friedman regression (Friedman, 1991), as in Sim et al. (2020), section 5."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulations.datasets.dataset import Dataset

__all__ = ["FEATURES", "Friedman", "friedman_function"]

FEATURES = 6  # Sim et al. (2020): five that matter and one that does not


@dataclass(frozen=True)
class Friedman:
    """y = 10 sin(pi x0 x1) + 20 (x2 - 1/2)^2 + 10 x3 + 5 x4 + N(0, noise^2); x0..x5 uniform on [0, 1].

    Parameters
    ----------
    rows : int
    noise : float
        Standard deviation of the noise, in the target's units.
    """

    rows: int = 750
    noise: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.rows, int) or self.rows < 1:
            raise ValueError(f"rows must be a whole number of at least 1, got {self.rows!r}")
        if not (np.isfinite(self.noise) and self.noise >= 0):
            raise ValueError(f"noise is a standard deviation, at least 0, got {self.noise!r}")

    def load(self, rng: np.random.Generator) -> Dataset:
        """Draw the rows; scikit-learn gets a seed that is drawn from ``rng``."""
        from sklearn.datasets import make_friedman1  # here: no other data set waits for it

        seed = int(rng.integers(2**32))
        features, target = make_friedman1(n_samples=self.rows, n_features=FEATURES, noise=self.noise, random_state=seed)
        return Dataset(
            name="friedman",
            features=features,
            target=target,
            feature_names=tuple(f"x{column}" for column in range(FEATURES)),
            target_name="y",
            description=f"{self.rows} draws of a function of five features, with a sixth that does not matter.",
        )


def friedman_function(X: NDArray[np.float64]) -> NDArray[np.float64]:
    """The outputs (m,) at inputs X (m, d >= 5), without noise.

    Examples
    --------
    >>> friedman_function(np.array([[0.5, 1.0, 0.5, 0.1, 0.2, 0.9]]))
    array([12.])
    """
    curve = 10.0 * np.sin(np.pi * X[:, 0] * X[:, 1]) + 20.0 * np.square(X[:, 2] - 0.5)
    return np.asarray(curve + 10.0 * X[:, 3] + 5.0 * X[:, 4])
