"""A party as a Flower ClientApp: it introduces itself, contributes, scores, and keeps its reward."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from logging import ERROR, WARNING
from pathlib import Path
from typing import cast

from flwr.app import Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.common.logger import log

from clients.evaluation import score
from clients.party_data import PartyData, PartyError, PartyFile
from clients.report import write_report
from clients.reward_store import load_reward, save_reward
from strategies import messages
from strategies.messages import Introduction, MessageError

__all__ = ["app"]

app = ClientApp()

ALONE = "alone"
"""Where the party's state keeps what it scored with its own data alone."""


@app.query("introduce")
def introduce(message: Message, context: Context) -> Message:
    """Say who this is and what it would bring; no data."""

    def answer(file: PartyFile) -> RecordDict:
        data = PartyData.read(file)
        own = data.contribution
        return messages.encode_introduction(Introduction(file.party, len(own), own.feature_names or (), data.target))

    return _answer(message, context, answer)


@app.train("contribute")
def contribute(message: Message, context: Context) -> Message:
    """Send the rows that are not held out."""

    def answer(file: PartyFile) -> RecordDict:
        data = PartyData.read(file)
        size = sum(a.nbytes for a in (data.contribution.X, data.contribution.y) if a is not None) / 1e6
        limit = float(context.run_config.get("max-contribution-mb", 512.0))
        if size > limit:
            raise PartyError(f"the contribution is {size:.1f} MB; the limit is max-contribution-mb = {limit:g}")
        return messages.encode_contribution(data.contribution, data.target)

    return _answer(message, context, answer)


@app.evaluate("alone")
def score_alone(message: Message, context: Context) -> Message:
    """Score what this party could do without the others."""

    def answer(file: PartyFile) -> RecordDict:
        scores = score(messages.decode_reward(message.content), PartyData.read(file))
        context.state[ALONE] = MetricRecord(dict(scores))  # for the party's own report, in the round after
        return messages.encode_scores(scores)

    return _answer(message, context, answer)


@app.train("reward")
def keep_reward(message: Message, context: Context) -> Message:
    """Keep the reward in the party's own store, and confirm what was received."""

    def answer(file: PartyFile) -> RecordDict:
        reward = messages.decode_reward(message.content)
        if reward.about.get("party") != file.party:
            raise PartyError(f"this reward is for {reward.about.get('party')!r}, not for {file.party!r}")
        folder = save_reward(file.store, str(reward.about.get("run", "")), reward)
        _report(folder, lambda: write_report(folder, reward))
        return messages.encode_receipt(load_reward(folder).hash, str(folder))

    return _answer(message, context, answer)


@app.evaluate("reward")
def score_reward(message: Message, context: Context) -> Message:
    """Score the reward that lies in the store."""

    def answer(file: PartyFile) -> RecordDict:
        folder = file.store / messages.decode_run(message.content)
        reward, data = load_reward(folder), PartyData.read(file)
        scores = score(reward, data)
        alone = cast(Mapping[str, float], context.state.get(ALONE, {}))
        _report(folder, lambda: write_report(folder, reward, data, alone=alone, scores=scores))
        return messages.encode_scores(scores)

    return _answer(message, context, answer)


def _report(folder: Path, write: Callable[[], object]) -> None:
    """Draw the party's own page; what goes wrong with it is in the party's log, and the reward stays."""
    try:
        write()
    except Exception:
        log(
            WARNING, "The report beside the reward in %s could not be drawn; the reward is whole", folder, exc_info=True
        )


def _answer(message: Message, context: Context, answer: Callable[[PartyFile], RecordDict]) -> Message:
    """The reply; what the party can't do is said by name and with the reason.

    An error that nobody foresaw could quote the party's rows, so only its kind and place are sent; the rest is in the
    party's own log.
    """
    party = str(context.node_config.get("party", ""))
    try:
        file = PartyFile.of(context.node_config, context.run_config)
        party = file.party
        content = answer(file)
    except (PartyError, MessageError) as error:
        content = messages.encode_refusal(party, str(error))
    except Exception as error:
        log(ERROR, "%s can't answer", party, exc_info=True)
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}, line {place.lineno}"
        content = messages.encode_refusal(party, f"{type(error).__name__} in {where}; its own log has the details")
    return Message(content, reply_to=message)
