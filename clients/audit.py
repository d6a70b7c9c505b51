"""Both sides' ledgers side by side: what a party says it sent and got, and what the mediator says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from wire.parsing import ParseError, read_json
from wire.signing import PublicKey, text_verified

__all__ = ["Finding", "audit"]

Entries = Sequence[dict[str, Any]]


class Finding(NamedTuple):
    """One comparison; ``agrees`` is None where one side has no entry to compare with."""

    run: str
    what: str
    party_says: str
    mediator_says: str
    agrees: bool | None


def audit(own: Entries, mediator: Entries | None, key: PublicKey | None = None) -> list[Finding]:
    """Compare run by run: the contribution's hash, the mediator's receipt for it, and the reward's hash.

    Parameters
    ----------
    own : the party's ledger
    mediator : the mediator's entries on this party, with ``run`` in each; None to check the receipts only
    key : the mediator's public key, to verify the receipts with
    """
    runs = sorted({str(entry["run"]) for entry in (*own, *(mediator or ())) if "run" in entry})
    return [finding for run in runs for finding in _of_run(run, own, mediator, key)]


def _of_run(run: str, own: Entries, mediator: Entries | None, key: PublicKey | None) -> list[Finding]:
    sent, receipt = _last(own, run, "contributed"), _last(own, run, "receipt")
    findings = [_receipt(run, sent, receipt, key)]
    if mediator is not None:
        findings.append(_compare(run, "contribution", sent, _last(mediator, run, "contributed")))
        findings.append(_compare(run, "reward", _last(own, run, "rewarded"), _last(mediator, run, "delivered")))
    return findings


def _compare(run: str, what: str, here: Mapping[str, Any], there: Mapping[str, Any]) -> Finding:
    one, other = str(here.get("sha256", "")), str(there.get("sha256", ""))
    return Finding(run, what, one, other, one == other if one or other else None)


def _receipt(run: str, sent: Mapping[str, Any], receipt: Mapping[str, Any], key: PublicKey | None) -> Finding:
    """What the mediator acknowledged is what the party sent, and it was the mediator who did."""
    one = str(sent.get("sha256", ""))
    if not receipt:
        return Finding(run, "receipt", one, "", None if not one else False)
    acknowledged = _acknowledged(str(receipt.get("text", "")))
    if key is None:
        return Finding(run, "receipt, unverified", one, acknowledged, one == acknowledged)
    if not text_verified(key, str(receipt.get("text", "")), str(receipt.get("signature", ""))):
        return Finding(run, "receipt, not the mediator's", one, acknowledged, False)
    return Finding(run, "receipt, signed", one, acknowledged, one == acknowledged)


def _acknowledged(text: str) -> str:
    """The hash in a receipt, "" where it is none."""
    try:
        found = read_json(text)
    except ParseError:
        return ""
    return str(found.get("sha256", "")) if isinstance(found, dict) else ""


def _last(entries: Entries, run: str, action: str) -> dict[str, Any]:
    """The last entry of this kind on this run, {} where there is none."""
    found = [entry for entry in entries if entry.get("run") == run and entry.get("action") == action]
    return found[-1] if found else {}
