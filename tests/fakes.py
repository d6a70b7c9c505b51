"""What stands in for the network in tests; it is part of the package, for authors of strategies."""

from simulations.local_grid import LocalGrid, over_the_wire

__all__ = ["LocalGrid", "over_the_wire"]
