"""What a run is doing, while it does it: live on a terminal, one line a stage elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from simulations.events import Event
from wire.text import cleaned

__all__ = ["STAGES", "Progress"]

STAGES = {
    "start": "starting Flower",
    "stop": "stopping Flower",
    "join": "waiting for parties",
    "contribute": "collecting contributions",
    "pool": "pooling",
    "pretrain": "training on public rows",
    "fit": "learning hyperparameters",
    "learn alone": "learning from each alone",
    "uncertainty": "trying others as likely",
    "learn": "rounds of learning",
    "train": "training the generator",
    "value": "valuing coalitions",
    "features": "looking at images",
    "embed": "embedding by UMAP",
    "kernel": "summing the kernel, in %",
    "shapley": "Shapley values",
    "rewards": "deciding rewards",
    "realize": "realizing",
    "audit": "auditing rewards",
    "alone": "scoring alone",
    "deliver": "delivering rewards",
    "score": "scoring rewards",
    "report": "drawing the report",
}
WIDTH = max(len(words) for words in STAGES.values())
BAR = 24


@dataclass
class _Stage:
    name: str
    began: float
    total: int | None = None
    done: int = 0
    latest: str = ""
    spinner: Spinner = field(default_factory=lambda: Spinner("dots", style="cyan"))

    @property
    def words(self) -> str:
        return STAGES.get(self.name, self.name)

    @property
    def count(self) -> str:
        return f"{self.done}/{self.total}" if self.total else ""


class Progress:
    """Context manager that shows a run's events as they come.

    Parameters
    ----------
    console : rich console
        Decides the form: a live line with a spinner and a bar on a terminal, plain lines without colour elsewhere.
    clock : callable
        Seconds, for the elapsed times.
    """

    def __init__(self, console: Console, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._stage: _Stage | None = None
        self._live: Live | None = None

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            self._live = Live(console=self._console, get_renderable=self._render, refresh_per_second=10, transient=True)
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._close(None if self._stage and self._stage.name == "stop" else "stopped")
        if self._live:
            self._live.stop()

    def show(self, event: Event) -> None:
        """Take one event of the run."""
        event = cleaned(event)
        match event["event"]:
            case "stage":
                self._close(None)
                self._stage = _Stage(str(event.get("stage")), self._clock(), _whole(event.get("total")))
            case "progress":
                self._advance(event)
            case "refused":
                reason = escape(str(event.get("reason")))
                self._line(f"[bold red]✗ refused[/] [bold]{escape(str(event.get('party')))}[/]: {reason}")
            case "held back":
                reason = escape(str(event.get("reason")))
                self._line(f"[bold red]✗ held back[/] [bold]{escape(str(event.get('party')))}[/]: {reason}")
            case "note":
                self._line(f"[dim]·[/] {escape(str(event.get('text')))}")
            case "finished":
                self._close(None)
            case "failed":
                self._close("failed")
            case "stopping" if self._stage is None or self._stage.name != "stop":
                self._close("stopped")  # a stage that is open now has not ended by itself
                self._stage = _Stage("stop", self._clock())

    def _advance(self, event: Event) -> None:
        name = str(event.get("stage"))
        if self._stage is None or self._stage.name != name:
            self._close(None)
            self._stage = _Stage(name, self._clock())
        self._stage.done = _whole(event.get("done")) or 0
        self._stage.total = _whole(event.get("total")) or self._stage.total
        self._stage.latest = str(event.get("party") or "")

    def _close(self, how: str | None) -> None:
        """Write the stage that was running down for good."""
        stage, self._stage = self._stage, None
        if stage is None:
            return
        mark = "[bold red]✗[/]" if how else "[green]✓[/]"
        elapsed = f"{self._clock() - stage.began:.1f} s"
        self._line(f"{mark} {stage.words:<{WIDTH}}  {stage.count:>9}  [dim]{elapsed:>8}[/]{f'  {how}' if how else ''}")

    def _line(self, markup: str) -> None:
        self._console.print(markup, highlight=False, soft_wrap=self._live is None)

    def _render(self) -> RenderableType:
        """The stage that is running: spinner, words, bar, count, elapsed time, the party that came last."""
        stage = self._stage
        if stage is None:
            return Group()
        line = Table.grid(padding=(0, 1))
        elapsed = Text(f"{self._clock() - stage.began:5.1f} s", style="dim")
        cells: list[RenderableType] = [stage.spinner, Text(stage.words.ljust(WIDTH))]
        if stage.total:
            cells += [ProgressBar(total=stage.total, completed=stage.done, width=BAR), Text(stage.count)]
        line.add_row(*cells, elapsed, Text(stage.latest, style="dim"))
        return line


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
