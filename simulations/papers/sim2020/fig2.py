"""Fig. 2: information gain and MNLP against rho for three parties of the Friedman data, and the numbers beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import t as student

from guerdon.models import GaussianProcess
from guerdon.realization import noise_responses, noise_variances
from guerdon.rewards import RhoShapley, weaker_coalitions
from guerdon.shapley import exact_shapley
from guerdon.types import Contribution, FloatArray
from guerdon.valuation import InformationGain
from guerdon.valuation.information_gain import InformationGainGame
from simulations.datasets.friedman import FEATURES, friedman_function
from simulations.papers.sim2020.fig2_drawing import draw_curves
from simulations.papers.sim2020.fig2_table import fig2_table
from simulations.papers.sim2020.sweep import RewardSweep
from simulations.papers.study import Options, Row, StudyError, Task, without_generator

__all__ = ["Fig2", "Sizes", "friedman_parties"]

SPANS = ((0.0, 1.0), (0.0, 0.5), (0.5, 1.0))
"""The range of each party's first input."""

RHOS = np.linspace(0.0, 1.0, 41)


@dataclass(frozen=True)
class Sizes:
    """rows : of each party; test : rows for MNLP; draws : realizations of the noise; noise : its standard deviation."""

    rows: int = 250
    test: int = 1000
    draws: int = 20
    noise: float = 1.0


@dataclass(frozen=True)
class Fig2:
    """The curves are those of the first repetition; the table is over all of them."""

    name: str = "sim2020-fig2"
    title: str = "IG and MNLP against rho: GP regression, Friedman data, 3 parties"
    repeats: int = 20

    def tasks(self, options: Options) -> list[Task]:
        without_generator(options, self.name)
        if options.only:
            raise StudyError(f"{self.name} has no parts to choose from, got --only {dict(options.only)}")
        sizes = Sizes(rows=80, test=300) if options.quick else Sizes()
        count = options.repeats or (3 if options.quick else self.repeats)
        return [
            Task(
                f"{sizes!r} seed={options.seed} repetition={k}",
                _repetition,
                {"sizes": sizes, "seed": options.seed, "number": k},
            )
            for k in range(count)
        ]

    def draw(self, results: pl.DataFrame, options: Options) -> Sequence[Path]:
        return [
            *draw_curves(results.filter(pl.col("repetition") == 0), options.folder, self.name),
            *fig2_table(results, options.folder, self.name),
        ]


def friedman_parties(sizes: Sizes, rng: np.random.Generator) -> list[Contribution]:
    """Three parties whose first input spans [0, 1], [0, 1/2] and [1/2, 1]; the other five are uniform on [0, 1]."""
    parties = []
    for number, (low, high) in enumerate(SPANS, start=1):
        X = rng.uniform(size=(sizes.rows, FEATURES))
        X[:, 0] = low + (high - low) * X[:, 0]
        y = friedman_function(X) + sizes.noise * rng.standard_normal(sizes.rows)
        parties.append(Contribution(f"party {number}", X, y))
    return parties


def _repetition(sizes: Sizes, seed: int, number: int) -> Iterator[Row]:
    """One data set: a row a party, then a row for every rho and party."""
    rng = np.random.default_rng([seed, number])
    parties = friedman_parties(sizes, rng)
    X = rng.uniform(size=(sizes.test, FEATURES))
    y = friedman_function(X) + sizes.noise * rng.standard_normal(sizes.test)
    model = GaussianProcess("rbf(ard=True)", noise=None, mean=None).fit(parties)
    game = InformationGain(model).game(parties)
    sweeps = [RewardSweep.of_party(model, parties, i, X, y) for i in range(len(parties))]
    yield from ({"repetition": number} | row for row in _party_rows(game, sweeps, X, y))
    yield from ({"repetition": number} | row for row in _curve_rows(game, sweeps, sizes.draws, rng))


def _party_rows(
    game: InformationGainGame, sweeps: Sequence[RewardSweep], X: FloatArray, y: FloatArray
) -> Iterator[dict[str, Any]]:
    table = game.table()
    shapley = exact_shapley(table)
    bits = 1 << np.arange(game.n)
    weaker = table[weaker_coalitions(shapley) @ bits]
    thresholds = RhoShapley(rho=0.0)(shapley, game).thresholds
    assert thresholds is not None
    assert isinstance(game.model, GaussianProcess)
    without_first = RewardSweep.of_party(game.model, game.contributions[1:], 0, X, y)
    for i, sweep in enumerate(sweeps):
        yield {
            "kind": "party",
            "party": i + 1,
            "party_rows": len(game.contributions[i]),
            "phi": shapley[i],
            "v_own": table[bits[i]],
            "v_weaker": weaker[i],
            "v_23": table[0b110],
            "v_pool": table[-1],
            "rho_r": thresholds.rational,
            "rho_s": thresholds.stable,
            "m_own": sweep.expected_mnlp(np.inf),
            "m_23": without_first.expected_mnlp(0.0),
            "m_pool": sweep.expected_mnlp(0.0),
            **_hyperparameters(game.model),
        }


def _hyperparameters(model: GaussianProcess) -> dict[str, Any]:
    about = model.describe()
    return {"noise": about["noise"], "kernel": about["kernel"], "gradient": about["fit"]["gradient"]}


def _curve_rows(
    game: InformationGainGame, sweeps: Sequence[RewardSweep], draws: int, rng: np.random.Generator
) -> Iterator[dict[str, Any]]:
    """Targets above rho_r can't be realized and have no row."""
    shapley = exact_shapley(game.table())
    thresholds = RhoShapley(rho=0.0)(shapley, game).thresholds
    assert thresholds is not None
    marked = [rho for rho in (thresholds.rational, thresholds.stable) if rho <= 1.0]
    responses = noise_responses(game.model, game.contributions)
    normal = [rng.standard_normal((draws, len(sweep.residual))) for sweep in sweeps]
    for rho in np.unique([*(rho for rho in RHOS if rho <= thresholds.rational), *marked]):
        targets = RhoShapley(rho=float(rho))(shapley, game)
        etas = noise_variances(game.model, game.contributions, targets, responses=responses)
        for i, (sweep, eta) in enumerate(zip(sweeps, etas.tolist(), strict=True)):
            gain = responses[i].gain(eta).value if np.isfinite(eta) else 0.0
            mnlps = sweep.drawn_mnlps(eta, normal[i])
            yield {
                "kind": "curve",
                "rho": float(rho),
                "party": i + 1,
                "target": targets.values[i],
                "reached": responses[i].own_value + gain,
                "eta": eta,
                "mnlp": mnlps.mean(),
                "mnlp_half_interval": _half_interval(mnlps),
                "mnlp_expected": sweep.expected_mnlp(eta),
            }


def _half_interval(values: FloatArray) -> float:
    """Half of the 95 % confidence interval of the mean, by Student's t."""
    count = len(values)
    return float(student.ppf(0.975, count - 1) * values.std(ddof=1) / np.sqrt(count)) if count > 1 else 0.0
