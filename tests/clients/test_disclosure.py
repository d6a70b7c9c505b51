"""What a party lets others' rewards show: rows only where it says so, and no run that nearly repeats another."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clients.disclosure import check_difference, confirm_disclosure, nearest, remember
from clients.errors import PartyError
from guerdon.types import Contribution
from wire.messages import Proposal


def rows(*numbers: int, names: tuple[str, ...] = ("a", "b")) -> Contribution:
    X = np.array([[100.0 + k, 0.5 * k] for k in numbers])
    return Contribution("east", X, np.array([float(k) for k in numbers]), names)


def proposal(terms: Mapping[str, str]) -> Proposal:
    return Proposal(run="run", terms=terms, parties=("east",), schema="", dry_run=False)


def test_rows_in_rewards_need_the_partys_word() -> None:
    aloud = proposal({"discloses-rows": "true"})
    with pytest.raises(PartyError, match="discloses-rows=true into its node config"):
        confirm_disclosure({"party": "east"}, aloud)
    confirm_disclosure({"party": "east", "discloses-rows": True}, aloud)
    confirm_disclosure({"partition-id": 0}, aloud)
    confirm_disclosure({"party": "east"}, proposal({"discloses-rows": "false"}))
    confirm_disclosure({"party": "east"}, proposal({}))
    with pytest.raises(PartyError, match="true or false, got 'yes'"):
        confirm_disclosure({"discloses-rows": "yes"}, proposal({}))


def test_the_nearest_run_is_found_whatever_the_order(tmp_path: Path) -> None:
    assert nearest(tmp_path, "new", rows(1, 2)) is None
    remember(tmp_path, "one", rows(*range(20)))
    remember(tmp_path, "two", rows(*range(12)))
    found = nearest(tmp_path, "new", rows(*range(19, 0, -1), 99))
    assert found is not None
    assert found == ("one", 1, 1)
    turned = rows(*range(12))
    turned = Contribution("east", turned.X[:, ::-1], turned.y, ("b", "a"))
    assert nearest(tmp_path, "new", turned) == ("two", 0, 0)
    assert nearest(tmp_path, "two", turned) == ("one", 0, 8)


CASES: list[tuple[str, dict[str, Any], tuple[int, ...], str]] = [
    ("one more", {"min-difference": 3}, (*range(20), 50), "1 added and 0 left out"),
    ("one fewer", {"min-difference": 3}, tuple(range(19)), "0 added and 1 left out"),
    ("one changed", {"min-difference": 3}, (*range(19), 50), "1 added and 1 left out"),
    ("the same", {"min-difference": 3}, tuple(range(20)), ""),
    ("three more", {"min-difference": 3}, (*range(20), 50, 51, 52), ""),
    ("switched off", {"min-difference": 0}, (*range(20), 50), ""),
]


@pytest.mark.parametrize(("config", "numbers", "words"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_a_run_that_differs_by_few_rows_is_refused_without_a_value(
    config: dict[str, Any], numbers: tuple[int, ...], words: str, tmp_path: Path
) -> None:
    remember(tmp_path, "one", rows(*range(20)))
    if not words:
        check_difference(tmp_path, config, "new", rows(*numbers))
        return
    with pytest.raises(PartyError, match=words) as caught:
        check_difference(tmp_path, config, "new", rows(*numbers))
    assert "150" not in str(caught.value)
    assert "fewer than min-difference = 3" in str(caught.value)
    check_difference(tmp_path, config, "one", rows(*numbers))  # the same run going on


def test_without_the_key_it_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    remember(tmp_path, "one", rows(*range(20)))
    logging.getLogger("flwr").propagate = True
    with caplog.at_level(logging.WARNING):
        check_difference(tmp_path, {}, "new", rows(*range(19)))
    assert "nearly the same rows as run one" in caplog.text
    assert "min-difference=5 in the node config would refuse it" in caplog.text


@pytest.mark.parametrize("wrong", [-1, 2.5, True, "3"])
def test_min_difference_is_a_number_of_rows(wrong: object, tmp_path: Path) -> None:
    with pytest.raises(PartyError, match="min-difference in the node config is a whole number"):
        check_difference(tmp_path, {"min-difference": wrong}, "new", rows(1))


def test_what_is_kept_tells_no_row(tmp_path: Path) -> None:
    remember(tmp_path / "one", "run", rows(*range(5)))
    remember(tmp_path / "two", "run", rows(*range(5)))
    one, two = ((tmp_path / name / "_earlier.json").read_text() for name in ("one", "two"))
    assert one != two  # digests are keyed by a secret of each party's own
    assert (tmp_path / "one" / "_earlier.json").stat().st_mode & 0o077 == 0
    (tmp_path / "one" / "_earlier.json").write_text("no json")
    with pytest.raises(PartyError, match="can't be read"):
        nearest(tmp_path / "one", "run", rows(1))
