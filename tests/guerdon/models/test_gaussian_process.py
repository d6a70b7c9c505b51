"""The Gaussian process: information gain in 50 digits, predictions against GPyTorch and against plain NumPy."""

from __future__ import annotations

import io
import json
from typing import Any

import gpytorch
import mpmath as mp
import numpy as np
import pytest
import torch
from gpytorch.kernels import AdditiveKernel, CosineKernel, Kernel, MaternKernel, RBFKernel, ScaleKernel
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.linalg import LossOfPrecisionError
from guerdon.models import GaussianProcess, GaussianProcessPosterior
from guerdon.models.kernels import as_kernel, covariance
from guerdon.types import Contribution, FloatArray, all_coalitions
from tests import exact

RBF = "rbf(lengthscale=1.0, outputscale=1.0)"
SUM = "rbf(lengthscale=0.8, outputscale=2.0) + exponential(lengthscale=3.0, outputscale=0.5)"


def rows(seed: int, m: int, d: int = 2) -> FloatArray:
    return np.random.default_rng(seed).normal(size=(m, d))


def scaled(base: Kernel, outputscale: float) -> ScaleKernel:
    kernel = ScaleKernel(base).double()
    kernel.outputscale = torch.tensor(outputscale, dtype=torch.float64)  # a bare float would pass through float32
    return kernel


def with_lengthscale(base: Kernel, lengthscale: float) -> Kernel:
    base = base.double()
    base.lengthscale = torch.tensor(lengthscale, dtype=torch.float64)
    return base


KERNELS: dict[str, tuple[Kernel, str]] = {
    "rbf": (with_lengthscale(RBFKernel(), 0.7), "rbf(lengthscale=0.7, outputscale=1.0)"),
    "exponential": (
        scaled(with_lengthscale(MaternKernel(nu=0.5), 1.3), 2.0),
        "exponential(lengthscale=1.3, outputscale=2.0)",
    ),
    "matern32": (
        scaled(with_lengthscale(MaternKernel(nu=1.5), 0.4), 0.5),
        "matern32(lengthscale=0.4, outputscale=0.5)",
    ),
    "matern52": (
        scaled(with_lengthscale(MaternKernel(nu=2.5), 2.0), 3.0),
        "matern52(lengthscale=2.0, outputscale=3.0)",
    ),
    "the paper's sum": (
        AdditiveKernel(
            scaled(with_lengthscale(RBFKernel(), 0.8), 2.0), scaled(with_lengthscale(MaternKernel(nu=0.5), 3.0), 0.5)
        ),
        SUM,
    ),
}


class TestInformationGain:
    @pytest.mark.parametrize("name", exact.KERNELS)
    @pytest.mark.parametrize("noise", [1.0, 0.1, 1e-4, 1e-8])
    @pytest.mark.parametrize("repeated", [0, 4])
    def test_against_fifty_digits(self, name: str, noise: float, repeated: int) -> None:
        X = rows(1, 8) * 2.0 + 5.0
        X = np.concatenate([X, X[:repeated]])
        variances = np.full(len(X), noise)
        truth = exact.information_gain(exact.kernel(name, 0.9, 1.5), X, variances)
        model = GaussianProcess(f"{name}(lengthscale=0.9, outputscale=1.5)", noise=noise)
        assert model.information_gain(X) == pytest.approx(truth, rel=1e-12 if noise > 1e-8 else 1e-6)
        assert model.information_gain(X, noise) == model.information_gain(X)
        assert model.information_gain(X, variances) == model.information_gain(X)

    @pytest.mark.parametrize("name", exact.KERNELS)
    def test_unequal_noise_and_lengthscales_against_fifty_digits(self, name: str) -> None:
        X, noise = rows(2, 9, 3), 10.0 ** np.linspace(-4, 1, 9)
        truth = exact.information_gain(exact.kernel(name, (0.5, 1.0, 2.0), 0.7), X, noise)
        model = GaussianProcess(f"{name}(lengthscale=(0.5, 1.0, 2.0), outputscale=0.7)", noise=0.1)
        assert model.information_gain(X, noise) == pytest.approx(truth, rel=1e-12)

    @pytest.mark.parametrize("noise", [1e-12, 1e-16])
    def test_repeated_rows_with_almost_no_noise_are_refused(self, noise: float) -> None:
        X = rows(3, 6)
        model = GaussianProcess(RBF, noise=noise)
        with pytest.raises(LossOfPrecisionError, match="Raise the noise variance, or remove the repeated rows"):
            model.information_gain(np.concatenate([X, X]))
        first, second = Contribution("ada", X), Contribution("bob", X)
        with pytest.raises(LossOfPrecisionError):
            model.information_gains([first, second])
        with pytest.raises(LossOfPrecisionError):
            model.noise_response(Contribution("cyn", rows(4, 2)), Contribution("others", np.concatenate([X, X])))
        # Without repeats, so little noise is no trouble here.
        truth = exact.information_gain(exact.kernel("rbf"), X, np.full(6, noise))
        assert model.information_gain(X) == pytest.approx(truth, rel=1e-9)

    @pytest.mark.parametrize("kernel", ["rbf", "exponential"])
    def test_equal_rows_far_from_the_origin_are_equal(self, kernel: str) -> None:
        """GPyTorch's own distances put equal rows up to 1e-7 apart, which the exponential kernel shows."""
        X = rows(5, 60, 8) * 3.0 + 50.0
        k = as_kernel(f"{kernel}(lengthscale=1.0, outputscale=1.0)", 8)
        K = covariance(k, np.concatenate([X, X]))
        np.testing.assert_array_equal(K[:60, 60:], K[:60, :60])
        np.testing.assert_array_equal(covariance(k, X, X), K[:60, :60])
        assert np.all(np.diagonal(K) == 1.0)

    @settings(max_examples=30)
    @given(st.integers(0, 10**6), st.integers(2, 10), st.sampled_from([1e-3, 0.1, 2.0]))
    def test_monotone_and_submodular(self, seed: int, m: int, noise: float) -> None:
        rng = np.random.default_rng(seed)
        X, variances = rng.normal(size=(m, 2)), noise * rng.uniform(0.5, 2.0, m)
        model = GaussianProcess(SUM, noise=noise)
        small, large = sorted(rng.choice(m - 1, size=2)) if m > 2 else (0, 0)

        def gain(upto: int) -> float:
            """What the last row adds to the first ones."""
            chosen = [*range(upto), m - 1]
            with_it = model.information_gain(X[chosen], variances[chosen])
            return with_it - model.information_gain(X[:upto], variances[:upto])

        assert gain(large) > 0.0
        assert gain(large) <= gain(small) + 1e-12

    def test_chain_rule(self) -> None:
        """I(f; A, B) = I(f; A) + I(f; B | A), the second by the posterior covariance of B given A."""
        A, B, noise = rows(6, 7), rows(7, 5), 0.2
        model, k = GaussianProcess(SUM, noise=noise), as_kernel(SUM, 2)
        K_aa, K_ab, K_bb = covariance(k, A), covariance(k, A, B), covariance(k, B)
        S = K_bb - K_ab.T @ np.linalg.solve(K_aa + noise * np.eye(7), K_ab)
        conditional = 0.5 * np.linalg.slogdet(np.eye(5) + S / noise)[1]
        both = model.information_gain(np.concatenate([A, B]))
        assert both == pytest.approx(model.information_gain(A) + conditional, rel=1e-12)

    @pytest.mark.parametrize("name", KERNELS)
    def test_kernels_given_as_objects_and_as_text(self, name: str) -> None:
        kernel, text = KERNELS[name]
        X = rows(8, 20, 3)
        with torch.no_grad():
            K = kernel(torch.as_tensor(X)).to_dense().numpy()
        direct = 0.5 * np.linalg.slogdet(np.eye(20) + K / 0.3)[1]
        as_object, as_text = GaussianProcess(kernel, noise=0.3), GaussianProcess(text, noise=0.3)
        assert as_object.information_gain(X) == pytest.approx(direct, rel=1e-10)
        assert as_text.information_gain(X) == pytest.approx(direct, rel=1e-10)

    def test_a_float32_kernel_is_used_in_float64(self) -> None:
        kernel = ScaleKernel(RBFKernel()).float()
        X = rows(9, 10)
        gain = GaussianProcess(kernel, noise=1e-6).information_gain(X)
        one = np.log1p(np.exp(0.0))  # both hyperparameters are softplus(0)
        K = one * np.exp(-0.5 * np.square(X[:, None] - X).sum(axis=2) / one**2)
        assert gain == pytest.approx(0.5 * np.linalg.slogdet(np.eye(10) + K / 1e-6)[1], rel=1e-7)
        assert kernel.raw_outputscale.dtype == torch.float32  # the caller's kernel is left alone


class TestTableOfCoalitions:
    @pytest.mark.parametrize(
        "sizes", [[5], [3, 3], [1, 6, 2], [4, 0, 3], [0, 0], [2, 7, 1, 4], [1, 1, 1, 1, 1]], ids=str
    )
    @pytest.mark.parametrize("unequal_noise", [False, True])
    def test_every_coalition_directly(self, sizes: list[int], unequal_noise: bool) -> None:
        rng = np.random.default_rng(len(sizes))
        parties = [
            Contribution(str(i), rng.normal(size=(m, 2)), noise=rng.uniform(0.05, 0.5, m) if unequal_noise else None)
            for i, m in enumerate(sizes)
        ]
        model = GaussianProcess(SUM, noise=0.1)
        table = model.information_gains(parties)
        for mask, row in enumerate(all_coalitions(len(sizes))):
            members = [c for c, joined in zip(parties, row, strict=True) if joined]
            X = np.concatenate([np.empty((0, 2)), *(c.X for c in members)])
            noise = np.concatenate([np.empty(0), *(model.noise_of(c) for c in members)])
            direct = 0.5 * np.linalg.slogdet(np.eye(len(X)) + covariance(as_kernel(SUM, 2), X) / noise)[1]
            assert table[mask] == pytest.approx(direct, rel=1e-12, abs=1e-14)

    def test_the_order_of_parties_only_permutes(self) -> None:
        parties = [Contribution(str(i), rows(i, m)) for i, m in enumerate([4, 1, 6, 3])]
        model = GaussianProcess(SUM, noise=0.1)
        table = model.information_gains(parties)
        order = [2, 0, 3, 1]
        turned = model.information_gains([parties[i] for i in order])
        masks = all_coalitions(4) @ (1 << np.array(order))
        np.testing.assert_allclose(turned, table[masks], rtol=1e-13)

    def test_progress_ends_at_the_end(self) -> None:
        calls: list[tuple[str, int, int]] = []
        parties = [Contribution(str(i), rows(i, 2)) for i in range(7)]
        GaussianProcess(RBF, noise=0.1).information_gains(parties, progress=lambda *call: calls.append(call))
        assert calls[-1] == ("value", 128, 128)
        assert [done for _, done, _ in calls] == sorted(done for _, done, _ in calls)


class _ExactGP(gpytorch.models.ExactGP):
    def __init__(self, X: torch.Tensor, y: torch.Tensor, likelihood: object, kernel: Kernel, mean: float) -> None:
        super().__init__(X, y, likelihood)
        self.mean_module = gpytorch.means.ConstantMean()
        self.mean_module.constant = mean
        self.covar_module = kernel

    def forward(self, x: torch.Tensor) -> gpytorch.distributions.MultivariateNormal:
        return gpytorch.distributions.MultivariateNormal(self.mean_module(x), self.covar_module(x))


class TestPosterior:
    @pytest.mark.parametrize("name", KERNELS)
    def test_against_gpytorch(self, name: str) -> None:
        kernel, text = KERNELS[name]
        X, at = rows(10, 30), rows(11, 6)
        y = np.sin(X).sum(axis=1) + 2.0
        noise = np.random.default_rng(12).uniform(0.05, 0.5, 30)
        tensors = [torch.as_tensor(a) for a in (X, y, noise, at)]
        likelihood = gpytorch.likelihoods.FixedNoiseGaussianLikelihood(tensors[2])
        reference = _ExactGP(tensors[0], tensors[1], likelihood, kernel, 1.5).double().eval()
        with torch.no_grad(), gpytorch.settings.fast_computations(False, False, False):
            expected = reference(tensors[3])
        mean, variance = GaussianProcess(text, noise=0.25, mean=1.5).posterior(X, y, noise).predict(at)
        np.testing.assert_allclose(mean, expected.mean.numpy(), rtol=1e-8, atol=1e-9)
        np.testing.assert_allclose(variance, expected.variance.numpy() + 0.25, rtol=1e-8, atol=1e-9)

    def test_against_fifty_digits(self) -> None:
        X, at, noise = rows(13, 7), rows(14, 3), np.linspace(1e-3, 1.0, 7)
        y, k = np.cos(X[:, 0]), exact.kernel("rbf")
        K = exact.covariance_matrix(k, X) + mp.diag([mp.mpf(float(s)) for s in noise])
        mean, variance = GaussianProcess(RBF, noise=0.3, mean=0.5).posterior(X, y, noise).predict(at)
        for j, x in enumerate(at):
            k_star = mp.matrix([k(row, x) for row in X])
            weights = mp.lu_solve(K, k_star)
            assert mean[j] == pytest.approx(0.5 + float((weights.T * mp.matrix((y - 0.5).tolist()))[0]), rel=1e-12)
            assert variance[j] == pytest.approx(float(1 - (weights.T * k_star)[0]) + 0.3, rel=1e-12)

    @pytest.mark.parametrize("noise", [1e-12, 1e-14, 1e-16])
    def test_repeated_rows_with_almost_no_noise_are_refused(self, noise: float) -> None:
        X = np.concatenate([rows(27, 6), rows(27, 6)])
        posterior = GaussianProcess(RBF, noise=noise).posterior(X, np.arange(12.0))
        with pytest.raises(LossOfPrecisionError, match="training data"):
            posterior.predict(X)

    def test_repeated_rows_with_a_little_noise_are_averaged(self) -> None:
        X, y, noise = np.concatenate([rows(27, 6), rows(27, 6)]), rows(28, 12)[:, 0], 1e-8
        twice = GaussianProcess(RBF, noise=noise).posterior(X, y).predict(rows(29, 3))
        once = GaussianProcess(RBF, noise=noise / 2).posterior(X[:6], (y[:6] + y[6:]) / 2).predict(rows(29, 3), noise)
        for got, expected in zip(twice, once, strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-6)

    def test_no_rows_no_predictions(self) -> None:
        mean, variance = GaussianProcess(RBF, noise=0.1).posterior(rows(0, 3), np.zeros(3)).predict(np.empty((0, 2)))
        assert mean.shape == variance.shape == (0,)

    def test_sensitivity_against_finite_differences(self) -> None:
        X, at, y = rows(15, 10), rows(16, 4), rows(17, 10)[:, 0]
        model = GaussianProcess(SUM, noise=0.2, mean=0.3)
        marked = np.arange(10) % 3 == 1
        step = 1e-3  # the mean is linear in y: no error but rounding
        slopes = [
            (model.posterior(X, y + step * unit).predict(at)[0] - model.posterior(X, y - step * unit).predict(at)[0])
            / (2 * step)
            for unit in np.eye(10)[marked]
        ]
        expected = np.square(slopes).sum(axis=0)
        np.testing.assert_allclose(model.posterior(X, y).sensitivity(at, marked), expected, rtol=1e-9)

    def test_arrays_travel_without_pickle_and_to_the_bit(self) -> None:
        X, y = rows(18, 12), rows(19, 12)[:, 1]
        for kernel in (SUM, KERNELS["the paper's sum"][0]):
            posterior = GaussianProcess(kernel, noise=0.37, mean=0.1).posterior(X, y, np.linspace(0.1, 0.9, 12))
            file = io.BytesIO()
            np.savez(file, allow_pickle=False, **posterior.arrays())
            file.seek(0)
            with np.load(file, allow_pickle=False) as stored:
                rebuilt = GaussianProcessPosterior.from_arrays({name: stored[name] for name in stored.files})
            at = rows(20, 9)
            for before, after in zip(posterior.predict(at), rebuilt.predict(at), strict=True):
                np.testing.assert_array_equal(before, after)
            again = rebuilt.arrays()
            for name, array in posterior.arrays().items():
                np.testing.assert_array_equal(array, again[name])

    def test_without_data_it_is_the_prior(self) -> None:
        posterior = GaussianProcess(RBF, noise=0.5, mean=2.0).posterior(np.empty((0, 2)), np.empty(0))
        mean, variance = posterior.predict(rows(21, 3))
        assert mean.tolist() == [2.0] * 3
        assert variance.tolist() == [1.5] * 3

    def test_many_rows_are_predicted_in_blocks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        posterior = GaussianProcess(SUM, noise=0.5).posterior(rows(22, 5), rows(23, 5)[:, 0])
        at, every = rows(24, 11), np.ones(5, dtype=bool)
        whole = (*posterior.predict(at), posterior.sensitivity(at, every))
        monkeypatch.setattr("guerdon.models.pool.BLOCK", 4)
        for before, after in zip(whole, (*posterior.predict(at), posterior.sensitivity(at, every)), strict=True):
            np.testing.assert_allclose(after, before, rtol=1e-13, atol=1e-14)

    def test_wrong_inputs_are_refused_with_both_shapes(self) -> None:
        posterior = GaussianProcess(RBF, noise=0.5).posterior(rows(25, 3), np.zeros(3))
        with pytest.raises(ValueError, match=r"\(rows, 2\), got \(4, 3\)"):
            posterior.predict(rows(26, 4, 3))
        with pytest.raises(ValueError, match="noise"):
            GaussianProcess(RBF).posterior(rows(25, 3), np.zeros(3))
        unknown = GaussianProcess(RBF).posterior(rows(25, 3), np.zeros(3), 0.1)
        with pytest.raises(ValueError, match="give predict"):
            unknown.predict(rows(26, 1))
        assert unknown.predict(rows(26, 1), 0.1)[1].shape == (1,)


class TestTheModelItself:
    def test_open_hyperparameters_are_named(self) -> None:
        with pytest.raises(ValueError, match=r"rbf.outputscale.*exponential.lengthscale.*call fit\(\)"):
            GaussianProcess("rbf(lengthscale=1.0) + exponential(outputscale=2.0)", noise=0.1).information_gain(
                rows(0, 3)
            )
        with pytest.raises(ValueError, match=r"noise is open: call fit\(\)"):
            GaussianProcess(RBF).information_gain(rows(0, 3))
        with pytest.raises(ValueError, match=r"mean is open: call fit\(\)"):
            GaussianProcess(RBF, noise=0.1, mean=None).posterior(rows(0, 3), np.zeros(3))

    @pytest.mark.parametrize("noise", [0.0, -1.0, np.nan, np.inf])
    def test_noise_is_a_positive_variance(self, noise: float) -> None:
        with pytest.raises(ValueError, match="noise is a positive variance"):
            GaussianProcess(RBF, noise=noise)

    @pytest.mark.parametrize("noise", [np.zeros(3), np.ones(2), -1.0, np.array([0.1, np.nan, 0.1])])
    def test_row_noise_must_fit(self, noise: FloatArray) -> None:
        with pytest.raises(ValueError, match="noise"):
            GaussianProcess(RBF, noise=0.1).information_gain(rows(0, 3), noise)

    def test_it_describes_itself_in_plain_numbers(self) -> None:
        described = GaussianProcess(SUM, noise=0.1).describe()
        assert json.loads(json.dumps(described))["kernel"] == SUM

    def test_no_rows_no_information(self) -> None:
        assert GaussianProcess(RBF, noise=0.1).information_gain(np.empty((0, 2))) == 0.0

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"noise": "0.1"}, "noise is a positive variance .* got '0.1'"),
            ({"noise": True}, "noise is a positive variance .* got True"),
            ({"mean": "x"}, "mean is a finite number .* got 'x'"),
            ({"mean": True}, "mean is a finite number .* got True"),
            ({"mean": np.nan}, "mean is a finite number .* got nan"),
            ({"mean": -np.inf}, "mean is a finite number .* got -inf"),
            ({"learn": "no"}, "learn is True or False, got 'no'"),
            ({"report": 3}, "report is a FitReport, .* got 3"),
        ],
    )
    def test_unusable_arguments_are_refused(self, arguments: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            GaussianProcess(RBF, **arguments)

    def test_numpys_numbers_are_numbers(self) -> None:
        model = GaussianProcess(RBF, noise=np.float32(0.5), mean=np.int64(2))
        assert model.information_gain(np.zeros((1, 2))) == pytest.approx(0.5 * np.log(3.0))

    def test_a_kernel_that_is_not_positive_definite_is_named_as_a_cause(self) -> None:
        """cos(pi |x - z|) is a kernel on a line, but not in a plane."""
        X = np.random.default_rng(0).uniform(0.0, 2.0, size=(30, 2))
        with pytest.raises(LossOfPrecisionError, match="the kernel is not positive definite on these inputs"):
            GaussianProcess(CosineKernel(), noise=0.01).information_gain(X)
