"""What is known of a kind of reward, and what is done with one whose kind nobody here knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from numpy.typing import NDArray

from guerdon.types import Contribution, FloatArray
from wire.handlers import travels
from wire.kinds.columns import Column, Group
from wire.messages import MessageError, Reward
from wire.pages.glossary import MEANINGS

if TYPE_CHECKING:
    from wire.pages.page import Picture

__all__ = [
    "ACCURACY",
    "HELD_OUT",
    "MNLP",
    "RMSE",
    "WORTH",
    "HeldRows",
    "Kind",
    "Score",
    "held_inputs",
    "require_parts",
    "reward_columns",
    "understood",
]


class HeldRows(Protocol):
    """A party's own rows, as its app reads them: what it contributes, and what it holds out to score what it gets."""

    @property
    def contribution(self) -> Contribution: ...
    @property
    def target(self) -> str: ...
    @property
    def held_inputs(self) -> FloatArray: ...
    @property
    def held_outputs(self) -> FloatArray | None: ...
    @property
    def held_noise(self) -> FloatArray | None: ...


class Score(NamedTuple):
    """A score on held-out rows: alone and with the reward.

    key : its name in the scores that parties send; header : above its column in a terminal; name : in full; meaning :
    in a sentence; axis : below a picture; summary : what is better or not, in a sentence, "" where none speaks of it;
    key_alone : the name of what it is compared with among the scores alone, "" where that is the same.
    """

    key: str
    header: str
    name: str
    meaning: str
    axis: str
    summary: str
    lower_is_better: bool
    key_alone: str = ""

    @property
    def column(self) -> Column:
        """alone -> reward."""
        return Column(
            f"{self.header}\nalone → reward",
            f"alone.{self.keys[0]} -> reward.{self.key}",
            f"{self.header}, alone → reward",
            self.meaning,
            "scores",
        )

    @property
    def keys(self) -> tuple[str, str]:
        """Its names in the scores alone and with the reward."""
        return self.key_alone or self.key, self.key

    def worse(self, alone: float, reward: float) -> bool:
        """Whether the reward does worse than the party alone."""
        return reward > alone if self.lower_is_better else reward < alone

    def sides(self, alone: Mapping[str, Any] | None, reward: Mapping[str, Any] | None) -> tuple[Any, Any]:
        """The numbers of both; None where there is none."""
        return (alone or {}).get(self.keys[0]), (reward or {}).get(self.key)


MNLP = Score(
    *("mnlp", "MNLP", "log loss (MNLP)", MEANINGS["mnlp"]),
    axis="mean negative log probability in nats",
    summary="predictions (log loss)",
    lower_is_better=True,
)
RMSE = Score(
    *("rmse", "RMSE", "error (RMSE)", MEANINGS["rmse"]),
    axis="RMSE, in the target's own units",
    summary="",
    lower_is_better=True,
)
ACCURACY = Score(
    *("accuracy", "accuracy", "accuracy", MEANINGS["accuracy"]),
    axis="share of held-out labels that are predicted right",
    summary="classifications",
    lower_is_better=False,
)

WORTH = (
    Column("rows", "rows", "rows", MEANINGS["rows"], "worth", count=True),
    Column("v_i", "value in likely.value", "alone vᵢ", MEANINGS["value"], "worth"),
    Column("Shapley", "shapley +- shapley_error in likely.shapley", "Shapley φᵢ", MEANINGS["shapley"], "worth"),
    Column("alpha", "alpha +- sampling.alpha in likely.alpha", "α", MEANINGS["alpha"], "worth", decimals=3),
)
"""What a party's data is worth, for every kind that is valued as a game."""

HELD_OUT = Column("rows\nheld out", "alone.rows | reward.rows", "held out", MEANINGS["held_out"], "scores", count=True)


class Kind:
    """A kind of reward that a strategy brings of its own: kept as it came, and not scored.

    One subclass a kind says what is different. Nothing outside ``wire.kinds`` asks which kind a reward is.

    Attributes
    ----------
    name : str
        As it stands in ``about["kind"]`` of a reward and in ``record["kind"]`` of an allocation.
    words : str
        What a party gets, in a sentence: "a model".
    scheme : str
        The scheme that the negotiation page computes where the run's own is another; "" where there is nothing to
        negotiate.
    ceiling : str
        The most that a reward can be, in words, where that is not the value of all data.
    predicts : bool
        Whether ``predict`` works.
    gives : bool
        Whether the party has its reward with it, and not the word that it is held back.
    report_shows : str
        What the mediator's report shows besides the values, to go on with "and ..."; "" where nothing is.
    scores : sequence of Score
        What parties score it by, on rows that they held out.
    given : sequence of Column
        What was decided and done for a party.
    """

    name: ClassVar[str] = "own"
    words: ClassVar[str] = "a reward"
    scheme: ClassVar[str] = ""
    ceiling: ClassVar[str] = "as the valuation has it"
    predicts: ClassVar[bool] = False
    gives: ClassVar[bool] = True
    report_shows: ClassVar[str] = ""
    scores: ClassVar[Sequence[Score]] = (MNLP, RMSE, ACCURACY)
    given: ClassVar[Sequence[Column]] = ()

    # In the mediator's tables, and in whatever else is drawn from a record.

    def columns(self, record: Mapping[str, Any]) -> Sequence[Column]:
        """All columns that this kind can have, in order."""
        return (*WORTH, *self.given, HELD_OUT, *(score.column for score in self.scores))

    def facts(self, record: Mapping[str, Any]) -> Sequence[tuple[str, Any]]:
        """Symbols and numbers of the whole run, for the line below the tables."""
        return [("v_N", record.get("grand_value"))]

    def most_in(self, record: Mapping[str, Any]) -> str:
        """The most that a reward of this run can be, in words."""
        pool = record.get("grand_value")
        plain = all(party.get("ceiling") == pool for party in record["parties"])
        return "the grand coalition, v_N" if plain else self.ceiling

    # At the party.

    def alone(self, reward: Reward, data: HeldRows) -> Reward:
        """What the party can do by itself, made again from its own rows, so that nothing is scored but that: of the
        arrays that the mediator sent along none is used.

        Raises
        ------
        MessageError
            It can't be made again.
        """
        return replace(reward, arrays={})

    def score(self, reward: Reward, data: HeldRows) -> dict[str, float]:
        """What the reward is worth to the party on its held-out rows; empty where it holds no outputs out."""
        return {}

    def undefined(self, scores: Mapping[str, Mapping[str, float]]) -> str:
        """Which scores of the parties' rewards, by party, there can't be, and why, in a sentence; "" for none."""
        return ""

    def disclosed(self, scores: Mapping[str, Mapping[str, float]]) -> str:
        """What the parties' scores of their rewards, by party, say of how far rewards tell who was in, in a sentence;
        "" where they say nothing."""
        return ""

    def told(self, about: Mapping[str, Any]) -> str:
        """What a reward came with says of how good it is, in a sentence; "" where it says nothing."""
        return ""

    def save(self, reward: Reward, folder: Path, order: Sequence[str] = ()) -> None:
        """Write beside ``reward.npz`` what people open: nothing, for most kinds.

        Parameters
        ----------
        order : sequence of str
            The columns of the party's own file as they stand there, where they are known.
        """

    def lines(self, reward: Reward) -> list[str]:
        """What the reward is and what it is worth, for people."""
        about = reward.about
        arrays = ", ".join(f"{name} {'x'.join(map(str, array.shape))}" for name, array in sorted(reward.arrays.items()))
        return [
            f"A {about.get('kind')} reward for {about.get('party')}, from run {about.get('run')}.",
            *self.described(reward),
            f"Strategy {about['strategy']}." if "strategy" in about else f"Arrays: {arrays}.",
            f"It holds {about.get('contains', arrays)}.",
        ]

    def described(self, reward: Reward) -> list[str]:
        """What it is, in sentences of its kind."""
        return []

    def features(self, reward: Reward) -> Sequence[str]:
        """The inputs that ``predict`` takes, in order.

        Raises
        ------
        MessageError
            This kind of reward can't predict.
        """
        raise MessageError(f"this reward is not a model but {reward.about.get('kind')!r}: it can't predict")

    def predict(self, reward: Reward, X: FloatArray, noise: FloatArray | None = None) -> dict[str, NDArray[Any]]:
        """Named columns of predictions (k,) for new rows.

        Parameters
        ----------
        X : (k, d) array
            Inputs in the order of ``features``, in the party's own units.
        noise : (k,) array, optional
            Noise VARIANCES of the new observations.

        Raises
        ------
        MessageError
            This kind of reward can't predict.
        """
        raise MessageError(f"this reward is not a model but {reward.about.get('kind')!r}: it can't predict")

    def pictures(self, reward: Reward, data: HeldRows | None, folder: Path) -> list[Picture]:
        """For the party's own page, of rows that only it may see; ``data`` is None before they are known."""
        return []


@contextmanager
def understood(reward: Reward) -> Iterator[None]:
    """While entered, whatever a method of a kind stumbles over in a reward's arrays or description is a MessageError.

    To be entered where nothing but the reward is read: what else is read could not be told from it.
    """
    try:
        yield
    except MessageError:
        raise
    except (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        what = f"a {reward.about.get('kind')} reward"
        raise MessageError(f"this reward does not hold what {what} holds: {type(error).__name__} {error}") from error


def require_parts(reward: Reward, *, here: bool = False) -> None:
    """Make sure that all classes a reward is made of are ours or part of the app: whoever made it must not choose what
    is imported.

    Parameters
    ----------
    reward : Reward
    here : bool
        Those of the working directory will do too, where somebody sits in front of it.

    Raises
    ------
    MessageError
    """
    for name in (str(array) for key, array in reward.arrays.items() if key.rpartition(".")[2] == "kind"):
        module = name.rpartition(":")[0]
        if module and not travels(module, here=here):
            raise MessageError(
                f"this reward needs {name}, which is not part of the app"
                + (f": go to the folder that {module}.py lies in" if here else "")
            )


def held_inputs(data: HeldRows, features: Sequence[str]) -> FloatArray:
    """The inputs of a party's held-out rows (k, d), in the order of these features."""
    names = data.contribution.feature_names or ()
    return data.held_inputs[:, [names.index(str(name)) for name in features]]


def reward_columns(*columns: tuple[str, str, str, str]) -> tuple[Column, ...]:
    """Columns of what a party gets, from (header, place, title, key of the meaning)."""
    group: Group = "reward"
    return tuple(
        Column(header, place, title, MEANINGS[key], group, count=key == "synthetic_rows")
        for header, place, title, key in columns
    )
