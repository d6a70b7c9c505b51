"""Kernels as text and text as kernels: ``"rbf(lengthscale=0.5) + exponential"``.

A kernel is a sum of named terms. Each term is scaled by an ``outputscale`` (a variance); a hyperparameter written in
the text is given, one left out is to be learned. The text with every hyperparameter in it is the kernel, exactly, which
is how a reward carries it: no pickle, and readable.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Sequence
from types import MethodType
from typing import Any

import gpytorch
import numpy as np
import torch
from gpytorch.constraints import Positive
from gpytorch.kernels import AdditiveKernel, Kernel, MaternKernel, RQKernel, ScaleKernel

from guerdon.plugins import PluginError, parse_call
from guerdon.types import FloatArray

__all__ = [
    "KERNELS",
    "as_kernel",
    "check_kernel",
    "covariance",
    "covariance_diagonal",
    "kernel_text",
    "median_kernel",
    "missing_hyperparameters",
]

KERNELS: dict[str, tuple[Callable[..., Kernel], tuple[str, ...]]] = {
    "rbf": (gpytorch.kernels.RBFKernel, ("lengthscale",)),
    "exponential": (lambda **k: MaternKernel(nu=0.5, **k), ("lengthscale",)),
    "matern32": (lambda **k: MaternKernel(nu=1.5, **k), ("lengthscale",)),
    "matern52": (lambda **k: MaternKernel(nu=2.5, **k), ("lengthscale",)),
    "rational_quadratic": (RQKernel, ("lengthscale", "alpha")),
    "periodic": (gpytorch.kernels.PeriodicKernel, ("lengthscale", "period_length")),
}
"""Each name's constructor and hyperparameters; ``ard=True`` gives one lengthscale a feature."""


def as_kernel(
    kernel: Kernel | str, features: int, *, spread: FloatArray | float = 1.0, variance: float = 1.0
) -> Kernel:
    """The float64 GPyTorch kernel for a text (or a copy of the kernel given), on inputs of so many features.

    Parameters of the result that were given do not require a gradient; those to be learned do. They start from the
    data's own units: spread (d,), the features' standard deviations, and variance, that of the outputs.

    Raises
    ------
    PluginError
        The text can't be read, names an unknown kernel or hyperparameter, or a value does not fit.
    """
    if isinstance(kernel, str):
        terms = [
            _term(text, place, np.broadcast_to(spread, features), variance)
            for place, text in enumerate(_split_sum(kernel))
        ]
        return _with_exact_distances(terms[0] if len(terms) == 1 else AdditiveKernel(*terms).double())
    return _with_exact_distances(copy.deepcopy(kernel).double().requires_grad_(False))


def _with_exact_distances(kernel: Kernel) -> Kernel:
    """The kernel, measuring distances by the differences of the rows, and without loss of digits for a large alpha.

    GPyTorch expands |x - z|^2 = |x|^2 - 2 x'z + |z|^2, whose rounding puts equal rows up to 1e-7 apart. The exponential
    kernel has a kink there: K_ij = 1 - 1e-7 instead of 1, which is 1e-5 nats of information gain at a noise of 0.01.
    """
    for module in kernel.modules():
        if isinstance(module, Kernel):
            module.covar_dist = MethodType(_distances, module)
        if type(module) is RQKernel:
            module.forward = MethodType(_rational_quadratic, module)
    return kernel


def _distances(
    kernel: Kernel, x1: torch.Tensor, x2: torch.Tensor, diag: bool = False, square_dist: bool = False, **kwargs: Any
) -> torch.Tensor:
    """|x1_i - x2_j|, squared where asked: ``gpytorch.kernels.Kernel.covar_dist`` without the expansion."""
    if diag or kwargs.get("last_dim_is_batch", False):
        expanded: torch.Tensor = Kernel.covar_dist(kernel, x1, x2, diag=diag, square_dist=square_dist, **kwargs)
        return expanded
    if x1.ndim == x2.ndim == 2:
        found: torch.Tensor = _Distances.apply(x1, x2, square_dist)  # type: ignore[no-untyped-call]
        return found
    apart = torch.cdist(x1, x2, compute_mode="donot_use_mm_for_euclid_dist")
    return apart.square() if square_dist else apart


class _Distances(torch.autograd.Function):
    """|x_i - z_j|, or its square, by differences; its gradient by matrix products, which lose no digits that matter.

    With W the gradient in the squares, x has 2 (W 1) x - 2 W z, where PyTorch would go through all differences again.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, z: torch.Tensor, squared: bool) -> torch.Tensor:
        apart = torch.cdist(x, z, compute_mode="donot_use_mm_for_euclid_dist")
        ctx.squared = squared
        ctx.save_for_backward(x, z, *(() if squared else (apart,)))
        return apart.square_() if squared else apart

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, z, *apart = ctx.saved_tensors
        (W,) = grads
        if apart:
            W = torch.where(apart[0] > 0.0, 0.5 * W / apart[0], 0.0)  # 0 apart is a kink, where 0 is a slope
        center = x.mean(dim=0)
        x, z = x - center, z - center
        of_x = 2.0 * (W.sum(dim=1, keepdim=True) * x - W @ z) if ctx.needs_input_grad[0] else None
        of_z = 2.0 * (W.sum(dim=0)[:, None] * z - W.T @ x) if ctx.needs_input_grad[1] else None
        return of_x, of_z, None


def _rational_quadratic(
    kernel: RQKernel, x1: torch.Tensor, x2: torch.Tensor, diag: bool = False, **kwargs: Any
) -> torch.Tensor:
    """(1 + r^2 / (2 alpha))^-alpha, r = |x1_i - x2_j| / lengthscale, as exp(-alpha log1p(r^2 / (2 alpha))).

    GPyTorch adds the 1 before it takes the power, which costs alpha eps: a likelihood whose alpha drifts off to
    infinity, where the kernel is the rbf, ends in rounding.
    """
    r2 = kernel.covar_dist(x1 / kernel.lengthscale, x2 / kernel.lengthscale, square_dist=True, diag=diag, **kwargs)
    alpha = kernel.alpha if diag else kernel.alpha.unsqueeze(-1)
    return torch.exp(-alpha * torch.log1p(r2 / (2.0 * alpha)))


def check_kernel(kernel: Kernel | str) -> None:
    """Refuse what ``as_kernel`` would refuse, before the number of features is known.

    Raises
    ------
    PluginError
    """
    if isinstance(kernel, str):
        calls = [parse_call(text) for text in _split_sum(kernel)]
        widths = [np.size(value) for call in calls for value in call.kwargs.values()]
        as_kernel(kernel, features=max(widths, default=1))
    elif not isinstance(kernel, Kernel):
        raise PluginError(f"kernel is a GPyTorch kernel or a text such as 'rbf + exponential', got {kernel!r}")


def _split_sum(text: str) -> list[str]:
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise PluginError(f"kernel {text!r} can't be read: write a sum such as 'rbf + exponential'") from error
    terms: list[str] = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        terms.insert(0, ast.unparse(node.right))
        node = node.left
    return [ast.unparse(node), *terms]


def _term(text: str, place: int, spread: FloatArray, variance: float) -> ScaleKernel:
    call = parse_call(text)
    if call.name not in KERNELS or call.args:
        raise PluginError(
            f"kernel term {text!r}: expected one of {', '.join(KERNELS)}, with keyword arguments only, "
            "such as rbf(lengthscale=0.5, outputscale=1.0)"
        )
    constructor, hyperparameters = KERNELS[call.name]
    given = dict(call.kwargs)
    ard = bool(given.pop("ard", np.ndim(given.get("lengthscale", 0.0)) > 0))
    unknown = set(given) - {"outputscale", *hyperparameters}
    if unknown:
        raise PluginError(
            f"kernel term {text!r}: {sorted(unknown)[0]!r} is not a hyperparameter of {call.name}; "
            f"it has {', '.join((*hyperparameters, 'outputscale', 'ard'))}"
        )
    kernel = ScaleKernel(constructor(**({"ard_num_dims": len(spread)} if ard else {}))).double()
    for name in ("outputscale", *hyperparameters):
        owner = kernel if name == "outputscale" else kernel.base_kernel
        if name in given:
            # Without GPyTorch's softplus a value is held to the bit, so that text and kernel are each other's inverse.
            owner.register_constraint(f"raw_{name}", Positive(transform=None, inv_transform=None))
            _set(owner, name, given[name], text)
            owner.get_parameter(f"raw_{name}").requires_grad_(False)
        elif name == "lengthscale":
            # Two rows are about sqrt(2 d) standard deviations apart; later terms start longer, to break the tie.
            distance = np.sqrt(len(spread)) * spread if ard else np.linalg.norm(spread)
            _set(owner, name, distance * 3.0**place, text)
        elif name == "outputscale":
            _set(owner, name, variance, text)
        else:
            _set(owner, name, 1.0, text)
    return kernel


def _set(owner: Kernel, name: str, value: Any, text: str) -> None:
    try:
        numbers = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        numbers = np.array(np.nan)
    if not np.all(np.isfinite(numbers)) or np.any(numbers <= 0):
        raise PluginError(f"kernel term {text!r}: {name} must be positive, got {value!r}")
    parameter = getattr(owner, name)
    if numbers.size not in (1, parameter.numel()):
        raise PluginError(f"kernel term {text!r}: {name} needs 1 or {parameter.numel()} values, got {numbers.size}")
    filled = torch.as_tensor(np.broadcast_to(numbers.ravel(), (parameter.numel(),)).copy())
    setattr(owner, name, filled.reshape(parameter.shape))


def missing_hyperparameters(kernel: Kernel | str) -> list[str]:
    """The hyperparameters that a kernel's text leaves open, such as ``rbf.lengthscale``; none for a kernel given."""
    if not isinstance(kernel, str):
        return []
    calls = [parse_call(text) for text in _split_sum(kernel)]
    return [
        f"{call.name}.{name}"
        for call in calls
        for name in ("outputscale", *KERNELS[call.name][1])
        if name not in call.kwargs
    ]


def median_kernel(kernels: Sequence[Kernel]) -> Kernel:
    """A kernel like these with each hyperparameter the median of theirs, in log where it is positive."""
    middle = copy.deepcopy(kernels[0])
    found = [{name: p for name, p, _ in k.named_parameters_and_constraints()} for k in kernels]
    with torch.no_grad():
        for name, parameter, constraint in middle.named_parameters_and_constraints():
            values = torch.stack([own[name] for own in found])
            if isinstance(constraint, Positive):
                logs = torch.log(constraint.transform(values)).numpy()
                raw = constraint.inverse_transform(torch.as_tensor(np.exp(np.median(logs, axis=0))))
            else:
                raw = torch.as_tensor(np.median(values.numpy(), axis=0))
            parameter.copy_(raw)
    return middle


def kernel_text(kernel: Kernel | str) -> str:
    """The text of a kernel, every hyperparameter in it; the inverse of ``as_kernel``.

    Raises
    ------
    ValueError
        The kernel is not a sum of (scaled) kernels that have a name here, so no text stands for it.
    """
    if isinstance(kernel, str):
        return kernel
    kernel = copy.deepcopy(kernel).double()  # as it is used: a float32 kernel's hyperparameters gain digits by this
    terms = list(kernel.kernels) if isinstance(kernel, AdditiveKernel) else [kernel]
    return " + ".join(_term_text(term) for term in terms)


def _term_text(term: Kernel) -> str:
    scaled = isinstance(term, ScaleKernel)
    base = term.base_kernel if scaled else term
    name = _name_of(base)
    if name is None or term.active_dims is not None or base.active_dims is not None:
        raise ValueError(
            f"{type(base).__name__} can't be written as text, so a party could not rebuild it: use a sum of "
            f"{', '.join(KERNELS)}, each alone or in a ScaleKernel, on all features"
        )
    values = {h: getattr(base, h).detach().numpy().ravel() for h in KERNELS[name][1]}
    values["outputscale"] = term.outputscale.detach().numpy().ravel() if scaled else np.ones(1)
    written = ", ".join(f"{key}={_number(value)}" for key, value in values.items())
    return f"{name}({written})"


def _number(values: FloatArray) -> str:
    numbers = [repr(float(value)) for value in values]
    return numbers[0] if len(numbers) == 1 else f"({', '.join(numbers)})"


def _name_of(base: Kernel) -> str | None:
    if type(base) is MaternKernel:
        return {0.5: "exponential", 1.5: "matern32", 2.5: "matern52"}.get(float(base.nu))
    plain = {name: maker for name, (maker, _) in KERNELS.items() if isinstance(maker, type)}
    return next((name for name, maker in plain.items() if type(base) is maker), None)


def covariance(kernel: Kernel, X: FloatArray, Z: FloatArray | None = None) -> FloatArray:
    """k(X, Z) as a float64 (m, k) array; Z = X when None, with an exactly symmetric result."""
    with torch.no_grad(), gpytorch.settings.lazily_evaluate_kernels(False):
        left = torch.as_tensor(np.array(X, dtype=np.float64))
        if Z is None:
            K = np.asarray(kernel(left).to_dense().numpy())
            return np.asarray(0.5 * (K + K.T))
        return np.asarray(kernel(left, torch.as_tensor(np.array(Z, dtype=np.float64))).to_dense().numpy())


def covariance_diagonal(kernel: Kernel, X: FloatArray) -> FloatArray:
    """k(x, x) for the rows of X: (m,)."""
    with torch.no_grad():
        return np.asarray(kernel(torch.as_tensor(np.array(X, dtype=np.float64)), diag=True).numpy())
