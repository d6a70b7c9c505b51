"""Diabetes progression (DiaP) of 442 patients: Efron et al. (2004), as in Sim et al. (2020), section 5."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import numpy as np
from sklearn.datasets import load_diabetes

from simulations.datasets.dataset import Dataset

__all__ = ["Diabetes"]


@dataclass(frozen=True)
class Diabetes:
    """442 patients, ten clinical measurements in raw units, disease progression one year later (25 to 346).

    Parameters
    ----------
    drop : names of features to leave out
        The paper uses nine of the ten features without saying which; ``drop=('sex',)`` leaves the nine that are
        measured on a scale.

    Examples
    --------
    >>> Diabetes(drop=("sex",)).load(np.random.default_rng(0)).features.shape
    (442, 9)
    """

    drop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "drop", (self.drop,) if isinstance(self.drop, str) else tuple(self.drop))

    def load(self, rng: np.random.Generator) -> Dataset:
        """The patients in scikit-learn's order; nothing here is random."""
        bunch = load_diabetes(scaled=False)
        names = [str(name) for name in bunch.feature_names]
        for name in self.drop:
            if name not in names:
                near = difflib.get_close_matches(str(name), names, n=1)
                hint = f" Did you mean {near[0]!r}?" if near else ""
                raise ValueError(f"drop={self.drop!r}: no feature {name!r}.{hint} The features are {', '.join(names)}.")
        keep = [column for column, name in enumerate(names) if name not in self.drop]
        if not keep:
            raise ValueError(f"drop={self.drop!r} leaves no feature; keep at least one of {', '.join(names)}")
        return Dataset(
            name="diabetes",
            features=bunch.data[:, keep],
            target=bunch.target,
            feature_names=tuple(names[column] for column in keep),
            target_name="progression",
            description="442 patients with diabetes; the target is the progression of the disease after one year.",
        )
