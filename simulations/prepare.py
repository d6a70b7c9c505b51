"""A run made ready: everything checked first, then the run directory with the parties' files and the run config."""

from __future__ import annotations

import json
import shutil
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import tomli_w
from numpy.typing import NDArray

from guerdon.plugins import PluginError, build
from server.config import PART_KEYS, ConfigError, RunConfig, parts_taken
from server.run_directory import RunDirectory, RunDirectoryError
from simulations import datasets, partitions
from simulations.datasets import Dataset, Rows
from simulations.lies.told import keep as keep_lie
from simulations.lies.told import tell_of, told_lie
from simulations.overrides import OverrideError, parse_overrides
from simulations.own_data import KEYS, OWN_DATA, is_data_file
from simulations.own_files import OwnFiles, OwnFilesError, Read, strategy_for
from simulations.scenarios import Scenario
from simulations.staging import CHECKOUT, StagingError, check_modules, importable, stage
from wire.files import write_arrays
from wire.parsing import ParseError, read_json, read_toml

__all__ = ["Plan", "PrepareError", "Prepared", "plan", "prepare", "prepare_resume"]

CONFIG = "config.toml"
SYNTHETIC = "synthetic.parquet"
PUBLIC = "public.parquet"
SCHEMA = "schema.toml"
SET_BY_PREPARE = {
    **dict.fromkeys(KEYS, f"there is no such key. {OWN_DATA}"),
    "run-dir": "the run directory is made new for every run; choose its parent with --output-dir",
    "data-dir": "the parties' files are written into the run directory, from the data set; choose its parent with "
    f"--output-dir. {OWN_DATA}",
    "resume": "use the command `resume RUN` to go on with an earlier run",
}
OF_FILES = {
    "dataset": "the run is on files of your own, so there is no data set to choose",
    "partition": "the run is on files of your own, so there is nothing to divide",
    "parties": "the files are the parties: name them as --data NAME=FILE",
    "target": "with files of your own, say --target NAME",
    "schema-file": "with files of your own, say --schema FILE",
}
FIXED_BY_THE_RUN = dict.fromkeys(
    (
        *("dataset", "partition", "parties", "target", "noise-column", "holdout", "seed"),
        *("synthetic-file", "generator-file", "public-file", "schema-file"),
        *("strategy", "model", "generator", "features", "valuation", "shapley", "standardize", "deduplicate"),
        *("contribute", "private", "on-finding", "references", "fit", "max-disclosure"),
        *("run-dir", "data-dir", "output-dir", "resume"),
    ),
    "a resumed run keeps its data, its values and its place; prepare a new run to change them",
)


class PrepareError(ValueError):
    """The run can't be made ready; the message lists what to mend, one a line."""


@dataclass(frozen=True)
class Prepared:
    """A run that can be launched.

    run : its directory; app : the Flower app to submit (the checkout, or a staged copy with the user's own modules);
    notes : what the user should know of how the config was made; read : the files of the user's own, where it runs on
    these.
    """

    run: Path
    app: Path
    config: RunConfig
    notes: tuple[str, ...] = ()
    read: Read | None = None

    @property
    def parties(self) -> tuple[str, ...]:
        """Names in the order of the partition ids."""
        return tuple(read_json((self.run / "data" / "parties.json").read_bytes()))


@dataclass(frozen=True, eq=False)
class Plan:
    """A run of which nothing is written yet.

    config, given : typed, and as it was given; dataset, blocks : the data, and the rows of each party; sources : the
    user's own modules; left_out : notes on what of the scenario is left out.
    """

    config: RunConfig
    given: Mapping[str, Any]
    dataset: Dataset
    blocks: tuple[NDArray[np.intp], ...]
    sources: set[Path]
    left_out: tuple[str, ...]


def prepare(
    scenario: Scenario,
    overrides: Iterable[str] = (),
    *,
    parties: int | None = None,
    seed: int | None = None,
    output_dir: Path | None = None,
    caller: Path | None = None,
    lie: str = "",
) -> Prepared:
    """Check everything, then write a new run directory.

    Parameters
    ----------
    scenario : what to simulate
    overrides : ``key=value`` texts for the run config, which win over the scenario's
    parties, seed, output_dir : shorthands for the number of parties and the keys ``seed`` and ``output-dir``
    caller : directory of the user's own modules and the default ``runs`` (the working directory)
    lie : ``PARTY=Lie(...)``, what a party sends in the place of its rows (``simulations.lies``)

    Raises
    ------
    PrepareError
        Something is wrong with the config, the parts or the data. Nothing was written then.
    """
    caller = (caller or Path.cwd()).resolve()
    if scenario.data is not None:
        if lie:
            raise PrepareError("--lie is for scenarios; with files of your own, send a file that lies")
        return _prepare_files(scenario, scenario.data, overrides, parties, seed, output_dir, caller)
    planned = plan(scenario, overrides, parties=parties, seed=seed, output_dir=output_dir, caller=caller)
    config, given, dataset = planned.config, planned.given, planned.dataset
    files = {
        party: Rows(dataset.features[rows], dataset.target[rows])
        for party, rows in zip(config.parties.split(","), planned.blocks, strict=True)
    }
    told = about = None
    if lie:
        try:
            told = told_lie(planned, lie, caller)
            about = tell_of(planned, told)
        except (PluginError, StagingError) as error:
            raise PrepareError(str(error)) from error
        except ValueError as error:
            raise PrepareError(f"--lie {lie!r}: {error}") from error
        del files[told.party]
        files |= {c.party: Rows(c.X, np.asarray(c.y)) for c in told.sent}
    run = _new_directory(Path(config.output_dir), scenario.name)
    _write_data(run / "data", dataset, files)
    if told is not None and about is not None:
        _write_rows(run / f"true-{told.party}", dataset, Rows(told.true.X, np.asarray(told.true.y)))
        keep_lie(run, about)
    target = config.target or dataset.target_name
    final = config.to_toml_dict() | {
        "parties": ",".join(files),
        "run-dir": str(run),
        "data-dir": str(run / "data"),
        "target": target,
    }
    if dataset.synthetic is not None and not config.synthetic_file and "generator" not in given:
        _table(dataset, dataset.synthetic).write_parquet(run / SYNTHETIC)
        final["synthetic-file"] = str(run / SYNTHETIC)
    if dataset.public is not None and not config.public_file:
        _table(dataset, dataset.public).write_parquet(run / PUBLIC)
        final["public-file"] = str(run / PUBLIC)
    schema = dataset.schema or (dataset.bounds if config.contribute == "statistics" else "")
    if schema and not config.schema_file:
        (run / SCHEMA).write_text(schema, encoding="utf-8")
        final["schema-file"] = str(run / SCHEMA)
    (run / CONFIG).write_text(tomli_w.dumps(final), encoding="utf-8")
    app = stage(planned.sources, run / "app") if planned.sources else CHECKOUT
    return Prepared(run, app, RunConfig.parse(final), planned.left_out)


def plan(
    scenario: Scenario,
    overrides: Iterable[str] = (),
    *,
    parties: int | None = None,
    seed: int | None = None,
    output_dir: Path | None = None,
    caller: Path | None = None,
) -> Plan:
    """Check everything that ``prepare`` does, with the same arguments, and write nothing.

    Raises
    ------
    PrepareError
    """
    caller = (caller or Path.cwd()).resolve()
    try:
        chosen = parse_overrides(overrides, SET_BY_PREPARE)
        with importable(caller):
            given, left_out = _for_its_strategy(dict(scenario.config) | chosen, chosen)
        given |= _places(given, seed, output_dir, caller)
        given["parties"] = ",".join(_party_names(given.get("parties"), parties, scenario.parties))
        with importable(caller) as sources:
            config = _check(given, caller)
        with importable(caller):
            dataset, blocks = _divide(config)
    except (OverrideError, ConfigError, StagingError, PluginError, RunDirectoryError) as error:
        raise PrepareError(str(error)) from error
    return Plan(config, given, dataset, blocks, sources, left_out)


def _places(given: Mapping[str, Any], seed: int | None, output_dir: Path | None, caller: Path) -> dict[str, Any]:
    """The seed and the folder of runs, where the command line has the last word."""
    folder = output_dir or Path(str(given.get("output-dir") or "runs"))
    place = {"output-dir": str(caller / folder.expanduser())}
    return place if seed is None else {"seed": seed, **place}


def _prepare_files(
    scenario: Scenario,
    own: OwnFiles,
    overrides: Iterable[str],
    parties: int | None,
    seed: int | None,
    output_dir: Path | None,
    caller: Path,
) -> Prepared:
    """The same for files of the user's own: the parties are the files, and a schema says how they are read."""
    notes: tuple[str, ...] = ()
    try:
        if parties is not None:
            raise OverrideError(f"--parties {parties}: the files are the parties, so there is nothing to choose")
        chosen = parse_overrides(overrides, SET_BY_PREPARE | OF_FILES)
        read = own.read()
        suits, why = strategy_for(read.schema)
        with importable(caller):
            given = {key: value for key, value in scenario.config.items() if key not in OF_FILES} | chosen
            given, left_out = _for_its_strategy(given, chosen)
        notes = (*left_out, *read.notes)
        if not given.get("strategy"):
            notes = (*notes, f"{why}: strategy = {suits!r}; --strategy chooses another")
            given["strategy"] = suits
        given |= {**_places(given, seed, output_dir, caller), "parties": ",".join(read.parties)}
        with importable(caller) as sources:
            config = _check(given, caller)
    except (OverrideError, ConfigError, StagingError, PluginError, RunDirectoryError, OwnFilesError) as error:
        raise PrepareError("\n".join([str(error), *notes])) from error
    run = _new_directory(Path(config.output_dir), scenario.name)
    final = config.to_toml_dict() | {"run-dir": str(run), "data-dir": str(run / "data"), "target": read.schema.target}
    final["schema-file"] = str(read.write(run))
    (run / CONFIG).write_text(tomli_w.dumps(final), encoding="utf-8")
    app = stage(sources, run / "app") if sources else CHECKOUT
    return Prepared(run, app, RunConfig.parse(final), notes, read)


def _for_its_strategy(given: dict[str, Any], chosen: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The config without parts of the scenario that a strategy chosen for it does not take, and a note on each."""
    if "strategy" not in chosen:
        return given, ()
    takes = parts_taken(str(chosen["strategy"]))
    own = [key for key in PART_KEYS if key != "strategy" and given.get(key) and key not in chosen]
    strange = [] if takes is None else [key for key in own if key not in takes]
    notes = tuple(
        f"the scenario's {key} = {given[key]!r} is left out: {chosen['strategy']} takes no {key}" for key in strange
    )
    return {key: value for key, value in given.items() if key not in strange}, notes


def prepare_resume(run: Path, overrides: Iterable[str] = (), *, caller: Path | None = None) -> Prepared:
    """Make an earlier run ready to go on: same data, ``resume = true``, and the overrides.

    ``stop-after`` is cleared unless an override sets it. The config so far is kept as ``config.<k>.toml``.

    Raises
    ------
    PrepareError
        The directory is not one of a run that can go on, or something is wrong with the config. Nothing was changed.
    """
    run, caller = run.resolve(), (caller or Path.cwd()).resolve()
    path = run / CONFIG
    if not path.is_file() or not (run / "data" / "parties.json").is_file():
        lacks = CONFIG if not path.is_file() else "data/ (was it purged?)"
        raise PrepareError(f"{run} can't be resumed: it has no {lacks}")
    try:
        earlier = read_toml(path.read_text(encoding="utf-8"))
        given = earlier | {"stop-after": ""} | parse_overrides(overrides, FIXED_BY_THE_RUN) | {"resume": True}
        home = _home_of_modules(given, caller, run / "app")
        with importable(home) as sources:
            config = _check(given, home)
        _check_made(run, config)
    except (ParseError, UnicodeDecodeError) as error:
        raise PrepareError(f"{path} is not a TOML file: {error}") from error
    except (OverrideError, ConfigError, StagingError, PluginError) as error:
        raise PrepareError(str(error)) from error
    app = _restage(sources, run / "app", home)
    kept = next(candidate for k in count(1) if not (candidate := run / f"config.{k}.toml").exists())
    path.rename(kept)
    path.write_text(tomli_w.dumps(config.to_toml_dict()), encoding="utf-8")
    return Prepared(run, app, config)


def _party_names(named: object, number: int | None, default: int) -> list[str]:
    """The names that were set, or party-1 ... party-n, padded so that they sort by their number."""
    if isinstance(named, str) and named:
        names = [name.strip() for name in named.split(",")]
        if number not in (None, len(names)):
            raise OverrideError(f"--parties {number} contradicts the {len(names)} names in parties = {named!r}")
        return names
    n = default if number is None else number
    if n < 1:
        raise OverrideError(f"--parties is a whole number of at least 1, got {n}")
    return [f"party-{k:0{len(str(n))}d}" for k in range(1, n + 1)]


def _check(given: Mapping[str, Any], directory: Path) -> RunConfig:
    """The typed config, once its keys, modules and parts are known to be good."""
    if is_data_file(str(given.get("dataset", ""))):
        raise ConfigError(f"dataset: {given['dataset']!r} is a file, not a data set. {OWN_DATA}")
    config = RunConfig.parse(given)
    check_modules({key: given[key] for key in (*PART_KEYS, "dataset", "partition") if given.get(key)}, directory)
    config.require_disclosure(config.build_parts())
    return config


def _check_made(run: Path, config: RunConfig) -> None:
    """Refuse other parts where the rewards are made already; the mediator would, half a minute later."""
    kept = RunDirectory(run).load_rewards()
    if kept is None:
        return
    texts = config.build_parts().texts
    changed = [f"{key} = {text!r}" for key, text in kept[1].items() if texts.get(key) != text]
    if changed or config.stop_after:
        raise ConfigError(
            f"the rewards of this run were made already ({', '.join(changed) or 'so there is nothing left to value'}): "
            "they can be delivered, but not made again in another way. Leave the override out, or start a new run."
        )


def _divide(config: RunConfig) -> tuple[Dataset, tuple[NDArray[np.intp], ...]]:
    """Load the data and deal the rows out, each with a generator of its own derived from the seed."""
    loading, splitting = (np.random.default_rng(s) for s in np.random.SeedSequence(config.seed).spawn(2))
    with _explained("dataset", config.dataset, datasets.OFFER):
        dataset: Dataset = build(config.dataset, datasets.OFFER).load(loading)
    if config.target not in ("", dataset.target_name):
        raise ConfigError(f"target: {dataset.name} has the target {dataset.target_name!r}, got {config.target!r}")
    names = config.parties.split(",")
    if dataset.blocks is not None and not config.partition:
        if len(dataset.blocks) != len(names):
            raise ConfigError(f"parties: {dataset.name} comes divided among {len(dataset.blocks)}, got {len(names)}")
        return dataset, dataset.blocks
    with _explained("partition", config.partition, partitions.OFFER):
        partition = build(config.partition, partitions.OFFER)
        blocks = partition.split(dataset.features, len(names), rng=splitting, target=dataset.target)
    return dataset, blocks


@contextmanager
def _explained(key: str, text: str, offer: Mapping[str, object]) -> Iterator[None]:
    """Whatever goes wrong with a part, which can be a user's own, becomes a sentence that names its key."""
    if not text:
        raise ConfigError(f"{key}: a simulation needs one. On offer: {', '.join(sorted(offer))}.")
    try:
        yield
    except PluginError as error:
        raise ConfigError(f"{key}: {error}") from error
    except Exception as error:
        raise ConfigError(f"{key}: {text!r}: {_sentence(error)}") from error


def _sentence(error: Exception) -> str:
    """A ValueError is meant to be read; for any other error the place in the code helps its author."""
    if isinstance(error, ValueError | FileNotFoundError):
        return str(error)
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({last.filename}, line {last.lineno})"


def _new_directory(output_dir: Path, name: str) -> Path:
    """A directory that no other launch has, even one in the same second."""
    stamp = f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    try:
        output_dir.mkdir(parents=True, exist_ok=True)
        for k in count(1):
            path = output_dir / (stamp if k == 1 else f"{stamp}-{k}")
            try:
                path.mkdir(mode=0o700)
            except FileExistsError:
                continue
            return RunDirectory.create(path).path
    except OSError as error:
        raise PrepareError(f"the run directory can't be made in {output_dir}: {error.strerror}") from error
    raise AssertionError("unreachable")


def _write_data(folder: Path, dataset: Dataset, files: Mapping[str, Rows]) -> None:
    """A file for each party, in the data set's units, with the rows to score on beside it, and the list of names."""
    folder.mkdir()
    for party, rows in files.items():
        _write_rows(folder / party, dataset, rows)
        if dataset.held_out is not None:
            (folder / "heldout").mkdir(exist_ok=True)
            _write_rows(folder / "heldout" / party, dataset, dataset.held_out)
    (folder / "parties.json").write_text(json.dumps(list(files)), encoding="utf-8")


def _write_rows(path: Path, dataset: Dataset, rows: Rows) -> None:
    """A Parquet file of this name, or npz where the rows are images."""
    if dataset.image_shape is None:
        _table(dataset, rows).write_parquet(path.with_name(f"{path.name}.parquet"))
    else:
        arrays = {"images": rows.features.reshape(-1, *dataset.image_shape), "labels": rows.target}
        write_arrays(path.with_name(f"{path.name}.npz"), arrays)


def _table(dataset: Dataset, rows: Rows) -> pl.DataFrame:
    columns = {name: rows.features[:, j] for j, name in enumerate(dataset.feature_names)}
    return pl.DataFrame(columns | {dataset.target_name: rows.target}, nan_to_null=True)


def _home_of_modules(given: Mapping[str, Any], caller: Path, staged: Path) -> Path:
    """The caller's directory if it has what the parts name, else the copy that the run was started with."""
    if staged.is_dir():
        try:
            check_modules({key: given[key] for key in PART_KEYS if given.get(key)}, caller)
        except StagingError:
            return staged
    return caller


def _restage(sources: set[Path], app: Path, home: Path) -> Path:
    """The app with the user's modules as they are now; the copy itself where they come from nowhere else."""
    if home == app:
        return app
    shutil.rmtree(app, ignore_errors=True)
    return stage(sources, app) if sources else CHECKOUT
