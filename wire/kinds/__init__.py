"""One module for each kind of thing exchanged: what it is, how it travels, is kept, scored, applied and shown.

``kind_of`` finds what is known of a reward or of a record; nothing outside these modules asks which kind it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from numpy.typing import NDArray

from wire.kinds import rows, statistics
from wire.kinds.classification import Classification
from wire.kinds.classifier import Classifier
from wire.kinds.columns import Column
from wire.kinds.kind import Kind, understood
from wire.kinds.model import Model
from wire.kinds.synthetic import Synthetic
from wire.kinds.withheld import Withheld
from wire.pages.glossary import MEANINGS

__all__ = ["KINDS", "Brought", "Column", "Kind", "brought", "columns_of", "kind_of", "understood"]

KINDS: Mapping[str, Kind] = {
    **{kind.name: kind for kind in (Model(), Classification(), Synthetic(), Classifier(), Withheld())},
    "learning": Classifier(),  # as records of federated learning said until 0.1
}
"""What is known of the kinds of rewards, by the name that ``about["kind"]`` and ``record["kind"]`` have."""

OWN = Kind()


def kind_of(said: Mapping[str, Any]) -> Kind:
    """The kind that a reward's ``about`` or a run's record says it is of; of an unknown one, what holds for all."""
    return KINDS.get(str(said.get("kind") or Model.name), OWN)


class Brought(Protocol):
    """What is known of what parties contribute: how it is kept, and its hash."""

    def kept_arrays(self, part: Any, /) -> dict[str, NDArray[Any]]: ...
    def restored(self, party: str, arrays: Mapping[str, NDArray[Any]], features: Sequence[str] | None, /) -> Any: ...
    def content_hash(self, part: Any, /) -> str: ...


def brought(contribute: str | None) -> Brought:
    """What parties contribute, by the run config's ``contribute``; rows before there was such a key."""
    kinds: Mapping[str, Brought] = {"rows": rows, "statistics": statistics}
    return kinds[contribute or "rows"]


def columns_of(record: Mapping[str, Any]) -> list[Column]:
    """The columns of a run's table: the strategy's own where it names them, else those of the kind.

    A column that no party has anything in is left out; facts of a realization that the kind knows nothing of get one.

    Parameters
    ----------
    record : mapping
        The content of allocation.json.
    """
    known = kind_of(record).columns(record)
    own = record.get("columns")
    columns = list(known)
    if own is not None:
        by_place = {place: column for column in known for place in column.places}
        columns = [_headed(header, by_place.get(place) or _named(header, place)) for header, place in own]
    columns += [_named(name.replace("_", " "), name) for name in record.get("facts_of_rewards") or ()]
    return [column for column in columns if any(column.cell(party) != "–" for party in record["parties"])]


def _headed(header: str, column: Column) -> Column:
    """The column under the strategy's own header."""
    return column if column.header == header else replace(column, header=header, title="")


def _named(header: str, place: str) -> Column:
    """A column of a strategy's own, grouped by where it stands."""
    last = place.rsplit("->", 1)[-1].strip()
    scores = last.startswith(("reward.", "alone."))
    meaning = MEANINGS.get(last.rsplit(".", 1)[-1], "")
    return Column(header, place, meaning=meaning, group="scores" if scores else "reward")
