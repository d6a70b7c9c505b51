"""A party's door: ``python -m clients.supernode --approve HASH ...`` runs approved apps only.

This process is Flower's SuperNode, which connects to the mediator, pulls messages and sends answers. Below it runs our
executor (``clients.executor``), which takes each message from the SuperNode's port on 127.0.0.1 (``clients.loopback``)
and starts the app for it.
"""

from __future__ import annotations

import ipaddress
import os
import signal
import subprocess
import sys
import tempfile
import threading
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wire import terminal
from wire.environment import QUIET, past_proxies
from wire.terminal import say

if TYPE_CHECKING:
    from clients.connection import Mediator
    from clients.loopback import Loopback

__all__ = ["Executor", "check_options", "cli", "main", "supernode"]

CHECKOUT = Path(__file__).resolve().parents[1]

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

    The mediator is reached through the proxy of HTTPS_PROXY or ALL_PROXY
    where one is set and NO_PROXY does not hold the mediator's host; this
    machine itself never is.

    Exit status: 2 where an option or the node config has to change, 1 where
    the mediator can't be reached or refuses this party, with the reason in
    the last line; 0 where it was ended from outside.
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
    except approval.ApprovalError as error:
        say(f"Error: {error}", err=True)
        raise typer.Exit(2) from None
    except PartyError as error:
        say(f"Error: {error.in_full}", err=True)
        raise typer.Exit(2) from None
    from clients.connection import Mediator, check_own_port

    os.environ.update(past_proxies(os.environ, options.host))
    mediator = Mediator.of(options)
    try:
        check_own_port(options.host, options.port)
        if warning := mediator.check():
            say(f"Warning: {warning}", err=True)
        os.environ[approval.APPROVED] = ",".join(sorted(approved.hashes))
        _run(mediator, options, context.args)
    except PartyError as error:
        say(f"Error: {error.in_full}", err=True)
        raise typer.Exit(1) from None


def _run(mediator: Mediator, options: Namespace, arguments: list[str]) -> None:
    """Flower's SuperNode and our executor, until one of them ends.

    Raises
    ------
    PartyError
        It ended, and nobody had asked it to.
    """
    from clients import approval
    from clients.errors import PartyError
    from clients.loopback import Loopback, check_private

    os.umask(0o077)
    last = approval.watch()
    # Flower runs what lies in its home under the name of an approved app, so its home is a new one.
    with tempfile.TemporaryDirectory(prefix="guerdon-party-") as home:
        check_private(Path(home))
        os.environ["FLWR_HOME"] = home
        os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        port = Loopback(Path(home), options.host, options.port)
        port.write()
        sys.argv = ["flower-supernode", *arguments, *port.supernode]
        executor = Executor(port)
        try:
            approval.run_supernode(executor.start)
            asked = False  # Flower returns from it only where the connection broke down
        except SystemExit as end:
            asked = end.code in (0, None)
            if not asked and not last.status:
                raise  # Flower has said why
        finally:
            executor.stop()
        if why := executor.trouble or (mediator.explain(last.status, last.text) if last.status else ""):
            raise PartyError(why)
        if not asked:
            raise PartyError("Flower gave the connection up; the reason stands above")


class Executor:
    """Our executor's process; without it a party would look connected and never answer."""

    def __init__(self, port: Loopback) -> None:
        self._argv = port.executor
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False
        self.trouble = ""

    def start(self) -> None:
        """Start it, once the port that it asks is the SuperNode's."""
        self._process = subprocess.Popen(self._argv)
        threading.Thread(target=self._watch, args=(self._process,), daemon=True).start()

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        status = process.wait()
        if not self._stopped:
            self.trouble = f"the process that runs the app ended by itself (exit status {status})"
            os.kill(os.getpid(), signal.SIGTERM)

    def stop(self) -> None:
        """End it, and with it the app that it runs."""
        self._stopped = True
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(5.0)
            except subprocess.TimeoutExpired:
                self._process.kill()


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
    locked = (options.superexec_auth_secret_file, options.ssl_certfile, options.ssl_keyfile, options.ssl_ca_certfile)
    if options.isolation != "subprocess" or any(locked):
        raise ApprovalError(
            "--isolation, --superexec-auth-secret-file and --ssl-... are not yours to give: the way from the SuperNode "
            "to the app on this machine is locked with a secret and a certificate that are new at each start"
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
