"""Packages whose names are loaded when they are first used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["on_demand"]


def on_demand(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package whose names stand in modules of its own.

    Parameters
    ----------
    package : str
        The package's ``__name__``.
    homes : mapping of str to str
        The module of each name. None has its module's name: a package's attribute is the module once that is loaded.

    Raises
    ------
    ValueError
        A name is that of its module.
    """
    if shadowed := sorted(set(homes) & set(homes.values())):
        raise ValueError(f"{package}: {shadowed[0]} would be the module of that name once it is loaded: rename it")

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}; it has {', '.join(homes)}")
        return getattr(import_module(f"{package}.{homes[name]}"), name)

    return find
