"""The door: what is encoded is what is decoded, and errors become one line."""

from __future__ import annotations

import numpy as np
import pytest
from flwr.app import Error

from guerdon.types import Contribution
from wire import messages
from wire.kinds import rows
from wire.messages import Introduction, MessageError, RefusedError, Reward


def contribution(**changes: object) -> Contribution:
    values: dict[str, object] = {"party": "north", "X": np.arange(6.0).reshape(3, 2), "y": np.ones(3)}
    return Contribution(**{**values, "feature_names": ("a", "b"), **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("noise", [None, 0.5, np.array([0.1, 0.2, 0.3])])
def test_a_contribution_crosses_unchanged(noise: object) -> None:
    sent = contribution(noise=noise)
    content = rows.encode_contribution(sent, "y")
    got = rows.decode_contribution(content, party="north", target="y", max_megabytes=1.0, min_rows=2)
    assert rows.content_hash(got) == rows.content_hash(sent)
    assert np.array_equal(got.X, sent.X)


def test_the_hash_knows_every_number_name_and_shape() -> None:
    base = contribution()
    changed = [
        contribution(X=base.X + 1e-300), contribution(X=base.X * (1 + 1e-15)), contribution(y=np.zeros(3)),
        contribution(party="south"), contribution(feature_names=("a", "c")), contribution(noise=1.0),
    ]  # fmt: skip
    hashes = {rows.content_hash(c) for c in changed[1:]} | {rows.content_hash(base)}
    assert len(hashes) == 6


def test_an_introduction_crosses_unchanged() -> None:
    sent = Introduction("north", 12, ("a", "b"), "y")
    assert messages.decode_introduction(messages.encode_introduction(sent)) == sent


def test_a_reward_crosses_unchanged_whatever_its_arrays_shapes() -> None:
    arrays = {
        "text": np.array("rbf"),
        "names": np.array(["a", "bc"]),
        "zero": np.array(1.5),
        "F": np.asfortranarray(np.eye(3)),
    }
    sent = Reward(arrays, {"party": "north", "value": 1.25})
    got = messages.decode_reward(messages.encode_reward(sent))
    assert got.hash == sent.hash
    assert {name: array.shape for name, array in got.arrays.items()} == {name: a.shape for name, a in arrays.items()}


def test_a_refusal_carries_name_and_reason() -> None:
    with pytest.raises(RefusedError, match="no file") as caught:
        messages.decode_introduction(messages.encode_refusal("north", "no file"))
    assert caught.value.party == "north"


def test_scores_must_be_finite() -> None:
    assert messages.decode_scores(messages.encode_scores({"mnlp": 1.5, "rows": 3})) == {"mnlp": 1.5, "rows": 3.0}
    assert messages.decode_scores(messages.encode_scores({})) == {}
    with pytest.raises(MessageError, match="finite"):
        messages.decode_scores(messages.encode_scores({"mnlp": float("nan")}))


@pytest.mark.parametrize("name", ["north", "St.Mary-2", "a" * 64])
def test_names_that_serve(name: str) -> None:
    assert messages.check_party_name(name) == name


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a" * 65, "two words", None, 3, "n\n"])
def test_names_that_do_not(name: object) -> None:
    with pytest.raises(MessageError, match="a party's name is"):
        messages.check_party_name(name)


RAY = """<class 'ray.exceptions.RayTaskError(ClientAppException)'>:<'\x1b[36mray::ClientAppActor.run()\x1b[39m
  File "x.py", line 3, in run
RuntimeError: disk on fire

The above exception was the direct cause of the following exception:

flwr.clientapp.client_app.ClientAppException:
Exception ClientAppException occurred. Message: disk on fire'>"""


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        ("<class 'ValueError'>:<'no such file'>", "ValueError: no such file"),
        ("<class 'my.module.OddError'>:<'it's odd'>", "OddError: it's odd"),
        ("something else", "something else"),
        (RAY, "disk on fire"),
        ("", "no reason given"),
    ],
)
def test_flowers_errors_in_one_line(reason: str, sentence: str) -> None:
    assert messages.error_sentence(Error(2, reason)) == f"it failed (Flower error 2): {sentence}"
