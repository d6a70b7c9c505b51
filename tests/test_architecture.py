"""The house: imports run one way, the mathematics stands alone, and what is public is what __all__ says."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("guerdon", "wire", "strategies", "server", "clients", "simulations")

MAY_IMPORT = {
    "guerdon": {"guerdon"},
    "wire": {"wire", "guerdon"},
    "clients": {"clients", "wire", "guerdon"},
    "strategies": {"strategies", "wire", "guerdon"},
    "server": {"server", "strategies", "wire", "guerdon"},
    "simulations": {"simulations", "server", "strategies", "wire", "guerdon", "clients"},
}
"""simulations -> server -> strategies -> wire -> guerdon, and clients -> wire."""


def sources(package: str) -> list[Path]:
    return sorted(p for p in (ROOT / package).rglob("*.py") if "__pycache__" not in p.parts)


ALL_SOURCES = [path for package in PACKAGES for path in sources(package)]


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or path.is_dir()


def imported(path: Path) -> set[str]:
    """Every module that a file imports, anywhere in it; ``from a import b`` counts as a.b where that is a module."""
    package = module_name(path).split(".")
    package = package if path.name == "__init__.py" else package[:-1]
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            members = {f"{module}.{alias.name}" for alias in node.names}
            names |= {member if is_module(member) else module for member in members}
    return names


@pytest.mark.parametrize("path", ALL_SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_one_way(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    ours = {name for name in imported(path) if name.split(".")[0] in PACKAGES}
    allowed = MAY_IMPORT[package]
    strayed = {name for name in ours if not any(name == a or name.startswith(f"{a}.") for a in allowed)}
    assert not strayed, f"{package} may import {', '.join(sorted(allowed))}, but {path.name} imports {sorted(strayed)}"


@pytest.mark.parametrize("path", ALL_SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_reaches_into_the_tests_or_the_benchmarks(path: Path) -> None:
    strayed = {name for name in imported(path) if name.split(".")[0] in ("tests", "benchmarks")}
    assert not strayed


def test_the_mathematics_knows_no_flower_no_files_no_clocks() -> None:
    unwanted = {"flwr", "ray", "polars", "matplotlib", "jinja2", "pydantic", "tomli_w"}
    unwanted |= {"pathlib", "os", "time", "datetime", "subprocess", "socket", "logging", "random", "pickle"}
    for path in sources("guerdon"):
        strayed = {name for name in imported(path) if name.split(".")[0] in unwanted}
        assert not strayed, f"{path.relative_to(ROOT)} imports {sorted(strayed)}"


def calls(path: Path, names: set[str]) -> list[str]:
    """Calls of these names in a file, such as print or np.random.seed, as they are written."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    written = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [call for call in written if call in names]


def test_the_mathematics_prints_nothing_opens_nothing_evaluates_nothing() -> None:
    for path in sources("guerdon"):
        assert not calls(path, {"print", "open", "input", "eval", "exec"}), path


KIND_WORDS = {"model", "synthetic", "classifier", "learning", "rows", "lessons", "statistics"}


def test_nobody_but_the_kinds_themselves_asks_of_which_kind_a_thing_is() -> None:
    """No comparison with the name of a kind outside ``wire.kinds``; templates of pages are texts and count too."""
    for path in ALL_SOURCES:
        if path.is_relative_to(ROOT / "wire" / "kinds"):
            continue
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.Compare) or "kind" not in ast.unparse(node):
                continue
            words = {n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
            assert not words & KIND_WORDS, f"{path.relative_to(ROOT)}, line {node.lineno}: {ast.unparse(node)}"
        asked = re.findall(r"\bkind\b[\"'\])]* *(?:===?|!==?|in|not in) *\(?[\"'](\w+)", text)
        assert not set(asked) & KIND_WORDS, f"{path.relative_to(ROOT)}: {asked}"


def test_strategies_override_nothing_private_of_each_other() -> None:
    """What a strategy may say differently is public: ``requests``, ``take``, ``unanswered`` and so on."""
    strategies = importlib.import_module("strategies")
    classes = [getattr(strategies, name) for name in strategies.__all__]
    mediators = [c for c in classes if isinstance(c, type) and issubclass(c, strategies.Conversation)]
    assert len(mediators) >= 6
    for mediator in mediators:
        for base in mediator.__mro__[1:]:
            if not base.__module__.startswith("strategies."):
                continue
            shared = {n for n in vars(mediator) if n in vars(base) and n.startswith("_") and not n.startswith("__")}
            assert not shared - {"_abc_impl"}, f"{mediator.__name__} overrides {shared} of {base.__name__}"


def test_randomness_is_an_argument() -> None:
    """Nobody draws from a global generator, and the mathematics makes no generator without a seed."""
    for path in ALL_SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            owner, _, name = ast.unparse(node.func).rpartition(".")
            if owner not in ("np.random", "numpy.random", "random"):
                continue
            where = f"{path.relative_to(ROOT)}: {ast.unparse(node)}"
            legacy = path.stem == "credit_ratings" and name == "RandomState"  # the paper's numbers come from it, seeded
            assert legacy or name in {"default_rng", "SeedSequence", "Philox", "Generator", "get_state"}, where
            assert node.args or name not in ("default_rng", "Philox") or path.relative_to(ROOT).parts[0] != "guerdon", (
                where
            )


def test_no_pickle_anywhere() -> None:
    for path in ALL_SOURCES:
        text = path.read_text(encoding="utf-8")
        assert "allow_pickle=True" not in text, path
        assert not {name for name in imported(path) if name.split(".")[0] in ("pickle", "cloudpickle", "dill")}, path
        assert not calls(path, {"torch.load", "torch.save", "eval", "exec"}), path


def test_importing_the_mathematics_loads_neither_flower_nor_ray() -> None:
    names = [module_name(path) for path in sources("guerdon")]
    code = (
        f"import sys, {', '.join(names)}; print([m for m in ('flwr', 'ray', 'pytest', 'polars') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "[]"


def test_the_reward_scheme_needs_no_torch() -> None:
    code = "import sys, guerdon.rewards, guerdon.shapley, guerdon.pipeline; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "False"


STARTED_OFTEN = ["clients.app", "clients.supernode", "clients.start", "wire.kinds.lessons", "strategies"]


@pytest.mark.parametrize("module", STARTED_OFTEN)
def test_what_a_party_starts_on_every_message_loads_nothing_heavy(module: str) -> None:
    """And in 110 MB, where Linux tells the peak of a process from its start; a benchmark has the seconds."""
    code = (
        f"import sys, pathlib, {module}; status = pathlib.Path('/proc/self/status'); "
        "peak = int(status.read_text().split('VmHWM:')[1].split()[0]) if status.exists() else 0; "
        "print([m for m in ('torch', 'sklearn', 'scipy', 'matplotlib', 'ray') if m in sys.modules], peak < 110_000)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[] True"


SCORING = """
import clients.app
from guerdon.metrics import coverage, mnlp, rmse
from guerdon.models import GaussianProcess
X = [[0.0], [1.0]]
posterior = GaussianProcess("rbf(lengthscale=1.0, outputscale=1.0)", noise=0.1).posterior(X, [0.0, 1.0])
mnlp(*posterior.predict(X), [0.0, 1.0])
"""

FITTING = """
import numpy as np, server.app
from guerdon.models import GaussianProcess
from guerdon.types import Contribution
X = np.arange(6.0)[:, None]
GaussianProcess("rbf").fit([Contribution("ada", X, np.sin(X[:, 0]))])
"""


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [
        ("import simulations.prepare", ["torch", "sklearn", "matplotlib", "scipy.stats"]),
        (SCORING, ["torch", "sklearn", "scipy.optimize", "scipy.spatial", "scipy.special", "scipy.stats"]),
        (FITTING, ["torch", "sklearn", "scipy.stats"]),
    ],
    ids=["who plans a simulation", "a party that scores a Gaussian process", "a mediator that learns one"],
)
def test_what_every_process_of_a_simulation_pays_is_what_it_needs(code: str, unwanted: list[str]) -> None:
    asked = f"{code}\nimport sys; print([m for m in {unwanted!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "[]"


def public_definitions(path: Path) -> set[str]:
    """The functions and classes defined at the top of a file whose names have no leading underscore.

    A function that a decorator hands to a framework (``@app.train()``) is called by that, not by its name.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    defined = [node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))]
    handed_over = {n.name for n in defined if any(ast.unparse(d).startswith("app.") for d in n.decorator_list)}
    return {node.name for node in defined if not node.name.startswith("_")} - handed_over


def stated_all(path: Path) -> list[str] | None:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and [ast.unparse(t) for t in node.targets] == ["__all__"]:
            names: list[str] = ast.literal_eval(node.value)
            return names
    return None


WITH_NAMES = [p for p in ALL_SOURCES if p.name != "__main__.py"]


@pytest.mark.parametrize("path", WITH_NAMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_all_says_what_is_public(path: Path) -> None:
    stated, defined = stated_all(path), public_definitions(path)
    if stated is None:
        assert not defined, f"add __all__ with {sorted(defined)}"
        return
    assert len(set(stated)) == len(stated), "a name twice in __all__"
    missing = defined - set(stated)
    assert not missing, f"public but not in __all__: {sorted(missing)}"
    module = importlib.import_module(module_name(path))
    absent = [name for name in stated if not hasattr(module, name)]
    assert not absent, f"in __all__ but not there: {absent}"


def test_every_directory_of_modules_is_a_package() -> None:
    for path in ALL_SOURCES:
        assert (path.parent / "__init__.py").is_file(), f"{path.parent.relative_to(ROOT)} lacks an __init__.py"


def test_everything_public_has_a_docstring() -> None:
    for module_info in pkgutil.walk_packages([str(ROOT / "guerdon")], "guerdon."):
        module = importlib.import_module(module_info.name)
        assert module.__doc__, f"{module_info.name} says nothing of itself"


CONTRACT = {
    "guerdon.shapley": ["exact_shapley", "ExactShapley", "PermutationShapley", "Auto"],
    "guerdon.models": ["GaussianProcess", "BayesianLinear", "SparseGaussianProcess"],
    "guerdon.valuation": ["InformationGain"],
    "guerdon.rewards": ["RhoShapley", "certify"],
    "guerdon.realization": ["noise_variances"],
    "guerdon.metrics": ["mnlp"],
}
"""Names that outside checks call (DESIGN, section 2)."""


@pytest.mark.parametrize("module", sorted(CONTRACT))
def test_the_promised_names_are_importable(module: str) -> None:
    for name in CONTRACT[module]:
        assert callable(getattr(importlib.import_module(module), name))


def test_the_import_test_sees_every_way_to_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "clients" / "inner").mkdir(parents=True)
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "mediator.py").touch()
    path = tmp_path / "clients" / "inner" / "odd.py"
    path.write_text(
        "import server.app as a\nfrom strategies import mediator, NAME\nfrom .. import party_data\n"
        "from ..app import app\nfrom . import other\n\ndef f():\n    import flwr\n    from simulations.x import y\n"
    )
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    assert imported(path) == {
        "server.app",
        "strategies.mediator",
        "strategies",
        "clients",
        "clients.app",
        "clients.inner",
        "flwr",
        "simulations.x",
    }
