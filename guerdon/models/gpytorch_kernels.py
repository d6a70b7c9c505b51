"""GPyTorch kernels given as objects: what they are between rows, their slopes by autograd, and their text."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import MethodType
from typing import Any, NamedTuple

import gpytorch
import numpy as np
import torch
from gpytorch.constraints import Positive
from gpytorch.kernels import (
    AdditiveKernel,
    Kernel,
    MaternKernel,
    PeriodicKernel,
    RBFKernel,
    RQKernel,
    ScaleKernel,
)

from guerdon.models.kernels import KERNELS, OpenTerm, Pairs, Parameter, Term
from guerdon.types import FloatArray

__all__ = ["GPyTorchFunction", "is_gpytorch", "terms_of"]

NAMES: dict[type[Kernel], str] = {RBFKernel: "rbf", RQKernel: "rational_quadratic", PeriodicKernel: "periodic"}
MATERNS = {0.5: "exponential", 1.5: "matern32", 2.5: "matern52"}


def is_gpytorch(kernel: object) -> bool:
    """Whether it is a kernel of GPyTorch's."""
    return isinstance(kernel, Kernel)


class _Open(NamedTuple):
    """One parameter that requires a gradient: its full name, itself, and its constraint where it is positive."""

    name: str
    raw: torch.nn.Parameter
    positive: Any

    @property
    def value(self) -> torch.Tensor:
        return self.raw if self.positive is None else self.positive.transform(self.raw)


@dataclass(frozen=True, eq=False)
class GPyTorchFunction:
    """A float64 GPyTorch kernel; those of its parameters that require a gradient are open.

    Positive hyperparameters enter theta as logarithms: GPyTorch's own softplus is linear in a lengthscale that drifts
    off to infinity, as those of useless features do, and L-BFGS then steps far below 0.
    """

    module: Kernel

    @classmethod
    def of(cls, kernel: Kernel) -> GPyTorchFunction:
        """A copy of a kernel, with nothing open."""
        return cls(_with_exact_distances(copy.deepcopy(kernel).double().requires_grad_(False)))

    @property
    def parameters(self) -> Sequence[Parameter]:
        owners = self._owners()
        found: list[Parameter] = []
        for own in self._open():
            owner, _, raw = own.name.rpartition(".")
            name = raw.removeprefix("raw_")
            term = owners.get(f"{owner}:{name}", len(owners) + len(found))
            found.append(Parameter(term, name, own.raw.numel(), own.positive is not None, _plain_name(own.name)))
        return found

    @property
    def theta(self) -> FloatArray:
        return self.theta_of(self)

    def theta_of(self, other: GPyTorchFunction) -> FloatArray:
        given = dict(other.module.named_parameters())
        parts = [np.empty(0)]
        for own in self._open():
            value = given[own.name].detach()
            parts.append((value if own.positive is None else torch.log(own.positive.transform(value))).numpy().ravel())
        return np.concatenate(parts)

    def at(self, theta: FloatArray) -> GPyTorchFunction:
        moved = GPyTorchFunction(_with_exact_distances(copy.deepcopy(self.module)))
        with torch.no_grad():
            for own, raw in zip(moved._open(), moved._raw(torch.as_tensor(theta)), strict=True):
                own.raw.copy_(raw)
        return moved

    def on(self, pairs: Pairs) -> _OnPairs:
        return _OnPairs(self, pairs)

    def diagonal(self, X: FloatArray) -> FloatArray:
        with torch.no_grad():
            return np.asarray(self.module(torch.as_tensor(np.array(X)), diag=True).numpy())

    def open_terms(self) -> Sequence[OpenTerm]:
        owners = self._owners()
        found: list[OpenTerm] = []
        for name, module in self.module.named_modules():
            lengthscales, periods = _size(module, "raw_lengthscale"), _size(module, "raw_period_length")
            if lengthscales or periods:
                owner: Any = self.module.get_submodule(name.rpartition(".")[0])
                scaled = _size(owner, "raw_outputscale") > 0
                kind = "periodic" if isinstance(module, PeriodicKernel) else type(module).__name__
                scale = float(owner.outputscale.detach()) if scaled else None
                found.append(OpenTerm(owners[f"{name}:"], kind, lengthscales, periods, scale))
        return found

    def opened(self) -> GPyTorchFunction:
        return GPyTorchFunction(_with_exact_distances(copy.deepcopy(self.module).requires_grad_(True)))

    def given(self) -> Kernel:
        return copy.deepcopy(self.module).requires_grad_(False)

    def _open(self) -> list[_Open]:
        return [
            _Open(name, raw, constraint if isinstance(constraint, Positive) else None)
            for name, raw, constraint in self.module.named_parameters_and_constraints()
            if raw.requires_grad
        ]

    def _raw(self, theta: torch.Tensor) -> Iterator[torch.Tensor]:
        """What GPyTorch keeps of each open parameter, as functions of theta."""
        place = 0
        for own in self._open():
            part = theta[place : place + own.raw.numel()].reshape(own.raw.shape)
            yield part if own.positive is None else own.positive.inverse_transform(torch.exp(part))
            place += own.raw.numel()

    def _owners(self) -> dict[str, int]:
        """The number of the term that each hyperparameter, "module:name", belongs to."""
        found: dict[str, int] = {}
        for number, (name, module) in enumerate(self.module.named_modules()):
            found[f"{name}:"] = number
            for key in ("lengthscale", "period_length", "alpha"):
                found[f"{name}:{key}"] = number
            parent = name.rpartition(".")[0]
            if number and isinstance(self.module.get_submodule(parent), ScaleKernel) and isinstance(module, Kernel):
                found[f"{parent}:outputscale"] = number
        return found


class _OnPairs:
    """A GPyTorch kernel between two sets of rows."""

    def __init__(self, function: GPyTorchFunction, pairs: Pairs) -> None:
        self._function = function
        with torch.set_grad_enabled(bool(function._open())), gpytorch.settings.lazily_evaluate_kernels(False):
            left = torch.as_tensor(np.array(pairs.X))
            right = left if pairs.Z is pairs.X else torch.as_tensor(np.array(pairs.Z))
            self._tensor: torch.Tensor = function.module(left, right).to_dense()
        self.K: FloatArray = np.asarray(self._tensor.detach().numpy())

    def slopes(self, W: FloatArray) -> FloatArray:
        found = self._function._open()
        if not found:
            return np.empty(0)
        by_raw = torch.autograd.grad(self._tensor, [own.raw for own in found], grad_outputs=torch.as_tensor(W))
        theta = torch.tensor(self._function.theta, requires_grad=True)
        (slope,) = torch.autograd.grad(list(self._function._raw(theta)), theta, grad_outputs=by_raw)
        return np.asarray(slope.numpy())


def terms_of(kernel: Kernel) -> tuple[Term, ...]:
    """The named terms that a GPyTorch kernel is the sum of.

    Raises
    ------
    ValueError
        It is no sum of (scaled) kernels that have a name.
    """
    kernel = copy.deepcopy(kernel).double()  # as it is used: a float32 kernel's hyperparameters gain digits by this
    return tuple(_term_of(term) for term in (kernel.kernels if isinstance(kernel, AdditiveKernel) else [kernel]))


def _term_of(term: Kernel) -> Term:
    scaled = isinstance(term, ScaleKernel)
    base = term.base_kernel if scaled else term
    name = MATERNS.get(float(base.nu)) if type(base) is MaternKernel else NAMES.get(type(base))
    if name is None or term.active_dims is not None or base.active_dims is not None:
        raise ValueError(
            f"{type(base).__name__} can't be written as text, so a party could not rebuild it: use a sum of "
            f"{', '.join(KERNELS)}, each alone or in a ScaleKernel, on all features"
        )
    values = {h: getattr(base, h).detach().numpy().ravel() for h in KERNELS[name]}
    values["outputscale"] = term.outputscale.detach().numpy().ravel() if scaled else np.ones(1)
    return Term(name, values)


def _size(module: Any, name: str) -> int:
    """How many numbers an open parameter has; 0 where there is none, or it is given."""
    raw = getattr(module, name, None)
    return raw.numel() if isinstance(raw, torch.nn.Parameter) and raw.requires_grad else 0


def _plain_name(name: str) -> str:
    """``kernels.1.base_kernel.raw_alpha`` in words: alpha of term 2."""
    *path, raw = name.split(".")
    term = f" of term {int(path[1]) + 1}" if path[:1] == ["kernels"] else ""
    return f"{raw.removeprefix('raw_').replace('_', ' ')}{term}"


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
