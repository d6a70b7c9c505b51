"""All pictures of a run, in the order of the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from server.report.coalition_picture import coalition_picture
from server.report.party_pictures import reward_picture, score_pictures, shapley_picture
from server.report.synthetic_pictures import growth_picture, synthetic_pictures
from strategies.report.pictures import Picture

__all__ = ["run_pictures"]


def run_pictures(record: Mapping[str, Any], view: Mapping[str, NDArray[Any]] | None = None) -> list[Picture]:
    """Those that the record has the numbers for.

    Parameters
    ----------
    record : content of allocation.json
    view : what ``strategies.synthetic_view`` kept for the pictures of rows
    """
    first = (coalition_picture(record), shapley_picture(record), reward_picture(record), growth_picture(record))
    drawn = [picture for picture in first if picture is not None]
    return [*drawn, *score_pictures(record), *synthetic_pictures(record, view)]
