"""The lines that run a prepared simulation without this launcher: plain Flower on one machine, or a deployment."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from clients.party_data import file_of
from simulations.prepare import Prepared
from simulations.superlink import SETTINGS, federation_config
from wire.environment import AS_SHELL

__all__ = ["CONNECTION", "hand_off"]

CONNECTION = "mediator"
PORT = 9400  # of the SuperLink; the parties' SuperNodes take the next ones


def hand_off(prepared: Prepared) -> str:
    """Write the connection that the deployment's ``flwr run`` needs; return the text that says what to type where."""
    home = prepared.run / "flower"
    home.mkdir(exist_ok=True)
    connection = f'[superlink.{CONNECTION}]\naddress = "127.0.0.1:{PORT}"\ninsecure = true\n'
    (home / "config.toml").write_text(connection, encoding="utf-8")
    return "\n".join([f"Prepared {prepared.run}", "", *_simulation(prepared), "", *_deployment(prepared, home)])


def _simulation(prepared: Prepared) -> list[str]:
    size = f"--federation-config {shlex.quote(federation_config(len(prepared.parties)))}"
    return [
        "Simulate it with plain Flower (one shell, this Python environment active):",
        "",
        f"  {AS_SHELL}",
        f"  cd {_quoted(prepared.run)}",
        f"  {_quiet()} flwr run {_quoted(prepared.app)} --run-config {_config(prepared)} {size} --stream",
        "",
        "Flower starts a SuperLink on this machine for it and leaves it running; `python -m simulations run` does not.",
        "flwr exits with 0 even where the run failed. Afterwards `python -m simulations show` with the run directory",
        "prints the table, and events.jsonl there says why a run failed.",
    ]


def _deployment(prepared: Prepared, home: Path) -> list[str]:
    shells = len(prepared.parties) + 2
    lines = [
        f"Or deploy it with the same files ({shells} shells, this Python environment active in each; all on this",
        "machine and unencrypted, for trying it out), and in each, first:",
        f"    {AS_SHELL}",
        "",
        "  mediator, shell 1 (stays open):",
        f"    cd {_quoted(prepared.run)} && flower-superlink --insecure --host 127.0.0.1 --port {PORT} "
        "--disable-runtime-dependency-installation",
    ]
    for k, party in enumerate(prepared.parties, start=1):
        path = file_of(prepared.run / "data", party)
        node = shlex.quote(" ".join(_node_config(prepared, party, path)))
        lines += [
            f"  {party}, shell {k + 1} (stays open):",
            f"    cd {_quoted(prepared.run)} && flower-supernode --insecure --superlink 127.0.0.1:{PORT} "
            f"--port {PORT + k} --node-config {node}",
        ]
    return [
        *lines,
        f"  mediator, shell {shells}, once the parties are connected:",
        f"    FLWR_HOME={_quoted(home)} flwr run {_quoted(prepared.app)} {CONNECTION} "
        f"--run-config {_config(prepared)} --stream",
    ]


def _node_config(prepared: Prepared, party: str, path: Path) -> list[str]:
    """What a party says for itself; a simulated one takes noise and share of rows from the run's config."""
    config, held = prepared.config, path.parent / "heldout" / path.name
    texts = {"party": party, "data-path": str(path)}
    if prepared.read is not None:
        texts["confirm-schema"] = prepared.read.schema.hash
        texts |= prepared.read.writings[party].to_config()
    if config.noise_column:
        texts["noise"] = config.noise_column
    if held.exists():
        texts["holdout-path"] = str(held)
    return [*(f"{key}={json.dumps(text)}" for key, text in texts.items()), f"holdout={config.holdout}"]


def _quiet() -> str:
    name = "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION"
    return f"{name}={SETTINGS[name]}"


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))


def _config(prepared: Prepared) -> str:
    return _quoted(prepared.run / "config.toml")
