"""Users' own modules: found, told apart from ours, imported without a trace, copied into an app that Flower takes."""

from __future__ import annotations

import importlib
import io
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from flwr.cli.build import build_fab_from_disk

from simulations.staging import CHECKOUT, StagingError, check_modules, importable, stage


@pytest.fixture
def caller(tmp_path: Path) -> Path:
    (tmp_path / "my_scheme.py").write_text("import my_helper\nclass Mine: ...\n")
    (tmp_path / "my_helper.py").write_text("")
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "__init__.py").write_text("")
    (tmp_path / "my_package" / "parts.py").write_text("class Mine: ...\n")
    return tmp_path


@pytest.mark.parametrize(
    "text",
    ["RhoShapley()", "my_scheme:Mine()", "my_package.parts:Mine()", "numpy:array", "guerdon.rewards:RhoShapley()"],
)
def test_modules_that_are_there(caller: Path, text: str) -> None:
    check_modules({"scheme": text}, caller)


@pytest.mark.parametrize(
    ("text", "file", "message"),
    [
        ("nowhere:Mine()", None, "there is no module 'nowhere'"),
        ("server:Mine()", "server.py", "one of Guerdon's own packages"),
        ("clients.mine:Mine()", "clients/__init__.py", "one of Guerdon's own packages"),
        ("simulations:Mine()", None, "does not travel"),
        ("random:Mine()", "random.py", "installed module .Python's standard library"),
        ("scipy:Mine()", "scipy.py", "installed module .*scipy"),
        ("test_mine:Mine()", "test_mine.py", "leaves files named like test_mine.py out"),
    ],
)
def test_modules_that_are_refused(tmp_path: Path, text: str, file: str | None, message: str) -> None:
    if file:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text("")
    with pytest.raises(StagingError, match=message) as caught:
        check_modules({"scheme": text}, tmp_path)
    assert str(caught.value).startswith("scheme: ")


def test_importing_leaves_no_trace_and_finds_helpers(caller: Path) -> None:
    path, modules = list(sys.path), set(sys.modules)
    with importable(caller) as sources:
        importlib.import_module("my_scheme")
        importlib.import_module("my_package.parts")
    assert sources == {caller / "my_scheme.py", caller / "my_helper.py", caller / "my_package"}
    assert sys.path == path
    assert not {"my_scheme", "my_helper", "my_package", "my_package.parts"} & set(sys.modules) - modules


def test_the_search_path_is_restored_after_an_error(caller: Path) -> None:
    path = list(sys.path)
    with pytest.raises(ModuleNotFoundError), importable(caller):
        importlib.import_module("nowhere_at_all")
    assert sys.path == path


def test_a_staged_app_is_one_that_flower_takes(caller: Path, tmp_path: Path) -> None:
    app = stage({caller / "my_scheme.py", caller / "my_package"}, tmp_path / "run" / "app")
    include = tomllib.loads((app / "pyproject.toml").read_text())["tool"]["flwr"]["app"]["fab-include"]
    original = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["flwr"]["app"]["fab-include"]
    assert include == [*original, "my_package/**/*.py", "my_scheme.py"]
    names = zipfile.ZipFile(io.BytesIO(build_fab_from_disk(app))).namelist()
    assert {"my_scheme.py", "my_package/parts.py", "guerdon/plugins.py", "server/app.py", "clients/app.py"} <= set(
        names
    )
    assert not any("__pycache__" in name for name in names)
    assert not any(name.startswith(("simulations", "tests")) for name in names)
