"""The process that starts the party's app for each message: Flower's executor, which tells nobody a task's token.

Flower's own gives the token, with which a message is taken and answered, to the app in its command line, where every
account of the machine reads it. This one writes it into a file of the party's, and starts no other program than that of
a ClientApp. Started by ``clients.supernode``; with ``clients.approval`` what reaches into Flower's private parts.
"""

from __future__ import annotations

import importlib
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

from wire.files import write_whole

__all__ = ["Launcher", "main"]


class Launcher:
    """An executor as Flower's SuperExec calls it.

    Parameters
    ----------
    tokens : folder that only the party's account can enter
    """

    def __init__(self, tokens: Path) -> None:
        self.tokens = tokens
        self.running: list[tuple[subprocess.Popen[bytes], Path]] = []
        types = importlib.import_module("flwr.supercore.superexec.executor.types")
        self._accepted = types.LaunchResult.accepted
        self._client_app = importlib.import_module("flwr.supercore.constant").TaskType.CLIENT_APP

    def get_eligible_capacity(self, supported_task_types: set[Any], **_: Any) -> tuple[set[Any], set[str]]:
        """A party runs ClientApps, and nothing else that a SuperLink may think of."""
        return {self._client_app} & supported_task_types, set()

    def wait_for_capacity(self, *_: Any, **__: Any) -> None:
        """There is always room for one more."""

    def launch(self, spec: Any) -> Any:
        """Start the app for one message."""
        token = self.tokens / secrets.token_hex(8)
        write_whole(token, spec.token.encode())  # mode 600
        program = str(Path(sys.executable).with_name("flwr-clientapp"))
        argv = [program, "--runtime-api-address", spec.runtime_api_address, "--token-file", str(token)]
        argv += ["--root-certificates", str(spec.root_certificates_path), "--parent-pid", str(spec.parent_pid)]
        self.running.append((subprocess.Popen(argv), token))
        return self._accepted()

    def reconcile(self) -> None:
        """Take back the tokens of apps that have ended."""
        for process, token in self.running:
            if process.poll() is not None:
                token.unlink(missing_ok=True)
        self.running = [(process, token) for process, token in self.running if process.returncode is None]

    def close(self) -> None:
        """Apps end with this process."""


def main() -> None:
    """``python -m clients.executor TOKENS OPTION ...``, the options being those of ``flower-superexec``."""
    tokens = Path(sys.argv.pop(1))
    module = importlib.import_module("flwr.supercore.superexec.run_superexec")
    module.get_executor = lambda *_, **__: Launcher(tokens)  # type: ignore[attr-defined]
    sys.argv[0] = "flower-superexec"
    importlib.import_module("flwr.supercore.cli.flower_superexec").flower_superexec()


if __name__ == "__main__":
    main()
