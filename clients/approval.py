"""A SuperNode that runs only the apps its party has approved; the one file that reaches into Flower's private parts.

Flower's SuperNode runs whatever app the mediator's SuperLink sends, so a check inside the app binds nobody. This one
stands before the app: the bytes of an app bundle (FAB) whose sha256 is not approved are withheld from the SuperNode,
which answers with Flower's error code 7.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import inspect
import io
import os
import re
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from importlib.metadata import version
from logging import ERROR, INFO
from pathlib import Path
from types import ModuleType
from typing import Any

from flwr.common.logger import log

__all__ = [
    "APPROVED",
    "ApprovalError",
    "Approved",
    "app_hash",
    "guard",
    "node_config_of",
    "parse_options",
    "run_supernode",
    "running_app",
]

APPROVED = "GUERDON_APPROVED"
"""Environment variable that tells the app's own process which hashes its party approved, separated by commas."""

TRIED_WITH = ("1.41", "1.42")
"""The Flower versions (major.minor) that the guard was tried with; any other is refused."""

PLACES = {"_pull_and_store_message": ("get_fab", "trusted_entities"), "_verify_fab": ("fab", "trusted_entities")}
"""What the guard replaces in ``flwr.supernode.start_client_internal``, with the parameters it relies on."""

FOLDER_DIGITS = 8  # Flower extracts an app into a folder named by so many digits of its hash


class ApprovalError(ValueError):
    """The SuperNode must not start like this; the text says why and how to mend it."""


@dataclass(frozen=True)
class Approved:
    """The sha256 hashes (64 lower-case hexadecimal digits) of the app bundles that may run."""

    hashes: frozenset[str]

    @classmethod
    def of(cls, hashes: Iterable[str]) -> Approved:
        """Check the hashes as they were typed.

        Raises
        ------
        ApprovalError
            There is none, one is no sha256, or two begin alike, so that Flower would take one app for the other.
        """
        found = frozenset(text.strip().lower() for text in hashes)
        if not found:
            raise ApprovalError(
                "name the app that may run: --approve HASH, where HASH is what `python -m clients.supernode --hash` "
                "prints in a checkout that you have reviewed"
            )
        for text in sorted(found):
            if not re.fullmatch(r"[0-9a-f]{64}", text):
                raise ApprovalError(f"--approve takes a sha256, 64 hexadecimal digits, got {text!r}")
        if len({text[:FOLDER_DIGITS] for text in found}) < len(found):
            raise ApprovalError(
                f"two approved hashes share their first {FOLDER_DIGITS} digits, by which Flower names the folder of an "
                "app: approve one of them only"
            )
        return cls(found)

    def admits(self, content: bytes) -> bool:
        """These bytes are an approved app."""
        return hashlib.sha256(content).hexdigest() in self.hashes


def app_hash(app: Path, tell: Callable[[str], object] = lambda _: None) -> str:
    """The sha256 of the bundle that ``flwr run`` makes of the app in a folder and sends to the parties.

    ``tell`` is given a sentence where lines end as on Windows, so that others' hash of the same code is another. It
    depends on the files' bytes and names only (the zip has fixed dates and no compression), not on where or when.

    Raises
    ------
    ApprovalError
        The folder holds no Flower app.
    """
    from flwr.cli.build import build_fab_from_disk

    if not (app / "pyproject.toml").is_file():
        raise ApprovalError(f"{app} holds no app: expected a pyproject.toml in it")
    try:
        bundle = build_fab_from_disk(app)
    except Exception as error:  # Flower has many kinds
        raise ApprovalError(f"Flower can't bundle the app in {app}: {error}") from error
    with zipfile.ZipFile(io.BytesIO(bundle)) as files:
        crlf = [name for name in files.namelist() if b"\r\n" in files.read(name)]
    if crlf:
        tell(
            f"{len(crlf)} files of the app, such as {crlf[0]}, end their lines as on Windows (CRLF), so this hash is "
            "not the one that others have of the same code; a checkout of git clone -c core.autocrlf=false has theirs"
        )
    return hashlib.sha256(bundle).hexdigest()


def running_app() -> str:
    """The sha256 of the app bundle that this code was unpacked from; "" where it was not, or no hash is pinned."""
    folder = Path(__file__).resolve().parents[1].name
    approved = os.environ.get(APPROVED, "").split(",")
    return next((text for text in approved if text and folder.endswith(text[:FOLDER_DIGITS])), "")


def guard(approved: Approved, loop: ModuleType | None = None) -> None:
    """Let Flower's SuperNode loop, in this process, take approved apps only.

    Parameters
    ----------
    approved : the apps that may run
    loop : the module to guard, Flower's own by default

    Raises
    ------
    ApprovalError
        This Flower is not the one that the guard is known to work in. Nothing was changed, and nothing may be started.
    """
    loop = loop or importlib.import_module("flwr.supernode.start_client_internal")
    _check_flower(loop)
    pull = loop._pull_and_store_message

    def pull_guarded(**arguments: Any) -> Any:
        guarded = _withhold(arguments["get_fab"], approved)
        # Flower looks at an app only where some entity is trusted; whom doesn't matter, as _verify_fab is ours.
        return pull(**{**arguments, "get_fab": guarded, "trusted_entities": {"approved": "by its sha256"}})

    def verify_approved(fab: Any, trusted_entities: Any) -> bool:
        return approved.admits(fab.content)

    loop._pull_and_store_message = pull_guarded  # type: ignore[attr-defined]
    loop._verify_fab = verify_approved  # type: ignore[attr-defined]


def _check_flower(loop: ModuleType) -> None:
    installed = version("flwr")
    if ".".join(installed.split(".")[:2]) not in TRIED_WITH:
        raise ApprovalError(
            f"Flower {installed} is installed, but the check of apps is known to work with {' and '.join(TRIED_WITH)} "
            f'only, so nothing was started: python -m pip install "flwr[simulation]=={TRIED_WITH[-1]}.*"'
        )
    for name, needed in PLACES.items():
        place = getattr(loop, name, None)
        if not callable(place) or not set(needed) <= set(inspect.signature(place).parameters):
            raise ApprovalError(
                f"this Flower ({installed}) has no {loop.__name__}.{name}({', '.join(needed)}), where apps are "
                f'checked, so nothing was started: python -m pip install "flwr[simulation]=={TRIED_WITH[-1]}.*"'
            )


def _withhold(get_fab: Callable[[str, int], Any], approved: Approved) -> Callable[[str, int], Any]:
    """The function that fetches an app, which gives no byte of one that is not approved."""

    def get_approved(fab_hash: str, run: int) -> Any:
        fab = get_fab(fab_hash, run)
        found = hashlib.sha256(fab.content).hexdigest()
        verifications = {"valid_license": "looked at here"}  # Flower refuses an app without one before it looks
        if approved.admits(fab.content):
            log(INFO, "Run %s uses the approved app %s", run, found)
            return replace(fab, verifications=verifications)
        log(ERROR, "Refused run %s: its app %s is not among the approved", run, found)
        return replace(fab, content=b"", verifications=verifications)

    return get_approved


def parse_options(arguments: list[str]) -> argparse.Namespace:
    """What Flower's own parser makes of the options of ``flower-supernode``; exits on one that it doesn't know."""
    module = importlib.import_module("flwr.supernode.cli.flower_supernode")
    parser: argparse.ArgumentParser = module._parse_args_run_supernode()
    parser.prog = "python -m clients.supernode --approve HASH"
    return parser.parse_args(arguments)


def node_config_of(options: argparse.Namespace) -> dict[str, Any]:
    """The node config that the options give, as Flower reads it; exits where Flower would."""
    module = importlib.import_module("flwr.common.config")
    return dict(module.parse_config_args([options.node_config] if options.node_config else None))


def run_supernode() -> None:
    """Flower's SuperNode, with the options in ``sys.argv``; does not return while it runs."""
    importlib.import_module("flwr.supernode.cli.flower_supernode").flower_supernode()
