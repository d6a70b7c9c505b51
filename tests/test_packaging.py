"""The wheel and the sdist: what they hold, and that each, installed in a new environment, is a library that works."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import guerdon

ROOT = Path(__file__).parents[1]
NAME = f"guerdon-{guerdon.__version__}"

SMOKE = """
import numpy as np

import guerdon
from guerdon.models import GaussianProcess
from guerdon.pipeline import allocate
from guerdon.realization import NoiseInjection
from guerdon.rewards import RhoShapley
from guerdon.shapley import Auto
from guerdon.testing import example_contributions
from guerdon.valuation import InformationGain

value = InformationGain(GaussianProcess("rbf(lengthscale=1.0, outputscale=1.0)", noise=0.1))
found = allocate(
    example_contributions(), value, Auto(), RhoShapley("stable"), NoiseInjection(), rng=np.random.default_rng(0)
)
assert found.certificate.R6.holds
assert max(abs(r.reached - r.target) for r in found.rewards) < 1e-9
print(guerdon.__version__, guerdon.__file__)
"""


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which `python -m build` left a wheel and an sdist of this checkout."""
    pytest.importorskip("build", reason="pip install build hatchling, or the extra dev")
    pytest.importorskip("hatchling", reason="pip install build hatchling, or the extra dev")
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def wheel_of(dist: Path) -> Path:
    return dist / f"{NAME}-py3-none-any.whl"


def sdist_of(dist: Path) -> Path:
    return dist / f"{NAME}.tar.gz"


def test_the_wheel_holds_guerdon_and_nothing_else(dist: Path) -> None:
    with zipfile.ZipFile(wheel_of(dist)) as wheel:
        names = set(wheel.namelist())
    assert {name.split("/")[0] for name in names} == {"guerdon", f"{NAME}.dist-info"}
    sources = {p.relative_to(ROOT).as_posix() for p in (ROOT / "guerdon").rglob("*.py")}
    assert {name for name in names if name.startswith("guerdon/")} == {*sources, "guerdon/py.typed"}
    assert f"{NAME}.dist-info/licenses/LICENSE" in names


def test_the_sdist_holds_the_whole_program_its_licence_and_no_data(dist: Path) -> None:
    with tarfile.open(sdist_of(dist)) as sdist:
        names = {name.removeprefix(f"{NAME}/") for name in sdist.getnames()}
    wanted = {"LICENSE", "README.md", "CITATION.cff", "pyproject.toml", "guerdon/py.typed", "server/app.py"}
    wanted |= {"clients/app.py", "simulations/__main__.py", "simulations/scenarios/diabetes.toml", "wire/messages.py"}
    assert wanted <= names
    assert {Path(name).suffix for name in names} <= {".py", ".toml", ".md", ".cff", ".typed", ".ipynb", ""}
    assert sdist_of(dist).stat().st_size < 1_000_000


@pytest.mark.parametrize("kind", [wheel_of, sdist_of], ids=["wheel", "sdist"])
def test_installed_in_a_new_environment_it_values_and_rewards(kind: object, dist: Path, tmp_path: Path) -> None:
    """Its dependencies come from the environment of the tests, by a .pth file, which brings no editable checkout."""
    assert callable(kind)
    environment, python = tmp_path / "new", tmp_path / "new" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    (site,) = environment.glob("lib/python*/site-packages")
    packages = [entry for entry in sys.path if entry.endswith("site-packages")]
    (site / "dependencies.pth").write_text("\n".join(packages) + "\n")
    install = [str(python), "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    clean = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    subprocess.run([*install, "--ignore-installed", str(kind(dist))], check=True, env=clean, cwd=tmp_path)
    told = subprocess.run(
        [str(python), "-c", SMOKE], check=True, env=clean, cwd=tmp_path, capture_output=True, text=True
    ).stdout.split()
    assert told == [guerdon.__version__, str(site / "guerdon" / "__init__.py")]
