"""Who is there: wait for the parties' nodes, ask their names and columns, and refuse whom the run can't use.

Nobody is asked for data before its name and its columns are known to fit.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from flwr.app import Message
from flwr.serverapp import Grid

from strategies.session import Journal, Settings
from strategies.waiting import Patience, busy
from wire import messages
from wire.messages import Introduction, MessageError, RefusedError
from wire.schema import Schema
from wire.signing import MediatorSeal
from wire.text import listed, nearly

__all__ = ["Joined", "join", "left_out"]

SETTLE = 2.0
"""Where no list says who will come: seconds without a newcomer after which the rest is not waited for."""

FIRST_ANSWER = 30.0
"""Seconds that whoever was asked has for an answer at least: a simulation's clients take a while to start."""

POLL = 0.2


@dataclass(frozen=True)
class Joined:
    """nodes : the Flower node of each party that can go on; introductions : theirs; refused : the others' reasons."""

    nodes: dict[str, int]
    introductions: dict[str, Introduction]
    refused: dict[str, str]


def join(
    grid: Grid,
    settings: Settings,
    journal: Journal,
    question: Callable[[int], Message],
    seal: MediatorSeal | None = None,
) -> Joined:
    """Ask nodes who they are as they come, until all listed names are known or nobody else is waited for.

    Real parties come when they like, so ``join_timeout`` bounds the wait. The nodes of a simulation all start by
    themselves, however busy the machine is: whoever has not answered is waited for while its node is there, until
    nothing has been replies for ``timeout``. ``question(node)`` is what to ask. With a ``seal``, nobody has a name that
    its key does not prove.
    """
    reader = _Reader(seal)
    said, refusals, impostors, unnamed = reader.replies(_answers(grid, settings, journal, question, reader))
    found: dict[str, tuple[int, Introduction]] = {}
    refused = {f"node-{node}": f"calling itself {party}: {reason}" for node, party, reason in impostors}
    for node, party, reason in refusals:
        # Whoever refuses in a name that another node goes by, or that is on no list, speaks for its node only.
        own_word = (party in settings.parties or not settings.parties) and party not in said and party not in refused
        refused[party if own_word else f"node-{node}"] = reason if own_word else f"calling itself {party}: {reason}"
    spellings = Counter(party.casefold() for party in said)
    for party, entries in sorted(said.items()):
        if settings.parties and party not in settings.parties:
            refused[party] = f"its name is not on the list of parties: {listed(settings.parties)}"
        elif len(entries) > 1 or spellings[party.casefold()] > 1:
            number = sum(len(nodes) for name, nodes in said.items() if name.casefold() == party.casefold())
            refused[party] = (
                f"{number} nodes go by this name; none is asked, since none can be told to be the right one"
            )
        else:
            found[party] = entries[0]
    introductions = {party: introduction for party, (_, introduction) in found.items()}
    for party, reason in _schema_misfits(introductions, settings.schema).items():
        refused[party] = reason
        del found[party]
    for party in sorted(set(settings.parties) - set(found) - set(refused)):
        refused[party] = _absent(settings, unnamed)
    if not settings.parties:
        refused.update({f"unnamed-{k + 1}": reason for k, reason in enumerate(unnamed)})
    for party, (node, introduction) in found.items():
        columns, target = len(introduction.feature_names), introduction.target
        journal.ledger(
            "introduced", party=party, node=str(node), rows=introduction.rows, columns=columns, target=target
        )
    return Joined(
        nodes={party: node for party, (node, _) in found.items()},
        introductions={party: introduction for party, (_, introduction) in found.items()},
        refused=refused,
    )


def _absent(settings: Settings, unnamed: Sequence[str]) -> str:
    """Why a party that is on the list goes by no node's name."""
    limit = "timeout" if settings.simulated else "join-timeout"
    within = f"within {limit} = {settings.timeout if settings.simulated else settings.join_timeout:g} s"
    if settings.simulated and unnamed:
        return f"it did not introduce itself; a node of unknown name: {'; '.join(unnamed)}"
    failed = f"; a node of unknown name: {'; '.join(unnamed)}" if unnamed else ""
    load = busy()
    return f"it did not introduce itself {within}{failed}" + (
        f"; {load}: a larger {limit} waits longer" if load else ""
    )


def _answers(
    grid: Grid,
    settings: Settings,
    journal: Journal,
    question: Callable[[int], Message],
    reader: _Reader,
) -> dict[int, Message | str]:
    """Each node's answer to who it is, or why it gave none."""
    wanted = len(settings.parties) or settings.min_parties
    journal.event("stage", stage="join", total=wanted)
    answers: dict[int, Message | str] = {}
    asked: dict[str, int] = {}
    patience = Patience(lambda text: journal.event("note", text=text))
    start = changed = time.monotonic()
    while True:
        present = set(grid.get_node_ids())
        newcomers = sorted(present - set(answers))
        requests = [question(node) for node in newcomers]
        if requests:
            grid.push_messages(requests)
            answers.update(dict.fromkeys(newcomers, "no answer"))
            asked.update({request.metadata.message_id: request.metadata.dst_node_id for request in requests})
            changed = time.monotonic()
        for reply in list(grid.pull_messages(asked)) if asked else []:
            answers[asked.pop(reply.metadata.reply_to_message_id)] = reply
            done = min(wanted, sum(isinstance(answer, Message) for answer in answers.values()))
            journal.event("progress", stage="join", done=done, total=wanted)
            changed = time.monotonic()
        replies = reader.replies(answers)
        known = {*replies.said, *(party for _, party, _ in replies.refusals)}
        waited = time.monotonic() - start
        quiet = time.monotonic() - changed
        everybody = bool(settings.parties) and known >= set(settings.parties)
        settled = not settings.parties and len(known) >= settings.min_parties
        if (everybody and not asked) or ((everybody or settled) and quiet >= SETTLE):
            return answers
        if settings.simulated:
            open_nodes = set(asked.values()) & present
            if quiet >= settings.timeout or (not open_nodes and len(answers) >= wanted and quiet >= SETTLE):
                return answers | {node: _no_answer(node in present, settings) for node in asked.values()}
        elif waited >= settings.join_timeout and (not asked or quiet >= max(settings.join_timeout, FIRST_ANSWER)):
            return answers
        missing = set(settings.parties) - known
        patience.wait_for(missing or ["parties"], f"to introduce {'itself' if len(missing) == 1 else 'themselves'}")
        time.sleep(POLL)


def _no_answer(present: bool, settings: Settings) -> str:
    """Why a simulated node that was asked has not answered."""
    if not present:
        return "it has ended without an answer"
    load = busy()
    return f"no answer within timeout = {settings.timeout:g} s" + (f" ({load})" if load else "")


class _Replies(NamedTuple):
    """Introductions by party; refusals and names that no key proves as (node, party, reason); and the failures of
    nodes that never said a name."""

    said: dict[str, list[tuple[int, Introduction]]]
    refusals: list[tuple[int, str, str]]
    impostors: list[tuple[int, str, str]]
    unnamed: list[str]


class _Reader:
    """Reads each node's answer, and proves its key, once, however often all are looked at."""

    def __init__(self, seal: MediatorSeal | None) -> None:
        self._seal = seal
        self._read: dict[int, _Replies] = {}

    def replies(self, answers: Mapping[int, Message | str]) -> _Replies:
        """What all nodes have said so far, in the order of the nodes."""
        replies = _Replies(defaultdict(list), [], [], [])
        for node, reply in sorted(answers.items()):
            if isinstance(reply, str):
                replies.unnamed.append(reply)
            elif reply.has_error():
                replies.unnamed.append(messages.error_sentence(reply.error))
            else:
                if node not in self._read:
                    self._read[node] = _Replies(defaultdict(list), [], [], [])
                    _sort(reply, node, self._seal, self._read[node])
                own = self._read[node]
                for party, entries in own.said.items():
                    replies.said[party].extend(entries)
                replies.refusals.extend(own.refusals)
                replies.impostors.extend(own.impostors)
                replies.unnamed.extend(own.unnamed)
        return replies


def _sort(reply: Message, node: int, seal: MediatorSeal | None, replies: _Replies) -> None:
    """Sort one node's answer, once the key of whoever it says it is has proved it."""
    try:
        introduction, party, refusal = messages.decode_introduction(reply.content), "", ""
        party = introduction.party
    except RefusedError as error:
        introduction, party, refusal = None, error.party or f"node-{node}", str(error)
    except MessageError as error:
        replies.unnamed.append(str(error))
        return
    if seal is not None:
        try:
            seal.verify(reply.content, messages.INTRODUCE, party, node)
        except MessageError as error:
            replies.impostors.append((node, party, f"{error}{f' ({refusal})' if refusal else ''}"))
            return
    if introduction is None:
        replies.refusals.append((node, party, refusal))
    else:
        replies.said[party].append((node, introduction))


def left_out(introductions: Mapping[str, Introduction]) -> list[str]:
    """What parties left out in reading their files, as sentences: a column with all whose file has it so."""
    columns: dict[tuple[str, str], list[str]] = defaultdict(list)
    for party, introduction in sorted(introductions.items()):
        for name, reason in introduction.left_out.items():
            columns[name, reason].append(party)
    return [
        *(
            f"column {name!r} of {listed(parties)} is left out: {reason}. A schema names it if it is wanted."
            for (name, reason), parties in columns.items()
        ),
        *(f"{party}: {said}" for party, introduction in sorted(introductions.items()) for said in introduction.remarks),
    ]


def _schema_misfits(introductions: Mapping[str, Introduction], schema: Schema | None) -> dict[str, str]:
    """Parties whose features or target are not the schema's; without one, not those of most, a tie going to the party
    first by name."""
    schemas = {party: (frozenset(i.feature_names), i.target) for party, i in sorted(introductions.items())}
    if not schemas:
        return {}
    counts = Counter(schemas.values())
    features, target = max(schemas.values(), key=lambda own: counts[own])
    if schema is not None:
        features, target = frozenset(schema.features), schema.target
    whose = "the others'" if schema is None else "the schema's"
    misfits = {}
    for party, (own_features, own_target) in schemas.items():
        if own_target != target:
            spelled = ", which differs in its spelling only: rename it" if nearly(target, [own_target]) else ""
            misfits[party] = f"its target is {own_target!r}, {whose} is {target!r}{spelled}"
        elif own_features != features:
            lacks, extra = sorted(features - own_features), sorted(own_features - features)
            how = [f"it lacks {listed(lacks)}"] * bool(lacks) + [f"it has besides {listed(extra)}"] * bool(extra)
            hints = _mending(lacks, extra, introductions, party)
            misfits[party] = f"its features differ from {whose}: {' and '.join(how)}" + "".join(f"; {h}" for h in hints)
    return misfits


def _mending(
    lacks: Sequence[str], extra: Sequence[str], introductions: Mapping[str, Introduction], party: str
) -> Iterator[str]:
    """How features that differ are brought together, where that can be told."""
    settle = "agree on a schema that names the columns wanted, or delete the column from all files"
    own = introductions[party].left_out
    for name in lacks:
        if near := nearly(name, extra):
            yield f"its {near!r} and {name!r} differ in their spelling only: rename the column in its file"
        elif name in own:
            yield f"it leaves {name!r} out, since {own[name]}: {settle}"
    for name in extra:
        others = [other for other, introduction in introductions.items() if name in introduction.left_out]
        if others:
            yield f"{listed(others)} left {name!r} out, since {introductions[others[0]].left_out[name]}: {settle}"
