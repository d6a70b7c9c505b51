"""Packages whose names are loaded when they are first used."""

from __future__ import annotations

import importlib

import pytest

from guerdon.on_demand import on_demand


@pytest.mark.parametrize("package", ["guerdon.models", "guerdon.realization", "guerdon.valuation"])
def test_every_name_is_its_own_and_no_module(package: str) -> None:
    module = importlib.import_module(package)
    for name in module.__all__:
        found = getattr(module, name)
        assert not hasattr(found, "__path__")
        assert getattr(found, "__name__", name) == name
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'Nothing'; it has "):
        _ = module.Nothing


def test_a_name_that_its_module_would_hide_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a\.package: thing would be the module of that name once it is loaded"):
        on_demand("a.package", {"thing": "thing"})
