"""Diabetes progression (DiaP) of 442 patients: Efron et al. (2004), as in Sim et al. (2020), section 5."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from guerdon.types import FloatArray
from simulations.datasets.dataset import Dataset

__all__ = ["Diabetes"]

FEATURES = ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")


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
        names = list(FEATURES)
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
            features=_column_file("diabetes_data_raw.csv.gz")[:, keep],
            target=_column_file("diabetes_target.csv.gz"),
            feature_names=tuple(names[column] for column in keep),
            target_name="progression",
            description="442 patients with diabetes; the target is the progression of the disease after one year.",
        )


def _column_file(name: str) -> FloatArray:
    """A file that scikit-learn ships, read as ``load_diabetes(scaled=False)`` does: whoever starts a simulation waits a
    second for its package, and keeps 100 MB of it."""
    found = find_spec("sklearn")
    places = [] if found is None else list(found.submodule_search_locations or ())
    return np.loadtxt(Path(places[0]) / "datasets" / "data" / name)
