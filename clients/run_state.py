"""What a party has said in a run, kept by itself: it answers by this, whatever order a mediator asks in.

STORE/_runs/RUN.json holds, of one run,

    introduced    a hash of the proposal that it was asked by last; whatever is asked by another one is refused
    contributed   the start of the mediator that it has sent its rows to
    fate          a hash of which rows it sends and which stay, as they were when it first sent something
    scores        what it scored, by stage; each is scored once, and asked again the same numbers are said; where it was
                  not scored since what came was made to tell of single rows, or broke, that is the answer for good
    schemas       hashes of the schemas by which its file was read for this run, where it has confirmed none
    answered      of signed requests, those that it has answered: none is answered twice

A mediator that died before an answer arrived starts anew, introduces its proposal again, and may ask for the same rows
again; for others, or by other terms, it has to start a run of another name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from clients.errors import PartyError
from wire.files import make_folder, write_whole
from wire.formats import RUN_STATE, FormatError
from wire.messages import Proposal
from wire.parsing import read_json
from wire.schema import Schema
from wire.signing import Proof

__all__ = ["RunState"]

MAX_SCHEMAS = 20
"""By so many schemas that it has not confirmed a party's file is read, over all runs."""

CHANGED = (
    "has changed since this party sent its rows to this run, so that what is held out can't be told from what was sent"
)


@dataclass(frozen=True)
class RunState:
    """The state of one run at a party; what is changed in ``content`` is written at once."""

    path: Path
    content: dict[str, Any]

    @classmethod
    def of(cls, store: Path, run: str) -> Self:
        """The state that lies in a party's store, empty before the run has asked.

        Raises
        ------
        PartyError
            It can't be read: nothing is answered then, since nobody knows what was.
        """
        path = store / "_runs" / f"{run}.json"
        before = [other.stem for other in path.parent.glob("*.json") if other.stem.casefold() == run.casefold()]
        if before and run not in before:
            raise PartyError(
                f"a run of the name {before[0]} has asked before, which is the same name where capitals don't count: "
                "take another one"
            )
        if not path.exists():
            return cls(path, {})
        try:
            return cls(path, RUN_STATE.read(read_json(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError, FormatError) as error:
            raise PartyError(
                f"this party's state of run {run} can't be read: restore _runs/{run}.json in its store from a copy, or "
                "take another name for the run",
                here=f"{path}: {error}",
            ) from error

    @property
    def contributed(self) -> bool:
        """Whether rows have been sent to this run."""
        return "contributed" in self.content

    # What is asked.

    def hear(self, proof: Proof | None) -> None:
        """Take note of a signed request before it is answered.

        Raises
        ------
        PartyError
            It has been answered before: the mediator signs each request anew, so somebody says an old one again.
        """
        if proof is None:
            return
        # Of (r, s), (r, -s) is a signature too, which anybody can make of it: r tells requests apart.
        r, _ = decode_dss_signature(bytes.fromhex(proof.signature))
        mark = hashlib.sha256(str(r).encode()).hexdigest()[:24]
        if mark in self.content.get("answered", ()):
            raise PartyError("this very request has been answered already; it is answered once")
        self._keep(answered=[*self.content.get("answered", ()), mark])

    def read_by(self, schema: Schema) -> None:
        """Take note of a schema by which the file is about to be read: what it says of it, where it can't be read so,
        answers a question (are there ages above 90?), and hundreds of questions tell rows.

        Raises
        ------
        PartyError
            There were ``MAX_SCHEMAS`` others.
        """
        known = {name for other in (self, *self._others()) for name in other.content.get("schemas", ())}
        if schema.hash in known:
            return
        if len(known) >= MAX_SCHEMAS:
            raise PartyError(
                f"its file has been read by {MAX_SCHEMAS} different schemas already, and is read by another one only "
                f'if the party has confirmed it: confirm-schema="{schema.hash}" in its node config'
            )
        self._keep(schemas=[*self.content.get("schemas", ()), schema.hash])

    def introduce(self, proposal: Proposal) -> None:
        """The run has said what it is for: from now on that, and nothing else, is answered."""
        self._keep(introduced=_hash(proposal), again=True)

    def require_introduced(self, proposal: Proposal) -> None:
        """Make sure that this very proposal was introduced.

        Raises
        ------
        PartyError
        """
        introduced = self.content.get("introduced")
        if introduced != _hash(proposal):
            how = "was never introduced to this party" if introduced is None else "is not what was introduced"
            raise PartyError(
                f"what this request is for {how} (terms, parties, schema, retain-until, dry run): introduce it first"
            )

    # What is answered.

    def contribute(self, fate: str, proof: Proof | None) -> None:
        """Take note of rows that are about to be sent.

        Raises
        ------
        PartyError
            Rows have been sent to this run, and these are others, or the mediator has not started anew since.
        """
        start = proof.nonce if proof else ""
        before = self.content.get("contributed")
        if before is not None:
            if self.content["fate"] != fate:
                raise PartyError(
                    "this party has sent rows to this run already, and its file holds others now: a run of another "
                    "name can ask for them"
                )
            if not self.content.get("again") or (start and start == before["start"]):
                raise PartyError("this party has sent its rows to this run already; they are sent once")
        self._keep(contributed={"start": start}, fate=fate, again=False)

    def settle(self, fate: str, file: str, *, must_be: bool) -> None:
        """Compare which rows are sent and which stay with what it was when something was first sent.

        Raises
        ------
        PartyError
            It ``must_be`` the same and is not.
        """
        first = self.content.get("fate")
        if first is None and must_be:
            raise PartyError("this party has sent nothing to this run: there is nothing to score")
        if first is None:
            self._keep(fate=fate)
        elif must_be and first != fate:
            raise PartyError(f"its file {file} {CHANGED}: nothing is scored. With the file as it was, it would be")

    def scores(self, stage: str) -> dict[str, Any] | None:
        """What was scored in a stage: ``scores`` in full, none where it failed, and ``held``, on how many rows; None
        before."""
        found: dict[str, Any] | None = self.content.get("scores", {}).get(stage)
        return found

    def keep_scores(self, stage: str, scores: Mapping[str, float], held: int, *, said: bool) -> None:
        """Keep what was scored, for whoever asks again, and whether it was said to the mediator."""
        self._keep_stage(stage, {"scores": dict(scores), "held": held, "said": said})

    def keep_failure(self, stage: str, held: int, *, said: bool) -> None:
        """Keep that a stage could not be scored."""
        self._keep_stage(stage, {"held": held, "said": said})

    @property
    def has_said_scores(self) -> bool:
        """Whether the mediator was told a score, or that there is none."""
        return any(stage.get("said", True) for stage in self.content.get("scores", {}).values())

    def others_scored(self) -> int:
        """How many other runs were told a score."""
        return sum(other.has_said_scores for other in self._others())

    def _others(self) -> list[RunState]:
        paths = self.path.parent.glob("*.json")
        return [RunState.of(path.parents[1], path.stem) for path in paths if path != self.path]

    def _keep_stage(self, stage: str, found: Mapping[str, Any]) -> None:
        self._keep(scores={**self.content.get("scores", {}), stage: found})

    def _keep(self, **more: Any) -> None:
        self.content.update(more)
        make_folder(self.path.parent)
        write_whole(self.path, json.dumps(RUN_STATE.numbered(self.content), indent=1).encode())


def _hash(proposal: Proposal) -> str:
    return hashlib.sha256(json.dumps(asdict(proposal), sort_keys=True).encode()).hexdigest()
