"""What docs/extending.md prints is what runs: every file of it, and every suite on it."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from guerdon.plugins import build
from guerdon.testing import Suite

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
FILES = {
    block.partition("\n")[0].removeprefix("# "): block for block in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
}
CHECKS = sorted(name.removesuffix(".py") for name in FILES if name.startswith("check_"))


@pytest.fixture(scope="module", autouse=True)
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The document's files in a folder of their own, importable as a user's are."""
    folder = tmp_path_factory.mktemp("extending")
    for name, content in FILES.items():
        (folder / name).write_text(content)
    sys.path.append(str(folder))
    yield folder
    sys.path.remove(str(folder))
    for name in FILES:
        sys.modules.pop(name.removesuffix(".py"), None)


def suites(module: str) -> list[type[Suite]]:
    found = vars(importlib.import_module(module)).values()
    return [v for v in found if isinstance(v, type) and issubclass(v, Suite) and v.__name__.startswith("Test")]


@pytest.mark.parametrize("module", CHECKS)
def test_each_suite_passes_as_printed(module: str) -> None:
    (suite,) = suites(module)
    suite().run()


def test_from_another_folder_as_its_author_runs_them(written: Path) -> None:
    """In a process of its own, which knows the checkout only as ``pip install -e`` makes it known."""
    files = ["check_my_strategy.py", "check_my_averaging.py"]
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(argv, cwd=written, env=env, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout[-4000:]
    assert "16 passed" in ended.stdout


def test_one_of_each_kind_and_none_long() -> None:
    kinds = ("averaging", "data_size", "estimator", "features", "generator", "realization", "sampling", "scheme")
    assert [check.removeprefix("check_my_") for check in CHECKS] == [*kinds, "strategy", "valuation"]
    for name, content in FILES.items():
        code = [line for line in content.splitlines() if line and not line.startswith(("#", "import", "from"))]
        assert len(code) <= 21, (name, len(code))


MODEL = {"model": "GaussianProcess(kernel='rbf(lengthscale=1.0, outputscale=1.0)', noise=0.1)"}
SYNTHETIC = "SyntheticDataRewards(size=120)"
CLASSES = "ClassificationRewards(labels=3)"
IN_BOTH_PAPERS = [
    ("ModelRewards()", "valuation", "my_data_size:DataSize()"),
    ("ModelRewards()", "valuation", "my_valuation:LogVolume(scale=2.0)"),
    ("ModelRewards()", "shapley", "my_estimator:EveryOrder()"),
    ("ModelRewards()", "scheme", "my_scheme:HalfWay(share=0.5)"),
    ("ModelRewards()", "scheme", "RectifiedRhoShapley(incentive='rational')"),
    ("ModelRewards()", "realization", "my_realization:OneDraw()"),
    ("ModelRewards()", "model", "BayesianLinear(noise=0.2, features='my_features:Polynomial(degree=2)')"),
    (CLASSES, "model", "BayesianLogistic(features='my_features:Polynomial(degree=2)')"),
    (CLASSES, "valuation", "my_data_size:DataSize()"),
    (SYNTHETIC, "valuation", "my_data_size:DataSize(exponent=0.5)"),
    (SYNTHETIC, "valuation", "my_valuation:LogVolume()"),
    (SYNTHETIC, "shapley", "my_estimator:EveryOrder()"),
    (SYNTHETIC, "scheme", "my_scheme:HalfWay(share=0.5)"),
    (SYNTHETIC, "realization", "my_sampling:AsTheyCome(steps=20)"),
    (SYNTHETIC, "generator", "my_generator:Marginals()"),
]


@pytest.mark.parametrize(("strategy_text", "key", "part"), IN_BOTH_PAPERS, ids=lambda text: text.partition("(")[0])
def test_each_part_runs_in_a_pool_of_its_paper(strategy_text: str, key: str, part: str) -> None:
    """The whole conformance suite of a strategy: delivered, scored, resumed, missed, the same in any order."""
    from simulations.testing import StrategySuite

    class InAPool(StrategySuite):
        strategy = strategy_text
        labels = strategy_text != "ModelRewards()"
        config = MODEL | {key: part} if strategy_text == "ModelRewards()" else {key: part}

    InAPool().run()


@pytest.mark.parametrize(
    ("strategy_text", "part", "words"),
    [
        ("ModelRewards()", "my_data_size:DataSize()", "the information gain of a model"),
        (SYNTHETIC, "my_data_size:DataSize(exponent=0.5)", "the maximum mean discrepancy to all data"),
    ],
)
def test_a_valuation_that_is_no_game_of_ours(strategy_text: str, part: str, words: str) -> None:
    """Values are rows; each reward reaches its target in rows, and a note says what it was made by."""
    from simulations.testing import StrategySuite

    class InAPool(StrategySuite):
        strategy = strategy_text
        labels = strategy_text == SYNTHETIC
        config = {"valuation": part, "scheme": "RhoShapley(rho=0.5)"} | (MODEL if strategy_text != SYNTHETIC else {})

    exponent = 0.5 if strategy_text == SYNTHETIC else 1.0
    with InAPool()._run() as directory:
        record = directory.read_allocation()
        assert record["unit"] == ("rows" if exponent == 1.0 else "rows^0.5")
        assert any("east" in check["witness"] or "west" in check["witness"] for check in record["certificate"])
        assert any(f"rewards are made by {words}" in note for note in record["notes"])
        for entry in record["parties"]:
            assert entry["value"] == pytest.approx(entry["rows"] ** exponent)
            short = any(f"{entry['party']}: sampling ended by" in note for note in record["notes"])
            assert short or entry["reached"] >= entry["target"] * (1.0 - 1e-9)
            assert entry["reached"] <= record["grand_value"] * 1.01  # a row more than it takes passes the most there is
            assert entry["reached_in_carrier"] != entry["reached"]
        assert record["grand_value"] == pytest.approx(sum(e["rows"] for e in record["parties"]) ** exponent)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"realization": "WeightedSampling()"}, r"does not fit strategy = 'ModelRewards\(\)'.* SyntheticGame"),
        ({"scheme": "my_choosy_scheme:Choosy()"}, "needs a SyntheticGame, and InformationGain gives a ModelGame"),
        (
            {"strategy": SYNTHETIC, "realization": "NoiseInjection()"},
            "needs a ModelGame, and MaximumMeanDiscrepancy gives a SyntheticGame",
        ),
        ({"valuation": "MaximumMeanDiscrepancy()"}, "its game asks for synthetic, and .* there is model"),
        ({"strategy": SYNTHETIC, "valuation": "InformationGain()"}, "its game asks for model, and .* there is synth"),
        ({"valuation": "my_choosy_scheme:Priced()"}, "its game asks for prices, and .* there is model"),
        ({"realization": "my_choosy_scheme:Wordy()"}, r"Wordy.needs is a kind of game, .* got 'ModelGame'"),
    ],
)
def test_what_does_not_fit_is_a_sentence_before_anything_starts(
    settings: dict[str, str], sentence: str, written: Path
) -> None:
    from server.config import ConfigError, RunConfig

    choosy = "from guerdon.types import SyntheticGame\nclass Choosy:\n    needs = SyntheticGame\n    __call__ = None\n"
    choosy += "class Wordy(Choosy):\n    needs = 'ModelGame'\n"
    choosy += "class Priced:\n    def game(self, contributions, *, prices, progress=None): ...\n"
    (written / "my_choosy_scheme.py").write_text(choosy.replace("= None", "= len"))
    with pytest.raises(ConfigError, match=sentence):
        RunConfig.parse(settings).build_parts()


def test_a_strategy_of_ones_own_takes_parts_of_ours(written: Path) -> None:
    """RhoShapley under a strategy that is not a subclass of ModelRewards."""
    from server.config import RunConfig

    (written / "my_rho_strategy.py").write_text(
        "from strategies import TrustedMediator\n"
        "class Mine(TrustedMediator):\n"
        "    parts = {'scheme': \"RhoShapley(rho='rational')\", 'valuation': 'InformationGain()'}\n"
        "    def value(self, contributions): ...\n"
    )
    parts = RunConfig.parse({"strategy": "my_rho_strategy:Mine()"}).build_parts()
    assert parts.parts["scheme"].rho == "rational"


def test_parts_are_built_as_the_text_says() -> None:
    assert build("my_scheme:HalfWay(share=0.25)", {}).share == 0.25
    with pytest.raises(ValueError, match="share is a number from 0 to 1"):
        build("my_scheme:HalfWay(share=2.0)", {})


def test_the_allocation_that_the_valuation_s_section_names() -> None:
    import numpy as np

    from guerdon.pipeline import allocate
    from guerdon.rewards import RhoShapley
    from guerdon.shapley import Auto
    from guerdon.testing import example_contributions

    value = build("my_valuation:LogVolume()", {})
    found = allocate(example_contributions(), value, Auto(), RhoShapley("stable"), None, rng=np.random.default_rng(0))
    assert found.certificate.R6.holds


def test_clipped_updates_are_no_longer_than_1(tmp_path: Path) -> None:
    """The party's side is the document's handler, not the one it replaces."""
    from guerdon.federated import norm
    from simulations.testing import StrategySuite
    from wire import messages
    from wire.kinds import lessons

    seen: list[float] = []

    def watch(node, message, reply):  # type: ignore[no-untyped-def]
        if message.metadata.message_type == lessons.UPDATE:
            seen.append(norm(messages.decode_reward(reply.content).arrays))
        return reply

    class Watched(StrategySuite):
        strategy = "my_averaging:ClippedAveraging(rounds=2, classes=3, learning_rate=20.0)"
        labels = True

    with Watched()._run(tamper=watch):
        assert len(seen) == 6
        assert max(seen) == pytest.approx(1.0, rel=1e-12)
