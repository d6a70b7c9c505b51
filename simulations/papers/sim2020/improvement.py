"""What one partition of a data set gains its parties: the points of Figs. 3, 5 and 6."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from guerdon.metrics import mnlp
from guerdon.models import Model, NoiseResponse
from guerdon.realization import expected_reward_mnlp, noise_responses, noise_variances, reward_data
from guerdon.rewards import RhoShapley
from guerdon.scaling import Scaling
from guerdon.shapley import exact_shapley
from guerdon.types import Contribution, FloatArray, Game, RewardTargets, ShapleyValues
from guerdon.valuation import InformationGain
from guerdon.valuation.information_gain import InformationGainGame
from simulations.papers.study import Row
from simulations.partitions import PartialSort

__all__ = ["RHOS", "Setting", "Split", "improvements", "split_rows"]

RHOS = (1.0, 0.5)
"""The columns of the figures."""

DRAWS = 5
"""Realizations of the noise for each party."""


class Split(NamedTuple):
    """Rows to be divided among the parties, and rows to score on, in the units that the model works in."""

    X: FloatArray
    y: FloatArray
    test_X: FloatArray  # noqa: N815
    test_y: FloatArray


class Setting(Protocol):
    """A data set with a model for it; its ``repr`` says everything that its numbers depend on but the seed."""

    @property
    def label(self) -> str:
        """What tells it from the other settings of a figure."""
        ...

    @property
    def parties(self) -> int: ...

    @property
    def minimum_share(self) -> float:
        """Each party owns at least this share of the training rows."""
        ...

    def split(self, rng: np.random.Generator) -> Split:
        """A random train-test split."""
        ...

    def model(self) -> Model:
        """The model, to be fitted to the pool."""
        ...

    def shapley(self, game: Game, rng: np.random.Generator) -> ShapleyValues: ...

    def facts(self, model: Model, split: Split) -> Mapping[str, Any]:
        """More about the fitted model, for the table."""
        ...


def split_rows(X: FloatArray, y: FloatArray, train: int, test: int, rng: np.random.Generator) -> Split:
    """``train`` and ``test`` rows at random, standardised by the mean and standard deviation of the training rows."""
    order = rng.permutation(len(X))
    kept, held = order[:train], order[train : train + test]
    scaling = Scaling.of_pool([Contribution("pool", X[kept], y[kept])])
    target = (y - scaling.target_mean) / scaling.target_scale
    return Split(scaling.features(X[kept]), target[kept], scaling.features(X[held]), target[held])


def improvements(setting: Setting, seed: int, number: int) -> Iterator[Row]:
    """A row for each rho, party and draw; where R4 fails at a rho, a row for each party, without MNLP of a reward.

    Nothing is left out: ``rational`` says whether R4 holds at that rho.
    """
    rng = np.random.default_rng([seed, number])
    split = setting.split(rng)
    blocks = PartialSort(setting.minimum_share).split(split.X, setting.parties, rng=rng)
    parties = [Contribution(f"party {i}", split.X[rows], split.y[rows]) for i, rows in enumerate(blocks, start=1)]
    model = setting.model().fit(parties)
    game = InformationGain(model).game(parties)
    shapley = setting.shapley(game, rng)
    scores = _Scores.of(game, split)
    common = {"setting": setting.label, "partition": number, **_facts(setting, model, split, game, shapley)}
    for rho in RHOS:
        for row in _rows(game, shapley, RhoShapley(rho=rho)(shapley, game), scores, rng.spawn(setting.parties)):
            yield common | row


def _facts(
    setting: Setting, model: Model, split: Split, game: InformationGainGame, shapley: ShapleyValues
) -> dict[str, Any]:
    """What holds for the partition as a whole."""
    about = model.describe()
    fit = about.get("fit") or {}
    thresholds = RhoShapley(rho=0.0)(shapley, game).thresholds
    assert thresholds is not None
    exact = exact_shapley(game.table())
    return {
        "v_pool": float(game.table()[-1]),
        "rho_r": thresholds.rational,
        "rho_s": thresholds.stable,
        "noise": about.get("noise"),
        "noise_at_bound": bool(fit.get("noise_at_bound", False)),
        "shapley_error": float(np.abs(shapley.values - exact).max() / exact.max()),
        "shapley_order_kept": bool(np.all(np.argsort(shapley.values) == np.argsort(exact))),
        **setting.facts(model, split),
    }


@dataclass(frozen=True, eq=False)
class _Scores:
    """MNLPs (nats, of the standardised target) that don't depend on rho: of each party alone (n,) and of the pool."""

    split: Split
    alone: FloatArray
    pool: float
    responses: list[NoiseResponse]

    @classmethod
    def of(cls, game: InformationGainGame, split: Split) -> _Scores:
        alone = [_score(game, i, np.inf, np.empty(0), split) for i in range(game.n)]
        rows = sum(len(c) for c in game.contributions[1:])
        pool = _score(game, 0, 0.0, np.zeros(rows), split)
        return cls(split, np.array(alone), pool, noise_responses(game.model, game.contributions))


def _rows(
    game: InformationGainGame,
    shapley: ShapleyValues,
    targets: RewardTargets,
    scores: _Scores,
    generators: list[np.random.Generator],
) -> Iterator[dict[str, Any]]:
    assert targets.thresholds is not None
    assert targets.rho is not None
    rational = targets.rho <= targets.thresholds.rational
    etas = noise_variances(game.model, game.contributions, targets, responses=scores.responses) if rational else None
    own = np.array([response.own_value for response in scores.responses])
    for i, rng in enumerate(generators):
        row = {
            "rho": targets.rho,
            "rational": rational,
            "party": i + 1,
            "rows": len(game.contributions[i]),
            "alpha": float(shapley.alpha[i]),
            "v_own": float(own[i]),
            "r": float(targets.values[i]),
            "mnlp_alone": float(scores.alone[i]),
            "mnlp_pool": scores.pool,
        }
        if etas is None:
            yield row
            continue
        eta = float(etas[i])
        row |= {
            "eta": eta,
            "mnlp_expected": expected_reward_mnlp(game, i, eta, scores.split.test_X, scores.split.test_y),
        }
        for draw, value in enumerate(_draws(game, i, eta, scores, rng)):
            yield row | {"draw": draw, "mnlp": value}


def _draws(game: InformationGainGame, i: int, eta: float, scores: _Scores, rng: np.random.Generator) -> list[float]:
    """The MNLP of party i's reward for each realization of its noise."""
    if eta == 0.0 or np.isinf(eta):
        return [scores.pool if eta == 0.0 else float(scores.alone[i])] * DRAWS
    others = sum(len(c) for k, c in enumerate(game.contributions) if k != i)
    noise = np.sqrt(eta) * rng.standard_normal((DRAWS, others))
    return [_score(game, i, eta, draw, scores.split) for draw in noise]


def _score(game: InformationGainGame, i: int, eta: float, draws: FloatArray, split: Split) -> float:
    data = game.contributions[i] if np.isinf(eta) else reward_data(game, i, eta, draws)
    posterior = game.model.posterior(data.X, np.asarray(data.y), data.noise)
    return mnlp(*posterior.predict(split.test_X), split.test_y)
