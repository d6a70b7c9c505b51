"""Between real processes: in another party's name a registered node gets nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.approval import app_hash
from clients.audit import audit
from clients.consent import proposals, read_ledger
from tests.deployment.consortium import ROOT, Consortium
from tests.deployment.runs import Run, held, store, write_data
from wire.schema import Schema
from wire.signing import read_public_key

pytestmark = [pytest.mark.deployment, pytest.mark.slow, pytest.mark.timeout(900)]

SCHEMA = 'target = "y"\n[columns.a]\n[columns.b]\n[columns.y]\n'


@pytest.fixture(scope="module")
def signing(tmp_path_factory: pytest.TempPathFactory, nginx: None) -> Iterator[Consortium]:
    """north and south, who take part, and eve, whose key is registered too."""
    folder = tmp_path_factory.mktemp("signing") / "keys"
    with Consortium(folder, ("north", "south", "eve"), {"GUERDON_NOISE_SEED": "1"}) as consortium:
        write_data(consortium)
        yield consortium


def node(consortium: Consortium, party: str) -> str:
    folder, hash_ = consortium.folder / party, Schema.from_toml(SCHEMA).hash
    files = {"data-path": folder / "data.csv", "key": folder / party, "mediator-key": folder / "mediator.pub"}
    return " ".join([*(f'{key}="{path}"' for key, path in files.items()), f'confirm-schema="{hash_}"'])


def test_a_registered_key_with_another_partys_name_is_refused_and_both_ledgers_agree(
    signing: Consortium, tmp_path: Path
) -> None:
    (tmp_path / "schema.toml").write_text(SCHEMA)
    approved = [app_hash(ROOT)]
    for party in ("north", "south"):
        signing.party(party, approved, node(signing, party))
    signing.party("eve", approved, node(signing, "eve"), says="north")
    keys = {"keys-dir": str(signing.mediator / "parties"), "signing-key": str(signing.mediator / "mediator")}
    schema = {"schema-file": str(tmp_path / "schema.toml"), "target": ""}
    run = Run(tmp_path / "runs" / "signed", ("north", "south"), **keys, **schema)

    run.submit(signing, ROOT)
    run.finish()
    refusals = run.ledger("refused")
    assert {e["reason"] for e in refusals} == {
        "calling itself north: the signature is not that of north's key over what came"
    }
    assert all(e["party"].startswith("node-") for e in refusals)
    assert run.delivered() == run.made()
    (started,) = run.ledger("started")
    assert started["app"] == approved[0]
    key = read_public_key(signing.folder / "north" / "mediator.pub")
    for party in ("north", "south"):
        assert held(signing, party) == {"signed": run.made()[party]}
        own = read_ledger(store(signing, party))
        theirs = [{**e, "run": "signed"} for action in ("contributed", "delivered") for e in run.ledger(action)]
        theirs = [e for e in theirs if e["party"] == party]
        assert [f.agrees for f in audit(own, theirs, key)] == [True, True, True]
        sent = [e for e in own if e["action"] == "contributed"]
        assert [e["app"] for e in sent] == approved  # the code that touched the data, on both sides
        (about,) = proposals(store(signing, party))
        assert about["sha256"] == sent[0]["sha256"]
    assert read_ledger(store(signing, "eve")) == []
    assert json.loads((run.path / "allocation.json").read_text())["stage"] == "delivered"
