"""Synthetic rows that exist already, in place of a generator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from guerdon.generators.protocols import GeneratorFitError, SyntheticData

__all__ = ["GivenRows"]


@dataclass(frozen=True, eq=False)
class GivenRows:
    """Hands out the rows given, in their order; has no more than those."""

    data: SyntheticData

    def sample(self, n: int, *, rng: np.random.Generator) -> SyntheticData:
        """The first n rows; ``rng`` is not used.

        Raises
        ------
        GeneratorFitError
            There are fewer.
        """
        if not 1 <= n <= len(self.data):
            raise GeneratorFitError(f"there are {len(self.data)} synthetic rows, {n} were asked for")
        labels = self.data.labels
        return SyntheticData(self.data.points[:n], None if labels is None else labels[:n])

    def describe(self) -> dict[str, Any]:
        return {"generator": "given rows", "rows": len(self.data)}
