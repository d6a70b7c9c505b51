"""Kernels as text and text as kernels: exact both ways, and every unreadable text is refused with the reason."""

from __future__ import annotations

import gpytorch
import numpy as np
import pytest
import torch
from gpytorch.kernels import AdditiveKernel, LinearKernel, MaternKernel, RBFKernel, RQKernel, ScaleKernel
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.models.kernels import (
    KERNELS,
    as_kernel,
    check_kernel,
    covariance,
    covariance_diagonal,
    kernel_text,
    learnable,
    missing_hyperparameters,
)
from guerdon.plugins import PluginError
from tests import exact


def complete(name: str, value: float = 0.7) -> str:
    written = ", ".join(f"{h}={value + k}" for k, h in enumerate((*KERNELS[name], "outputscale")))
    return f"{name}({written})"


positive = st.floats(1e-6, 1e6)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.sampled_from(sorted(KERNELS)), positive, positive), min_size=1, max_size=3))
def test_text_to_kernel_to_text_is_exact(terms: list[tuple[str, float, float]]) -> None:
    text = " + ".join(
        f"{name}({', '.join(f'{h}={size!r}' for h in KERNELS[name])}, outputscale={scale!r})"
        for name, size, scale in terms
    )
    assert as_kernel(text, 2).given() == text


@pytest.mark.parametrize("nu", [0.5, 1.5, 2.5])
def test_kernel_to_text_to_kernel_is_exact(nu: float) -> None:
    kernel = ScaleKernel(RBFKernel(ard_num_dims=3)) + ScaleKernel(MaternKernel(nu=nu)) + RQKernel()
    with torch.no_grad():
        for k, parameter in enumerate(kernel.parameters()):
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(k)))
    text = kernel_text(kernel)
    rebuilt = as_kernel(text, 3)
    assert rebuilt.given() == text
    X = np.random.default_rng(0).normal(size=(10, 3))
    np.testing.assert_array_equal(covariance(rebuilt, X), covariance(as_kernel(kernel, 3), X))
    np.testing.assert_allclose(covariance(rebuilt, X), covariance(learnable(kernel, 3), X), rtol=1e-14)


@pytest.mark.parametrize("name", exact.KERNELS)
def test_the_named_formulas(name: str) -> None:
    X = np.random.default_rng(1).normal(size=(6, 2))
    text = f"{name}(lengthscale=(0.5, 2.0), outputscale=1.7)"
    expected = np.array(exact.covariance_matrix(exact.kernel(name, (0.5, 2.0), 1.7), X).tolist(), dtype=float)
    np.testing.assert_allclose(covariance(as_kernel(text, 2), X), expected, rtol=1e-13)


@pytest.mark.parametrize("name", sorted(KERNELS))
def test_every_kernel_is_a_covariance(name: str) -> None:
    kernel = as_kernel(complete(name), 2)
    X = np.random.default_rng(2).normal(size=(30, 2))
    K = covariance(kernel, X)
    assert K.dtype == np.float64
    np.testing.assert_array_equal(K, K.T)
    assert np.linalg.eigvalsh(K).min() >= -1e-12 * np.trace(K)
    np.testing.assert_allclose(covariance_diagonal(kernel, X), np.diagonal(K), rtol=1e-14)
    np.testing.assert_allclose(covariance(kernel, X[:4], X[4:]), K[:4, 4:], rtol=1e-13, atol=1e-15)
    assert covariance(kernel, X[:0]).shape == (0, 0)
    assert covariance(kernel, X[:0], X).shape == (0, 30)


def test_what_is_given_is_not_learned_and_what_is_not_is() -> None:
    kernel = as_kernel("rbf(lengthscale=0.5) + exponential(outputscale=2.0, ard=True)", 3)
    assert [p.label for p in kernel.parameters] == ["outputscale of term 1", "lengthscale of term 2"]
    assert [p.size for p in kernel.parameters] == [1, 3]
    text = "rbf(lengthscale=0.5) + exponential(outputscale=2.0, ard=True)"
    assert missing_hyperparameters(text) == ["rbf.outputscale", "exponential.lengthscale"]
    assert missing_hyperparameters(complete("rbf")) == []
    assert missing_hyperparameters(RBFKernel()) == []


def test_a_kernel_object_is_copied() -> None:
    kernel = ScaleKernel(RBFKernel())
    copied = learnable(kernel, 2)
    moved = copied.opened().at(np.log([5.0, 1.0])).given()
    assert float(moved.outputscale) == pytest.approx(5.0)
    assert float(kernel.outputscale.detach()) == pytest.approx(np.log(2))
    assert kernel.raw_outputscale.requires_grad
    assert not copied.parameters


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "can't be read"),
        ("rbf +", "can't be read"),
        ("rbf * exponential", "can't be read"),
        ("gaussian", "expected one of rbf, exponential"),
        ("rbf(0.5)", "keyword arguments only"),
        ("rbf(width=0.5)", "'width' is not a hyperparameter of rbf"),
        ("rbf(lengthscale=0.0)", "lengthscale must be positive, got 0.0"),
        ("rbf(lengthscale=-1)", "must be positive, got -1"),
        ("rbf(lengthscale=None)", "must be positive, got None"),
        ("rbf(lengthscale='long')", "must be positive, got 'long'"),
        ("rbf(lengthscale=float('inf'))", "literals"),
        ("rbf(lengthscale=1e999)", "must be positive, got inf"),
        ("rbf(outputscale=(1.0, 2.0))", "outputscale needs 1 or 1 values, got 2"),
        ("rbf(lengthscale=(1.0, 2.0)) + exponential(lengthscale=(1.0, 2.0, 3.0))", "needs 1 or 3 values, got 2"),
        ("__import__('os').system('true')", "can't be read"),
    ],
)
def test_unreadable_texts_are_refused(text: str, complaint: str) -> None:
    with pytest.raises(PluginError, match=r"kernel|can't be read|literals") as refused:
        check_kernel(text)
    assert complaint in str(refused.value)


def test_lengthscales_must_match_the_features() -> None:
    check_kernel("rbf(lengthscale=(1.0, 2.0))")
    with pytest.raises(PluginError, match="lengthscale needs 1 or 3 values, got 2"):
        as_kernel("rbf(lengthscale=(1.0, 2.0))", 3)


def test_what_is_no_kernel_is_refused() -> None:
    with pytest.raises(PluginError, match=r"GPyTorch kernel or a text such as 'rbf \+ exponential', got 3"):
        check_kernel(3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "kernel",
    [
        LinearKernel(),
        RBFKernel(active_dims=[0]),
        RBFKernel() * MaternKernel(),
        ScaleKernel(AdditiveKernel(RBFKernel())),
    ],
    ids=lambda kernel: type(kernel).__name__,
)
def test_a_kernel_without_a_text_is_used_but_not_written(kernel: gpytorch.kernels.Kernel) -> None:
    X = np.random.default_rng(3).normal(size=(4, 2))
    with torch.no_grad():
        expected = kernel.double()(torch.as_tensor(X)).to_dense().numpy()
    np.testing.assert_allclose(covariance(as_kernel(kernel, 2), X), expected, rtol=1e-12)
    with pytest.raises(ValueError, match="can't be written as text, so a party could not rebuild it"):
        kernel_text(kernel)
