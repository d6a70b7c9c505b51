"""Networks that learned from the parties' updates: a class for every row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from guerdon.types import FloatArray
from wire.kinds.columns import Column
from wire.kinds.kind import ACCURACY, HeldRows, Kind, Score, held_inputs
from wire.messages import Reward
from wire.pages.glossary import MEANINGS
from wire.text import listed

__all__ = ["Classifier"]


class Classifier(Kind):
    """A network of the party's own, as far as its updates earned it."""

    name: ClassVar[str] = "classifier"
    words: ClassVar[str] = "a classifier"
    predicts: ClassVar[bool] = True
    scores: ClassVar[Sequence[Score]] = (
        ACCURACY._replace(
            meaning=MEANINGS["accuracy_network"], axis="share of held-out labels that the network gets right"
        ),
    )

    def columns(self, record: Mapping[str, Any]) -> Sequence[Column]:
        rows = Column("rows", "rows", "rows", MEANINGS["rows_kept"], "worth", count=True)
        return (rows, *(score.column for score in self.scores))

    def score(self, reward: Reward, data: HeldRows) -> dict[str, float]:
        """The share of held-out labels that the network gets right."""
        from guerdon.federated import predict

        held = data.held_outputs
        if held is None or len(held) == 0:
            return {}
        found = predict(reward.arrays, held_inputs(data, self.features(reward)), float(reward.about["scale"]))
        return {"accuracy": float(np.mean(found == held)), "rows": len(held)}

    def described(self, reward: Reward) -> list[str]:
        return [f"It predicts {reward.about['target_name']} from {listed(self.features(reward))}."]

    def features(self, reward: Reward) -> Sequence[str]:
        return [str(name) for name in reward.about["features"]]

    def predict(self, reward: Reward, X: FloatArray, noise: FloatArray | None = None) -> dict[str, NDArray[Any]]:
        """The predicted class."""
        from guerdon.federated import predict

        classes = predict(reward.arrays, X, float(reward.about["scale"]))
        return {f"{reward.about['target_name']}_class": classes}
