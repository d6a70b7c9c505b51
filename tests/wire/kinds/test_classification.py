"""A reward that gives class probabilities: scores, predictions in the target's own words, what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from guerdon.models import BayesianLogistic, ClassPredictor, LogisticPosterior
from guerdon.scaling import Scaling
from guerdon.types import Contribution, FloatArray
from wire.kinds import kind_of
from wire.kinds.retraining import trained_again
from wire.messages import MessageError, Reward

RNG = np.random.default_rng(0)
X = RNG.normal([5.0, -3.0], [2.0, 0.5], size=(300, 2))
Y = (X[:, 0] - 5.0 + RNG.logistic(size=300) > 0.0).astype(float)
LABELS = ("absent", "present")


@dataclass(frozen=True, eq=False)
class Held:
    contribution: Contribution
    held_inputs: FloatArray
    held_outputs: FloatArray | None
    target: str = "disease"
    held_noise: FloatArray | None = None


def reward(classes: int = 2) -> Reward:
    y = Y[:200] if classes == 2 else np.minimum(Y[:200] + (X[:200, 1] > -3.0), 2.0)
    scaling = Scaling.of_pool([Contribution("all", X[:200])])
    posterior = BayesianLogistic("Affine()", classes=classes).posterior(scaling.features(X[:200]), y)
    labels = LABELS if classes == 2 else ("none", "mild", "severe")
    predictor = ClassPredictor(posterior, scaling, ("age", "dose"), "disease", labels)
    about = {"kind": "classification", "party": "north", "run": "run", "model": {"features": {"kind": "Affine"}}}
    worth = {"reached": 3.0, "own_value": 1.0, "unit": "nats", "scheme": "RhoShapley()", "rho": 0.5, "contains": "w"}
    return Reward(predictor.arrays(), {**about, **worth})


def held(columns: tuple[str, ...] = ("age", "dose")) -> Held:
    order = [("age", "dose").index(name) for name in columns]
    return Held(Contribution("north", X[:200][:, order], Y[:200], columns), X[200:][:, order], Y[200:])


@pytest.mark.parametrize("columns", [("age", "dose"), ("dose", "age")])
def test_scores_are_scikit_learns_whatever_the_order_of_columns(columns: tuple[str, ...]) -> None:
    found = reward()
    scores = kind_of(found.about).score(found, held(columns))
    p = ClassPredictor.from_arrays(found.arrays).predict_proba(X[200:])
    assert scores["log_loss"] == pytest.approx(log_loss(Y[200:], p))
    assert scores["auc"] == pytest.approx(roc_auc_score(Y[200:], p[:, 1]))
    assert scores["accuracy"] == np.mean(p.argmax(axis=1) == Y[200:])
    assert scores["rows"] == 100
    assert scores["log_loss"] < 0.69 < 0.75 < scores["auc"]


def test_of_one_class_there_is_no_area_and_without_rows_no_score() -> None:
    found, data = reward(), held()
    alone = replace(data, held_outputs=np.zeros(100))
    assert "auc" not in kind_of(found.about).score(found, alone)
    assert kind_of(found.about).score(found, replace(data, held_outputs=None)) == {}
    said = kind_of(found.about).undefined({"north": kind_of(found.about).score(found, alone), "south": {}, "east": {}})
    assert said.startswith("all rows that north held out have one label")
    assert not kind_of(found.about).undefined({"north": kind_of(found.about).score(found, data)})


def test_alone_is_the_party_s_own_rows_whatever_weights_came_along() -> None:
    """A mediator that sends a model of its making as what a party does alone learns the score of the party's own."""
    found, kind, data = reward(), kind_of(reward().about), held()
    honest = kind.score(kind.alone(found, data), data)
    sent = ClassPredictor.from_arrays(found.arrays)
    assert isinstance(sent.posterior, LogisticPosterior)
    forged = replace(sent.posterior, weights=np.full_like(sent.posterior.weights, -3.0), root=sent.posterior.root * 0.0)
    made = replace(found, arrays=replace(sent, posterior=forged).arrays())
    assert kind.score(kind.alone(made, data), data) == honest
    assert honest["log_loss"] < kind.score(made, data)["log_loss"]
    with pytest.raises(MessageError, match=r"can't be trained on its own rows$"):
        kind.alone(found, replace(data, contribution=replace(data.contribution, y=Y[:200] + 1.0)))


def test_a_model_that_is_made_to_tell_of_single_rows_is_not_scored() -> None:
    found, kind, data = reward(), kind_of(reward().about), held()
    sent = ClassPredictor.from_arrays(found.arrays)
    assert isinstance(sent.posterior, LogisticPosterior)
    sure = replace(sent.posterior, weights=np.full_like(sent.posterior.weights, 60.0), root=sent.posterior.root * 0.0)
    with pytest.raises(MessageError, match="its score would tell of single rows"):
        kind.score(replace(found, arrays=replace(sent, posterior=sure).arrays()), data)
    with pytest.raises(MessageError, match="labels that this model does not know"):
        kind.score(found, replace(data, held_outputs=Y[200:] * 2.0))


@dataclass(frozen=True)
class Shares:
    """A belief of one's own: how often each class was, whatever the inputs."""

    shares: FloatArray
    contains = "how often each class was"

    @property
    def classes(self) -> int:
        return len(self.shares)

    def predict_proba(self, X: FloatArray) -> FloatArray:
        return np.tile(self.shares, (len(X), 1))

    def retrained(self, X: FloatArray, y: FloatArray, noise: object = None) -> Shares:
        counts = np.bincount(y.astype(int), minlength=self.classes) + 1.0
        return Shares(counts / counts.sum())

    def arrays(self) -> dict[str, FloatArray]:
        return {"shares": self.shares}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, FloatArray]) -> Shares:
        return cls(np.asarray(arrays["shares"]))


def test_a_belief_of_one_s_own_travels_and_is_trained_again() -> None:
    scaling = Scaling.identity(2)
    sent = ClassPredictor(Shares(np.array([0.9, 0.1])), scaling, ("age", "dose"), "disease", LABELS)  # type: ignore[arg-type]
    assert str(sent.arrays()["kind"]).endswith(":Shares")
    back = ClassPredictor.from_arrays(sent.arrays())
    np.testing.assert_array_equal(back.predict_proba(X[:3]), [[0.9, 0.1]] * 3)
    own = trained_again(back, held().contribution)
    assert own.shares[1] == (Y[:200].sum() + 1.0) / 202.0


@pytest.mark.parametrize("classes", [2, 3])
def test_it_predicts_a_column_a_class_in_the_targets_words(classes: int) -> None:
    found = reward(classes)
    columns = kind_of(found.about).predict(found, X[200:])
    words = LABELS if classes == 2 else ("none", "mild", "severe")
    assert list(columns) == [f"disease={word}" for word in words]
    np.testing.assert_allclose(sum(columns.values()), 1.0, rtol=1e-12)
    assert kind_of(found.about).features(found) == ("age", "dose")
    assert "absent" in " ".join(kind_of(reward().about).lines(reward()))


def test_its_page_has_a_picture_of_what_its_word_is_worth(tmp_path: Path) -> None:
    (picture,) = kind_of(reward().about).pictures(reward(), held(), tmp_path)
    assert "100 rows" in picture.caption


def test_what_is_none_is_refused() -> None:
    found = reward()
    kind = kind_of(found.about)
    broken = replace(found, arrays={k: a for k, a in found.arrays.items() if k != "labels"})
    with pytest.raises(MessageError, match="can't be rebuilt"):
        kind.predict(broken, X)
    foreign = replace(found, arrays={**found.arrays, "posterior.features.kind": np.array("os:path")})
    with pytest.raises(MessageError, match="needs os:path, which is not part of the app"):
        kind.score(foreign, held())
    with pytest.raises(ValueError, match="2 classes need as many labels"):
        replace(ClassPredictor.from_arrays(found.arrays), labels=("one",))
