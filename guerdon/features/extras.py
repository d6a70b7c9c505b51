"""Packages that only representations of images need: the extra ``images``."""

from __future__ import annotations

from importlib.util import find_spec

__all__ = ["require"]


def require(what: str, packages: dict[str, str]) -> None:
    """Refuse ``what`` where one of the packages (by the module that it installs) is not there.

    Raises
    ------
    ValueError
        One is missing; the text says how to install it.
    """
    missing = [package for module, package in packages.items() if find_spec(module) is None]
    if missing:
        raise ValueError(
            f'{what} needs the package{"s" * (len(missing) > 1)} {" and ".join(missing)}: pip install -e ".[images]"'
        )
