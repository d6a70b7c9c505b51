"""What a party sends where a run asks for statistics: sums over its rows, with noise where it wants that."""

from __future__ import annotations

from dataclasses import replace
from logging import INFO, WARNING
from typing import Any

import numpy as np
from flwr.app import Context, RecordDict
from flwr.common.logger import log

from clients.answering import Party
from clients.approval import running_app
from clients.disclosure import CONTRIBUTE, ROWS, check_difference, remember
from clients.errors import PartyError
from clients.node_config import Privacy
from clients.privacy import Budget, allowed, kept_release, release, seeded_normal, system_normal
from guerdon.mean_embedding import LEAST_ROWS
from guerdon.types import Contribution
from wire.kinds.embeddings import EMBEDDING, AskedEmbedding, PartyEmbedding, announced
from wire.kinds.statistics import Asked, PartySums, Sent, content_hash, encode_sums, least_rows

__all__ = ["asks_for_sums", "send_sums"]

MOST_SPREAD = 100.0
"""Length-scales that a column's standard deviation may be without noise: beyond, each row is a peak by itself."""

FARTHEST = 1e100
"""Numbers beyond this are cut off where a private party embeds its rows."""


def asks_for_sums(party: Party) -> bool:
    """Whether this run asks for sums in the place of rows.

    Raises
    ------
    PartyError
        It asks for something that nobody here knows.
    """
    said = party.proposal.terms.get(CONTRIBUTE, ROWS)
    if said not in (ROWS, "statistics"):
        raise PartyError(f"this run asks to contribute {said!r}; a party contributes rows or statistics")
    return said == "statistics"


def send_sums(party: Party, asked: Asked | AskedEmbedding, context: Context) -> RecordDict:
    """The party's answer: sums over the rows that are not held out, noted in its ledger.

    Raises
    ------
    PartyError
        It sends none, with the reason.
    """
    _check_announced(party, asked)
    data, store, run = party.data, party.file.store, party.proposal.run
    own, privacy = data.contribution, party.file.privacy
    told: dict[str, Any] = {}
    sums: Sent
    if privacy is None:
        check_difference(store, context.node_config, run, own)
        sums, _ = _taken(own, asked, None)
        party.run.contribute(data.fate, party.proof)
        remember(store, run, own)
    else:
        seed = int(str(context.run_config.get("seed", 0)))
        normal = seeded_normal(seed, party.name) if party.file.simulated else system_normal
        budget = Budget.of(store)
        kept = kept_release(budget, run, asked)
        if kept is not None:  # whatever has become of the rows since, which nobody is told
            party.run.contribute(party.run.content.get("fate", data.fate), party.proof)
            sums, told = kept, {"again": True}
        else:
            multiplier = allowed(budget, asked, privacy)
            exact, clipped = _taken(own, asked, privacy)
            party.run.contribute(data.fate, party.proof)
            sums, told = release(budget, run, exact, asked, privacy, multiplier, normal), {"clipped": clipped}
            _tell(party.name, Budget.of(store), privacy, clipped, len(own))
        told |= {"epsilon": sums.epsilon, "delta": sums.delta}
    party.note(
        "contributed",
        contributed="statistics",
        sha256=content_hash(sums),
        asked=asked.hash,
        rows=len(own),
        columns=own.X.shape[1],
        features=asked.width,
        **told,
        terms=dict(party.proposal.terms),
        schema=party.file.schema.hash if party.file.schema else "",
        app=running_app(),
    )
    return encode_sums(sums, data.target)


def _check_announced(party: Party, asked: Asked | AskedEmbedding) -> None:
    """Make sure that what is asked for is what the run's terms say.

    Raises
    ------
    PartyError
    """
    term = party.proposal.terms.get(EMBEDDING)
    if not isinstance(asked, AskedEmbedding):
        if term is not None:
            raise PartyError("this run's terms announce a mean embedding, and it asks for other sums: it sends none")
        return
    z = asked.features
    if term not in (announced(z.frequencies, z.seed), announced(z.frequencies, z.seed, z.lengthscale)):
        said = "announce none" if term is None else f"announce one by {term}"
        raise PartyError(
            f"this run asks for a mean embedding by {announced(z.frequencies, z.seed, z.lengthscale)}, and its terms "
            f"{said}: it sends none"
        )


def _taken(own: Contribution, asked: Asked | AskedEmbedding, privacy: Privacy | None) -> tuple[Sent, int]:
    """What is asked for, without noise, and how many rows were clipped or left out.

    Raises
    ------
    PartyError
    """
    return _embedding(own, asked, privacy) if isinstance(asked, AskedEmbedding) else _sums(own, asked, privacy)


def _embedding(own: Contribution, asked: AskedEmbedding, privacy: Privacy | None) -> tuple[PartyEmbedding, int]:
    """The embedding that is asked for, without noise, and how many rows are of no class that it is asked by."""
    with np.errstate(over="ignore"):
        X, y = asked.scaling.features(own.in_order(asked.columns).X), own.y
    strange = 0
    if asked.classes:
        if y is None:
            raise PartyError("this run asks for sums by class, and there are no labels: name the target column")
        known = np.isin(y, asked.classes)
        strange = int(np.count_nonzero(~known))
        if strange and privacy is None:
            raise PartyError(
                f"{strange} of its {len(y)} labels are none of the {len(asked.classes)} classes that this run asks for"
            )
        X, y = X[known], y[known]
    if privacy is not None:  # that rows can't be embedded in some units would tell of them: they always can
        X = np.clip(X, -FARTHEST, FARTHEST)
    if not np.isfinite(X).all():
        raise PartyError("its rows can't be embedded: in the units that are asked for they are beyond float64")
    if privacy is None and len(X):
        with np.errstate(over="ignore", invalid="ignore"):
            spread = X.std(axis=0) / asked.features.lengthscale
        if not (spread <= MOST_SPREAD).all():
            name = asked.columns[int(np.flatnonzero(~(spread <= MOST_SPREAD))[0])]
            raise PartyError(
                f"its embedding would show single rows: the standard deviation of column {name!r} is more than "
                f"{MOST_SPREAD:g} times the length-scale that is asked for. The run needs a longer one, or larger units"
            )
    found = PartyEmbedding.of(own.party, X, asked.features, y, asked.classes)
    if privacy is None:
        if len(found) < LEAST_ROWS:
            raise PartyError(
                f"an embedding of fewer than {LEAST_ROWS} rows tells nearly the rows themselves, and this is of "
                f"{len(found)}: it sends none"
            )
        found = found.told()
    return replace(found, feature_names=asked.columns), strange


def _sums(own: Contribution, asked: Asked, privacy: Privacy | None) -> tuple[PartySums, int]:
    """The sums that are asked for, without noise, and how many rows were clipped.

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
    if privacy is None and len(own) < least:
        raise PartyError(
            f"sums over fewer than {least} rows, of {asked.width} features, tell nearly the rows themselves, and this "
            f"party has {len(own)} to contribute: it sends none"
        )
    try:
        X, bounds = own.in_order(asked.columns).X, None if privacy is None else asked.bounds
        sums, clipped = sums_of(own.party, X, own.y, asked.features, asked.scaling, bounds)
    except ValueError as error:  # its text can quote the rows
        raise PartyError("its rows can't be summed", here=str(error)) from error
    found = PartySums(own.party, sums.gram, sums.moment, sums.square, sums.rows, feature_names=asked.columns)
    return found, clipped


def _tell(party: str, budget: Budget, privacy: Privacy, clipped: int, rows: int) -> None:
    """In the party's own log, what its privacy comes to."""
    spent, count = budget.spent(privacy.delta), len(budget.releases)
    log(
        INFO,
        "%s: %d of %d rows lay beyond the bounds and were clipped, or of no class that is asked for",
        party,
        clipped,
        rows,
    )
    log(INFO, "%s: %d releases, together epsilon = %.4g at delta = %g", party, count, spent, privacy.delta)
    if privacy.budget is None:
        log(WARNING, "%s: no privacy-budget in the node config limits what all releases come to", party)
