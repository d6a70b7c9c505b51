"""The mediator as a Flower ServerApp: config in, strategy through two rounds, run directory out."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import polars as pl
from flwr.app import ArrayRecord, Context
from flwr.common.logger import log
from flwr.serverapp import Grid, ServerApp
from numpy.typing import NDArray

from guerdon import __version__
from server.config import ConfigError, RunConfig
from server.report import write_report
from server.run_directory import RunDirectory
from strategies import Session
from strategies.grid import AttentiveGrid
from wire.files import read_arrays
from wire.signing import fingerprint
from wire.text import tidy

__all__ = ["app", "mediate"]

app = ServerApp()

SIMULATION = "flwr-simulation"
"""What Flower calls a run whose parties it runs itself."""


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run the strategy that the run config names."""
    simulated = grid.run.primary_task_type == SIMULATION
    mediate(grid, context.run_config, app_sha256=grid.run.fab_hash, simulated=simulated)


def mediate(grid: Grid, run_config: Any, app_sha256: str = "", *, simulated: bool = False) -> RunDirectory:
    """Check the config, run the strategy on the grid, and leave everything in the run directory.

    ``app_sha256`` is the hash of the app bundle that the parties run, for the ledger; ``simulated`` is whether Flower
    runs the parties too, on this machine. A failure is the last event of
    the run directory, and is raised.
    """
    config = RunConfig.parse(run_config)
    directory = _open(config)
    before = config.resume and directory.pooled_before("discloses-rows")
    if before:  # its parties sent their rows to a run whose terms had no such word, and get what they were promised
        config = config.model_copy(update={"discloses_rows": True})
    try:
        strategy, session = _strategy(config, directory, simulated, before)
        strategy.begin(session)
        directory.ledger("started", **_circumstances(config, session, app_sha256))
        if config.dry_run:
            strategy.rehearse(grid)
        else:
            strategy.start(
                grid=AttentiveGrid(
                    grid,
                    directory.arrived,
                    tell=lambda text: directory.event("note", text=text),
                    name=lambda node: next((p for p, n in strategy.nodes.items() if n == node), f"node-{node}"),
                ),
                initial_arrays=ArrayRecord(),
                num_rounds=strategy.rounds,
                timeout=config.timeout,
            )
    except Exception as error:
        directory.event("failed", reason=f"{error}" or type(error).__name__)
        raise
    if not config.dry_run:
        _report(directory)
    directory.event("finished")
    log(20, "Run directory: %s", directory.path)
    return directory


def _report(directory: RunDirectory) -> None:
    """Draw the report of a run that is done; what goes wrong with it is said, and the run stays done."""
    directory.event("stage", stage="report", total=None)
    try:
        write_report(directory)
    except Exception as error:
        log(40, "The report could not be drawn", exc_info=True)
        directory.event(
            "note",
            text=f"report.html could not be drawn ({type(error).__name__}: {error}); everything else of the run is "
            "there, and `python -m simulations report RUN` draws it again",
        )


def _strategy(config: RunConfig, directory: RunDirectory, simulated: bool, agreed_before: bool) -> tuple[Any, Session]:
    built = config.build_parts()
    config.require_disclosure(built)
    strategy, parts, texts = built
    session = Session(
        replace(config.settings(directory.name), simulated=simulated, agreed_before=agreed_before),
        parts,
        texts,
        directory,
        synthetic=_columns("synthetic-file", config.synthetic_file),
        generator=_generator(config),
        public=_columns("public-file", config.public_file),
        seal=config.make_seal(directory.name),
    )
    return strategy, session


def _circumstances(config: RunConfig, session: Session, app_sha256: str) -> dict[str, Any]:
    """What the ledger says of a run's start, or of its going on: which code, schema and keys, and until when."""
    schema, seal = session.settings.schema, session.seal
    return {
        "app": app_sha256,
        "version": __version__,
        "dry_run": config.dry_run,
        "schema": schema.hash if schema else "",
        "nonce": seal.nonce if seal else "",
        "keys": {party: fingerprint(key) for party, key in sorted(seal.parties.items())} if seal else {},
        "retain_until": config.retain_until,
    }


def _columns(key: str, path: str) -> dict[str, NDArray[np.float64]] | None:
    """The columns of the Parquet file that a key of the config names, where it names one."""
    if not path:
        return None
    try:
        table = pl.read_parquet(Path(path).expanduser()).cast(pl.Float64)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ConfigError(f"{key}: expected a Parquet file of numbers, {error}") from error
    return {tidy(name): table[name].to_numpy() for name in table.columns}


def _generator(config: RunConfig) -> dict[str, NDArray[Any]] | None:
    """The arrays of the generator-file, where there is one."""
    if not config.generator_file:
        return None
    try:
        return read_arrays(Path(config.generator_file).expanduser())
    except (OSError, ValueError, BadZipFile) as error:
        raise ConfigError(
            f"generator-file: expected the generator.npz of a run, or an npz file of a generator's arrays(), {error}"
        ) from error


def _open(config: RunConfig) -> RunDirectory:
    if config.run_dir:
        path = Path(config.run_dir).expanduser()
        if not path.exists():
            return RunDirectory.create(path)
        directory = RunDirectory(path)
        ledger = directory.read_ledger()
        if any(entry["action"] == "purged" for entry in ledger):
            raise ConfigError(f"run-dir: the run in {path} was purged and can't go on; choose another directory")
        if directory.expired():
            raise ConfigError(
                f"run-dir: the data of the run in {path} were to be kept until {directory.retain_until()} only: purge "
                "it, python -m simulations purge"
            )
        starts = [entry for entry in ledger if entry["action"] == "started"]
        rehearsed = bool(starts) and all(entry["dry_run"] for entry in starts)
        if ledger and not config.resume and not rehearsed:
            raise ConfigError(
                f"run-dir: {path} already holds a run; set resume = true to go on with it, or choose another"
            )
        return directory
    parent = Path(config.output_dir).expanduser() if config.output_dir else Path.home() / "guerdon-runs"
    return RunDirectory.create(parent / f"run-{datetime.now():%Y%m%d-%H%M%S-%f}")
