"""Run a prepared simulation to its true end, and leave nothing behind."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from simulations.events import Event, EventTail
from simulations.processes import Signals
from simulations.superlink import LaunchError, RunStatus, SuperLink

__all__ = ["NOISE_SEED_VARIABLE", "Outcome", "Watcher", "launch"]

NOISE_SEED_VARIABLE = "GUERDON_NOISE_SEED"
POLL = 0.1  # seconds between looks at events.jsonl
CHECK = 10.0  # seconds of silence until it is asked whether a run still lives, and for how long an answer is awaited
ANSWERS = 3  # questions that the SuperLink may leave unanswered


@dataclass(frozen=True)
class Outcome:
    """How a run truly ended, and why, in a sentence."""

    completed: bool
    reason: str


class Watcher(Protocol):
    """Whoever shows what happens."""

    def show(self, event: Event) -> None:
        """Show one event."""
        ...


def launch(app: Path, run: Path, parties: int, *, watcher: Watcher, noise_seed: int | None = None) -> Outcome:
    """Simulate the prepared run with Flower and Ray and wait for its end.

    Parameters
    ----------
    app : directory of the Flower app (the checkout, or a staged copy with a user's module)
    run : run directory, with ``config.toml`` and the parties' files
    parties : number of simulated SuperNodes
    watcher : is shown each event
    noise_seed : seed of what is drawn for the rewards, in the environment of the processes: a simulation is to be
        reproducible, where a real mediator draws a secret of its own

    Raises
    ------
    StoppedError
        A signal came. As on every other way out, all processes are gone by then.
    """
    variables = {} if noise_seed is None else {NOISE_SEED_VARIABLE: str(noise_seed)}
    tail = EventTail(run / "events.jsonl")
    with Signals() as signals:
        watcher.show({"event": "stage", "stage": "start"})
        try:
            with SuperLink(signals, variables=variables) as superlink:
                identifier = superlink.submit(app, run / "config.toml", parties)
                try:
                    trouble = _follow(superlink, identifier, tail, signals, watcher)
                finally:
                    _show_new(tail, watcher)
                    watcher.show({"event": "stopping"})
                    _save_log(superlink, identifier, run / "server.log", whole=tail.ended)
                return Outcome(False, trouble) if trouble else _judge(_status(superlink, identifier, signals), tail)
        except LaunchError as error:
            return Outcome(False, str(error))


def _follow(superlink: SuperLink, run: str, tail: EventTail, signals: Signals, watcher: Watcher) -> str | None:
    """Show events until the ServerApp or the run has ended; a sentence where Flower itself broke down."""
    check_at = time.monotonic() + CHECK
    while True:
        if _show_new(tail, watcher):
            check_at = time.monotonic() + CHECK
        if tail.ended:
            return None
        if trouble := superlink.trouble():
            return trouble
        if time.monotonic() > check_at:
            status = superlink.status(run, within=CHECK)  # nothing is shown meanwhile
            if status is not None and status.finished:
                return None
            check_at = time.monotonic() + CHECK
        signals.pause(POLL)


def _show_new(tail: EventTail, watcher: Watcher) -> bool:
    """Show what has happened since the last call; whether anything has."""
    events = tail.read()
    for event in events:
        watcher.show(event)
    return bool(events)


def _status(superlink: SuperLink, run: str, signals: Signals) -> RunStatus | None:
    for _ in range(ANSWERS):
        if (status := superlink.status(run)) is not None:
            return status
        signals.pause(1.0)
    return None


def _judge(status: RunStatus | None, tail: EventTail) -> Outcome:
    """Flower's word and the ServerApp's last event together: only both make a completed run.

    A run with a client that never answers stays "running" for minutes after its ServerApp; that one is completed too.
    """
    tail.read()
    last = tail.last or {"event": "nothing"}
    if last["event"] == "failed":
        return Outcome(False, str(last.get("reason") or "the ServerApp failed without giving a reason"))
    if status is None:
        return Outcome(False, "Flower did not say how the run ended")
    if status.finished and status.text != "finished:completed":
        return Outcome(False, f"Flower ended the run as {status.text}: {status.details or 'no reason given'}")
    if last["event"] != "finished":
        return Outcome(False, "the ServerApp ended before it had finished its work")
    if not status.finished:
        return Outcome(True, "the ServerApp finished; a party that never answered was still running and was stopped")
    return Outcome(True, "completed")


def _save_log(superlink: SuperLink, run: str, path: Path, *, whole: bool) -> None:
    """Append the ServerApp's log; the whole one ends with the run, so that this also waits for Flower to finish it."""
    text = superlink.trouble() or superlink.log(run, whole=whole)
    with path.open("a", encoding="utf-8") as stream:
        stream.write(text)
