"""What a realization of one's own made is looked at before anything is said of it to anybody."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulations.testing import StrategySuite

MODULE = """
from guerdon.realization import NoiseInjection
from guerdon.types import ModelGame

class Turned:
    needs = ModelGame
    def __call__(self, game, targets, *, rng):
        return NoiseInjection()(game, targets, rng=rng)[::-1]

class Fewer(Turned):
    def __call__(self, game, targets, *, rng):
        return NoiseInjection()(game, targets, rng=rng)[1:]

class Text(Turned):
    def __call__(self, game, targets, *, rng):
        return ["a reward"] * game.n
"""


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Turned", "made rewards for west, north, east: expected one a party, in the order east, north, west"),
        ("Fewer", "made rewards for north, west: expected one a party"),
        ("Text", r"made a str, which has no contains, facts, party, reached: expected party, reached"),
    ],
)
def test_each_party_gets_its_own_reward_or_none_is_made(
    name: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In another order a party would be sent what another one's data is worth."""
    (tmp_path / "my_odd_realizations.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))

    class Odd(StrategySuite):
        strategy = "ModelRewards()"
        config = {  # noqa: RUF012
            "realization": f"my_odd_realizations:{name}()",
            "model": "GaussianProcess(kernel='rbf(lengthscale=1.0, outputscale=1.0)', noise=0.1)",
        }

    (tmp_path / "home").mkdir()
    with pytest.raises(ValueError, match=words), Odd()._run(folder=str(tmp_path / "home")):
        pass
    assert not (tmp_path / "home" / "run" / "rewards.json").exists()
