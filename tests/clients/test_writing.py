"""What a party says of how its file is written: checked where it is said."""

from __future__ import annotations

from typing import Any

import pytest

from clients.errors import PartyError
from clients.node_config import check_keys
from clients.writing import KEYS, Writing


def test_what_is_said_comes_back_as_a_node_config_has_it() -> None:
    said = {"delimiter": "tab", "encoding": "cp1252", "decimal": ",", "thousands": ".", "date-format": "DD/MM/YYYY"}
    writing = Writing.of({"party": "bank", **said})
    assert (writing.delimiter, writing.date_format) == ("\t", "%d/%m/%Y")
    assert writing.to_config() == {**said, "date-format": "%d/%m/%Y"}
    assert Writing.of(writing.to_config()) == writing
    assert set(KEYS) == set(said)
    check_keys({"party": "bank", "data-path": "/bank.csv", **said})


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"delimiter": ";;"}, "delimiter is one sign"),
        ({"delimiter": '"'}, "delimiter is one sign"),
        ({"decimal": ";"}, 'decimal is "." or ","'),
        ({"decimal": ",", "thousands": ","}, "and not the decimal sign"),
        ({"encoding": "klingon"}, "encoding is the name of one"),
        ({"date-format": "DD/MM"}, "date-format has day, month and year"),
        ({"decimal": 1.0}, "decimal is a short text, got 1.0"),
    ],
)
def test_what_can_not_be_used_is_named(config: dict[str, Any], said: str) -> None:
    with pytest.raises(PartyError, match=said):
        Writing.of(config)
