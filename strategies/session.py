"""What a mediator is given for one run, and what it hands back. Strategies know the run directory only as a Journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from numpy.typing import NDArray

from guerdon.types import FloatArray
from wire.defaults import HOLDOUT, MAX_CONTRIBUTION_MB
from wire.messages import Reward
from wire.schema import Schema
from wire.signing import MediatorSeal

if TYPE_CHECKING:
    from guerdon.audit import Disclosure
    from guerdon.models.protocols import Arrays

__all__ = ["Journal", "Outcome", "Session", "Settings", "Unwritten"]


class Journal(Protocol):
    """Where a run is written down as it happens, so that it can be followed, audited and resumed."""

    def event(self, event: str, **fields: Any) -> None:
        """Tell whoever watches: stage, progress, refused, note, finished or failed."""
        ...

    def ledger(self, action: str, **fields: Any) -> dict[str, Any]:
        """Write down who sent or was given what, with its hash; the entry as it was written, with its time."""
        ...

    def save_allocation(self, record: Mapping[str, Any]) -> None: ...
    def load_allocation(self) -> dict[str, Any] | None: ...
    def save_pool(self, contributions: Sequence[Any], about: Mapping[str, Any], beside: Arrays | None = None) -> None:
        """Keep what was pooled, rows or sums, and arrays beside it."""
        ...

    def load_pool(self) -> tuple[list[Any], dict[str, Any]] | None:
        """The pool and what was said of it, with ``features``, the columns' names, and ``beside``, the arrays."""
        ...

    def save_rewards(self, rewards: Mapping[str, Reward], made_with: Mapping[str, str]) -> None: ...
    def load_rewards(self) -> tuple[dict[str, Reward], dict[str, str]] | None: ...
    def save_generator(self, arrays: Arrays) -> None:
        """Keep the state of a generator's training, and at its end the generator; the last one replaces the others."""
        ...

    def load_generator(self) -> dict[str, NDArray[Any]] | None: ...
    def forget_generator(self) -> None:
        """Delete what is kept of its training: the pool that it was trained on is not the run's any more."""
        ...

    def save_samples(self, images: FloatArray) -> None:
        """Show images that the generator drew: (k, height, width, channels), pixels from 0 to 1."""
        ...

    def save_view(self, arrays: Arrays) -> None:
        """Keep what a picture of the allocation shows of the data; see ``synthetic_view``."""
        ...

    def refusals(self) -> dict[str, tuple[str, str]]:
        """Stage and reason of every refusal, in this or an earlier part of the run."""
        ...

    def contributed(self) -> dict[str, dict[str, Any]]:
        """The ledger's last entry on each party's contribution."""
        ...

    def secret_seed(self) -> int:
        """The seed of what is drawn for the rewards, which no party may know; the same whenever this run is resumed."""
        ...

    def noise_key(self) -> int:
        """The seed of what belongs to a row whatever the run, which no party may know: the same in all of a mediator's
        runs, so that repeated runs don't average out what hides a row."""
        ...


@dataclass(frozen=True)
class Unwritten:
    """The journal of an attempt, which leaves no trace: nothing is written down or told, and nothing kept is found.

    Parameters
    ----------
    journal : Journal
        Of the run, for its secret seed.
    """

    journal: Journal

    def event(self, event: str, **fields: Any) -> None: ...
    def ledger(self, action: str, **fields: Any) -> dict[str, Any]:
        return {"action": action, **fields}

    def save_allocation(self, record: Mapping[str, Any]) -> None: ...
    def load_allocation(self) -> None: ...
    def save_pool(
        self, contributions: Sequence[Any], about: Mapping[str, Any], beside: Arrays | None = None
    ) -> None: ...
    def load_pool(self) -> None: ...
    def save_rewards(self, rewards: Mapping[str, Reward], made_with: Mapping[str, str]) -> None: ...
    def load_rewards(self) -> None: ...
    def save_generator(self, arrays: Arrays) -> None: ...
    def load_generator(self) -> None: ...
    def forget_generator(self) -> None: ...
    def save_samples(self, images: FloatArray) -> None: ...
    def save_view(self, arrays: Arrays) -> None: ...
    def refusals(self) -> dict[str, tuple[str, str]]:
        return {}

    def contributed(self) -> dict[str, dict[str, Any]]:
        return {}

    def secret_seed(self) -> int:
        return self.journal.secret_seed()

    def noise_key(self) -> int:
        return self.journal.noise_key()


@dataclass(frozen=True)
class Settings:
    """The protocol's numbers; the names are those of the run config, and what each is by default stands here.

    ``simulated`` is Flower's own word on whether it runs the parties too; they are waited for while their nodes live.
    ``agreed_before`` is whether a run that goes on was agreed on before ``discloses_rows`` was one of its terms.
    """

    run: str
    parties: tuple[str, ...] = ()
    min_parties: int = 2
    min_rows: int = 2
    max_contribution_mb: float = MAX_CONTRIBUTION_MB
    join_timeout: float = 60.0
    timeout: float = 600.0
    seed: int = 0
    standardize: bool | Literal["robust"] = True
    contribute: Literal["rows", "statistics"] = "rows"
    deduplicate: bool | Literal["near"] = False
    on_finding: Literal["note", "refuse"] = "note"
    discloses_rows: bool = False
    reward_precision: float = 2.0
    min_noise: float = 1e-3
    uncertainty: bool = True
    fit: Literal["pool", "leave-one-out median", "party median", "public"] = "pool"
    evidence: bool = False
    audit: bool | Literal["tables"] = "tables"
    max_disclosure: float = 1.0
    private: str = ""
    references: int | Literal["held-out", "public"] = "held-out"
    holdout: float = HOLDOUT
    stop_after: str = ""
    resume: bool = False
    generator_file: str = ""
    public_file: str = ""
    schema: Schema | None = None
    dry_run: bool = False
    retain_until: str = ""
    simulated: bool = False
    agreed_before: bool = False

    @property
    def limits_disclosure(self) -> bool:
        """Whether a reward can be held back for what it gives away."""
        return self.max_disclosure < 1.0

    @property
    def fixed(self) -> dict[str, Any]:
        """What a resumed run may not change: what was pooled, and how."""
        names = (
            *("seed", "holdout", "standardize", "contribute", "deduplicate", "on_finding", "discloses_rows"),
            *("generator_file", "public_file", "references", "fit", "max_disclosure"),
        )
        fixed = {name.replace("_", "-"): getattr(self, name) for name in names}
        return {**fixed, "schema": self.schema.hash if self.schema else ""}


@dataclass(frozen=True)
class Session:
    """Settings, the parts that the run config names (model, shapley, scheme, realization ...), and the journal.

    ``texts`` holds the parts as they were written in the run config; ``synthetic`` the columns of the synthetic rows
    that it names a file of, None where a generator is to make them; ``generator`` the arrays of a trained generator
    that it names a file of, None where one is to be fitted; ``public`` the columns of the public rows that it names a
    file of, if it does; ``seal`` the mediator's key and the parties', where names are worth no more than keys.
    """

    settings: Settings
    parts: Mapping[str, Any]
    texts: Mapping[str, str]
    journal: Journal
    synthetic: Mapping[str, FloatArray] | None = None
    generator: Arrays | None = None
    public: Mapping[str, FloatArray] | None = None
    seal: MediatorSeal | None = None


@dataclass(frozen=True, eq=False)
class Outcome:
    """What valuation and realization came to.

    record : the run's allocation as it goes into allocation.json; alone : what each party could have done by itself;
    rewards : what each party gets, empty where the run stops after valuation; audit : what they give away, one
    ``Disclosure`` a party, found out when it is called; None where nobody knows how.
    """

    record: dict[str, Any]
    alone: Mapping[str, Reward]
    rewards: Mapping[str, Reward]
    audit: Callable[[], Sequence[Disclosure]] | None = None
