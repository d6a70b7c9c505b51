"""The catalogue of lies against several valuations: every lie under every set of rules, over seeds.

The tasks are a study's (``simulations.papers.study``): one a seed, in one file of results with which an interrupted
command goes on. A seed draws the data, the split, which party lies, and all that the lie draws.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl

from guerdon.plugins import build
from guerdon.shapley import RowShapley
from guerdon.valuation import MaximumMeanDiscrepancy, PredictiveInformation
from simulations.lies import OFFER, Honest
from simulations.lies.collaboration import Collaboration, Rules
from simulations.lies.drawing import draw
from simulations.papers.study import IMPOSSIBLE, Options, Row, StudyError, Task
from simulations.prepare import plan
from simulations.scenarios import load_scenario
from simulations.staging import importable

__all__ = ["LieStudy", "rules_of", "summary", "tell"]

SEEDS, QUICK = 20, 2

NAMES = tuple(name for name in OFFER if name != "Honest")

SMALLER: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        # Of 500 rows of 57 pixels that vary, mixtures of more components collapse: the search finds one, in 60 times
        # the time.
        "digits": ("generator=GaussianMixture(components=1)",),
        "credit-ratings": ("dataset=CreditRatings(split='equal-disjoint', synthetic=4800)",),
    }
)
"""What makes scenarios small enough for some hundred collaborations; whoever sets the same key has the last word."""

NUMBERS = ("reward", "reward_honest", "share", "share_honest", "utility", "utility_honest", "alpha_change")


def rules_of(synthetic: bool, valuation: Any = None) -> tuple[Rules, ...]:
    """What is compared: the paper's valuation, and what stands against lies, one thing after another.

    Parameters
    ----------
    synthetic : bool
        Whether rewards are synthetic rows; else they are models.
    valuation : ValueFunction, optional
        The scenario's, whose length-scale and kernel are kept where it is a maximum mean discrepancy.
    """
    paper = Rules("the paper's", {})
    if synthetic:
        own = valuation if isinstance(valuation, MaximumMeanDiscrepancy) else MaximumMeanDiscrepancy()
        median = replace(own, near_duplicates="once", rows="median")
        return (
            paper,
            Rules("median rows, copies once", {"valuation": median}, copies_once=True),
            Rules("the same by rows", {"valuation": median, "shapley": RowShapley()}, copies_once=True),
        )
    predictive = {"valuation": PredictiveInformation()}
    return (
        paper,
        Rules("predictive, noise by party, copies once", predictive, by_party=True, copies_once=True),
        Rules("with party effects", predictive, by_party=True, effects=True, copies_once=True),
        Rules("recommended", predictive, by_party=True, effects=True, copies_once=True, public=True),
    )


@dataclass(frozen=True)
class LieStudy:
    """The lies that are told in a scenario.

    Attributes
    ----------
    scenario : str
        Its name, or the path of its file.
    overrides : sequence of str
        ``key=value`` for its run config.
    size : int
        |G| of synthetic rewards.
    rows : int, optional
        So many of each party's rows at most take part where rewards are synthetic; all when None.
    """

    scenario: str
    overrides: tuple[str, ...] = ()
    size: int = 300
    rows: int | None = 100

    @property
    def name(self) -> str:
        return f"lies-{Path(self.scenario).stem}"

    @property
    def title(self) -> str:
        return f"What lies earn in {Path(self.scenario).stem}"

    def tasks(self, options: Options) -> Sequence[Task]:
        """One a seed, so that what is honest, and what sets of rules share, is computed once for all lies."""
        wanted = options.only
        if unknown := sorted(set(wanted) - {"lie", "rules"}):
            raise StudyError(f"--only takes lie=... and rules=..., got {unknown[0]}")
        lies = tuple(f"{name}()" for name in NAMES) if "lie" not in wanted else (wanted["lie"],)
        synthetic = self._synthetic()
        names = tuple(r.name for r in rules_of(synthetic))
        if wanted.get("rules", names[0]) not in names:
            raise StudyError(f"--only rules=...: on offer are {', '.join(names)}, got {wanted['rules']}")
        rules = (wanted["rules"],) if "rules" in wanted else names
        overrides = (*SMALLER.get(self.scenario, ()), *self.overrides)
        rows = self.rows if synthetic else None
        with importable(Path.cwd()):
            for text in lies:
                build(text, OFFER)
        seeds = options.repeats or (QUICK if options.quick else SEEDS)
        about = f"size={self.size}|rows={rows}" if synthetic else ""
        return [
            Task(
                "|".join([self.scenario, *overrides, about, f"seed={seed}", *rules, *lies]),
                tell,
                {
                    "scenario": self.scenario,
                    "overrides": overrides,
                    "size": self.size,
                    "rows": rows,
                    "seed": seed,
                    "rules": rules,
                    "lies": lies,
                },
            )
            for seed in range(options.seed, options.seed + seeds)
        ]

    def _synthetic(self) -> bool:
        return "SyntheticDataRewards" in str(load_scenario(self.scenario).config.get("strategy", ""))

    def draw(self, results: pl.DataFrame, options: Options) -> Sequence[Path]:
        """The table as CSV and the picture."""
        options.folder.mkdir(parents=True, exist_ok=True)
        rows = summary(results)
        path = options.folder / f"{self.name}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return [path, *draw(rows, self.title, options.folder, self.name)]


def tell(
    scenario: str,
    overrides: Sequence[str],
    size: int,
    rows: int | None,
    seed: int,
    rules: Sequence[str],
    lies: Sequence[str],
) -> Iterator[Row]:
    """A row for each set of rules and lie: what it earned, what honesty would have, and what it cost the others."""
    with importable(Path.cwd()):
        parts = [build(text, OFFER) for text in lies]
    planned = plan(load_scenario(scenario), overrides, seed=seed)
    parties = len(planned.blocks)
    collaboration = Collaboration(planned, seed % parties, size, rows)
    for rule in rules_of(collaboration.synthetic, collaboration.valuation):
        if rule.name not in rules:
            continue
        try:
            honest = collaboration.earned(Honest(), rule)
        except ValueError as error:
            yield {IMPOSSIBLE: f"{rule.name}, seed {seed}: where all are honest, {error}"}
            continue
        for text, lie in zip(lies, parts, strict=True):
            told: dict[str, Any] = {"rules": rule.name, "lie": text.removesuffix("()"), "seed": seed}
            try:
                lied = collaboration.earned(lie, rule)
            except ValueError as error:  # refused: that earns what honesty would not even have
                yield {**told, "refused": str(error)}
                continue
            # How far the honest fell, or rose, the one who fell furthest.
            change = min(lied.alphas[p] / max(honest.alphas[p], 1e-12) - 1.0 for p in honest.alphas)
            yield {
                **told,
                "refused": None,
                "reward": lied.reward,
                "reward_honest": honest.reward,
                "share": lied.share,
                "share_honest": honest.share,
                "utility": lied.utility,
                "utility_honest": honest.utility,
                "alpha_change": change,
            }


def summary(results: pl.DataFrame) -> list[dict[str, Any]]:
    """One row for each set of rules and lie: means over seeds, and standard errors of the differences.

    ``gain`` is the utility of honesty less that of the lie, so that above 0 the lie paid; in nats a prediction, or
    MMD^2.
    """
    rows = []
    if "lie" not in results.columns:
        raise StudyError(f"no seed has a result: {results[IMPOSSIBLE][0]}")
    results = results.filter(pl.col("lie").is_not_null())
    for (rule, lie), group in results.group_by(["rules", "lie"], maintain_order=True):
        came = group.filter(pl.col("refused").is_null())
        if came.is_empty():
            came = came.with_columns(pl.lit(None, pl.Float64).alias(name) for name in NUMBERS)
        gain = (came["utility_honest"] - came["utility"]).to_numpy()
        rows.append(
            {
                "rules": rule,
                "lie": lie,
                "seeds": len(group),
                "refused": len(group) - len(came),
                **_mean("reward_change", (came["reward"] - came["reward_honest"]).to_numpy()),
                **_mean("share_change", (came["share"] - came["share_honest"]).to_numpy()),
                **_mean("gain", gain),
                **_mean("alpha_change", came["alpha_change"].to_numpy()),
            }
        )
    return rows


def _mean(name: str, values: Any) -> Mapping[str, float]:
    n = len(values)
    mean = float(np.mean(values)) if n else float("nan")
    error = float(np.std(values, ddof=1) / np.sqrt(n)) if n > 1 else float("nan")
    return {name: mean, f"{name}_error": error}
