"""Ways to divide a data set's rows among parties, by the name that a run config uses.

A partition of your own is a class with one method, ``split(X, parties, *, rng, target)``; name it
``partition = "my_module:MyPartition()"``.
"""

from collections.abc import Callable, Mapping

from simulations.partitions.class_counts import ClassCounts
from simulations.partitions.class_shares import ClassShares
from simulations.partitions.partial_sort import PartialSort
from simulations.partitions.partition import Partition
from simulations.partitions.sizes import Sizes
from simulations.partitions.uniform import Uniform

__all__ = ["OFFER", "ClassCounts", "ClassShares", "PartialSort", "Partition", "Sizes", "Uniform"]

OFFER: Mapping[str, Callable[..., Partition]] = {
    "ClassCounts": ClassCounts,
    "ClassShares": ClassShares,
    "PartialSort": PartialSort,
    "Sizes": Sizes,
    "Uniform": Uniform,
}
