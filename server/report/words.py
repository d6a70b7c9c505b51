"""What happened in a run, in a few sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wire.kinds import kind_of
from wire.pages.numbers import is_number, number_text, percent_text, unit_text

__all__ = ["joined", "number_word", "summary", "tells"]

Record = Mapping[str, Any]

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def summary(record: Record) -> list[str]:
    """Sentences for whoever opens the page: what was pooled, who added what, what each gets, and whether it helps."""
    parties: Sequence[Record] = record["parties"]
    sentences = []
    if parties and tells(record, "rows", "value") and record.get("grand_value") is not None:
        sentences.append(_pooled(record, parties))
        if tells(record, "shapley"):
            sentences.append(_contributed(parties))
        if tells(record, "target"):
            sentences.append(_rewarded(record, parties))
    sentences += _scored(record)
    sentences.append(kind_of(record).disclosed({party["party"]: party.get("reward") or {} for party in parties}))
    return [sentence for sentence in sentences if sentence]


def tells(record: Record, *keys: str) -> bool:
    """Whether the record has these numbers for all parties: a strategy of one's own may value in another way."""
    return all(is_number(party.get(key)) for party in record["parties"] for key in keys)


def joined(names: Sequence[str], most: int = 6) -> str:
    """a, b and c; of many the first few and how many more."""
    if len(names) > most:
        return f"{', '.join(names[: most - 2])} and {len(names) - most + 2} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _pooled(record: Record, parties: Sequence[Record]) -> str:
    rows = sum(int(party["rows"]) for party in parties)
    best = max(parties, key=lambda party: party["value"])
    pool, own = record["grand_value"], best["value"]
    more = ""
    if own > 0.0 and "const" not in str(record["unit"]):  # a value up to a constant has no multiples
        private = any(party.get("epsilon") is not None for party in parties)
        verb = "sent" if private else "has alone"
        more = f", {pool / own:.3g} times the most that one of them {verb} ({best['party']})"
    worth = f"{number_text(pool)} {unit_text(str(record['unit']))}".rstrip()
    likely = (record.get("likely") or {}).get("pool")
    worth += "" if likely is None else f" ({number_text(likely['least'])} to {number_text(likely['most'])})"
    return (
        f"{number_word(len(parties)).capitalize()} parties pooled {rows:,} rows. Together their data is worth "
        f"{worth}{_in_words(record)}{more}."
    )


def _in_words(record: Record) -> str:
    """What the unit counts, for whoever meets it first."""
    return " (units of information: one makes a guess e times as sure)" if record["unit"] == "nats" else ""


def _contributed(parties: Sequence[Record]) -> str:
    total = sum(party["shapley"] for party in parties)
    ranked = sorted(parties, key=lambda party: -party["shapley"])
    first, last = ranked[0], ranked[-1]
    if total <= 0.0 or first is last:
        return ""
    return (
        f"{first['party']} added most, {percent_text(first['shapley'] / total)} of it by the Shapley value; "
        f"{last['party']} least, {percent_text(last['shapley'] / total)}."
    )


def _rewarded(record: Record, parties: Sequence[Record]) -> str:
    gains = [(party["target"] - party["value"], str(party["party"])) for party in parties]
    slack = 1e-9 * abs(record["grand_value"])
    losing = [name for gain, name in gains if gain < -slack]
    own, but = _of_own(parties)
    rho = "" if record.get("rho") is None else f" with ρ = {number_text(record['rho'])}"
    would = "would be" if record.get("stage") == "valued" else "is"
    if losing:
        return f"As decided{rho}, the reward {would} worth less than {own} for {joined(losing)}.{but}"
    (least, who), (most, whom) = min(gains), max(gains)
    span = f"from {number_text(max(least, 0.0))} more ({who}) to {number_text(most)} more ({whom})"
    return f"As decided{rho}, every party's reward {would} worth at least {own}: {span}.{but}"


def _of_own(parties: Sequence[Record]) -> tuple[str, str]:
    """What a party's value is the worth of, and what that leaves open where some put noise on what they sent."""
    private = [str(party["party"]) for party in parties if party.get("epsilon") is not None]
    if not private:
        return "its own data", ""
    return (
        "what it sent",
        f" That is how sure the models are by themselves, and no score: {joined(private)} put noise on what was sent, "
        "and can do better at home, with rows that have none.",
    )


def _scored(record: Record) -> list[str]:
    parties: Sequence[Record] = record["parties"]
    told = []
    for score in kind_of(record).scores:
        sides = [(party, *score.sides(party.get("alone"), party.get("reward"))) for party in parties]
        known = [(p, before, after) for p, before, after in sides if before is not None and after is not None]
        if score.summary and known:
            better = sum(score.worse(after, before) for _, before, after in known)
            worse = [str(party["party"]) for party, before, after in known if score.worse(before, after)]
            rows = [int(party["reward"].get("rows", 0)) for party, *_ in known]
            on = f"{rows[0]:,}" if min(rows) == max(rows) else f"{min(rows):,} to {max(rows):,}"
            told.append(
                f"On rows held out ({on} each), {score.summary} with the reward are better than alone for "
                f"{number_word(better) if better else 'none'} of {number_word(len(known))}"
                + (f", and worse for {joined(worse)}." if worse else ".")
            )
    return told


def number_word(count: int) -> str:
    """A small number as a word, a larger one in digits."""
    return NUMBERS[count] if count < len(NUMBERS) else f"{count:,}"
