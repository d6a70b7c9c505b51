"""A user's own module, brought into the app: it then loads on the mediator and the parties alike.

Neither ever imports from the directory that the command was called from, so the module travels inside the app. The
modules of that directory that it imports travel with it.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import tomli_w

from guerdon.plugins import PluginError, module_of

__all__ = ["CHECKOUT", "PACKAGES", "StagingError", "check_modules", "importable", "stage"]

CHECKOUT = Path(__file__).resolve().parents[1]
PACKAGES = ("guerdon", "wire", "server", "clients", "strategies")
LITTER = (".*", "*~", "*.orig", "*.bak", "*.swp")
"""What other programs leave beside files; .gitignore keeps the same out of an app that is not staged."""
OURS = (*PACKAGES, "simulations", "tests", "benchmarks")


class StagingError(ValueError):
    """A module that a part names can't be brought into the app; the message says why."""


def check_modules(parts: Mapping[str, str], directory: Path) -> None:
    """Refuse part texts whose module is not to be found in ``directory`` or has a name that is taken.

    Parameters
    ----------
    parts : text of each part, by its run-config key
    directory : where the command was called from
    """
    problems = []
    for key, text in parts.items():
        try:
            module = module_of(text)
        except PluginError:
            continue  # the run config says what is wrong with it
        if module and (problem := _problem(module.split(".")[0], directory)):
            problems.append(f"{key}: {text!r}: {problem}")
    if problems:
        raise StagingError("\n".join(problems))


def _problem(name: str, directory: Path) -> str | None:
    local = _source(name, directory)
    if name in OURS:
        if local and not _is_app(directory):
            return f"{local} has the name of one of Guerdon's own packages; rename it"
        return None if name in PACKAGES else f"{name!r} does not travel in the app; use a module of your own"
    if local and (local.name.startswith("test_") or local.name.endswith("_test.py")):
        return f"Flower leaves files named like {local.name} out of an app; rename it"
    elsewhere = _installed(name, directory)
    if local and elsewhere:
        return f"{local} has the name of an installed module ({elsewhere}); rename it"
    if not (local or elsewhere):
        return f"there is no module {name!r}: expected {directory / name}.py or a package {directory / name}/"
    return None


def _is_app(directory: Path) -> bool:
    """The directory is this checkout or a staged copy, so our packages' names are at home there."""
    return all((directory / package).is_dir() for package in PACKAGES)


def _source(name: str, directory: Path) -> Path | None:
    """NAME.py or the package NAME in the directory."""
    if (file := directory / f"{name}.py").is_file():
        return file
    return package if ((package := directory / name) / "__init__.py").is_file() else None


def _installed(name: str, directory: Path) -> str | None:
    """Where this Python finds the module without looking into ``directory``."""
    if name in sys.stdlib_module_names:
        return "Python's standard library"
    with _search_path([entry for entry in sys.path if Path(entry or ".").resolve() != directory]):
        try:
            found = importlib.util.find_spec(name)
        except (ImportError, ValueError):
            return None
    return (found.origin or "a namespace package") if found else None


@contextmanager
def importable(directory: Path) -> Iterator[set[Path]]:
    """While entered, the directory's modules can be imported, after everything that is installed.

    Yields a set that holds, once left, the files and packages of the directory that were imported. Neither the search
    path nor the loaded modules are left changed.
    """
    sources: set[Path] = set()
    before = set(sys.modules)
    with _search_path([*sys.path, str(directory)]):
        try:
            yield sources
        finally:
            for loaded in set(sys.modules) - before:
                if source := _local_source(loaded, directory):
                    sources.add(source)
                    del sys.modules[loaded]
            importlib.invalidate_caches()


def _local_source(module: str, directory: Path) -> Path | None:
    """The user's file or package that a loaded module came from; None for modules from anywhere else."""
    name = module.split(".")[0]
    file = getattr(sys.modules[module], "__file__", None)
    if not file or name in OURS or directory not in Path(file).resolve().parents:
        return None
    return _source(name, directory)


@contextmanager
def _search_path(entries: list[str]) -> Iterator[None]:
    before = sys.path
    sys.path = entries
    try:
        yield
    finally:
        sys.path = before


def stage(sources: Iterable[Path], target: Path) -> Path:
    """Copy the app and the user's sources to ``target``, and let ``pyproject.toml`` name them; returns ``target``."""
    target.mkdir(parents=True)
    for package in PACKAGES:
        _copy(CHECKOUT / package, target / package)
    shutil.copy2(CHECKOUT / "LICENSE", target / "LICENSE")
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    included: list[str] = project["tool"]["flwr"]["app"]["fab-include"]
    for source in sorted(sources):
        _copy(source, target / source.name)
        included.append(f"{source.name}/**/*.py" if source.is_dir() else source.name)
    (target / "pyproject.toml").write_text(tomli_w.dumps(project), encoding="utf-8")
    return target


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc", *LITTER))
    else:
        shutil.copy2(source, target)
