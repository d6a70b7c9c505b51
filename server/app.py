"""The mediator as a Flower ServerApp: config in, strategy through two rounds, run directory out."""

from __future__ import annotations

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

from server.config import ConfigError, RunConfig
from server.report import write_report
from server.run_directory import RunDirectory
from strategies import Session
from strategies.files import read_arrays
from strategies.grid import AttentiveGrid

__all__ = ["app", "mediate"]

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run the strategy that the run config names."""
    mediate(grid, context.run_config)


def mediate(grid: Grid, run_config: Any) -> RunDirectory:
    """Check the config, run the strategy on the grid, and leave everything in the run directory.

    A failure is the last event of the run directory, and is raised.
    """
    config = RunConfig.parse(run_config)
    directory = _open(config)
    try:
        strategy = _strategy(config, directory)
        strategy.start(
            grid=AttentiveGrid(grid, directory.arrived),
            initial_arrays=ArrayRecord(),
            num_rounds=strategy.rounds,
            timeout=config.timeout,
        )
    except Exception as error:
        directory.event("failed", reason=f"{error}" or type(error).__name__)
        raise
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


def _strategy(config: RunConfig, directory: RunDirectory) -> Any:
    strategy, parts, texts = config.build_parts()
    session = Session(
        config.settings(directory.name),
        parts,
        texts,
        directory,
        synthetic=_columns("synthetic-file", config.synthetic_file),
        generator=_generator(config),
        public=_columns("public-file", config.public_file),
    )
    strategy.begin(session)
    return strategy


def _columns(key: str, path: str) -> dict[str, NDArray[np.float64]] | None:
    """The columns of the Parquet file that a key of the config names, where it names one."""
    if not path:
        return None
    try:
        table = pl.read_parquet(Path(path).expanduser()).cast(pl.Float64)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ConfigError(f"{key}: expected a Parquet file of numbers, {error}") from error
    return {name: table[name].to_numpy() for name in table.columns}


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
        actions = {entry["action"] for entry in directory.read_ledger()}
        if "purged" in actions:
            raise ConfigError(f"run-dir: the run in {path} was purged and can't go on; choose another directory")
        if actions and not config.resume:
            raise ConfigError(
                f"run-dir: {path} already holds a run; set resume = true to go on with it, or choose another"
            )
        return directory
    parent = Path(config.output_dir).expanduser() if config.output_dir else Path.home() / "guerdon-runs"
    return RunDirectory.create(parent / f"run-{datetime.now():%Y%m%d-%H%M%S-%f}")
