"""Noise that keeps a party's rows private, and the budget that all its releases together stay within.

STORE/_privacy.json       what was released to which run, with how much noise; written before anything is sent
STORE/_releases/RUN.npz   the release itself: who asks again in the same run gets the same numbers, and learns nothing

The noise comes from the operating system. A simulated party draws it from the run's seed, so that a run can be
repeated; its rows are nobody's secret.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import numpy as np

from clients.errors import PartyError
from clients.node_config import Privacy
from guerdon.privacy import epsilon_of, noise_multiplier, together
from guerdon.types import FloatArray
from wire.files import make_folder, read_arrays, write_arrays, write_whole
from wire.formats import PRIVACY, FormatError
from wire.kinds.embeddings import AskedEmbedding
from wire.kinds.statistics import Asked, Sent, content_hash, kept_arrays, restored
from wire.parsing import ParseError, read_json

__all__ = ["Budget", "Release", "allowed", "kept_release", "release", "seeded_normal", "system_normal"]

Normal = Callable[[int], FloatArray]

SUMMANDS = 4
"""Normal numbers added up to one: what their floats look like tells then little of what they were added to (Holohan and
Braghin 2021)."""


@dataclass(frozen=True)
class Release:
    """One release: to which run, when, what it promised, with what multiple of the largest influence as noise."""

    time: str
    run: str
    epsilon: float
    delta: float
    multiplier: float
    asked: str
    sha256: str


@dataclass(frozen=True)
class Budget:
    """All releases of a party's store, the oldest first."""

    store: Path
    releases: tuple[Release, ...]

    @classmethod
    def of(cls, store: Path) -> Self:
        """The releases that were noted in a store.

        Raises
        ------
        PartyError
            They can't be read: nothing is released then, since nobody knows what is spent.
        """
        path = store / "_privacy.json"
        if not path.exists():
            return cls(store, ())
        try:
            found = PRIVACY.read(read_json(path.read_bytes()))
            return cls(store, tuple(Release(**entry) for entry in found["releases"]))
        except (OSError, ParseError, FormatError, KeyError, TypeError) as error:
            raise PartyError(
                "this party's list of private releases can't be read: restore _privacy.json in its store from a copy",
                here=f"{path}: {error}",
            ) from error

    def spent(self, delta: float, *more: float) -> float:
        """The epsilon that all releases have together at this delta, with some ``more`` multipliers."""
        mu = together([*(release.multiplier for release in self.releases), *more])
        return epsilon_of(mu, delta) if mu else 0.0

    def of_run(self, run: str) -> Release | None:
        """What was released to a run."""
        return next((release for release in self.releases if release.run == run), None)

    def require(self, privacy: Privacy, multiplier: float) -> None:
        """Make sure that one more release stays within the party's budget.

        Raises
        ------
        PartyError
        """
        after = self.spent(privacy.delta, multiplier)
        if privacy.budget is not None and after > privacy.budget * (1.0 + 1e-9):
            raise PartyError(
                f"its privacy budget is spent: this release, at epsilon = {privacy.epsilon:g}, would bring all it has "
                f"released to more than privacy-budget = {privacy.budget:g} (delta = {privacy.delta:g})",
                here=f"{len(self.releases)} releases have spent {self.spent(privacy.delta):.4g}, and with this one it "
                f"would be {after:.4g}. A smaller epsilon fits, or a larger privacy-budget in the node config",
            )

    def note(self, release: Release) -> None:
        """Write one more release down."""
        make_folder(self.store)
        entries = [vars(one) for one in (*self.releases, release)]
        write_whole(
            self.store / "_privacy.json", json.dumps(PRIVACY.numbered({"releases": entries}), indent=1).encode()
        )


def kept_release(budget: Budget, run: str, asked: Asked | AskedEmbedding) -> Sent | None:
    """What was released to this run already, to be sent again as it is; None where nothing was.

    Raises
    ------
    PartyError
        The run asks for something else now, or the release is gone: there is one release a run.
    """
    before = budget.of_run(run)
    if before is None:
        return None
    path = budget.store / "_releases" / f"{run}.npz"
    if before.asked != asked.hash:
        raise PartyError(
            "this party has released sums to this run already, and it asks for others now (features, columns or "
            "units): there is one release a run; a run of another name can ask for them"
        )
    try:
        arrays = read_arrays(path)
        party, columns = str(arrays.pop("party")), tuple(map(str, arrays.pop("columns")))
        sums = restored(party, arrays, columns)
    except (OSError, ParseError, KeyError, ValueError) as error:
        raise PartyError(
            "this party has released sums to this run already, and what it released is gone: new noise on the same "
            "rows would be a second release, and there is one a run",
            here=f"{path}: {error}",
        ) from error
    if content_hash(sums) != before.sha256:
        raise PartyError(
            "what this party has released to this run is not what it noted: nothing is sent", here=str(path)
        )
    return sums


def allowed(budget: Budget, asked: Asked | AskedEmbedding, privacy: Privacy) -> float:
    """The multiplier of the noise, once it is known that a release may be made; no row is looked at.

    Raises
    ------
    PartyError
        The run gives no bounds, or the budget does not allow it.
    """
    if not asked.takes_noise:
        raise PartyError(
            "this party sends sums with noise only (epsilon), and this run can't take any: it names no bounds by which "
            "rows could be clipped, or could not learn how noisy outputs are. It takes public rows; or a schema whose "
            "numbers have a minimum and a maximum, and a model whose noise is given"
        )
    multiplier = noise_multiplier(privacy.epsilon, privacy.delta)
    budget.require(privacy, multiplier)
    return multiplier


def release(
    budget: Budget,
    run: str,
    exact: Sent,
    asked: Asked | AskedEmbedding,
    privacy: Privacy,
    multiplier: float,
    normal: Normal,
) -> Sent:
    """The sums with noise, kept and then noted before they are sent: what is kept and not noted was never sent."""
    promised: Any = replace(exact, epsilon=privacy.epsilon, delta=privacy.delta)
    sums: Sent = asked.noisy(promised, multiplier, normal)
    folder = make_folder(budget.store / "_releases")
    names = {"party": np.array(sums.party), "columns": np.array(sums.feature_names)}
    write_arrays(folder / f"{run}.npz", {**kept_arrays(sums), **names})
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    budget.note(Release(now, run, privacy.epsilon, privacy.delta, multiplier, asked.hash, content_hash(sums)))
    return sums


def system_normal(count: int) -> FloatArray:
    """Standard normal numbers (count,) from the operating system's source of randomness."""
    from scipy.special import ndtri

    bits = np.frombuffer(os.urandom(8 * SUMMANDS * count), dtype=np.uint64) >> np.uint64(11)
    uniform = (bits.astype(np.float64) + 0.5) * 2.0**-53
    return np.asarray(ndtri(uniform).reshape(SUMMANDS, count).sum(axis=0) / np.sqrt(SUMMANDS))


def seeded_normal(seed: int, party: str) -> Normal:
    """Draws the noise of a simulated party."""
    rng = np.random.default_rng([seed, *party.encode()])
    return lambda count: rng.standard_normal(count)
