"""All pictures of a run, in the order of the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from server.report.coalition_picture import coalition_picture
from server.report.fidelity_pictures import fidelity_pictures
from server.report.party_pictures import reward_picture, score_pictures, shapley_picture
from server.report.synthetic_pictures import growth_picture, synthetic_pictures
from server.report.words import tells
from wire.pages.page import Picture

__all__ = ["run_pictures"]


def run_pictures(record: Mapping[str, Any], view: Mapping[str, NDArray[Any]] | None = None) -> list[Picture]:
    """Those that the record has the numbers for.

    Parameters
    ----------
    record : content of allocation.json
    view : what ``strategies.synthetic_view`` kept for the pictures of rows
    """
    if not record["parties"]:
        return []
    first: list[Picture | None] = []
    if tells(record, "shapley"):
        first += [coalition_picture(record), shapley_picture(record)]
    if tells(record, "value", "target", "ceiling"):
        first.append(reward_picture(record))
    drawn = [picture for picture in (*first, growth_picture(record)) if picture is not None]
    return [*drawn, *score_pictures(record), *fidelity_pictures(record), *synthetic_pictures(record, view)]
