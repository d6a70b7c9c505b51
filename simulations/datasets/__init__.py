"""The data sets of the simulations, by the name that a run config uses.

A data set of your own is a class with one method, ``load(rng) -> Dataset``; name it ``dataset = "my_module:MyData()"``.
"""

from collections.abc import Callable, Mapping

from simulations.datasets.classification import BreastCancer, Digits
from simulations.datasets.credit_ratings import CreditRatings
from simulations.datasets.dataset import Dataset, DatasetSource, Rows
from simulations.datasets.diabetes import Diabetes
from simulations.datasets.friedman import Friedman

__all__ = [
    "OFFER",
    "BreastCancer",
    "CreditRatings",
    "Dataset",
    "DatasetSource",
    "Diabetes",
    "Digits",
    "Friedman",
    "Rows",
]

OFFER: Mapping[str, Callable[..., DatasetSource]] = {
    "BreastCancer": BreastCancer,
    "CreditRatings": CreditRatings,
    "Diabetes": Diabetes,
    "Digits": Digits,
    "Friedman": Friedman,
}
