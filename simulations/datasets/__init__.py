"""The data sets of the simulations, by the name that a run config uses.

A data set of your own is a class with one method, ``load(rng) -> Dataset``; name it ``dataset = "my_module:MyData()"``.
"""

from collections.abc import Callable, Mapping

from simulations.datasets.california import California
from simulations.datasets.cifar10 import Cifar10
from simulations.datasets.classification import BreastCancer, Digits
from simulations.datasets.credit_card import CreditCard
from simulations.datasets.credit_ratings import CreditRatings
from simulations.datasets.dataset import Dataset, DatasetSource, Rows
from simulations.datasets.diabetes import Diabetes
from simulations.datasets.friedman import Friedman
from simulations.datasets.heart_disease import HeartDisease
from simulations.datasets.mnist import Mnist

__all__ = [
    "OFFER",
    "BreastCancer",
    "California",
    "Cifar10",
    "CreditCard",
    "CreditRatings",
    "Dataset",
    "DatasetSource",
    "Diabetes",
    "Digits",
    "Friedman",
    "HeartDisease",
    "Mnist",
    "Rows",
]

OFFER: Mapping[str, Callable[..., DatasetSource]] = {
    "BreastCancer": BreastCancer,
    "California": California,
    "Cifar10": Cifar10,
    "CreditCard": CreditCard,
    "CreditRatings": CreditRatings,
    "Diabetes": Diabetes,
    "Digits": Digits,
    "Friedman": Friedman,
    "HeartDisease": HeartDisease,
    "Mnist": Mnist,
}
