"""A posterior in the data's own units: the model that a party receives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from guerdon.models.gaussian_process import GaussianProcessPosterior
from guerdon.models.linear_gaussian_posterior import LinearGaussianPosterior
from guerdon.models.protocols import Arrays, Posterior
from guerdon.plugins import class_of, name_of
from guerdon.scaling import Scaling
from guerdon.types import FloatArray

__all__ = ["POSTERIORS", "Predictor"]

POSTERIORS: dict[str, type[Posterior]] = {
    "gaussian_process": GaussianProcessPosterior,
    "linear_gaussian": LinearGaussianPosterior,
}
"""How a stored posterior is rebuilt, by the kind it was stored as."""


@dataclass(frozen=True, eq=False)
class Predictor:
    """A posterior with its scaling, the features it expects and the target it predicts.

    ``arrays`` and ``from_arrays`` carry all of it through a message or a file, without pickle.

    Attributes
    ----------
    posterior : Posterior
        In standard units.
    scaling : Scaling
        Between the data's units and standard units.
    feature_names : tuple of str
        The columns that inputs have, in this order.
    target : str
        The name of what is predicted.
    noise : float or None
        The VARIANCE of this party's new observations in squared units of the target, where it measures with noise of
        its own; the model's when None.
    """

    posterior: Posterior
    scaling: Scaling
    feature_names: tuple[str, ...]
    target: str
    noise: float | None = None

    def predict(self, X: FloatArray, noise: float | FloatArray | None = None) -> tuple[FloatArray, FloatArray]:
        """Mean (k,) and variance (k,) of the target in its own units, observation noise included, at X (k, d).

        ``noise`` is the variance of the new observations in squared units of the target; the party's own when None.
        """
        X = np.asarray(X, dtype=np.float64)
        if X.ndim != 2 or X.shape[1] != len(self.feature_names):
            raise ValueError(f"X must have the {len(self.feature_names)} columns {self.feature_names}, got {X.shape}")
        noise = self.noise if noise is None else noise
        scaled_noise = None if noise is None else np.asarray(noise) / self.scaling.target_scale**2
        return self.scaling.target(*self.posterior.predict(self.scaling.features(X), scaled_noise))

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {
            "kind": np.array(name_of(self.posterior, POSTERIORS)),
            "feature_names": np.array(self.feature_names),
            "target": np.array(self.target),
            "noise": np.array(np.nan if self.noise is None else self.noise),
            **{f"posterior.{name}": array for name, array in self.posterior.arrays().items()},
            **{f"scaling.{name}": array for name, array in self.scaling.arrays().items()},
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        posterior: type[Posterior] = class_of(str(arrays["kind"]), POSTERIORS)
        return cls(
            posterior=posterior.from_arrays(_part(arrays, "posterior.")),
            scaling=Scaling.from_arrays(_part(arrays, "scaling.")),
            feature_names=tuple(str(name) for name in arrays["feature_names"]),
            target=str(arrays["target"]),
            noise=None if np.isnan(arrays["noise"]) else float(arrays["noise"]),
        )


def _part(arrays: Arrays, prefix: str) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
