"""``python -m simulations foresee``: its table, what it says of itself, and its exit status."""

from __future__ import annotations

import pytest

from simulations import cli

FAST = ["--features", "5", "--draws", "4"]


def test_the_table_says_who_gains_and_where_it_turns(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["foresee", "--rows", "2000,2000,2000", "--epsilon", "3,100,inf", *FAST]) == 0
    said = capsys.readouterr().out
    lines = [line.split() for line in said.splitlines() if line.strip().startswith("party-")]
    assert [line[:3] for line in lines[:3]] == [
        ["party-1", "2,000", "3"],
        ["party-2", "2,000", "100"],
        ["party-3", "2,000", "inf"],
    ]
    assert [line[4] for line in lines[3:]] == ["loses", "gains", "gains"]
    assert float(lines[3][5]) > 3.0
    assert int(lines[3][6].replace(",", "")) > 2000
    plain = " ".join(said.split())
    assert "not how well it predicts" in plain
    assert "Assumed: 5 standardized features" in plain
    assert "at delta = 1e-05" in plain


def test_without_noise_nothing_is_said_of_delta_and_few_rows_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["foresee", "--rows", "100,15", *FAST]) == 0
    plain = " ".join(capsys.readouterr().out.split())
    assert "delta" not in plain
    assert "fewer than 20 rows of 5 features are sent: 1 of these parties would be refused" in plain


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (["--rows", "10,a"], "--rows: expected a whole number"),
        (["--rows", "10,,20"], "--rows: expected a whole number"),
        (["--rows", "10.5,20"], "--rows: expected a whole number"),
        (["--rows", "10,0"], "rows are whole numbers from 1"),
        (["--rows", "10,20", "--epsilon", "1,2,3"], "got 2 and 3"),
        (["--rows", "10,20", "--epsilon", "0"], "epsilon is a number above 0"),
        (["--rows", "10,20", "--epsilon", "-1,1"], "epsilon is a number above 0"),
        (["--rows", "10,20", "--epsilon", "much"], "--epsilon: expected a number"),
        (["--rows", "10,20", "--delta", "0"], "delta is a probability"),
        (["--rows", "10,20", "--rho", "fair"], "--rho: expected stable, rational or a number"),
        (["--rows", "10,20", "--noise", "1.5"], "below 1"),
        (["--rows", "10,20", "--features", "1"], "features is a whole number from 2"),
    ],
)
def test_what_can_not_be_used_is_named(
    options: list[str], match: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert cli.main(["foresee", *FAST, *options]) == 2
    said = capsys.readouterr()
    assert match in said.err
    assert not said.out
