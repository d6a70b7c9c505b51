"""What is computed, each thing once: values a case, samples a beta, and what is measured on them.

value -> sample (a beta and a random stream) -> closeness, accuracy
     \\-> embedding
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.svm import SVC

from guerdon.generators import GeneratorFitError, grow_until_feasible
from guerdon.metrics import class_imbalance, knn_kl, wasserstein2_squared
from guerdon.realization import WeightedSampling
from guerdon.rewards import InfeasibleRewardsError, RectifiedRhoShapley
from guerdon.shapley import Auto
from guerdon.valuation import MaximumMeanDiscrepancy
from simulations.datasets import Rows
from simulations.papers.study import ImpossibleTaskError, Options, Task
from simulations.papers.tay2022.cases import Case, chosen_betas
from simulations.papers.tay2022.sources import load_problem, planar
from simulations.papers.tay2022.valued import Valued, arrays_path, kept_arrays, value_key
from wire.files import write_arrays

__all__ = [
    "accuracy",
    "accuracy_tasks",
    "closeness",
    "closeness_tasks",
    "embedding",
    "embedding_key",
    "embedding_tasks",
    "sample",
    "sample_key",
    "sample_tasks",
    "value",
    "value_tasks",
]

SVM_ROWS = 10_000
"""Rows that a support vector machine is trained on at most, drawn at random: its time grows with their square."""

STREAMS = {"credit-ratings": 3}
"""Random streams whose counts |G_i| are averaged, where sampling is cheap; one elsewhere."""

SHOWN = 20_000
"""The first so many points of G are drawn in the pictures; they are independent draws, so any part stands for all."""

Row = dict[str, Any]


def value_tasks(case: Case, options: Options) -> list[Task]:
    """Its data, game, Shapley values and targets."""
    return [Task(value_key(case), value, {"case": case, "folder": options.folder})]


def sample_tasks(case: Case, options: Options, streams: int | None = None) -> list[Task]:
    """G_i of every party for each beta and random stream."""
    number = streams or options.repeats or (1 if options.quick else STREAMS.get(case.dataset, 1))
    return [
        Task(
            sample_key(case, beta, stream),
            sample,
            {"case": case, "folder": options.folder, "beta": beta, "stream": stream},
            (value_key(case),),
        )
        for beta in chosen_betas(options)
        for stream in range(number)
    ]


def closeness_tasks(case: Case, options: Options) -> list[Task]:
    """How close D_i u G_i is to T by the other three metrics, for each beta."""
    return _measured(case, options, "closeness", closeness)


def accuracy_tasks(case: Case, options: Options) -> list[Task]:
    """The SVM's accuracy for each beta."""
    return _measured(case, options, "accuracy", accuracy)


def embedding_tasks(case: Case, options: Options) -> list[Task]:
    """Every point's place in the pictures."""
    arguments = {"case": case, "folder": options.folder}
    return [Task(embedding_key(case), embedding, arguments, (value_key(case),))]


def sample_key(case: Case, beta: int, stream: int = 0) -> str:
    return f"{case.key}/beta{beta}/stream{stream}"


def embedding_key(case: Case) -> str:
    return f"{case.key}/embedding"


def _measured(case: Case, options: Options, name: str, run: Any) -> list[Task]:
    return [
        Task(
            f"{case.key}/beta{beta}/{name}",
            run,
            {"case": case, "folder": options.folder, "beta": beta},
            (sample_key(case, beta),),
        )
        for beta in chosen_betas(options)
    ]


def _rows(case: Case, kind: str, parties: Sequence[Row], **common: Any) -> list[Row]:
    shared = {"kind": kind, "dataset": case.dataset, "split": case.split, **common}
    return [{**shared, "party": i, **row} for i, row in enumerate(parties, start=1)]


def value(case: Case, folder: Path) -> list[Row]:
    """The game with the paper's length-scale, Shapley values, and the linear program's stable targets."""
    data, draw = np.random.default_rng(case.seed).spawn(2)
    try:
        problem = load_problem(case, data)
        pool = grow_until_feasible(
            problem.contributions,
            problem.generator,
            MaximumMeanDiscrepancy(lengthscale="paper"),
            Auto(),
            RectifiedRhoShapley(incentive="stable", epsilon=1e-3),
            size=case.size.synthetic,
            limit=problem.limit,
            rng=draw,
            features=problem.features,
        )
    except (InfeasibleRewardsError, GeneratorFitError) as error:
        raise ImpossibleTaskError(f"{case.label}: {error}") from error
    game, targets, alpha = pool.game, pool.targets, pool.shapley.alpha
    held_out = problem.held_out
    valued = Valued(game.contributions, pool.synthetic, held_out, game, alpha, targets.values)
    valued.save(arrays_path(folder, value_key(case)))
    singles = game(np.eye(game.n, dtype=bool))
    parties = [
        {"alpha": float(a), "alone": float(v), "ceiling": float(c), "target": float(r), "rows": int(m)}
        for a, v, c, r, m in zip(alpha, singles, targets.ceilings, targets.values, game.sizes, strict=True)
    ]
    common = {"maximum": targets.maximum, "rho": targets.rho, "lengthscale": game.lengthscale}
    return _rows(case, "value", parties, **common, synthetic=len(pool.synthetic), test=len(held_out.target))


def sample(case: Case, folder: Path, beta: int, stream: int) -> list[Row]:
    """Weighted sampling of G_i; the counts, what they reach, and the unbiased MMD^2 of D_i u G_i to T."""
    valued = Valued.load(folder, value_key(case))
    rng = np.random.default_rng([case.seed, beta, stream])
    rewards = WeightedSampling(float(beta))(valued.game, valued.targets, rng=rng)
    indices = {f"party{i}": reward.indices for i, reward in enumerate(rewards, start=1)}
    write_arrays(arrays_path(folder, sample_key(case, beta, stream)), indices)
    parties = [
        {
            "count": len(reward.indices),
            "mmd2": reward.mmd2_reached,
            "reached": reward.reached,
            "shortfall": reward.shortfall,
            "stopped": reward.stopped,
            "drift": reward.drift,
            "rises": int(np.count_nonzero(np.diff(reward.values) > 0.0)),
        }
        for reward in rewards
    ]
    return _rows(case, "sample", parties, beta=beta, stream=stream)


def closeness(case: Case, folder: Path, beta: int) -> list[Row]:
    """Reverse KL by nearest neighbours, squared Wasserstein-2 of fitted Gaussians, and class imbalance of D_i u G_i."""
    valued, drawn = Valued.load(folder, value_key(case)), kept_arrays(folder, sample_key(case, beta))
    T = valued.reference()
    classes = np.unique(np.concatenate([c.y for c in valued.contributions if c.y is not None]))
    parties = []
    for i in range(valued.game.n):
        union = valued.union(i, drawn[f"party{i + 1}"])
        parties.append(
            {
                "kl": knn_kl(union.features, T),
                "wasserstein2": wasserstein2_squared(union.features, T),
                "imbalance": class_imbalance(union.target, classes.tolist()),
            }
        )
    return _rows(case, "closeness", parties, beta=beta)


def accuracy(case: Case, folder: Path, beta: int) -> list[Row]:
    """Of a support vector machine (RBF kernel, scikit-learn's defaults) on unseen real rows: trained on D_i u G_i, and
    on D_i alone."""
    valued, drawn = Valued.load(folder, value_key(case)), kept_arrays(folder, sample_key(case, beta))
    test, none = valued.held_out, np.empty(0, dtype=np.int64)
    parties = []
    for i in range(valued.game.n):
        scores = {}
        for name, indices in (("accuracy", drawn[f"party{i + 1}"]), ("accuracy_alone", none)):
            scores[name] = _svm_accuracy(valued.union(i, indices), test, case.seed)
        parties.append(scores)
    return _rows(case, "accuracy", parties, beta=beta)


def _svm_accuracy(rows: Rows, test: Rows, seed: int) -> float:
    """On the test rows, after at most SVM_ROWS of the rows; who has seen one class only predicts that one."""
    chosen = np.random.default_rng(seed).permutation(len(rows.target))[:SVM_ROWS]
    X, y = rows.features[chosen], rows.target[chosen]
    if np.ptp(y) == 0.0:
        return float(np.mean(test.target == y[0]))
    return float(SVC(cache_size=500).fit(X, y).score(*test))


def embedding(case: Case, folder: Path) -> list[Row]:
    """Two coordinates for the parties' rows and the first of G: their own where there are two, else by UMAP."""
    valued = Valued.load(folder, value_key(case))
    count = int(valued.game.sizes.sum()) + SHOWN
    points = planar(valued.reference()[:count], case.seed)
    write_arrays(arrays_path(folder, embedding_key(case)), {"points": points})
    shared = {"kind": "embedding", "dataset": case.dataset, "split": case.split}
    return [{**shared, "points": len(points), "dimensions": valued.game.synthetic.shape[1]}]
