"""Several runs side by side."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from server.report import ComparisonError, comparison_page
from simulations import cli
from tests.server.report.records import model_record, synthetic_record

TABLE = np.array([0.0, 7.0, 5.0, 8.0])


def test_the_same_parties_under_two_rhos_and_another_scheme() -> None:
    records = [model_record(TABLE, 1.0), model_record(TABLE, 0.5), synthetic_record(TABLE, [9.0, 9.5], 0.5)]
    text = comparison_page(records)
    for number in ("4.800 (60 %)", "6.197 (77 %)", "2 parties took part in all of them"):
        assert number in text
    assert text.count("R4, individual rationality") == 1
    assert text.count('aria-label="fails"') > 0


def test_every_part_in_which_the_runs_differ_is_shown() -> None:
    """Noise and tempering would look like one run with other errors."""
    same = {"strategy": "ModelRewards()", "model": "GaussianProcess(kernel='rbf')", "shapley": "Auto()"}
    records = [
        model_record(TABLE) | {"parts": {**same, "realization": text}} for text in ("NoiseInjection()", "Tempering()")
    ]
    text = comparison_page(records)
    assert re.search(r">realization</th><td[^>]*>NoiseInjection\(\)</td><td[^>]*>Tempering\(\)</td>", text)
    assert ">strategy</th>" in text
    assert ">shapley</th>" not in text
    assert "GaussianProcess" not in text


def test_runs_that_valued_nothing_are_refused() -> None:
    learned = {"run": "digits-1", "stage": "delivered", "parties": [{"party": "party-01"}, {"party": "party-02"}]}
    with pytest.raises(ComparisonError, match="digits-1 valued no data"):
        comparison_page([model_record(TABLE), learned])


def test_parties_that_are_not_in_all_are_left_out() -> None:
    three = model_record([0.0, 5.2, 4.0, 7.0, 4.0, 7.0, 8.0, 8.0])
    text = comparison_page([three, model_record(TABLE)])
    assert "1 more took part in some only" in text
    assert "<span>party-02</span>" in text
    assert "<span>party-03</span>" not in text


def test_what_can_not_stand_side_by_side_is_refused() -> None:
    with pytest.raises(ComparisonError, match="two runs or more, got 1"):
        comparison_page([model_record(TABLE)])
    other = model_record(TABLE)
    for entry in other["parties"]:
        entry["party"] = f"another {entry['party']}"
    with pytest.raises(ComparisonError, match="no party took part in all"):
        comparison_page([model_record(TABLE), other])


def test_the_command_writes_a_file_and_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, rho in (("one", 1.0), ("two", 0.5)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.toml").touch()
        (tmp_path / name / "allocation.json").write_text(json.dumps(model_record(TABLE, rho)))
    assert cli.main(["compare", "one", "two"]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "compare.html")
    assert (tmp_path / "compare.html").is_file()
    assert cli.main(["compare", "one"]) == 2
    assert "two runs or more" in capsys.readouterr().err
    assert cli.main(["report", "one"]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "one" / "report.html")
