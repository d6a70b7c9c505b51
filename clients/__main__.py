"""What a party does before a run and with its reward: schema, check, proposals, withdraw; show, predict; audit."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from clients.audit import audit
from clients.check import check_file
from clients.consent import ALL, proposals, read_ledger, set_withdrawn, withdrawn
from clients.node_config import DELTA
from clients.party_data import PartyError
from clients.predict import predicted, write
from clients.privacy import Budget
from clients.reward_store import load_reward
from clients.table import read_table
from clients.writing import Writing
from wire import terminal
from wire.formats import LEDGER, FormatError
from wire.kinds import kind_of, understood
from wire.messages import MessageError, Reward
from wire.parsing import ParseError, read_json
from wire.signing import KeyFileError, read_public_key
from wire.terminal import Screen, put, say
from wire.text import listed, printable

__all__ = ["cli", "main"]

cli = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="""Before a run: draft a schema, check your file, see what you are asked for, withdraw.
Afterwards: use the reward that the run left in your store (NAME-reward/RUN
beside your own file), and compare your ledger with the mediator's.""",
)

RewardArgument = Annotated[
    Path, typer.Argument(metavar="REWARD", help="The reward's folder, with reward.npz and reward.json in it.")
]


Missing = Annotated[
    list[str],
    typer.Option(
        "--missing",
        metavar="CODE",
        help="What stands for nothing in your files, such as --missing=-9, or in one column, --missing=age=-9; repeat "
        "it for more. It is never guessed.",
    ),
]
Delimiter = Annotated[
    str, typer.Option("--delimiter", metavar="SIGN", help='What stands between cells, ";" or tab; found if left out.')
]
Encoding = Annotated[
    str, typer.Option("--encoding", metavar="NAME", help="How letters are written, cp1252; Unicode if left out.")
]
Decimal = Annotated[
    str, typer.Option("--decimal", metavar="SIGN", help='The decimal sign, "." or ","; found if left out.')
]
Thousands = Annotated[
    str, typer.Option("--thousands", metavar="SIGN", help='What stands between thousands: ".", ",", " " or "\'".')
]
DateFormat = Annotated[
    str, typer.Option("--date-format", metavar="FORMAT", help="How dates are written, DD/MM/YYYY; found if left out.")
]

StoreArgument = Annotated[
    Path, typer.Argument(metavar="STORE", help="Where your rewards lie: NAME-reward beside your own file.")
]


@cli.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Your data: .csv or .parquet.")],
    schema: Annotated[Path, typer.Option("--schema", help="The schema that the mediator gave out (.toml).")],
    holdout: Annotated[
        float | None,
        typer.Option("--holdout", help="The share of rows that you keep; a quarter if left out."),
    ] = None,
    holdout_path: Annotated[
        Path | None, typer.Option("--holdout-path", help="Or a file of its own with rows that you keep to yourself.")
    ] = None,
    party: Annotated[str, typer.Option("--party", help="Your name in the run.")] = "party",
    store: Annotated[
        Path | None, typer.Option("--reward-dir", help="Your reward-dir, NAME-reward beside FILE if left out.")
    ] = None,
    delimiter: Delimiter = "",
    encoding: Encoding = "",
    decimal: Decimal = "",
    thousands: Thousands = "",
    date_format: DateFormat = "",
) -> None:
    """Say before you join whether your file is what the schema asks for, and what you would send.

    Nothing leaves this machine. Exit status: 0 if the file can be used, 1 if
    not, with everything that is wrong, by column and row.
    """
    screen = Screen(highlight=False, soft_wrap=True)
    writing = Writing(delimiter, encoding, decimal, thousands, date_format)
    raise typer.Exit(check_file(file, schema, holdout, holdout_path, party, screen, store, writing))


@cli.command("schema")
def make_schema(
    files: Annotated[list[Path], typer.Argument(metavar="FILE ...", help="Tables: .csv or .parquet, one a party.")],
    target: Annotated[str, typer.Option("--target", help="The column that is to be predicted; none if left out.")] = "",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write, schema.toml; printed if left out.")
    ] = None,
    missing: Missing = [],  # noqa: B006  (typer reads the default and never changes it)
    party_column: Annotated[
        str, typer.Option("--party-column", help="The column that tells parties apart, in a file of several.")
    ] = "",
    delimiter: Delimiter = "",
    encoding: Encoding = "",
    decimal: Decimal = "",
    thousands: Thousands = "",
    date_format: DateFormat = "",
) -> None:
    """Draft a schema from your files: what each column is, why, and what is done about gaps.

    Nothing leaves this machine. The draft holds levels and bounds of your data
    (rounded outward) and no row: read it, settle what is open, then share it.
    The mediator announces it (schema-file), and parties check their files by it.
    """
    from clients.draft import draft_schema
    from clients.draft_view import show_draft

    writing = Writing(delimiter, encoding, decimal, thousands, date_format)
    named = [path.name for path in files]
    labels = [str(path) if named.count(path.name) > 1 else path.name for path in files]
    if len(set(labels)) < len(labels):
        raise PartyError(f"the same file is named twice: {listed(sorted({k for k in labels if labels.count(k) > 1}))}")
    tables = {label: read_table(path, writing) for label, path in zip(labels, files, strict=True)}
    draft, tables = draft_schema(tables, target, missing, party_column)
    schema = draft.schema
    show_draft(draft, tables, Screen(stderr=output is None))
    if output is None:
        put(draft.to_toml())
        return
    if output.exists() and any(output.resolve() == path.resolve() for path in files):
        raise PartyError(f"{output.name} is one of the files: name another --output")
    try:
        output.write_text(draft.to_toml(), encoding="utf-8")
    except OSError as error:
        raise PartyError(f"{output} can't be written: {error.strerror}") from error
    say(
        f"Wrote {output}: {len(schema.columns)} columns, schema {schema.hash}.\nIt holds levels and bounds of your "
        "data, and no row: read it before you share it."
    )


@cli.command("proposals")
def show_proposals(store: StoreArgument) -> None:
    """Show what the mediator has asked you for: each run, its terms, and what you would send or have sent."""
    _require_store(store)
    found = proposals(store)
    if not found:
        raise PartyError(f"{store} holds no proposal: no run has asked this party yet")
    gone = withdrawn(store)
    console = Screen(highlight=False, soft_wrap=True)
    for about in found:
        for line in _proposal(about, gone, store):
            console.print(line, markup=False)


def _proposal(about: Mapping[str, Any], gone: frozenset[str], store: Path) -> list[str]:
    run = about["run"]
    out = ALL in gone or run in gone
    schema = about["schema_sha256"]
    names = listed(about["columns"])
    return [
        f"Run {run}, asked at {about['time']}" + (" as a dry run" if about["dry_run"] else ""),
        f"  with: {', '.join(about['parties']) or 'whoever comes'}",
        *(f"  {key}: {text}" for key, text in sorted(about["terms"].items())),
        *(
            f"  since your rows were sent, {key}: {text}"
            for key, text in about.get("since", {}).get("terms", {}).items()
        ),
        f"  schema: {schema or 'none; your own columns are taken'}",
        f"  from {about['file']}: {about['rows']} rows of {len(about['columns'])} features ({names}), target "
        f"{about['target'] or 'none'}; {about['rows_held_out']} rows stay here" + _references(about),
        *(f"  left out: {name}: {why}" for name, why in about.get("left_out", {}).items()),
        *(f"  left out: {said}" for said in about.get("remarks", [])),
        f"  sha256 of that: {about['sha256']}",
        "  You have withdrawn: nothing is sent."
        if out
        else f"  To withdraw: {shlex.join(['python', '-m', 'clients', 'withdraw', str(store), run])}",
    ]


def _references(about: Mapping[str, Any]) -> str:
    """What of the rows that stay would be sent, or was; "" where the run asks for nothing of them."""
    if count := about.get("references"):
        return f", but the inputs of {count} of them, without their outputs, are sent as references and not scored on"
    return f"; no references are sent: {about['no_references']}" if about.get("no_references") else ""


@cli.command("privacy")
def show_privacy(
    store: StoreArgument,
    delta: Annotated[
        float, typer.Option("--delta", help="The probability with which the total may promise nothing.")
    ] = DELTA,
) -> None:
    """Show what you have released with noise: to which run, at which epsilon, and what all of it comes to together."""
    _require_store(store)
    if not 0.0 < delta < 1.0:
        raise PartyError(f"--delta is a probability between 0 and 1, such as 1e-5, got {delta:g}")
    budget = Budget.of(store)
    if not budget.releases:
        raise PartyError(f"{store} has released nothing with noise: put epsilon into your node config to do so")
    for one in budget.releases:
        say(f"{one.time}  run {one.run}: epsilon = {one.epsilon:g} at delta = {one.delta:g}, sha256 {one.sha256}")
    count = len(budget.releases)
    what = "1 release" if count == 1 else f"{count} releases"
    say(f"{what}, together epsilon = {budget.spent(delta):.4g} at delta = {delta:g}.")


@cli.command()
def withdraw(
    store: StoreArgument,
    run: Annotated[str, typer.Argument(metavar="[RUN]", help="A run's name; every run if left out.")] = ALL,
    undo: Annotated[bool, typer.Option("--undo", help="Take part again.")] = False,
    ahead: Annotated[
        bool, typer.Option("--ahead", help="Also where no run, or none of that name, has asked in this store yet.")
    ] = False,
) -> None:
    """Withdraw from a run, or from all: from now on your SuperNode answers it with a refusal.

    What was pooled before stays with the mediator until it is purged. Rewards
    that were made can still be taken. STORE is what your SuperNode has as
    reward-dir, NAME-reward beside your own file if it has none.
    """
    if not ahead:
        _require_store(store)
        asked = [about["run"] for about in proposals(store)]
        if run not in (ALL, *asked, *withdrawn(store)):
            raise PartyError(
                f"no run {run!r} has asked in {store}, only {listed(asked) or 'none'}: check the name, or add --ahead"
            )
    try:
        left = ["every run" if name == ALL else name for name in sorted(set_withdrawn(store, run, undo))]
    except OSError as error:
        raise PartyError(
            f"NOTHING was changed: {store} can't be written to ({error.strerror}). To send nothing from now on, end "
            "your SuperNode"
        ) from error
    say(f"Withdrawn from: {', '.join(left) or 'nothing'}.")


def _require_store(store: Path) -> None:
    if not any((store / name).exists() for name in ("_proposals", "_ledger.jsonl", "_withdrawn.json")):
        raise PartyError(
            f"{store} is no store that a SuperNode has used: name its reward-dir, or NAME-reward beside its data if it "
            "has none"
        )


@cli.command("audit")
def audit_ledgers(
    store: StoreArgument,
    mediator: Annotated[
        Path | None,
        typer.Argument(metavar="[LEDGER]", help="What `python -m server extract RUN PARTY` printed, if you have it."),
    ] = None,
    mediator_key: Annotated[
        Path | None, typer.Option("--mediator-key", help="The mediator's public key, to verify its receipts.")
    ] = None,
) -> None:
    """Compare what you sent and got with what the mediator says, by hash.

    Exit status: 0 if everything that was sent is acknowledged and agrees, 1 if
    something differs or is missing on one side.
    """
    try:
        key = read_public_key(mediator_key) if mediator_key else None
    except KeyFileError as error:
        raise PartyError(str(error)) from error
    _require_store(store)
    findings = audit(read_ledger(store), None if mediator is None else _ledger_of(mediator), key)
    if not findings:
        raise PartyError(f"{store} holds no ledger of a run")
    table = Table(title=escape(f"Ledger of {store}"))
    for column in ("run", "what", "you", "mediator", ""):
        table.add_column(column)
    for f in findings:
        verdict = {True: "agrees", False: "DIFFERS", None: "nothing on either side"}[f.agrees]
        cells = (f.run, f.what, f.party_says[:12] or "-", f.mediator_says[:12] or "-", verdict)
        table.add_row(*map(Text, cells))
    Screen(highlight=False, soft_wrap=True).print(table)
    raise typer.Exit(1 if any(f.agrees is False for f in findings) else 0)


def _ledger_of(path: Path) -> list[dict[str, Any]]:
    """The mediator's entries; every line must be one, for an empty or broken file acknowledges nothing."""
    try:
        entries = [read_json(line) for line in path.read_bytes().splitlines() if line.strip()]
    except (OSError, ParseError) as error:
        what = f"{path} is not what `python -m server extract RUN PARTY` prints"
        raise PartyError(what, here=str(error)) from error
    if not entries or not all(isinstance(entry, dict) and "action" in entry for entry in entries):
        raise PartyError(f"{path} holds no entry of a ledger: `python -m server extract RUN PARTY` prints them")
    try:
        return [LEDGER.read(entry) for entry in entries]
    except FormatError as error:
        raise PartyError(f"{path} can't be read: {error}") from error


@cli.command()
def show(
    rewards: Annotated[
        list[Path],
        typer.Argument(
            metavar="REWARD ...", help="A reward's folder, with reward.npz and reward.json in it, or a store of them."
        ),
    ],
) -> None:
    """Say what a reward is and what it is worth; of several, one after the other."""
    console = Screen(highlight=False, soft_wrap=True)
    for k, folder in enumerate(_reward_folders(rewards)):
        if k:
            console.print()
        found = load_reward(folder)
        with understood(found):
            _show(found, console)


def _reward_folders(paths: Sequence[Path]) -> list[Path]:
    """The rewards that these paths name: folders, files in them, or stores, whose own folders (_proposals) a shell's
    ``*/`` finds too."""
    found: list[Path] = []
    for path in paths:
        folder = path.parent if path.name in ("reward.json", "reward.npz") else path
        within = sorted(file.parent for file in folder.glob("*/reward.json"))
        if (folder / "reward.json").exists() or (not within and (len(paths) == 1 or not path.name.startswith("_"))):
            found.append(folder)
        else:
            found += within
    return found or list(paths)


def _show(found: Reward, console: Screen) -> None:
    for line in kind_of(found.about).lines(found):
        console.print(line, markup=False)
    for sentence in found.about.get("findings") or []:
        console.print(printable(f"The mediator found in your data: {sentence}"), markup=False)
    parties = found.about.get("parties") or []
    if not parties:
        return
    table = Table(title="All parties of the run")
    for column, justify in (("party", "left"), ("alpha", "right"), ("reward / best", "right")):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    for entry in parties:
        share = entry.get("share_of_best")
        table.add_row(Text(str(entry["party"])), f"{entry['alpha']:.4f}", "–" if share is None else f"{share:.4f}")
    console.print(table)


@cli.command()
def predict(
    reward: RewardArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .csv or .parquet file with the model's features.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Where to write (.csv or .parquet); standard output if left out."),
    ] = None,
    noise_column: Annotated[
        str | None,
        typer.Option("--noise-column", help="A column of FILE with the noise variance of each new observation."),
    ] = None,
    delimiter: Delimiter = "",
    encoding: Encoding = "",
    decimal: Decimal = "",
    thousands: Thousands = "",
    date_format: DateFormat = "",
) -> None:
    """Add the predicted mean and standard deviation of the target, in its own units, to every row of a file.

    Of a classifier, how probable each class is, a column a class. Nothing that
    stands in the file is changed: columns are added at its end, under names
    that it does not have.
    Where the run had a schema, the file holds its columns (without the target,
    if you like); a row with a gap for which the schema drops rows gets no
    prediction. Where a row can't be read, nothing is written.
    """
    table = read_table(file, Writing(delimiter, encoding, decimal, thousands, date_format))
    added = predicted(load_reward(reward), table, noise_column)
    content = write(added, file, table, output)
    for note in added.notes:
        say(note, err=True)
    if content is None:
        say(f"Wrote {output}: {file.name} with {listed(list(added.columns))}.")
    else:
        put(content)


def main() -> None:
    """The command line; an expected error is one sentence and exit status 1."""
    terminal.prepare()
    try:
        cli()
    except (PartyError, MessageError) as error:
        said = error.in_full if isinstance(error, PartyError) else str(error)
        say(f"Error: {said}", err=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
