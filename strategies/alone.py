"""What a party can do with its own rows: a model that depends on nobody else, which the party could make itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from guerdon.models import Model
from guerdon.types import Contribution
from wire.text import listed

__all__ = ["Alone", "alone_model", "told"]


class Alone(NamedTuple):
    """The model of one party's rows, and whether it was learned from them or has what a search would start from."""

    party: str
    model: Model
    learned: bool


def alone_model(model: Model, own: Contribution) -> Alone:
    """The model of a run, before it has seen any rows, with its open hyperparameters from one party's rows.

    By maximum likelihood. Where that does not work, since there are too few rows, their outputs do not vary, or they do
    not tell noise from signal, by ``unlearned``: plain values in units of the party's own rows. A model of somebody's
    own has ``alone`` and ``unlearned`` if it likes; else it is fitted, and a failure is the run's.
    """
    prepared: Any = model
    if hasattr(prepared, "alone"):
        prepared = prepared.alone(own)
    if not hasattr(prepared, "unlearned"):
        return Alone(own.party, prepared.fit([own]), True)
    try:
        fitted = prepared.fit([own])
    except ValueError:
        return Alone(own.party, prepared.unlearned(own), False)
    report = getattr(fitted, "report", None)
    if report is not None and report.noise_at_bound:
        return Alone(own.party, prepared.unlearned(own), False)
    return Alone(own.party, fitted, True)


def told(models: Sequence[Alone]) -> str:
    """Whose hyperparameters alone are not learned, and what is taken instead; "" where all are."""
    others = [alone.party for alone in models if not alone.learned]
    if not others:
        return ""
    return (
        f"the own rows of {listed(others)} do not tell the model's hyperparameters: the scores alone stand on plain "
        "values instead, a noise variance of half the variance of its outputs and lengthscales of about the distance "
        "between its rows, never on those of the pool"
    )
