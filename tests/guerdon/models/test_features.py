"""Features: what may stand for them, how they travel, and what an untrained one says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from guerdon.models import Affine, BayesianLinear
from guerdon.models.features import (
    as_features,
    contents_of,
    describe_features,
    design_matrix,
    features_arrays,
    features_from_arrays,
)
from guerdon.models.inducing_points import InducingPoints
from guerdon.plugins import PluginError
from guerdon.testing.suite import through_a_file
from guerdon.types import Contribution, FloatArray, silent

X = np.random.default_rng(0).normal(size=(5, 2))
KERNEL = "rbf(lengthscale=1.0, outputscale=2.0)"


@dataclass(frozen=True)
class Slope:
    """x'b, with b learned by least squares on public rows."""

    slope: FloatArray | None = None

    @property
    def trained(self) -> bool:
        return self.slope is not None

    def fit(self, X: FloatArray, y: FloatArray, *, rng: np.random.Generator, progress: Any = silent) -> Slope:
        progress("pretrain", 1, 1)
        return Slope(np.linalg.lstsq(X, y, rcond=None)[0])

    def __call__(self, X: FloatArray) -> FloatArray:
        return (X @ self.slope)[:, None]

    def arrays(self) -> dict[str, np.ndarray]:
        return {"slope": np.asarray(self.slope)}

    @classmethod
    def from_arrays(cls, arrays: Any) -> Slope:
        return cls(arrays["slope"])

    def describe(self) -> dict[str, Any]:
        return {"trained": self.trained}


class OneRowShort(Slope):
    def __call__(self, X: FloatArray) -> FloatArray:
        return X[1:]


class NotANumber(Slope):
    def __call__(self, X: FloatArray) -> FloatArray:
        return X * np.nan


def test_by_text_as_an_object_or_the_inputs_themselves() -> None:
    assert as_features(None) is None
    assert isinstance(as_features("Affine()"), Affine)
    own = as_features(Slope(np.ones(2)))
    assert isinstance(own, Slope)
    np.testing.assert_array_equal(design_matrix(None, X), X)
    np.testing.assert_array_equal(design_matrix(Affine(), X), np.column_stack([X, np.ones(5)]))


def test_what_is_on_offer_is_said() -> None:
    with pytest.raises(PluginError, match=r"Did you mean 'Affine'"):
        BayesianLinear(features="Afine()")


@pytest.mark.parametrize("wrong", [3, Affine, lambda X: X], ids=["a number", "a class", "a function"])
def test_what_is_no_features_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"features are None .*, a text such as 'Affine\(\)', or an object"):
        BayesianLinear(features=wrong)


@pytest.mark.parametrize("features", [OneRowShort(np.ones(2)), NotANumber(np.ones(2))])
def test_features_that_do_not_fit_are_refused(features: Slope) -> None:
    with pytest.raises(ValueError, match=r"must give finite features of shape \(5, M\)"):
        design_matrix(features, X)
    with pytest.raises(ValueError, match="X must have shape"):
        design_matrix(features, X[0])


@pytest.mark.parametrize("features", [None, Affine(), InducingPoints(KERNEL, X[:3])], ids=["X", "affine", "inducing"])
def test_they_travel_as_arrays(features: Any) -> None:
    rebuilt = features_from_arrays(through_a_file({**features_arrays(features), "weights": np.ones(3)}))
    assert type(rebuilt) is type(features)
    np.testing.assert_array_equal(design_matrix(rebuilt, X), design_matrix(features, X))
    assert describe_features(rebuilt) == describe_features(features)
    assert contents_of(rebuilt) == contents_of(features)


def test_features_of_ones_own_are_found_where_their_module_is() -> None:
    arrays = through_a_file(features_arrays(Slope(np.array([2.0, 3.0]))))
    assert str(arrays["features.kind"]) == f"{__name__}:Slope"
    np.testing.assert_array_equal(features_from_arrays(arrays)(X), Slope(np.array([2.0, 3.0]))(X))
    with pytest.raises(ValueError, match="'Slope' is not known here; known are Affine"):
        features_from_arrays({"features.kind": np.array("Slope")})


def test_untrained_features_are_trained_on_public_rows_first() -> None:
    public = Contribution("public", X, X @ np.array([1.0, -2.0]))
    model = BayesianLinear(0.1, Slope())
    for use in (lambda: model.information_gain(X), lambda: model.posterior(X, X[:, 0]), lambda: model.fit([public])):
        with pytest.raises(ValueError, match="Slope is not trained yet: call pretrain"):
            use()
    trained = model.pretrain(public, rng=np.random.default_rng(0))
    assert model.describe()["features"] == {"kind": "Slope", "trained": False}
    assert trained.describe()["features"] == {"kind": "Slope", "trained": True}
    by_hand = 0.5 * np.log1p(np.sum(np.square(X @ np.array([1.0, -2.0]))) / 0.1)
    assert trained.information_gain(X) == pytest.approx(by_hand, rel=1e-12)


def test_what_can_not_be_trained_says_so() -> None:
    public, rng = Contribution("public", X, X[:, 0]), np.random.default_rng(0)
    for features, name in ((None, "the inputs themselves"), (Affine(), "Affine")):
        with pytest.raises(ValueError, match=f"nothing to train on public rows: the model's features are {name}"):
            BayesianLinear(0.1, features).pretrain(public, rng=rng)
    with pytest.raises(ValueError, match="public rows need outputs"):
        BayesianLinear(0.1, Slope()).pretrain(Contribution("public", X), rng=rng)
