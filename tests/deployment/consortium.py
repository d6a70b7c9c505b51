"""A consortium on loopback for tests: real SuperLink, nginx and SuperNode processes, TLS and SuperNode keys."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from server.credentials import make_credentials
from server.door import CONNECTION, Door
from simulations.processes import Keeper, Service, executable
from tests.deployment.family import kill_family
from wire.environment import QUIET

ROOT = Path(__file__).parents[2]
PARTIES = ("north", "south")

NODE = (executable("flower-supernode"), "--max-retries", "1")
"""Flower's own SuperNode, which gives up where it is refused."""

NOT_ACTIVATED = "[code: 2004]"
"""Flower's words for: no SuperNode is registered with this key, or the one that is counts as connected."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(what: str, true: Callable[[], bool], seconds: float = 180.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.1)


class Consortium:
    """The mediator's machine, with its door open; parties and intruders are started against it.

    ``folder`` holds the credentials: ``mediator/``, and one folder a party; logs lie in ``logs/``. ``variables`` are
    added to the environment of the mediator's processes.
    """

    def __init__(
        self, folder: Path, parties: Sequence[str] = PARTIES, variables: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.parties = parties
        self.variables = dict(variables or {})
        self.mediator = folder / "mediator"
        self.door_port = free_port()
        self.superlink_port = free_port()
        self.services: list[Service] = []

    def __enter__(self) -> Consortium:
        make_credentials(self.folder, self.parties)
        (self.folder / "logs").mkdir()
        self.keeper = Keeper(self.folder / "nothing")
        try:
            self._open()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for service in reversed(self.services):
            service.stop()
        self.keeper.close()

    def _open(self) -> None:
        door = Door(self.mediator, f"127.0.0.1:{self.door_port}", self.superlink_port)
        door.write()
        self._superlink = door.superlink
        self.door = self.start("door", door.nginx, self.mediator)
        self.start_mediator()
        wait_until(self.door.tail(), lambda: open_port(self.door_port))
        assert self.door.ended() is None, self.door.tail()

    def start_mediator(self) -> None:
        """Start the SuperLink and tell it the parties' keys: it keeps them in its memory."""
        program, *options = self._superlink
        self.superlink = self.start("superlink", [executable(program), *options], self.mediator, self.variables)
        wait_until(self.superlink.tail(), lambda: open_port(self.superlink_port) or self.superlink.ended() is not None)
        assert self.superlink.ended() is None, self.superlink.tail()
        for party in self.parties:
            done = self.flwr("supernode", "register", str(self.mediator / "parties" / f"{party}.pub"), CONNECTION)
            assert done.returncode == 0, done.stdout + done.stderr

    def kill(self, service: Service) -> None:
        """End a process and all that comes from it at once, the app that it runs too, as a power cut would."""
        kill_family(service.group)
        service.stop()
        self.services.remove(service)

    @property
    def address(self) -> str:
        """What parties and intruders connect to."""
        return f"127.0.0.1:{self.door_port}"

    def start(
        self, name: str, argv: Sequence[str], folder: Path, variables: Mapping[str, str] | None = None
    ) -> Service:
        """A process of the consortium, in a folder of its own, with its own home for Flower."""
        environment = self.environment(folder / "flower") | dict(variables or {})
        log = self._new_log(name)
        service = Service(argv, env=environment, cwd=folder, log=log, keeper=self.keeper)
        self.services.append(service)
        return service

    def _new_log(self, name: str) -> Path:
        logs = self.folder / "logs"
        return logs / f"{name}-{len(list(logs.glob(f'{name}-*.log')))}.log"

    def environment(self, home: Path) -> dict[str, str]:
        env = {name: value for name, value in os.environ.items() if not name.endswith(("_proxy", "_PROXY"))}
        path = os.pathsep.join([str(Path(sys.executable).parent), env.get("PATH", "")])
        return env | QUIET | {"FLWR_HOME": str(home), "PATH": path, "PYTHONPATH": str(ROOT)}

    def party(
        self,
        name: str,
        approve: Sequence[str],
        node: str,
        says: str = "",
        variables: Mapping[str, str] | None = None,
    ) -> Service:
        """A party's SuperNode, through our entry point; returns once it is connected. It ``says`` that it is another.

        After a kill it is started again until it is let in, as a service manager does: for up to a minute the SuperLink
        counts the one before it as connected.
        """
        folder = self.folder / name
        argv = [sys.executable, "-m", "clients.supernode", *(f"--approve={text}" for text in approve)]
        deadline = time.monotonic() + 240.0
        while True:
            options = self.node_options(folder / "ca.crt", folder / name)
            argv_now = [*argv, *options, "--node-config", f'party="{says or name}" {node}']
            service = self.start(name, argv_now, folder, variables)
            wait_until(f"{name} connects", lambda s=service: connected(s) or s.ended() is not None)  # type: ignore[misc]
            if service.ended() is None:
                return service
            assert NOT_ACTIVATED in service.tail(100), service.tail()
            assert time.monotonic() < deadline, service.tail()
            self.services.remove(service)
            service.stop()

    def node_options(self, ca: Path | None, key: Path | None) -> list[str]:
        options = ["--superlink", self.address, "--port", str(free_port())]
        options += ["--root-certificates", str(ca)] if ca else ["--insecure"]
        return [*options, *(["--auth-supernode-private-key", str(key)] if key else [])]

    def flwr(self, *arguments: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
        """A ``flwr`` command, on the mediator's machine unless another home is given."""
        environment = self.environment(home or self.mediator / "flower")
        argv = [executable("flwr"), *arguments]
        return subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=120, check=False)

    def submit(self, app: Path, config: Path) -> str:
        """Start a run on the mediator's machine; returns its id."""
        done = self.flwr("run", str(app), CONNECTION, "--run-config", str(config), "--format", "json")
        assert done.returncode == 0, done.stdout + done.stderr
        return str(json_of(done.stdout)["run-id"])


def json_of(said: str) -> Any:
    """The JSON that a ``flwr`` command printed, after whatever else it said."""
    return json.loads(said[said.index("{") :])


def connected(service: Service) -> bool:
    """Flower's SuperNode has said so."""
    return "SuperNode ID" in service.tail(1000)


def open_port(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0
