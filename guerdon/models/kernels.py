"""Kernels as text and text as kernels: ``"rbf(lengthscale=0.5) + exponential"``.

A kernel is a sum of named terms. Each term is scaled by an ``outputscale`` (a variance); a hyperparameter written in
the text is given, one left out is to be learned. The text with every hyperparameter in it is the kernel, exactly, which
is how a reward carries it: no pickle, and readable.

The named kernels are NumPy's, with the slopes that learning needs: a party that predicts with one loads no torch. A
GPyTorch kernel given as an object is another kind of ``KernelFunction`` (``guerdon.models.gpytorch_kernels``).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

import numpy as np

from guerdon.models.named_kernels import NAMED, Hyperparameters, squared_distances
from guerdon.plugins import PluginError, parse_call
from guerdon.types import FloatArray

if TYPE_CHECKING:
    from gpytorch.kernels import Kernel

__all__ = [
    "KERNELS",
    "Evaluated",
    "KernelFunction",
    "NamedKernel",
    "OpenTerm",
    "Pairs",
    "Parameter",
    "Term",
    "as_kernel",
    "check_kernel",
    "covariance",
    "covariance_diagonal",
    "kernel_text",
    "learnable",
    "median_kernel",
    "missing_hyperparameters",
]

KERNELS: dict[str, tuple[str, ...]] = {name: named.hyperparameters for name, named in NAMED.items()}
"""Each name's hyperparameters besides the outputscale; ``ard=True`` gives one lengthscale a feature."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Rows X (m, d) and Z (k, d) between which a kernel is evaluated, and what every theta needs of them."""

    X: FloatArray
    Z: FloatArray

    @cached_property
    def squares(self) -> FloatArray:
        """|x_i - z_j|^2, by differences: (m, k). An expansion's rounding puts equal rows up to 1e-7 apart."""
        return squared_distances(self.X, self.Z)


class Parameter(NamedTuple):
    """One open hyperparameter of a kernel: which term's, its name, how many numbers it has, and whether they are
    positive, so that theta holds their logarithms."""

    term: int
    name: str
    size: int
    positive: bool = True
    label: str = ""


class OpenTerm(NamedTuple):
    """What starts of learning are made from: a term's number and kind, how many of its lengthscales and periods are
    open (0: none), and its outputscale where that is open."""

    term: int
    kind: str
    lengthscales: int
    periods: int
    outputscale: float | None


class Evaluated(Protocol):
    """A kernel between two sets of rows."""

    @property
    def K(self) -> FloatArray:  # noqa: N802 - the papers' letter
        """k(x_i, z_j): (m, k)."""
        ...

    def slopes(self, W: FloatArray) -> FloatArray:
        """The gradient of sum_ij W_ij k(x_i, z_j) in theta: (p,)."""
        ...


class KernelFunction(Protocol):
    """A kernel with values for all its hyperparameters, some of which may be open, to be learned: those are theta."""

    @property
    def parameters(self) -> Sequence[Parameter]:
        """The open hyperparameters, in the order in which they stand in theta."""
        ...

    @property
    def theta(self) -> FloatArray:
        """The open hyperparameters' values (p,), in logarithms where they are positive."""
        ...

    def at(self, theta: FloatArray) -> Self:
        """The kernel with other values of the open hyperparameters."""
        ...

    def theta_of(self, other: Any) -> FloatArray:
        """What stands in this kernel's theta for the values of another one like it."""
        ...

    def on(self, pairs: Pairs) -> Evaluated: ...
    def diagonal(self, X: FloatArray) -> FloatArray: ...
    def open_terms(self) -> Sequence[OpenTerm]: ...

    def opened(self) -> Self:
        """The kernel with every hyperparameter open."""
        ...

    def given(self) -> Kernel | str:
        """What a model keeps of it: a text, or the GPyTorch kernel where it was one."""
        ...


class Term(NamedTuple):
    """outputscale * f(x, z): a named kernel, its hyperparameters' values, and which of them are open."""

    name: str
    values: Hyperparameters
    open: frozenset[str] = frozenset()

    @property
    def order(self) -> tuple[str, ...]:
        """Its hyperparameters as they stand in theta."""
        return ("outputscale", *KERNELS[self.name])

    @property
    def text(self) -> str:
        """The term with every hyperparameter in it."""
        written = ", ".join(f"{key}={_number(self.values[key])}" for key in (*KERNELS[self.name], "outputscale"))
        return f"{self.name}({written})"


@dataclass(frozen=True, eq=False)
class NamedKernel:
    """A sum of named terms."""

    terms: tuple[Term, ...]

    @property
    def parameters(self) -> Sequence[Parameter]:
        many = len(self.terms) > 1
        return [
            Parameter(
                k, name, term.values[name].size, True, name.replace("_", " ") + (f" of term {k + 1}" if many else "")
            )
            for k, term, name in self._open()
        ]

    @property
    def theta(self) -> FloatArray:
        return self.theta_of(self)

    def theta_of(self, other: NamedKernel) -> FloatArray:
        return np.concatenate([np.empty(0), *(np.log(other.terms[k].values[name]) for k, _, name in self._open())])

    def at(self, theta: FloatArray) -> NamedKernel:
        values: list[dict[str, FloatArray]] = [dict(term.values) for term in self.terms]
        place = 0
        for k, term, name in self._open():
            size = term.values[name].size
            values[k][name] = np.exp(theta[place : place + size])
            place += size
        return NamedKernel(tuple(term._replace(values=v) for term, v in zip(self.terms, values, strict=True)))

    def on(self, pairs: Pairs) -> _SumOnPairs:
        return _SumOnPairs(self.terms, pairs)

    def diagonal(self, X: FloatArray) -> FloatArray:
        return np.full(len(X), sum(float(term.values["outputscale"][0]) for term in self.terms))

    def open_terms(self) -> Sequence[OpenTerm]:
        return [
            OpenTerm(
                k,
                term.name,
                term.values["lengthscale"].size if "lengthscale" in term.open else 0,
                term.values["period_length"].size if "period_length" in term.open else 0,
                float(term.values["outputscale"][0]) if "outputscale" in term.open else None,
            )
            for k, term in enumerate(self.terms)
        ]

    def opened(self) -> NamedKernel:
        return NamedKernel(tuple(term._replace(open=frozenset(term.order)) for term in self.terms))

    def given(self) -> str:
        return " + ".join(term.text for term in self.terms)

    def _open(self) -> Iterator[tuple[int, Term, str]]:
        for k, term in enumerate(self.terms):
            for name in term.order:
                if name in term.open:
                    yield k, term, name


class _SumOnPairs:
    """A sum of named terms between two sets of rows."""

    def __init__(self, terms: Sequence[Term], pairs: Pairs) -> None:
        self._parts = [(term, NAMED[term.name](term.values, pairs.X, pairs.Z, lambda: pairs.squares)) for term in terms]
        matrices = [part.K for _, part in self._parts]
        self.K: FloatArray = matrices[0] if len(matrices) == 1 else np.sum(matrices, axis=0)

    def slopes(self, W: FloatArray) -> FloatArray:
        found: list[FloatArray] = [np.empty(0)]
        for term, part in self._parts:
            if term.open:
                slopes = part.slopes(W, term.open)
                found += [slopes[name] for name in term.order if name in term.open]
        return np.concatenate(found)


def as_kernel(
    kernel: Kernel | str, features: int, *, spread: FloatArray | float = 1.0, variance: float = 1.0
) -> KernelFunction:
    """The kernel for a text, or for the GPyTorch kernel given, on inputs of so many features.

    What a text leaves out is open, and starts from the data's own units: spread (d,), the features' standard
    deviations, and variance, that of the outputs. Nothing of a GPyTorch kernel is open; one that has a text is what the
    text is, so that whoever gets the text computes the same bits.

    Raises
    ------
    PluginError
        The text can't be read, names an unknown kernel or hyperparameter, or a value does not fit.
    """
    if isinstance(kernel, str):
        return _named(kernel, np.broadcast_to(np.asarray(spread, dtype=np.float64), features), variance)
    from guerdon.models.gpytorch_kernels import GPyTorchFunction, terms_of

    try:
        return NamedKernel(terms_of(kernel))
    except ValueError:
        return GPyTorchFunction.of(kernel)


def learnable(
    kernel: Kernel | str, features: int, *, spread: FloatArray | float = 1.0, variance: float = 1.0
) -> KernelFunction:
    """The kernel whose open hyperparameters are to be learned, which ``given`` gives back as what it was: as
    ``as_kernel``, but a GPyTorch kernel stays one."""
    if isinstance(kernel, str):
        return as_kernel(kernel, features, spread=spread, variance=variance)
    from guerdon.models.gpytorch_kernels import GPyTorchFunction

    return GPyTorchFunction.of(kernel)


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
        return
    from guerdon.models.gpytorch_kernels import is_gpytorch

    if not is_gpytorch(kernel):
        raise PluginError(f"kernel is a GPyTorch kernel or a text such as 'rbf + exponential', got {kernel!r}")


def _named(text: str, spread: FloatArray, variance: float) -> NamedKernel:
    return NamedKernel(tuple(_term(t, place, spread, variance) for place, t in enumerate(_split_sum(text))))


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


def _term(text: str, place: int, spread: FloatArray, variance: float) -> Term:
    call = parse_call(text)
    if call.name not in KERNELS or call.args:
        raise PluginError(
            f"kernel term {text!r}: expected one of {', '.join(KERNELS)}, with keyword arguments only, "
            "such as rbf(lengthscale=0.5, outputscale=1.0)"
        )
    hyperparameters = KERNELS[call.name]
    given = dict(call.kwargs)
    ard = bool(given.pop("ard", np.ndim(given.get("lengthscale", 0.0)) > 0))
    unknown = set(given) - {"outputscale", *hyperparameters}
    if unknown:
        raise PluginError(
            f"kernel term {text!r}: {sorted(unknown)[0]!r} is not a hyperparameter of {call.name}; "
            f"it has {', '.join((*hyperparameters, 'outputscale', 'ard'))}"
        )
    by_feature = NAMED[call.name].by_feature if ard else ()
    values: dict[str, FloatArray] = {}
    for name in ("outputscale", *hyperparameters):
        size = len(spread) if name in by_feature else 1
        if name in given:
            value = given[name]
        elif name == "lengthscale":
            # Two rows are about sqrt(2 d) standard deviations apart; later terms start longer, to break the tie.
            distance = np.sqrt(len(spread)) * spread if ard else np.linalg.norm(spread)
            value = distance * 3.0**place
        else:
            value = variance if name == "outputscale" else 1.0
        values[name] = _values(name, value, size, text)
    return Term(call.name, values, frozenset(values) - set(given))


def _values(name: str, value: Any, size: int, text: str) -> FloatArray:
    try:
        numbers = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        numbers = np.array(np.nan)
    if not np.all(np.isfinite(numbers)) or np.any(numbers <= 0):
        raise PluginError(f"kernel term {text!r}: {name} must be positive, got {value!r}")
    if numbers.size not in (1, size):
        raise PluginError(f"kernel term {text!r}: {name} needs 1 or {size} values, got {numbers.size}")
    return np.broadcast_to(numbers.ravel(), (size,)).copy()


def missing_hyperparameters(kernel: Kernel | str) -> list[str]:
    """The hyperparameters that a kernel's text leaves open, such as ``rbf.lengthscale``; none for a kernel given."""
    if not isinstance(kernel, str):
        return []
    calls = [parse_call(text) for text in _split_sum(kernel)]
    return [
        f"{call.name}.{name}"
        for call in calls
        for name in ("outputscale", *KERNELS[call.name])
        if name not in call.kwargs
    ]


def median_kernel(kernels: Sequence[KernelFunction]) -> KernelFunction:
    """A kernel like these with each hyperparameter the median of theirs, in log where it is positive."""
    opened = [kernel.opened() for kernel in kernels]
    return opened[0].at(np.median([kernel.theta for kernel in opened], axis=0))


def kernel_text(kernel: Kernel | str) -> str:
    """The text of a kernel, every hyperparameter in it; the inverse of ``as_kernel``.

    Raises
    ------
    ValueError
        The kernel is not a sum of (scaled) kernels that have a name here, so no text stands for it.
    """
    if isinstance(kernel, str):
        return kernel
    from guerdon.models.gpytorch_kernels import terms_of

    return NamedKernel(terms_of(kernel)).given()


def _number(values: FloatArray) -> str:
    numbers = [repr(float(value)) for value in values]
    return numbers[0] if len(numbers) == 1 else f"({', '.join(numbers)})"


def covariance(kernel: KernelFunction, X: FloatArray, Z: FloatArray | None = None) -> FloatArray:
    """k(X, Z) as a float64 (m, k) array; Z = X when None, with an exactly symmetric result."""
    left = np.asarray(X, dtype=np.float64)
    if Z is None:
        K = kernel.on(Pairs(left, left)).K
        return np.asarray(0.5 * (K + K.T))
    return kernel.on(Pairs(left, np.asarray(Z, dtype=np.float64))).K


def covariance_diagonal(kernel: KernelFunction, X: FloatArray) -> FloatArray:
    """k(x, x) for the rows of X: (m,)."""
    return kernel.diagonal(np.asarray(X, dtype=np.float64))
