"""Between real processes: contributions that a registered node altered, kept from another run or took from another."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.approval import app_hash
from simulations.staging import stage
from tests.deployment.consortium import ROOT, Consortium
from tests.deployment.runs import Run, held, node_config, write_data

pytestmark = [pytest.mark.deployment, pytest.mark.slow, pytest.mark.timeout(900)]

HONEST = ("north", "south")
CROOKS = ("alters", "replays", "steals")

INTERCEPTOR = '''
"""Python imports this at the start of every process of the party: it sits between the approved app and Flower."""

import os
import pickle
import time
from pathlib import Path

from flwr.app import Array
from flwr.clientapp import ClientApp

answer = ClientApp.__call__
folder = Path(os.environ["TAPES"])


def intercepted(app, message, context):
    reply = answer(app, message, context)
    if message.metadata.message_type != "train.contribute":
        return reply
    party, run = context.node_config["party"], message.metadata.run_id
    tape = folder / f"{party}-{run}"
    unfinished = folder / "unfinished" / tape.name
    unfinished.write_bytes(pickle.dumps(reply.content))
    unfinished.rename(tape)
    others = {p.name: p for p in folder.iterdir() if p.is_file() and not p.name.endswith(f"-{run}")}
    if not others:
        return reply  # the first run, in which all are honest
    if party == "alters":
        arrays = reply.content["arrays"]
        X = arrays["X"].numpy().copy()
        X[0, 0] += 1e-9
        arrays["X"] = Array(X)
    if party == "replays":
        (earlier,) = (path for name, path in others.items() if name.startswith("replays-"))
        reply.content = pickle.loads(earlier.read_bytes())
    if party == "steals":
        theirs = folder / f"north-{run}"
        while not theirs.exists():
            time.sleep(0.1)
        reply.content = pickle.loads(theirs.read_bytes())
    return reply


ClientApp.__call__ = intercepted
'''


@pytest.fixture(scope="module")
def consortium(tmp_path_factory: pytest.TempPathFactory, nginx: None) -> Iterator[Consortium]:
    """All five are on the list, and each has its own registered key."""
    with Consortium(tmp_path_factory.mktemp("replay") / "keys", HONEST + CROOKS) as consortium:
        write_data(consortium)
        yield consortium


def test_what_is_altered_said_again_or_stolen_is_refused_by_name(consortium: Consortium, tmp_path: Path) -> None:
    app = stage([], tmp_path / "app")
    (tmp_path / "between").mkdir()
    (tmp_path / "between" / "sitecustomize.py").write_text(INTERCEPTOR)
    (tmp_path / "tapes" / "unfinished").mkdir(parents=True)
    variables = {
        "TAPES": str(tmp_path / "tapes"),
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "between"), str(ROOT)]),
    }
    for party in HONEST + CROOKS:
        node = node_config(consortium, party)
        consortium.party(party, [app_hash(app)], node, variables=variables if party != "south" else None)

    first = Run(tmp_path / "first", HONEST + CROOKS)
    first.submit(consortium, app)
    first.finish()
    assert sorted(first.delivered()) == sorted(HONEST + CROOKS)

    second = Run(tmp_path / "second", HONEST + CROOKS)
    second.submit(consortium, app)
    second.finish()
    assert {entry["party"]: entry["reason"] for entry in second.ledger("refused")} == {
        "alters": "the signature is not that of alters's key over what came",
        "replays": "it is signed for another run, or for an earlier attempt at this one",
        "steals": "the signature is not that of steals's key over what came",
    }
    assert [entry["party"] for entry in second.ledger("contributed")] == sorted(HONEST)
    assert sorted(second.delivered()) == sorted(HONEST)
    for party in CROOKS:
        assert sorted(held(consortium, party)) == ["first"]
