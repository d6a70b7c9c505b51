"""A SuperNode that runs only the apps its party has approved; with ``clients.executor`` what reaches into Flower.

Flower's SuperNode runs whatever app the mediator's SuperLink sends, so a check inside the app binds nobody. This one
stands before the app: the bytes of an app bundle (FAB) whose sha256 is not approved are withheld from the SuperNode,
which answers with Flower's error code 7.

Flower then loads the folder ``apps/PUBLISHER.NAME.VERSION.HASH8`` of its home, in which publisher, name and version are
the SuperLink's word. They have to be those that stand in the approved bundle.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import inspect
import io
import os
import re
import tomllib
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from logging import ERROR, INFO
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from flwr.common.logger import log

__all__ = [
    "APPROVED",
    "AppName",
    "ApprovalError",
    "Approved",
    "LastError",
    "Withheld",
    "app_hash",
    "guard",
    "node_config_of",
    "parse_options",
    "run_supernode",
    "running_app",
    "watch",
]

APPROVED = "GUERDON_APPROVED"
"""Environment variable that tells the app's own process which hashes its party approved, separated by commas."""

TRIED_WITH = ("1.41", "1.42")
"""The Flower versions (major.minor) that the guard was tried with; any other is refused."""

PLACES = {
    "_pull_and_store_message": ("get_run", "get_fab", "trusted_entities"),
    "_verify_fab": ("fab", "trusted_entities"),
}
"""What the guard replaces in ``flwr.supernode.start_client_internal``, with the parameters it relies on."""

WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
VERSION = re.compile(r"[0-9][A-Za-z0-9_+!-]{0,31}(\.[A-Za-z0-9_+!-]{1,32}){0,8}")
"""A publisher or an app's name, and its version: one plain part of a folder's name."""

KINDS_OF_RUN = ("", "flwr-serverapp")
"""A run by a strategy; of the others (an agent's) a party's approval says nothing."""

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

    def objection(self, run: Any, fab: Any) -> str:
        """Why this run of Flower's may not be taken part in with the bundle that came for it; "" where it may.

        Whatever the SuperLink says of an approved app beside its bytes has to be what the bytes say.
        """
        found = hashlib.sha256(fab.content).hexdigest()
        if found not in self.hashes:
            return f"its app {found} is not among the approved"
        if {str(fab.hash_str), str(run.fab_hash)} != {found}:
            return f"its app {found} is announced under another hash"
        try:
            name = AppName.of(fab.content)
        except ApprovalError as error:
            return str(error)
        if (run.fab_id, run.fab_version) != (name.app, name.version):
            said = f"{str(run.fab_id)[:80]!r} {str(run.fab_version)[:80]!r}"
            return f"its app {found} is {name}, and the mediator's SuperLink calls it {said}"
        if run.primary_task_type not in KINDS_OF_RUN:
            return f"it is a run of {str(run.primary_task_type)[:40]!r}, not of a strategy"
        return ""


class AppName(NamedTuple):
    """How an app is called in its own pyproject.toml: ``publisher/name``, and its version."""

    app: str
    version: str

    @classmethod
    def of(cls, content: bytes) -> AppName:
        """Of a bundle.

        Raises
        ------
        ApprovalError
            It says none, or one that is more than a plain part of a folder's name.
        """
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as bundle:
                config = tomllib.loads(bundle.read("pyproject.toml").decode())
            publisher, name = config["tool"]["flwr"]["app"]["publisher"], config["project"]["name"]
            found = config["project"]["version"]
        except (zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
            raise ApprovalError("the app's bundle has no pyproject.toml with publisher, name and version") from error
        for text, shape in ((publisher, WORD), (name, WORD), (found, VERSION)):
            if not isinstance(text, str) or not shape.fullmatch(text):
                raise ApprovalError(
                    "the app's pyproject.toml has a publisher, name or version that is not plain (letters, digits and "
                    f"hyphens; a version such as 1.0.2), got {str(text)[:80]!r}"
                )
        return cls(f"{publisher}/{name}", found)

    def __str__(self) -> str:
        return f"{self.app} {self.version}"


def app_hash(app: Path, tell: Callable[[str], object] = lambda _: None) -> str:
    """The sha256 of the bundle that ``flwr run`` makes of the app in a folder and sends to the parties.

    ``tell`` is given a sentence where lines end as on Windows, so that others' hash of the same code is another. It
    depends on the files' bytes and names only (the zip has fixed dates and no compression), not on where or when.

    Raises
    ------
    ApprovalError
        The folder holds no Flower app, or one whose name is not plain.
    """
    from flwr.cli.build import build_fab_from_disk

    if not (app / "pyproject.toml").is_file():
        raise ApprovalError(f"{app} holds no app: expected a pyproject.toml in it")
    try:
        bundle = build_fab_from_disk(app)
    except Exception as error:  # Flower has many kinds
        raise ApprovalError(f"Flower can't bundle the app in {app}: {error}") from error
    AppName.of(bundle)
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
        guarded = Withheld(approved, arguments["get_run"], arguments["get_fab"])
        # Flower looks at an app only where some entity is trusted; whom doesn't matter, as _verify_fab is ours.
        trusted = {"approved": "by its sha256"}
        return pull(
            **{**arguments, "get_run": guarded.get_run, "get_fab": guarded.get_fab, "trusted_entities": trusted}
        )

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


@dataclass
class Withheld:
    """The functions that ask the SuperLink for a run and its app, which give no byte of one that is not approved."""

    approved: Approved
    ask_run: Callable[[int], Any]
    ask_fab: Callable[[str, int], Any]
    runs: dict[int, Any] = field(default_factory=dict)

    def get_run(self, run: int) -> Any:
        """As the SuperLink says, and remembered."""
        self.runs[run] = self.ask_run(run)
        return self.runs[run]

    def get_fab(self, fab_hash: str, run: int) -> Any:
        """The app's bundle, without its content where it may not run here."""
        fab = self.ask_fab(fab_hash, run)
        verifications = {"valid_license": "looked at here"}  # Flower refuses an app without one before it looks
        if objection := self.approved.objection(self.runs[run], fab):
            log(ERROR, "Refused run %s: %s", run, objection)
            return replace(fab, content=b"", verifications=verifications)
        log(INFO, "Run %s uses the approved app %s, %s", run, fab.hash_str, AppName.of(fab.content))
        return replace(fab, verifications=verifications)


@dataclass
class LastError:
    """What the mediator answered last, where it refused: the HTTP status and the text; 0 where it did not."""

    status: int = 0
    text: str = ""


def watch() -> LastError:
    """From now on, what the mediator's SuperLink last refused to this process's SuperNode.

    Flower ends a SuperNode without a reason where its signature is not taken, so that somebody has to remember it.
    """
    module = importlib.import_module("flwr.supernode.fleet_http_connection")
    last = LastError()
    signing = module.NodeAuthHttpInterceptor

    class Watching(signing):  # type: ignore[misc, valid-type]
        def intercept(self, context: Any, call_next: Any) -> Any:
            response = super().intercept(context, call_next)
            last.status, last.text = (response.status_code, response.text) if response.is_error else (0, "")
            return response

    module.NodeAuthHttpInterceptor = Watching  # type: ignore[attr-defined]
    return last


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


def run_supernode(listening: Callable[[], object] = lambda: None) -> None:
    """Flower's SuperNode, with the options in ``sys.argv``; does not return while it runs.

    ``listening`` is called once its port on this machine is its own, before it connects.
    """
    module = importlib.import_module("flwr.supernode.cli.flower_supernode")
    start = module.start_client_internal

    def start_then(**arguments: Any) -> None:
        listening()
        start(**arguments)

    module.start_client_internal = start_then  # type: ignore[attr-defined]
    try:
        module.flower_supernode()
    finally:
        module.start_client_internal = start  # type: ignore[attr-defined]
