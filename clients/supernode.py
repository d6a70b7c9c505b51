"""A party's door: ``python -m clients.supernode --approve HASH ...`` runs approved apps only."""

from __future__ import annotations

import ipaddress
import os
import sys
import tempfile
from argparse import Namespace
from pathlib import Path
from typing import Annotated

import typer

from wire import terminal
from wire.terminal import say

__all__ = ["check_options", "cli", "main", "supernode"]

CHECKOUT = Path(__file__).resolve().parents[1]

QUIET = {"FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1"}
"""One outbound connection, to the mediator; Flower would report to its makers otherwise."""

cli = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode="rich", pretty_exceptions_enable=False)


@cli.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def supernode(
    context: typer.Context,
    approve: Annotated[
        list[str],
        typer.Option("--approve", metavar="HASH", help="The sha256 of an app that may run here; repeat it for more."),
    ] = [],  # noqa: B006  (typer reads the default and never changes it)
    tell: Annotated[bool, typer.Option("--hash", help="Only print the hash of the app in --app, and end.")] = False,
    app: Annotated[
        Path, typer.Option("--app", help="The app's folder; this checkout by default.", show_default=False)
    ] = CHECKOUT,
) -> None:
    """Connect this party to the mediator, and run only the apps that it has approved.

    All other options are those of `flower-supernode` (its --help lists them):

      python -m clients.supernode --approve HASH \\
          --superlink mediator.example:9443 --root-certificates ca.crt \\
          --auth-supernode-private-key north \\
          --node-config 'party="north" data-path="/data/north.csv"
                         key="north" mediator-key="mediator.pub"
                         confirm-schema="HASH OF THE SCHEMA"'

    The node config is checked before anything is connected: its keys, that
    its files can be read, and that it says which schema may be sent.

    An app is approved by its hash, which --hash prints for a checkout that
    you have reviewed. The mediator's `flwr run` sends the same bytes. Any
    other app is refused with Flower's error code 7 before a line of it
    runs, and the refusal stands in this command's log.

    Without TLS (--insecure) it connects to this machine only.
    """
    os.environ.update(QUIET)
    from clients import approval
    from clients.errors import PartyError
    from clients.start import check_start

    try:
        if tell:
            say(approval.app_hash(app, lambda text: say(f"Note: {text}.", err=True)))
            return
        approved = approval.Approved.of(approve)
        options = approval.parse_options(context.args)
        check_options(options)
        check_start(approval.node_config_of(options))
        approval.guard(approved)
    except (approval.ApprovalError, PartyError) as error:
        say(f"Error: {error}", err=True)
        raise typer.Exit(2) from None
    # Flower runs what lies in its home under the name of an approved app, so its home is a new one.
    with tempfile.TemporaryDirectory(prefix="guerdon-party-") as home:
        os.environ["FLWR_HOME"] = home
        os.environ[approval.APPROVED] = ",".join(sorted(approved.hashes))
        os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        sys.argv = ["flower-supernode", *context.args]
        approval.run_supernode()


def check_options(options: Namespace) -> None:
    """Refuse what would undo the check of apps, or leave this machine without TLS.

    Raises
    ------
    ApprovalError
    """
    from clients.approval import ApprovalError

    if options.trusted_entities:
        raise ApprovalError("--trusted-entities can't be combined with --approve: apps are approved by their hash here")
    if options.runtime_dependency_install:
        raise ApprovalError(
            "--allow-runtime-dependency-installation would run packages that nobody approved: install what the app "
            "needs beforehand"
        )
    if options.insecure and not _is_loopback(options.superlink.rpartition(":")[0]):
        raise ApprovalError(
            f"--insecure sends data in the clear to {options.superlink}; that is for 127.0.0.1 only. Give "
            "--root-certificates ca.crt instead"
        )
    if not _is_loopback(options.host):
        raise ApprovalError(
            f"--host {options.host} would let other machines at this party's app; leave it at 127.0.0.1, the mediator "
            "needs no way in"
        )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def main() -> None:
    """The command line."""
    terminal.prepare()
    os.environ.setdefault("PYTHONIOENCODING", f"{sys.stdout.encoding}:backslashreplace")  # of the processes it starts
    cli(prog_name="python -m clients.supernode")


if __name__ == "__main__":
    main()
