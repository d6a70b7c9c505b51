"""Flower's own SuperNode loop, guarded: no byte of an app that nobody approved gets into it."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from flwr.app import Message, RecordDict
from flwr.cli.build import build_fab_from_disk
from flwr.supercore.fab import Fab
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects, get_object_tree
from flwr.supercore.object_store import ObjectStoreFactory
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity
from flwr.supernode.nodestate import NodeStateFactory

from clients.approval import TRIED_WITH, AppName, ApprovalError, Approved, app_hash, guard

ROOT = Path(__file__).parents[2]
RUN, NODE = 5, 7
INVALID_FAB = 7


def fresh_loop() -> ModuleType:
    """A copy of Flower's module of its own, so that a guard does not outlive its test."""
    spec = importlib.util.find_spec("flwr.supernode.start_client_internal")
    assert spec is not None
    assert spec.loader is not None
    loop = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loop)
    return loop


@pytest.fixture(scope="module")
def bundle() -> bytes:
    return build_fab_from_disk(ROOT)


def deliver(loop: ModuleType, fab: Fab, *, trusted: dict[str, str] | None = None, **lies: object) -> tuple[Any, int]:
    """Let the loop pull one message of a run with this app; its state, and how many bytes of the message it fetched.

    ``lies`` is what the SuperLink says of the run in the place of the truth.
    """
    stores = ObjectStoreFactory()
    state, store = NodeStateFactory(objectstore_factory=stores).state(), stores.store()
    state.set_node_id(NODE)
    TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, RUN, 1
    message = Message(RecordDict(), dst_node_id=NODE, message_type="train.contribute")
    message.metadata.__dict__["_message_id"] = message.object_id
    contents = {key: part.deflate() for key, part in get_all_nested_objects(message).items()}
    fetched: list[int] = []

    def pull_object(run: int, key: str) -> bytes:
        fetched.append(len(contents[key]))
        return contents[key]

    told = {"fab_id": "guerdon/guerdon", "fab_version": version("guerdon"), "fab_hash": fab.hash_str, **lies}
    run = replace(Run.create_empty(RUN), **told)  # type: ignore[arg-type]
    loop._pull_and_store_message(  # type: ignore[attr-defined]
        state=state,
        object_store=store,
        node_config={},
        receive=lambda: (message, get_object_tree(message)),
        get_run=lambda number: replace(run, series_id=number),
        get_fab=lambda fab_hash, number: fab,
        pull_object=pull_object,
        confirm_message_received=lambda number, key: None,
        trusted_entities=trusted,
    )
    return state, sum(fetched)


def error_code(state: Any) -> int | None:
    replies = state.get_messages_legacy(is_reply=True)
    return replies[0].error.code if replies else None


def fab_of(content: bytes, **verifications: str) -> Fab:
    return Fab(hashlib.sha256(content).hexdigest(), content, verifications)


def test_an_approved_app_gets_its_message(bundle: bytes) -> None:
    loop = fresh_loop()
    guard(Approved.of([hashlib.sha256(bundle).hexdigest()]), loop)
    state, fetched = deliver(loop, fab_of(bundle))
    assert error_code(state) is None
    assert fetched > 0
    assert state.get_fab(hashlib.sha256(bundle).hexdigest()).content == bundle


LIES: dict[str, Callable[[bytes, str], Fab]] = {
    "another app": lambda other, approved: fab_of(other),
    "another app under the approved hash": lambda other, approved: Fab(approved, other, {}),
    "another app that Flower vouches for": lambda other, approved: fab_of(other, valid_license="Valid"),
    "no app": lambda other, approved: fab_of(b""),
}


@pytest.mark.parametrize("lie", LIES)
def test_whatever_else_the_mediator_sends_is_refused_before_it_is_unpacked(bundle: bytes, lie: str) -> None:
    approved = hashlib.sha256(bundle).hexdigest()
    other = bundle + b"\0"  # a zip with a byte behind its end unpacks just the same
    loop = fresh_loop()
    guard(Approved.of([approved]), loop)
    state, fetched = deliver(loop, LIES[lie](other, approved))
    assert error_code(state) == INVALID_FAB
    assert fetched == 0
    for known in (approved, hashlib.sha256(other).hexdigest()):
        assert state.get_fab(known) is None
    assert state.get_run(RUN) is None


LIES_OF_A_RUN: dict[str, dict[str, object]] = {
    "a version that leads elsewhere": {"fab_version": f"{version('guerdon')}/../../../tmp/evil"},
    "a version of dots": {"fab_version": ".."},
    "another version": {"fab_version": "0.0.1"},
    "no version": {"fab_version": ""},
    "a version with a blank": {"fab_version": f"{version('guerdon')} "},
    "another publisher": {"fab_id": "eve/guerdon"},
    "another name": {"fab_id": "guerdon/evil"},
    "a publisher that leads elsewhere": {"fab_id": "../guerdon"},
    "no name": {"fab_id": ""},
    "another hash": {"fab_hash": "f" * 64},
    "a hash that leads elsewhere": {"fab_hash": "/../../x"},
    "an agent's run": {"primary_task_type": "flwr-agentapp"},
    "escape sequences": {"fab_version": "\x1b[2J0.2.0"},
}


@pytest.mark.parametrize("lie", LIES_OF_A_RUN)
def test_a_superlink_that_lies_about_an_approved_app_is_refused(
    bundle: bytes, lie: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Flower loads apps/PUBLISHER.NAME.VERSION.HASH8, each of them the SuperLink's word."""
    loop = fresh_loop()
    guard(Approved.of([hashlib.sha256(bundle).hexdigest()]), loop)
    state, fetched = deliver(loop, fab_of(bundle), **LIES_OF_A_RUN[lie])
    assert error_code(state) == INVALID_FAB
    assert fetched == 0
    assert state.get_run(RUN) is None
    assert "\x1b[2J" not in caplog.text


def test_the_bundles_hash_as_the_superlink_gives_it_is_that_of_its_bytes(bundle: bytes) -> None:
    loop, approved = fresh_loop(), hashlib.sha256(bundle).hexdigest()
    guard(Approved.of([approved]), loop)
    for told in ("", "/../../x" + approved[8:], approved.upper()):
        state, fetched = deliver(loop, Fab(told, bundle, {}), fab_hash=approved)
        assert (error_code(state), fetched) == (INVALID_FAB, 0)


def test_without_the_guard_flower_loads_the_folder_that_the_superlink_names(bundle: bytes) -> None:
    """What the tests above see is the guard's doing."""
    state, fetched = deliver(fresh_loop(), fab_of(bundle), **LIES_OF_A_RUN["a version that leads elsewhere"])
    assert error_code(state) is None
    assert fetched > 0
    assert ".." in state.get_run(RUN).fab_version


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("version", "1.0/../.."),
        ("version", ".."),
        ("version", "1..0"),
        ("version", "1.0\\n"),
        ("name", "../x"),
        ("name", ""),
        ("publisher", "a/b"),
        ("publisher", "."),
    ],
)
def test_an_app_whose_own_name_is_not_plain_can_not_be_approved(key: str, value: str) -> None:
    own = {"publisher": "p", "name": "n", "version": "1.0"} | {key: value}
    toml = f'[project]\nname = "{own["name"]}"\nversion = "{own["version"]}"\n'
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("pyproject.toml", f'{toml}[tool.flwr.app]\npublisher = "{own["publisher"]}"\n')
    with pytest.raises(ApprovalError, match="not plain"):
        AppName.of(content.getvalue())


@pytest.mark.parametrize("text", ["1.0", "0.2.0", "1.0.0rc1", "2.1.dev3", "1.0+local", "1!2.0", "2026.11"])
def test_usual_versions_are_plain(text: str) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("pyproject.toml", f'[project]\nname="n"\nversion="{text}"\n[tool.flwr.app]\npublisher="p"\n')
    assert AppName.of(content.getvalue()) == ("p/n", text)


def test_without_the_guard_flower_runs_what_comes(bundle: bytes) -> None:
    """What the tests above see is the guard's doing."""
    state, fetched = deliver(fresh_loop(), fab_of(bundle + b"\0"))
    assert error_code(state) is None
    assert fetched > 0


def test_another_flower_is_refused_rather_than_run_unguarded(monkeypatch: pytest.MonkeyPatch) -> None:
    approved = Approved.of(["0" * 64])
    loop = fresh_loop()
    before = loop._pull_and_store_message  # type: ignore[attr-defined]
    monkeypatch.setattr("clients.approval.version", lambda name: "1.43.0")
    with pytest.raises(ApprovalError, match=r"Flower 1\.43\.0 is installed.*nothing was started"):
        guard(approved, loop)
    assert loop._pull_and_store_message is before  # type: ignore[attr-defined]


def test_a_flower_whose_inside_differs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    approved = Approved.of(["0" * 64])
    loop = fresh_loop()
    del loop._verify_fab  # type: ignore[attr-defined]
    with pytest.raises(ApprovalError, match="_verify_fab"):
        guard(approved, loop)
    loop = fresh_loop()
    loop._pull_and_store_message = lambda state, receive: None  # type: ignore[attr-defined]
    with pytest.raises(ApprovalError, match="_pull_and_store_message"):
        guard(approved, loop)


def test_the_pinned_flower_is_the_one_that_was_tried() -> None:
    beyond = f"1.{int(TRIED_WITH[-1].split('.')[1]) + 1}"
    assert f'"flwr[simulation]>={TRIED_WITH[0]},<{beyond}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("hashes", "why"),
    [([], "name the app"), (["abc"], "64 hexadecimal"), (["g" * 64], "64 hexadecimal")],
)
def test_hashes_are_checked_as_they_are_typed(hashes: list[str], why: str) -> None:
    with pytest.raises(ApprovalError, match=why):
        Approved.of(hashes)


def test_two_apps_that_flower_would_unpack_into_one_folder_are_refused() -> None:
    with pytest.raises(ApprovalError, match="first 8 digits"):
        Approved.of(["a" * 64, "a" * 8 + "b" * 56])
    assert Approved.of([f" {'A' * 64}\n"]).hashes == {"a" * 64}


def test_the_hash_is_that_of_the_files_not_of_the_place_or_the_time(tmp_path: Path) -> None:
    wanted = app_hash(ROOT)
    copy = tmp_path / "else where"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".git", "runs", "*cache*", "tests"), symlinks=True)
    assert app_hash(copy) == wanted
    with (copy / "clients" / "app.py").open("a") as file:
        file.write("\n")
    assert app_hash(copy) != wanted
    with pytest.raises(ApprovalError, match="holds no app"):
        app_hash(tmp_path)


def test_what_other_programs_leave_beside_files_does_not_change_the_hash(tmp_path: Path) -> None:
    ignore = shutil.ignore_patterns("__pycache__", ".git", "runs", "site")
    app = tmp_path / "guerdon"
    app.mkdir()
    for name in ("guerdon", "wire", "server", "clients", "strategies"):
        shutil.copytree(ROOT / name, app / name, ignore=ignore)
    for name in ("pyproject.toml", "LICENSE", ".gitignore"):
        shutil.copy2(ROOT / name, app / name)
    said: list[str] = []
    before = app_hash(app, said.append)
    for name in (
        *("._app.py", ".DS_Store", "app.py~", "app.py.orig", "app.py.bak", ".#app.py", ".app.py.swp"),
        *(".ipynb_checkpoints/app-checkpoint.py", "__pycache__/app.cpython-311.pyc"),
    ):
        path = app / "server" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"\x00\x05\x16\x07 left here")
    assert app_hash(app, said.append) == before
    assert not said
    (app / "server" / "app.py").write_bytes((app / "server" / "app.py").read_bytes().replace(b"\n", b"\r\n"))
    assert app_hash(app, said.append) != before
    assert len(said) == 1
    assert "such as server/app.py, end their lines as on Windows (CRLF)" in said[0]
