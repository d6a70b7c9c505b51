"""Between real processes: a party that signs what the announced schema does not allow is refused by the mediator."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.approval import app_hash
from simulations.staging import stage
from tests.deployment.consortium import ROOT, Consortium
from tests.deployment.runs import Run, held, node_config, write_data

pytestmark = [pytest.mark.deployment, pytest.mark.slow, pytest.mark.timeout(900)]

SCHEMA = 'target = "y"\n[columns.a]\nminimum = -10\nmaximum = 10\n[columns.b]\n[columns.y]\n'

LIAR = '''
"""Python imports this at the start of every process of the party: what it signs is not what its file holds."""

import sys
from dataclasses import replace

from flwr.clientapp import ClientApp

answer = ClientApp.__call__


def lying(app, message, context):
    rows = sys.modules["wire.kinds.rows"]
    if message.metadata.message_type == "train.contribute" and not hasattr(rows, "honest"):
        rows.honest = rows.encode_contribution

        def encode(contribution, target):
            X = contribution.X.copy()
            X[0, 0] = 1.23456e6
            return rows.honest(replace(contribution, X=X), target)

        rows.encode_contribution = encode
    return answer(app, message, context)


ClientApp.__call__ = lying
'''


@pytest.fixture(scope="module")
def consortium(tmp_path_factory: pytest.TempPathFactory, nginx: None) -> Iterator[Consortium]:
    with Consortium(tmp_path_factory.mktemp("lies") / "keys", ("north", "south", "liar")) as consortium:
        write_data(consortium)
        yield consortium


def test_who_lies_about_the_schema_is_refused_by_name_and_the_others_get_their_rewards(
    consortium: Consortium, tmp_path: Path
) -> None:
    app = stage([], tmp_path / "app")
    (tmp_path / "between").mkdir()
    (tmp_path / "between" / "sitecustomize.py").write_text(LIAR)
    (tmp_path / "schema.toml").write_text(SCHEMA)
    variables = {"PYTHONPATH": os.pathsep.join([str(tmp_path / "between"), str(ROOT)])}
    for party in consortium.parties:
        node = node_config(consortium, party).replace('target="y" ', "")
        consortium.party(party, [app_hash(app)], node, variables=variables if party == "liar" else None)

    run = Run(tmp_path / "run", consortium.parties, **{"schema-file": str(tmp_path / "schema.toml"), "target": ""})
    run.submit(consortium, app)
    run.finish()
    (refusal,) = run.ledger("refused")
    assert refusal["party"] == "liar"
    assert "column 'a': 1 of" in refusal["reason"]
    assert "above the maximum 10" in refusal["reason"]
    assert "123456" not in json.dumps(run.ledger("refused") + run.ledger("contributed"))
    assert sorted(run.delivered()) == ["north", "south"]
    assert not held(consortium, "liar")
