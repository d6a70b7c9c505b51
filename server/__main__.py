"""What a mediator sets up before the first run: ``python -m server credentials`` and ``python -m server door``."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer

from server.credentials import AUTHORITY, MEDIATOR, CredentialsError, make_credentials
from server.door import CONNECTION, Door, DoorError
from server.run_directory import RunDirectory, RunDirectoryError
from wire import terminal
from wire.formats import LEDGER
from wire.terminal import say

__all__ = ["cli", "main"]

cli = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Set up the mediator's machine of a deployment; docs/deployment.md is the guide.",
)


@cli.command()
def credentials(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where they go; new or empty.")],
    party: Annotated[list[str], typer.Option("--party", help="A party's name; repeat it for each.")] = [],  # noqa: B006
    name: Annotated[
        list[str],
        typer.Option("--name", help="A host name or address by which parties reach the mediator; repeat it for more."),
    ] = [],  # noqa: B006
) -> None:
    """Make a CA, the mediator's certificate and each party's key pair, for trying a deployment out.

    Nothing is ever overwritten. In a real consortium nobody holds all of this:
    each party makes its own key pair and sends the public half only, and the
    certificate comes from an authority that the parties trust already.
    """
    written = make_credentials(folder, party, name)
    for path in written:
        say(f"{'private' if path.stat().st_mode & 0o077 == 0 else 'public '}  {path}")
    say(
        "\nFor trying out. A real consortium replaces\n"
        "  each party's key pair   by one that the party makes on its own machine,\n"
        "                            ssh-keygen -t ecdsa -b 384 -N '' -f NAME\n"
        "                          of which only NAME.pub leaves it; compare fingerprints by phone,\n"
        "                            ssh-keygen -lf NAME.pub\n"
        "  what parties see of     by a certificate of your own authority for the mediator's host name,\n"
        "  server.pem, server.key    python -m server door FOLDER --certificate FULLCHAIN --key KEY\n"
        f"Take {folder / AUTHORITY} off this machine: its key signs certificates that the parties trust."
    )


@cli.command()
def door(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="With ca.crt, server.pem and server.key in it.")],
    listen: Annotated[str, typer.Option("--listen", metavar="PORT", help="What parties connect to.")] = "9443",
    superlink_port: Annotated[
        int, typer.Option("--superlink-port", min=1, max=65535, help="Of the SuperLink, on 127.0.0.1 only.")
    ] = 9400,
    certificate: Annotated[
        Path | None,
        typer.Option("--certificate", help="What parties see (PEM, with its chain); server.pem by default."),
    ] = None,
    key: Annotated[Path | None, typer.Option("--key", help="Of the certificate; server.key by default.")] = None,
    name: Annotated[
        list[str],
        typer.Option("--name", help="A host name or address by which parties reach the door; repeat it for more."),
    ] = [],  # noqa: B006
) -> None:
    """Write the nginx config that lets only parties in, and print what to start on the mediator's machine.

    Parties connect to nginx. Everything but the parties' side of Flower's API
    is answered with 403, so that nobody outside this machine can submit a run,
    register a key or take over the mediator's app. Requests that carry the
    key of no party in FOLDER/parties get little time and room, so run this
    again, and `nginx -s reload`, whenever a key came or went.

    Refused: a certificate that has expired or is not valid yet, with another
    key, of another authority, or without the name by which it is reached.
    """
    place = Door(folder, listen, superlink_port, certificate, key, name)
    for warning in place.check():
        say(f"Warning: {warning}", err=True)
    for path in place.write():
        say(f"Wrote {path}")
    keys = shlex.quote(str(folder.resolve() / "parties"))
    say(
        f"Known to it: {', '.join(place.parties()) or 'no party'}\n"
        "\nIn every shell on this machine, first:\n"
        f"  . {shlex.quote(str(folder.resolve() / 'environment'))}\n"
        "The SuperLink, in a shell that stays open:\n"
        f"  {shlex.join(place.superlink)}\n"
        "The door, in a shell that stays open:\n"
        f"  {shlex.join(place.nginx)}\n"
        "Each party's key, once:\n"
        f"  flwr supernode register {keys}/NAME.pub {CONNECTION} --name NAME\n"
        "A run, once the parties are connected:\n"
        f"  flwr run . {CONNECTION} --run-config FILE.toml --stream\n"
        "with these two lines in FILE.toml, so that no name is worth more than its key:\n"
        f"  keys-dir = {json.dumps(str(folder.resolve() / 'parties'))}\n"
        f"  signing-key = {json.dumps(str(folder.resolve() / MEDIATOR))}"
    )


@cli.command("purge-expired")
def purge_expired(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="With run directories in it.")],
) -> None:
    """Delete the data of every run whose retain-until is over, and keep its record; for a daily timer.

    What goes is what `python -m simulations purge` deletes. Exit status 0 also
    where there is nothing to delete.
    """
    from server.report import purge  # which loads what draws

    if not folder.is_dir():
        raise RunDirectoryError(f"{folder} is no folder")
    expired = [RunDirectory(path) for path in sorted(folder.iterdir()) if path.is_dir()]
    expired = [directory for directory in expired if directory.expired()]
    for directory in expired:
        until = directory.retain_until()
        purge(directory)
        say(f"{directory.path}: kept until {until}, deleted; its record stays")
    if not expired:
        say(f"No run in {folder} is beyond its day.")


@cli.command()
def extract(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")],
    party: Annotated[str, typer.Argument(metavar="PARTY", help="Whose entries.")],
) -> None:
    """Print the entries of a run's ledger that concern one party, and nothing of the others, as JSON lines.

    The party compares them with its own: python -m clients audit STORE FILE.
    """
    directory = RunDirectory(run)
    own = [entry for entry in directory.read_ledger() if entry.get("party") == party]
    if not own:
        raise RunDirectoryError(f"{run} has no entry on a party {party!r} in its ledger")
    for entry in own:
        say(json.dumps(LEDGER.numbered({**entry, "run": directory.name})))


def main() -> None:
    """The command line; an expected error is one sentence and exit status 1."""
    terminal.prepare()
    try:
        cli(prog_name="python -m server")
    except (CredentialsError, DoorError, RunDirectoryError) as error:
        say(f"Error: {error}", err=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
