"""The commands: run, list, prepare, show, report, compare, export, resume, purge, paper, lies and foresee.

Each imports what it needs when it is called, so that ``--help`` and ``list`` answer at once.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from rich.markup import escape

from wire import terminal
from wire.csv_text import csv_text
from wire.terminal import Screen, put, say

if TYPE_CHECKING:
    from simulations.prepare import Prepared
    from simulations.scenarios import Scenario

__all__ = ["main"]

app = typer.Typer(
    help="""Simulate parties that pool their data and are each rewarded with a model.

A simulation runs on this machine only, with a Flower SuperLink of its
own that is gone afterwards. What it did is kept in a run directory: the
parties' files, the config, every value and reward, and the log.

[bold]Examples[/bold]

  python -m simulations run diabetes
  python -m simulations run diabetes --parties 5 --seed 7
  python -m simulations run diabetes --seeds 5
  python -m simulations run diabetes --set "scheme=RhoShapley(rho=0.5)"
  python -m simulations run diabetes --set "scheme=my_module:EqualReward()"
  python -m simulations run california --private 3

With files of your own, one a party, or one with a column that tells them apart:

  python -m simulations run --data north.csv --data south.csv --data west.csv --target outcome
  python -m simulations run --data all.csv --party-column site --target outcome

Value first, look, then agree on rho and deliver:

  python -m simulations run diabetes --set stop-after=valuation
  python -m simulations resume runs/diabetes-20260131-120000
  python -m simulations show runs/diabetes-20260131-120000

Draw the report again, or several runs side by side:

  python -m simulations report runs/diabetes-20260131-120000
  python -m simulations compare runs/diabetes-20260131-120000 runs/diabetes-20260131-121500

Draw the papers' figures and tables again:

  python -m simulations paper sim2020-fig2 --quick

Who would gain, from sizes and epsilons alone:

  python -m simulations foresee --rows 227,220,91,107 --features 15 --epsilon 1,1,3,inf
""",
    rich_markup_mode="rich",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ScenarioArgument = Annotated[str, typer.Argument(metavar="[SCENARIO]", show_default=False)]
OWN = "Files of your own"
Data = Annotated[
    list[str],
    typer.Option(
        "--data",
        metavar="FILE",
        help="A party's own table, .csv or .parquet, called after the file or NAME=FILE; repeat it for each party.",
        rich_help_panel=OWN,
    ),
]
Target = Annotated[
    str,
    typer.Option("--target", help="The column that is to be predicted; none if left out.", rich_help_panel=OWN),
]
PartyColumn = Annotated[
    str,
    typer.Option(
        "--party-column",
        help="In one file with several parties, the column that tells them apart.",
        rich_help_panel=OWN,
    ),
]
SchemaFile = Annotated[
    str,
    typer.Option("--schema", metavar="FILE", help="The schema of all files; drafted if left out.", rich_help_panel=OWN),
]
Strategy = Annotated[
    str,
    typer.Option("--strategy", help="What rewards are, as ModelRewards(); chosen by the target.", rich_help_panel=OWN),
]
Missing = Annotated[
    list[str],
    typer.Option(
        "--missing",
        metavar="CODE",
        help="What stands for nothing, --missing=-9, or in one column, --missing=age=-9; never guessed.",
        rich_help_panel=OWN,
    ),
]


def _written(name: str, what: str) -> Any:
    return typer.Option(name, metavar="[PARTY=]SIGN", help=f"{what}; of all files, or of one.", rich_help_panel=OWN)


Delimiter = Annotated[list[str], _written("--delimiter", 'What stands between cells, ";" or tab; found if left out')]
Encoding = Annotated[list[str], _written("--encoding", "How letters are written, cp1252; Unicode if left out")]
Decimal = Annotated[list[str], _written("--decimal", 'The decimal sign, "." or ","; found if left out')]
Thousands = Annotated[list[str], _written("--thousands", "What stands between thousands; found if left out")]
DateFormat = Annotated[list[str], _written("--date-format", "How dates are written, DD/MM/YYYY; found if left out")]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN")]
RunsArgument = Annotated[list[Path], typer.Argument(metavar="RUN ...")]
Set = Annotated[
    list[str],
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override a key of the run config, e.g. [bold]holdout=0.3[/bold]; repeat it for more. Parts are texts "
        "such as [bold]RhoShapley(rho=0.5)[/bold], or [bold]my_module:MyPart()[/bold] for a part in my_module.py, in "
        "the directory that you call from. A wrong key is answered with the list of all.",
    ),
]
Parties = Annotated[int | None, typer.Option("--parties", min=1, help="Number of parties; the scenario's by default.")]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Same seed, same data, split, noise and result.")]
Seeds = Annotated[
    int, typer.Option("--seeds", min=1, help="Runs, one after another, with this seed, the next, and so on.")
]
LieText = Annotated[
    str,
    typer.Option(
        "--lie",
        metavar="PARTY=LIE",
        help="Let a party lie, e.g. [bold]party-2=JitteredCopies(times=5)[/bold] or party-2=my_module:MyLie(): its "
        "file is what it sends. `lies` tells the whole catalogue.",
        show_default=False,
    ),
]
Private = Annotated[
    str,
    typer.Option(
        "--private",
        metavar="EPSILON",
        help="The parties send sums over their rows, with noise for this epsilon: one, or one a party, such as "
        "[bold]1,3,inf[/bold].",
    ),
]
Workers = Annotated[
    str,
    typer.Option(
        "--workers",
        metavar="ENGINE",
        help="Where it runs: local, or on a cluster that is there, ray (RAY_ADDRESS) or dask (DASK_SCHEDULER_ADDRESS); "
        "the same numbers anywhere.",
    ),
]
OutputDir = Annotated[
    Path | None,
    typer.Option("--output-dir", help="Where run directories are made; ./runs by default.", show_default=False),
]


@app.command()
def run(
    scenario: ScenarioArgument = "",
    overrides: Set = [],  # noqa: B006  (typer reads the default and never changes it)
    parties: Parties = None,
    seed: Seed = None,
    output_dir: OutputDir = None,
    seeds: Seeds = 1,
    data: Data = [],  # noqa: B006
    target: Target = "",
    party_column: PartyColumn = "",
    schema: SchemaFile = "",
    strategy: Strategy = "",
    missing: Missing = [],  # noqa: B006
    delimiter: Delimiter = [],  # noqa: B006
    encoding: Encoding = [],  # noqa: B006
    decimal: Decimal = [],  # noqa: B006
    thousands: Thousands = [],  # noqa: B006
    date_format: DateFormat = [],  # noqa: B006
    lie: LieText = "",
    private: Private = "",
) -> None:
    """Simulate a scenario from the data to the rewards, and show what each party gained.

    SCENARIO is one of `list`, or the path of a .toml file of your own; with
    --data it can be left out. With --seeds K it is run K times, and the mean
    and spread of every measure are shown, and written to a CSV file.

    With --data the parties are your own files, and nothing is asked for: what
    each column is taken for and what is done about gaps is said, and kept in
    the run directory as schema.toml.

    Exit status: 0 only if the run truly completed (every party has its
    reward), 1 if it failed, 2 if the config can't be used (then nothing was
    started), 130 after Ctrl-C.
    """
    overrides = _with_privacy(overrides, private)
    if lie and seeds > 1:
        raise typer.BadParameter("--lie is for one run; over seeds, `python -m simulations lies` tells lies")
    written = _writings(delimiter, encoding, decimal, thousands, date_format)
    own = _Own(data, target, party_column, schema, strategy, missing, written)
    if seeds == 1:
        _launch(_prepared(scenario, overrides, parties, seed, output_dir, own, lie))
    else:
        _launch_all(scenario, overrides, parties, seed, output_dir, seeds, own)


@app.command("list")
def list_scenarios() -> None:
    """The scenarios on offer."""
    from simulations.scenarios import load_scenario, scenario_names

    names = scenario_names()
    for name in names:
        say(f"{name:<{max(map(len, names))}}  {load_scenario(name).description}")


@app.command()
def prepare(
    scenario: ScenarioArgument = "",
    overrides: Set = [],  # noqa: B006
    parties: Parties = None,
    seed: Seed = None,
    output_dir: OutputDir = None,
    data: Data = [],  # noqa: B006
    target: Target = "",
    party_column: PartyColumn = "",
    schema: SchemaFile = "",
    strategy: Strategy = "",
    missing: Missing = [],  # noqa: B006
    delimiter: Delimiter = [],  # noqa: B006
    encoding: Encoding = [],  # noqa: B006
    decimal: Decimal = [],  # noqa: B006
    thousands: Thousands = [],  # noqa: B006
    date_format: DateFormat = [],  # noqa: B006
    lie: LieText = "",
    private: Private = "",
) -> None:
    """Only write the parties' files and the run config, and print the plain Flower lines that use them.

    For a run with `flwr run`, or with real SuperNodes. The mediator then draws
    the seed of the rewards' noise from the operating system.

    SCENARIO is one of `list`, or the path of a .toml file of your own; with
    --data, your own files, it can be left out.
    """
    from simulations.handoff import hand_off

    written = _writings(delimiter, encoding, decimal, thousands, date_format)
    own = _Own(data, target, party_column, schema, strategy, missing, written)
    overrides = _with_privacy(overrides, private)
    say(hand_off(_prepared(scenario, overrides, parties, seed, output_dir, own, lie)))


@app.command()
def show(runs: RunsArgument) -> None:
    """Print the table of an earlier run again.

    RUN is a run directory; of several, such as runs/*/, one table after the other.
    """
    for run in runs:
        _show(run)


@app.command()
def report(runs: RunsArgument) -> None:
    """Draw the report of an earlier run again, RUN/report.html, and print its path.

    RUN is a run directory, or several. One file, for any browser: what happened,
    what every rho would give, the certificate and pictures.
    """
    from server.report import write_report
    from server.run_directory import RunDirectory

    for run in runs:
        say(write_report(RunDirectory(run)).resolve())


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN ...")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")] = Path("compare.html"),
) -> None:
    """Show several runs side by side: the same parties under other schemes, or with another rho.

    RUN is a run directory; give two or more.
    """
    from server.report import write_comparison

    say(write_comparison(runs, output).resolve())


@app.command()
def export(
    run: RunArgument,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="The file to write; printed if left out.")
    ] = None,
) -> None:
    """Write what each party gave and got as CSV: one row a party, one column a measure.

    RUN is a run directory.
    """
    from server.run_directory import RunDirectory
    from simulations.spread import allocation_table

    text = csv_text(allocation_table(RunDirectory(run).read_allocation()))
    if csv is None:
        put(text)
    else:
        csv.write_text(text, encoding="utf-8")
        say(f"Wrote {csv}")


@app.command()
def resume(
    run: RunArgument,
    overrides: Set = [],  # noqa: B006
) -> None:
    """Go on with an earlier run, on its data: deliver after `stop-after=valuation`, or to parties that missed it.

    RUN is a run directory. Rewards that were made before are sent again as
    they are. The earlier config is kept as config.1.toml, and so on.
    """
    from simulations.prepare import prepare_resume

    _launch(prepare_resume(run, overrides))


@app.command()
def purge(runs: RunsArgument) -> None:
    """Delete a run's data, pool and rewards, and keep its record (values, certificate, ledger).

    RUN is a run directory, or several; they can't be resumed afterwards.
    """
    from server.report import purge as purge_run
    from server.run_directory import RunDirectory

    for run in runs:
        gone = purge_run(RunDirectory(run))
        for path in gone:
            say(f"deleted {path}")
        if (run / "report.html").exists():
            say(f"drew {run / 'report.html'} again, without the data")
        say(f"The record of the run stays in {run}." if gone else f"There was nothing left to delete in {run}.")


@app.command()
def paper(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    quick: Annotated[bool, typer.Option("--quick", help="A small version that ends in a minute or so.")] = False,
    repeats: Annotated[
        int | None,
        typer.Option("--repeats", min=1, help="Random partitions or draws; the study's own number by default."),
    ] = None,
    only: Annotated[
        list[str],
        typer.Option("--only", metavar="KEY=VALUE", help="A part of a study, e.g. [bold]dataset=mnist[/bold]."),
    ] = [],  # noqa: B006
    generator_file: Annotated[
        Path | None,
        typer.Option(
            "--generator-file",
            help="tay2022: draw images from this trained MmdGan, the generator.npz of a run such as `run mnist`.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same numbers.")] = 0,
    jobs: Annotated[int | None, typer.Option("--jobs", min=1, help="Processes; all cores by default.")] = None,
    workers: Workers = "local",
    output_dir: Annotated[Path, typer.Option("--output-dir", help="Where results and pictures go.")] = Path("papers"),
) -> None:
    """Draw a paper's figures and tables again, beside its printed numbers.

    NAME is a figure or table such as `sim2020-fig2`, or a whole paper: `sim2020`, `tay2022`. A wrong
    name is answered with the list of all.

    Results are kept in OUTPUT_DIR/NAME.parquet as they come: after an interruption the same command
    goes on where it stopped, and with all results there it only draws.

    Exit status: 0 if everything is there, 1 if a part has no numbers (the tables say why and hold the
    rest), 2 if it can't be run as asked.
    """
    from simulations.papers.command import run_papers

    missing = run_papers(
        name,
        quick=quick,
        repeats=repeats,
        only=only,
        generator_file=generator_file,
        seed=seed,
        jobs=jobs,
        workers=workers,
        folder=output_dir,
    )
    for reason in dict.fromkeys(missing.values()):
        _complain(f"Missing: {reason}")
    if missing:
        raise typer.Exit(1)


@app.command()
def lies(
    scenario: ScenarioArgument,
    overrides: Set = [],  # noqa: B006
    quick: Annotated[bool, typer.Option("--quick", help="Two seeds.")] = False,
    seeds: Annotated[int | None, typer.Option("--seeds", min=1, help="How many seeds; 20 by default.")] = None,
    only: Annotated[
        list[str],
        typer.Option(
            "--only",
            metavar="KEY=VALUE",
            help="One lie, e.g. [bold]lie=JitteredCopies(times=3)[/bold], or one set of rules, e.g. "
            "[bold]rules=the paper's[/bold].",
        ),
    ] = [],  # noqa: B006
    seed: Annotated[int, typer.Option("--seed", min=0, help="The first seed.")] = 0,
    jobs: Annotated[int | None, typer.Option("--jobs", min=1, help="Processes; all cores by default.")] = None,
    workers: Workers = "local",
    output_dir: Annotated[Path, typer.Option("--output-dir", help="Where results and pictures go.")] = Path("lies"),
) -> None:
    """What each lie of a catalogue earns in a scenario, under the paper's valuation and under others.

    In each seed another party lies. The table says, against the same party's honesty: its reward value, its share
    of the value, its true utility (its own true rows with its reward, on unseen rows; red where lying pays), and
    what the lie costs the honest party that falls furthest.

    Results are kept in OUTPUT_DIR/lies-SCENARIO.parquet as they come: after an interruption the same command goes
    on where it stopped.
    """
    from simulations.lies.command import run_lies

    missing = run_lies(
        scenario,
        overrides=overrides,
        quick=quick,
        seeds=seeds,
        only=only,
        seed=seed,
        jobs=jobs,
        workers=workers,
        folder=output_dir,
    )
    for reason in dict.fromkeys(missing.values()):
        _complain(f"Missing: {reason}")
    if missing:
        raise typer.Exit(1)


@app.command()
def foresee(
    rows: Annotated[str, typer.Option("--rows", metavar="M,M,...", help="Rows that each party contributes.")],
    features: Annotated[
        int, typer.Option("--features", metavar="M", help="Features of the model, the constant among them.")
    ],
    epsilon: Annotated[
        str,
        typer.Option("--epsilon", metavar="E,E,...", help="Each party's epsilon, inf without noise; one for all."),
    ] = "inf",
    delta: Annotated[float, typer.Option("--delta", help="Of all epsilons.")] = 1e-5,
    noise: Annotated[
        float,
        typer.Option("--noise", help="Variance of outputs that features do not explain, where outputs have 1."),
    ] = 0.5,
    weights: Annotated[
        float | None,
        typer.Option("--weights", help="What features explain, |w|^2; 1 - noise if left out.", show_default=False),
    ] = None,
    norm: Annotated[
        float | None,
        typer.Option(
            "--norm",
            help="Length that rows are clipped to, in standard deviations; what nine in ten are within if left out.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[float, typer.Option("--output", help="What outputs are clipped to, likewise.")] = 3.0,
    rho: Annotated[
        str, typer.Option("--rho", help="Of the scheme: stable, rational or a number in 0 to 1.")
    ] = "stable",
    draws: Annotated[int, typer.Option("--draws", help="Collaborations that are drawn and averaged.")] = 32,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same numbers.")] = 0,
) -> None:
    """Who can expect to gain from pooling sums over rows, before anything is signed or sent.

    From sizes and epsilons alone: no data is needed, and none is looked at.
    Says for each party what its rows are worth to itself, what its reward
    would be, how well each would predict, and from which epsilon of its own,
    or how many rows of everybody's, it begins to gain.

    The error is that of the weights, against the weights: 1 is as bad as
    predicting the mean. A party gains where its reward's is smaller than that
    of its model alone, by more than 1 %. What is assumed is printed, and can
    be set: standardized features, the model's belief w ~ N(0, I).

      python -m simulations foresee --rows 227,220,91,107 --features 15 --epsilon 1,1,3,inf

    Exit status: 0 if there is a verdict, whatever it is; 2 if something can't
    be used.
    """
    from simulations.foresight import present_foreseen, read_setting

    try:
        setting = read_setting(
            rows=rows,
            epsilon=epsilon,
            features=features,
            delta=delta,
            noise=noise,
            weights=weights,
            norm=norm,
            output=output,
            rho=rho,
            draws=draws,
            seed=seed,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    present_foreseen(setting, Screen())


class _Own(NamedTuple):
    """What the command line says of files of the user's own."""

    data: list[str]
    target: str
    party_column: str
    schema: str
    strategy: str
    missing: list[str]
    writings: dict[str, list[str]]


def _with_privacy(overrides: list[str], private: str) -> list[str]:
    return ["contribute=statistics", f'private="{private}"', *overrides] if private else overrides


def _writings(*said: list[str]) -> dict[str, list[str]]:
    return dict(zip(("delimiter", "encoding", "decimal", "thousands", "date-format"), said, strict=True))


def _scenario(name: str, own: _Own) -> Scenario:
    """The scenario that is named, on files of the user's own where there are some."""
    from simulations.scenarios import Scenario, ScenarioError, load_scenario

    if not name and not own.data:
        raise ScenarioError(
            "name a scenario (python -m simulations list), or files of your own: --data north.csv --data south.csv "
            "--target NAME"
        )
    scenario = load_scenario(name) if name else Scenario("own-files", "", 1, {})
    said: dict[str, object] = {"--target": own.target, "--party-column": own.party_column, "--schema": own.schema}
    said |= {"--missing": own.missing, **{f"--{key}": values for key, values in own.writings.items()}}
    if not own.data:
        if strange := [option for option, value in said.items() if value]:
            raise ScenarioError(f"{strange[0]} is for files of your own: name them with --data")
        return scenario
    from simulations.own_files import OwnFiles, OwnFilesError, party_names, read_writings

    try:
        data = OwnFiles.of(
            own.data,
            Path.cwd(),
            target=own.target,
            party_column=own.party_column,
            schema=own.schema,
            missing=own.missing,
            writings=read_writings(own.writings, party_names(own.data)),
        )
    except OwnFilesError as error:
        raise ScenarioError(str(error)) from error
    return replace(scenario, data=data)


def _prepared(
    name: str,
    overrides: list[str],
    parties: int | None,
    seed: int | None,
    output_dir: Path | None,
    own: _Own,
    lie: str = "",
) -> Prepared:
    scenario = _scenario(name, own)  # before the seconds that the next import takes
    from simulations.prepare import prepare

    if own.strategy:
        overrides = [*overrides, f"strategy={own.strategy}"]
    prepared = prepare(scenario, overrides, parties=parties, seed=seed, output_dir=output_dir, lie=lie)
    if prepared.read is not None:
        prepared.read.show(Screen(stderr=True))
    for note in prepared.notes:
        say(f"Note: {note}", err=True)
    return prepared


def _launch_all(
    scenario: str,
    overrides: list[str],
    parties: int | None,
    seed: int | None,
    output_dir: Path | None,
    seeds: int,
    own: _Own,
) -> None:
    """A run for each seed, then the mean and spread of those that completed; status 1 where one did not."""
    from server.run_directory import RunDirectory
    from simulations.spread import spread_table, spread_view

    records, failed = [], []
    prepared = _prepared(scenario, overrides, parties, seed, output_dir, own)
    first = prepared.config.seed
    for k in range(seeds):
        if k:
            prepared = _prepared(scenario, overrides, parties, first + k, output_dir, own)
        try:
            _launch(prepared)
            records.append(RunDirectory(prepared.run).read_allocation())
        except typer.Exit:
            failed.append(first + k)
    if records:
        spread = spread_table(records)
        path = prepared.run.with_name(f"{prepared.run.name}-{len(records)}-seeds.csv")
        path.write_text(csv_text(spread), encoding="utf-8")
        console = Screen()
        console.print(spread_view(spread, len(records), console.width), highlight=False)
        console.print(f"All measures: {path}", highlight=False, markup=False, soft_wrap=True)
    if failed:
        _complain(f"{len(failed)} of {seeds} runs did not complete, those with seed {', '.join(map(str, failed))}.")
        raise typer.Exit(1)


def _launch(prepared: Prepared) -> None:
    """Run it, show the result, and leave with the status that the run deserves."""
    from simulations.launch import launch
    from simulations.lies.told import add_to_run
    from simulations.progress import Progress

    console = Screen()
    console.print(f"Run directory: {prepared.run}", highlight=False, markup=False, soft_wrap=True)
    with Progress(console) as progress:
        outcome = launch(
            prepared.app, prepared.run, len(prepared.parties), watcher=progress, noise_seed=prepared.config.seed
        )
    if not outcome.completed:
        log = prepared.run / "server.log"
        _complain(f"The run failed: {outcome.reason}" + (f"\nIts log is in {log}" if log.exists() else ""))
        raise typer.Exit(1)
    if outcome.reason != "completed":
        console.print(f"Note: {escape(outcome.reason)}.", highlight=False)
    console.print()
    add_to_run(prepared.run)
    if _show(prepared.run) == "rewarded":
        _complain(_why_incomplete(prepared.run))
        raise typer.Exit(1)


def _show(run: Path) -> str:
    """Print a run's table; returns how far the run came: valued, rewarded or delivered."""
    from server.run_directory import RunDirectory
    from simulations.present import present, present_rehearsal

    directory = RunDirectory(run)
    ledger = directory.read_ledger()
    if directory.load_allocation() is None and any(entry.get("dry_run") for entry in ledger):
        present_rehearsal(ledger, Screen())
        return "rehearsed"
    allocation = directory.read_allocation()
    present(allocation, run.resolve(), Screen())
    return str(allocation["stage"])


def _why_incomplete(run: Path) -> str:
    from server.run_directory import RunDirectory

    parties = RunDirectory(run).read_allocation()["parties"]
    held = [str(party["party"]) for party in parties if party.get("held_back")]
    if held:
        return f"The run did not complete: max-disclosure held the reward of {', '.join(held)} back."
    return "The run did not complete: not every party took its reward."


def _complain(text: str) -> None:
    Screen(stderr=True).print(text, style="red", highlight=False, markup=False, soft_wrap=True)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit status; expected errors become a sentence on stderr."""
    from simulations.errors import exit_status

    terminal.prepare()
    try:
        return int(app(arguments, standalone_mode=False) or 0)
    except BrokenPipeError:  # the reader of our output has gone; everything was stopped on the way here
        sys.stderr.close()
        return 1
    except BaseException as error:
        status, sentence = exit_status(error)
        if status is None:
            raise
        if sentence:
            _complain(sentence)
        return status
