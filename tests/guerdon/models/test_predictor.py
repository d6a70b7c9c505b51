"""The predictor speaks the data's own units, and travels."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from guerdon.models import GaussianProcess, GaussianProcessPosterior, Predictor
from guerdon.scaling import Scaling
from guerdon.types import Contribution, FloatArray

KERNEL = "rbf(lengthscale=1.0, outputscale=1.0)"


def pool() -> Contribution:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 2)) * [3.0, 0.1] + [100.0, -4.0]
    return Contribution("ada", X, 50.0 + 8.0 * np.sin(X[:, 0]), ("age", "dose"))


def predictor(noise: float | None = None) -> Predictor:
    contribution = pool()
    scaling = Scaling.of_pool([contribution])
    scaled = scaling.apply(contribution)
    posterior = GaussianProcess(KERNEL, noise=0.1).posterior(scaled.X, scaled.y)
    return Predictor(posterior, scaling, ("age", "dose"), "glucose", noise)


def through_a_file(arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    file.seek(0)
    with np.load(file, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def test_units() -> None:
    """The same Gaussian process written without scaling predicts the same."""
    contribution, subject = pool(), predictor()
    scale = subject.scaling.target_scale
    lengthscale = tuple(subject.scaling.feature_scale.tolist())
    model = GaussianProcess(
        f"rbf(lengthscale={lengthscale}, outputscale={scale**2})", 0.1 * scale**2, subject.scaling.target_mean
    )
    at = pool().X[:5] + 0.3
    expected = model.posterior(contribution.X, contribution.y).predict(at)
    for got, wanted in zip(subject.predict(at), expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-9)


def test_noise_is_the_models_or_the_partys_own_or_the_one_given() -> None:
    at = pool().X[:3]
    variance = predictor().predict(at)[1]
    scale = predictor().scaling.target_scale
    latent = variance - 0.1 * scale**2
    np.testing.assert_allclose(predictor(noise=4.0).predict(at)[1], latent + 4.0, rtol=1e-12)
    np.testing.assert_allclose(predictor(noise=4.0).predict(at, 9.0)[1], latent + 9.0, rtol=1e-12)
    each = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(predictor().predict(at, each)[1], latent + each, rtol=1e-12)


@pytest.mark.parametrize("noise", [None, 4.0])
def test_it_travels_to_the_bit(noise: float | None) -> None:
    subject, at = predictor(noise), pool().X + 0.1
    rebuilt = Predictor.from_arrays(through_a_file(subject.arrays()))
    for before, after in zip(subject.predict(at), rebuilt.predict(at), strict=True):
        np.testing.assert_array_equal(before, after)
    assert rebuilt.feature_names == ("age", "dose")
    assert rebuilt.target == "glucose"
    assert rebuilt.noise == noise


def test_wrong_columns_and_unknown_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match=r"2 columns \('age', 'dose'\), got \(4, 3\)"):
        predictor().predict(np.zeros((4, 3)))
    with pytest.raises(ValueError, match="'oracle' is not known here; known are gaussian_process"):
        Predictor.from_arrays({**predictor().arrays(), "kind": np.array("oracle")})


class Bolder(GaussianProcessPosterior):
    """A posterior of a user's own, found again by its module's name."""

    def predict(self, X: FloatArray, noise: float | FloatArray | None = None) -> tuple[FloatArray, FloatArray]:
        mean, variance = super().predict(X, noise)
        return 2.0 * mean, variance


def test_a_posterior_of_ones_own_is_found_where_its_module_is() -> None:
    plain = predictor()
    own = Predictor(Bolder.from_arrays(plain.posterior.arrays()), plain.scaling, plain.feature_names, plain.target)
    arrays = through_a_file(own.arrays())
    assert str(arrays["kind"]) == f"{__name__}:Bolder"
    at = pool().X + 0.1
    np.testing.assert_array_equal(Predictor.from_arrays(arrays).predict(at)[0], own.predict(at)[0])
    assert np.any(own.predict(at)[0] != plain.predict(at)[0])
    with pytest.raises(ValueError, match="there is no module 'nowhere_at_all'"):
        Predictor.from_arrays({**arrays, "kind": np.array("nowhere_at_all:Bolder")})
