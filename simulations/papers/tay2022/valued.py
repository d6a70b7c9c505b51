"""Everything up to the targets of one case, kept as arrays so that every beta and every metric starts from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from guerdon.generators import SyntheticData
from guerdon.types import Contribution, FloatArray
from guerdon.valuation.mmd_game import MaximumMeanDiscrepancyGame
from guerdon.valuation.pair_kernels import pair_kernel
from simulations.datasets import Rows
from simulations.papers.study import StudyError
from simulations.papers.tay2022.cases import Case
from wire.files import make_folder, read_arrays, write_arrays

__all__ = ["Valued", "arrays_path", "kept_arrays", "parties", "value_key"]


def arrays_path(folder: Path, key: str) -> Path:
    """Where the arrays of a task lie."""
    return make_folder(folder / "tay2022") / f"{key.replace('/', '-')}.npz"


def value_key(case: Case) -> str:
    """The key of the task that values a case."""
    return f"{case.key}/value"


def kept_arrays(folder: Path, key: str) -> dict[str, NDArray[Any]]:
    """The arrays of a task that has run.

    Raises
    ------
    StudyError
        They are gone.
    """
    path = arrays_path(folder, key)
    if not path.exists():
        raise StudyError(f"{path} is gone, though {folder / 'tay2022.parquet'} says that it was made: remove that too")
    return read_arrays(path)


@dataclass(frozen=True, eq=False)
class Valued:
    """Five parties, the synthetic pool, the game of both, and what the scheme made of it.

    held_out : unseen real rows; alpha : (5,) Shapley values over the largest; targets : (5,) r_i.
    """

    contributions: tuple[Contribution, ...]
    synthetic: SyntheticData
    held_out: Rows
    game: MaximumMeanDiscrepancyGame
    alpha: FloatArray
    targets: FloatArray

    def save(self, path: Path) -> None:
        labels = self.synthetic.labels
        assert labels is not None  # every data set of the paper has classes
        arrays = {
            "X": np.concatenate([c.X for c in self.contributions]),
            "y": np.concatenate([c.y for c in self.contributions if c.y is not None]),
            "sizes": self.game.sizes,
            "G": self.synthetic.points,
            "labels": labels,
            "test_X": self.held_out.features,
            "test_y": self.held_out.target,
            "lengthscale": np.array(self.game.lengthscale),
            "block_sums": self.game.block_sums,
            "candidate_sums": self.game.candidate_sums,
            "alpha": self.alpha,
            "targets": self.targets,
        }
        write_arrays(path, arrays)

    @classmethod
    def load(cls, folder: Path, key: str) -> Self:
        """What ``save`` kept under this key."""
        kept = kept_arrays(folder, key)
        ends = np.cumsum(kept["sizes"])[:-1]
        contributions = parties(np.split(kept["X"], ends), np.split(kept["y"], ends))
        G, lengthscale = kept["G"], float(kept["lengthscale"])
        game = MaximumMeanDiscrepancyGame(
            contributions,
            G,
            lengthscale,
            pair_kernel(None, lengthscale, kept["X"], G),
            kept["block_sums"],
            kept["candidate_sums"],
            np.ones(len(contributions) + 1),
        )
        held_out = Rows(kept["test_X"], kept["test_y"])
        return cls(contributions, SyntheticData(G, kept["labels"]), held_out, game, kept["alpha"], kept["targets"])

    def reference(self) -> FloatArray:
        """T: all parties' rows, then G."""
        return np.concatenate([*(c.X for c in self.contributions), self.synthetic.points])

    def union(self, party: int, indices: NDArray[np.int64]) -> Rows:
        """D_i u G_i with labels."""
        own, labels = self.contributions[party], self.synthetic.labels
        assert own.y is not None
        assert labels is not None
        return Rows(np.concatenate([own.X, self.synthetic.points[indices]]), np.concatenate([own.y, labels[indices]]))


def parties(X: list[FloatArray], y: list[FloatArray]) -> tuple[Contribution, ...]:
    """party-1, party-2, ... with these rows."""
    return tuple(Contribution(f"party-{i}", *rows) for i, rows in enumerate(zip(X, y, strict=True), start=1))
