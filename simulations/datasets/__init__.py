"""The data sets of the simulations, by the name that a run config uses.

A data set of your own is a class with one method, ``load(rng) -> Dataset``; name it ``dataset = "my_module:MyData()"``.
"""

from collections.abc import Callable, Mapping

from simulations.datasets.dataset import Dataset, DatasetSource
from simulations.datasets.diabetes import Diabetes
from simulations.datasets.friedman import Friedman

__all__ = ["OFFER", "Dataset", "DatasetSource", "Diabetes", "Friedman"]

OFFER: Mapping[str, Callable[..., DatasetSource]] = {"Diabetes": Diabetes, "Friedman": Friedman}
