"""A mediator that asks for sums over each party's rows in the place of the rows: what holds for all of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from flwr.app import RecordDict
from numpy.typing import NDArray

from guerdon.plausibility import Finding
from guerdon.scaling import Scaling
from strategies.conversation import Conversation
from strategies.pooling import PoolingMediator
from strategies.session import Session
from wire.kinds import statistics
from wire.kinds.embeddings import AskedEmbedding
from wire.kinds.statistics import Asked
from wire.schema import Column, Schema
from wire.text import listed

__all__ = ["OfSums", "private_note", "scaling_of_bounds"]


class OfSums(PoolingMediator):
    """Comes before the strategy that makes rewards of rows, and says what is asked for and what can't be told."""

    def from_statistics(self) -> Conversation:
        return self

    def begin(self, session: Session) -> None:
        super().begin(session)
        self._wanted: Any = None
        if session.settings.standardize == "robust" and session.public is None:
            raise ValueError(
                'standardize = "robust" takes medians and quartiles, which can\'t be had from sums: take standardize = '
                "true, or name public rows, public-file, whose medians are taken"
            )

    @abstractmethod
    def to_ask(self, columns: Sequence[str]) -> Asked | AskedEmbedding:
        """What sums every party is asked for, over these columns."""

    @property
    def asked(self) -> Any:
        """What sums every party is asked for: known once it is known which columns the parties have."""
        if self._wanted is None:
            self._wanted = self.to_ask(self.introductions[min(self.introductions)].feature_names)
        return self._wanted

    def request(self, party: str) -> RecordDict:
        return statistics.encode_asked(self.asked)

    def accept(self, contribution: Any) -> None:
        """Sums that were read can be used."""

    def misfits(self, contributions: Sequence[Any]) -> dict[str, str]:
        return {}

    def noticed(self, received: Sequence[Any]) -> list[str]:
        return []

    def findings(self, pool: Sequence[Any]) -> list[Finding]:
        return []

    def keep_beside(self) -> dict[str, NDArray[Any]]:
        return statistics.kept_asked(self.asked)

    def take_beside(self, arrays: Mapping[str, NDArray[Any]], columns: Sequence[str]) -> None:
        self._wanted = statistics.restored_any(arrays, columns)


def scaling_of_bounds(schema: Schema | None, *, outputs: bool = True) -> Scaling:
    """From the schema's bounds to -1 and 1, inputs in the order of its features.

    Raises
    ------
    ValueError
        There is no schema, or a number has no bounds; without ``outputs`` the target needs none.
    """
    why = "sums are taken in units that must be known before any row is seen"
    if schema is None:
        raise ValueError(
            f'contribute = "statistics": {why}. Name public rows (public-file), or a schema whose numbers have a '
            "minimum and a maximum (schema-file); or take the columns as they are, standardize = false"
        )
    needed = [c for c in schema.columns if outputs or c.name != schema.target]
    open_ended = [c.name for c in needed if c.numeric and not _is_range(c)]
    if open_ended:
        raise ValueError(
            f'contribute = "statistics": {why}, and the schema gives {listed(open_ended)} no minimum and maximum that '
            "differ: add them, as wide as the column's meaning allows, or name public rows (public-file)"
        )
    centres: list[float] = []
    halves: list[float] = []
    target = (0.0, 1.0)
    for column in needed:
        middle, half = _middle(column)
        if column.name == schema.target:
            target = middle, half
            continue
        own = len(column.features) - column.flag_missing
        centres += [middle] * own + [0.5] * column.flag_missing
        halves += [half] * own + [0.5] * column.flag_missing
    return Scaling(np.array(centres), np.array(halves), *target)


def private_note(private: Sequence[str], simulated: bool) -> str:
    """What is said of the parties that put noise on their sums."""
    return (
        f"{listed(private)} put noise on the sums before sending them; how many rows they have is told with that noise "
        "too"
        + (
            ". In this simulation the noise follows from the run's seed; real parties take theirs from the operating "
            "system"
            if simulated
            else ""
        )
    )


def _is_range(column: Column) -> bool:
    return column.minimum is not None and column.maximum is not None and column.minimum < column.maximum


def _middle(column: Column) -> tuple[float, float]:
    """The middle of a number's or date's range, and half its width; of booleans and categories, that of 0 and 1."""
    low, high = (column.minimum, column.maximum) if column.numeric else (0.0, 1.0)
    return 0.5 * (cast(float, low) + cast(float, high)), 0.5 * (cast(float, high) - cast(float, low))
