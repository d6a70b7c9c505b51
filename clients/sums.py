"""What a party sends where a run asks for statistics: sums over its rows, taken here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flwr.app import RecordDict

from clients.answering import Party
from clients.approval import running_app
from clients.disclosure import check_difference, remember
from clients.errors import PartyError
from guerdon.types import Contribution
from wire.kinds.statistics import Asked, PartySums, content_hash, encode_sums, least_rows

__all__ = ["CONTRIBUTE", "asks_for_sums", "send_sums"]

CONTRIBUTE = "contribute"
"""A term of a run's proposal: statistics where sums are sent; rows are where it says nothing."""


def asks_for_sums(party: Party) -> bool:
    """Whether this run asks for sums in the place of rows.

    Raises
    ------
    PartyError
        It asks for something that nobody here knows.
    """
    said = party.proposal.terms.get(CONTRIBUTE, "rows")
    if said not in ("rows", "statistics"):
        raise PartyError(f"this run asks to contribute {said!r}; a party contributes rows or statistics")
    return said == "statistics"


def send_sums(party: Party, asked: Asked, node_config: Mapping[str, Any]) -> RecordDict:
    """The party's answer: sums over the rows that are not held out, noted in its ledger.

    Raises
    ------
    PartyError
        It sends none, with the reason.
    """
    data = party.data
    own = data.contribution
    check_difference(party.file.store, node_config, party.proposal.run, own)
    sums = _sums(own, asked)
    party.run.contribute(data.fate, party.proof)
    remember(party.file.store, party.proposal.run, own)
    party.note(
        "contributed",
        contributed="statistics",
        sha256=content_hash(sums),
        asked=asked.hash,
        rows=len(own),
        columns=own.X.shape[1],
        features=asked.width,
        terms=dict(party.proposal.terms),
        schema=party.file.schema.hash if party.file.schema else "",
        app=running_app(),
    )
    return encode_sums(sums, data.target)


def _sums(own: Contribution, asked: Asked) -> PartySums:
    """The sums that are asked for, over the rows that are not held out.

    Raises
    ------
    PartyError
        There are too few rows, or they can't be summed.
    """
    from guerdon.models.sums import sums_of  # PyTorch loads with the models, and a party's start needs neither

    if own.y is None:
        raise PartyError("there are no outputs to take sums of: name the target column")
    if own.noise is not None:
        raise PartyError("this party declares a noise of its own (noise), and sums are over rows of one noise variance")
    least = least_rows(asked.width)
    if len(own) < least:
        raise PartyError(
            f"sums over fewer than {least} rows, of {asked.width} features, tell nearly the rows themselves, and this "
            f"party has {len(own)} to contribute: it sends none"
        )
    try:
        X = own.in_order(asked.columns).X
        sums, _ = sums_of(own.party, X, own.y, asked.features, asked.scaling)
    except ValueError as error:  # its text can quote the rows
        raise PartyError("its rows can't be summed", here=str(error)) from error
    return PartySums(own.party, sums.gram, sums.moment, sums.square, sums.rows, feature_names=asked.columns)
