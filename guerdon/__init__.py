"""Guerdon: value what each party's data contributed, and reward it with something worth exactly that.

The package is the mathematics: arrays in, arrays out. It knows nothing of Flower, Ray, files or clocks.
"""

__all__ = ["__version__"]

__version__ = "0.2.0"
