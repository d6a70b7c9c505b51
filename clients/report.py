"""A party's own page, ``report.html`` beside its reward: what it may see, and its own rows, which never leave it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from clients.party_data import PartyData
from wire.files import write_whole
from wire.kinds import kind_of
from wire.messages import Reward
from wire.pages.party_page import party_page

__all__ = ["write_report"]


def write_report(
    folder: Path,
    reward: Reward,
    data: PartyData | None = None,
    *,
    alone: Mapping[str, float] | None = None,
    scores: Mapping[str, float] | None = None,
) -> Path:
    """Draw the page of the party that this reward is for; returns the file.

    Parameters
    ----------
    folder : of the reward
    data : the party's own rows, for pictures that only it may see
    alone, scores : what it scored on rows it held out, with its own data alone and with the reward
    """
    pictures = kind_of(reward.about).pictures(reward, data, folder)
    page = party_page(reward.about, alone=alone, reward=scores, pictures=pictures)
    path = folder / "report.html"
    write_whole(path, page.encode())
    return path
