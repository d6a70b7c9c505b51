"""The few shapes that every part of Guerdon hands to the next: contributions, games, Shapley values, targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from guerdon.row_marks import RowMarks
    from guerdon.tables import Columns

__all__ = [
    "CeilingGame",
    "Contribution",
    "FloatArray",
    "Game",
    "ModelGame",
    "Progress",
    "RewardTargets",
    "ShapleyValues",
    "Statistics",
    "SyntheticGame",
    "TableGame",
    "Thresholds",
    "all_coalitions",
    "ceilings_of",
    "closed",
    "coalition_members",
    "game_table",
    "lacks",
    "members",
    "shapley_array",
    "silent",
]

FloatArray = NDArray[np.float64]

Progress = Callable[[str, int, int], None]
"""Called as ``progress(stage, done, total)`` by work that takes a while."""


def silent(stage: str, done: int, total: int) -> None:
    """The progress callback that does nothing."""


@dataclass(frozen=True, eq=False)
class Contribution:
    """What one party puts into the pool.

    Parameters
    ----------
    party : str
        The party's name.
    X : (m, d) array
        Inputs, one row an observation; finite.
    y : (m,) array, optional
        Outputs; finite.
    feature_names : sequence of d str, optional
    noise : None, float or (m,) array
        The party's own measurement noise VARIANCE, in squared units of y. Where given it replaces the model's noise
        variance for these rows: in the value, in the realization and in prediction.
    marks : RowMarks, optional
        What tells the rows apart whatever units they are in, where they were marked (``guerdon.row_marks``).
    columns : Columns, optional
        What the features stand for, where they are those of a table that is known (``guerdon.tables``).
    references : (q, d) array, optional
        Inputs at which the party wants predictions, such as those of rows that it holds out; none of its rows.

    Raises
    ------
    ValueError
        A shape does not fit, a number is not finite, or a noise variance is not positive.
    """

    party: str
    X: FloatArray
    y: FloatArray | None = None
    feature_names: tuple[str, ...] | None = None
    noise: float | FloatArray | None = None
    marks: RowMarks | None = None
    columns: Columns | None = None
    references: FloatArray | None = None

    def __post_init__(self) -> None:
        X = _finite(self.X, f"X of party {self.party!r}")
        if X.ndim != 2:
            raise ValueError(f"X of party {self.party!r} must have shape (rows, features), got {X.shape}")
        object.__setattr__(self, "X", X)
        if self.y is not None:
            y = _finite(self.y, f"y of party {self.party!r}")
            if y.shape != X.shape[:1]:
                raise ValueError(f"y of party {self.party!r} must have shape ({len(X)},) as X has rows, got {y.shape}")
            object.__setattr__(self, "y", y)
        if self.feature_names is not None:
            names = tuple(self.feature_names)
            if len(names) != X.shape[1]:
                raise ValueError(f"party {self.party!r} names {len(names)} features but X has {X.shape[1]} columns")
            object.__setattr__(self, "feature_names", names)
        if self.columns is not None and len(self.columns) != X.shape[1]:
            raise ValueError(
                f"the columns of party {self.party!r} are of {len(self.columns)} features but X has {X.shape[1]}"
            )
        if self.noise is not None:
            noise = _finite(self.noise, f"noise of party {self.party!r}")
            if noise.shape not in ((), X.shape[:1]):
                raise ValueError(
                    f"noise of party {self.party!r} must be one variance or shape ({len(X)},), got {noise.shape}"
                )
            if np.any(noise <= 0):
                wrong = (
                    f"{np.count_nonzero(noise <= 0)} of {noise.size} are not"  # no value: the text may leave a party
                )
                raise ValueError(f"noise variances of party {self.party!r} must be positive, {wrong}")
            object.__setattr__(self, "noise", float(noise) if noise.ndim == 0 else noise)
        if self.references is not None:
            references = _finite(self.references, f"references of party {self.party!r}")
            if references.ndim != 2 or references.shape[1] != X.shape[1]:
                raise ValueError(
                    f"references of party {self.party!r} must have shape (rows, {X.shape[1]}) as X has features, got "
                    f"{references.shape}"
                )
            object.__setattr__(self, "references", references)
        if self.marks is not None and len(self.marks.keys) != len(X):
            raise ValueError(f"party {self.party!r} has {len(X)} rows and marks of {len(self.marks.keys)}")

    def __len__(self) -> int:
        return len(self.X)

    def in_order(self, names: Sequence[str]) -> Contribution:
        """The same rows with their features in this order.

        Parameters
        ----------
        names : sequence of str
            All of ``feature_names``, in any order.

        Raises
        ------
        ValueError
            The names are not those of this contribution's features.
        """
        names, own = tuple(names), self.feature_names or ()
        if names == own:
            return self
        if sorted(names) != sorted(own):
            raise ValueError(
                f"party {self.party!r} has the features {', '.join(own) or 'without names'}, asked for "
                f"{', '.join(names)}"
            )
        places = [own.index(name) for name in names]
        columns = None if self.columns is None else self.columns.in_order(places)
        references = None if self.references is None else self.references[:, places]
        return replace(self, X=self.X[:, places], feature_names=names, columns=columns, references=references)


@dataclass(frozen=True, eq=False)
class Statistics:
    """What a linear model needs of one party's rows: sums over them, and none of the rows.

    With features Phi (m, M) and outputs y (m,): the Gram matrix Phi' Phi, the moment Phi' y, and y' y. They may carry
    Gaussian noise that the party added for its privacy.

    Parameters
    ----------
    party : str
        The party's name.
    gram : (M, M) array
        Symmetric.
    moment : (M,) array
    square : float
        y' y; NaN where it was not given away. Not used where there is noise.
    rows : int
        m.
    gram_noise : float
        STANDARD DEVIATION of the noise on the Gram matrix's diagonal; off it, where the noise is symmetric as the
        matrix is, it is this over sqrt(2).
    moment_noise : float
        STANDARD DEVIATION of the noise on the moment.

    Raises
    ------
    ValueError
        These are no sums over so many rows: a shape does not fit, a number is not finite, the matrix is not symmetric,
        is further from positive semidefinite than its noise explains, or has more directions than rows; or, without
        noise, y' y is less than the features explain of it.

    Examples
    --------
    >>> sums = Statistics.of("ada", np.array([[1.0, 2.0], [0.0, 1.0]]), np.array([3.0, 1.0]))
    >>> sums.gram.tolist(), sums.moment.tolist(), sums.square, sums.rows
    ([[1.0, 2.0], [2.0, 5.0]], [3.0, 7.0], 10.0, 2)
    """

    party: str
    gram: FloatArray
    moment: FloatArray
    square: float
    rows: int
    gram_noise: float = 0.0
    moment_noise: float = 0.0

    def __post_init__(self) -> None:
        gram, moment = _finite(self.gram, f"gram of party {self.party!r}"), _finite(self.moment, "moment")
        M = len(moment) if moment.ndim == 1 else 0
        if gram.shape != (M, M) or not M:
            raise ValueError(
                f"statistics of party {self.party!r} are a gram (M, M) and a moment (M,), M at least 1, got shapes "
                f"{gram.shape} and {moment.shape}"
            )
        if isinstance(self.rows, bool) or int(self.rows) != self.rows or self.rows < 0:
            raise ValueError(f"rows of party {self.party!r} is a whole number of at least 0, got {self.rows!r}")
        for name, noise in (("gram_noise", self.gram_noise), ("moment_noise", self.moment_noise)):
            if not 0.0 <= noise < np.inf:
                raise ValueError(f"{name} of party {self.party!r} is a standard deviation of at least 0, got {noise!r}")
        size = float(np.abs(gram).max())
        if np.abs(gram - gram.T).max() > SYMMETRIC * size:
            raise ValueError(f"the gram of party {self.party!r} is not symmetric: expected Phi' Phi of its features")
        gram = closed(0.5 * (gram + gram.T))
        object.__setattr__(self, "gram", gram)
        object.__setattr__(self, "moment", moment)
        values = np.linalg.eigvalsh(gram)
        allowed = SYMMETRIC * M * size + self.edge + 6.0 * self.gram_noise
        if values[0] < -allowed:
            raise ValueError(
                f"the gram of party {self.party!r} is not positive semidefinite: an eigenvalue is {values[0]:.3g}, "
                f"and no more than {allowed:.3g} below 0 is explained by rounding and noise. Expected Phi' Phi"
            )
        if not self.exact:
            return
        directions = int(np.count_nonzero(values > allowed))
        if directions > self.rows:
            raise ValueError(
                f"the gram of party {self.party!r} has {directions} directions, more than its {self.rows} rows span"
            )
        explained = float(np.sum(np.square(self._half()[1])))
        if self.square < explained - 1e-6 * max(explained, abs(self.square)):
            raise ValueError(
                f"the sums of party {self.party!r} do not belong together: y' y is {self.square:.6g}, and its features "
                f"explain {explained:.6g} of it"
            )

    def __len__(self) -> int:
        return self.rows

    @classmethod
    def of(cls, party: str, Phi: FloatArray, y: FloatArray) -> Statistics:
        """The sums over rows with features Phi (m, M) and outputs y (m,)."""
        Phi, y = np.asarray(Phi, dtype=np.float64), np.asarray(y, dtype=np.float64)
        if Phi.ndim != 2 or y.shape != Phi.shape[:1]:
            raise ValueError(f"expected features (m, M) and outputs (m,), got shapes {Phi.shape} and {y.shape}")
        return cls(party, Phi.T @ Phi, Phi.T @ y, float(y @ y), len(y))

    @property
    def exact(self) -> bool:
        """Whether the sums are as they are, without noise."""
        return self.gram_noise == 0.0 and self.moment_noise == 0.0

    @property
    def edge(self) -> float:
        """gram_noise sqrt(2 M): as far as symmetric noise moves eigenvalues, the edge of its spectrum."""
        return self.gram_noise * float(np.sqrt(2.0 * len(self.moment)))

    def like_rows(self, weight_square: float | None = None) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Rows that say the same: features F (k, M), outputs z (k,), and VARIANCES beside the noise (k,).

        With G = U diag(g) U', F = diag(sqrt g) U' and z = diag(1 / sqrt g) U' b: F' F = G and F' z = b, and Gaussian
        noise of variance s on the rows' outputs is noise of variance s on z. So whatever holds of rows holds of these.
        With noise, F are those of the eigenvalues less the edge of the noise's spectrum, and z varies by
        t / g more, t = moment_noise^2 + gram_noise^2 E|w|^2 / 2, since b~ | w ~ N(G w, s G + t I) (see ``effective``).

        Parameters
        ----------
        weight_square : float, optional
            E|w|^2; M, what the prior N(0, I) says, when None.
        """
        if self.exact:
            F, z = self._half()
            return F, z, np.zeros(len(z))
        g, U = np.linalg.eigh(self.gram)
        g = g - self.edge
        g, U = g[g > 0.0], U[:, g > 0.0]
        square = float(len(self.moment)) if weight_square is None else weight_square
        t = self.moment_noise**2 + 0.5 * self.gram_noise**2 * square
        return np.sqrt(g)[:, None] * U.T, (U.T @ self.moment) / np.sqrt(g), t / g

    def effective(self, *, noise: float, weight_square: float | None = None) -> tuple[FloatArray, FloatArray]:
        """What the sums tell of the weights in spite of their noise: precision A (M, M) and A times the mean, h (M,).

        A = U diag(g^2 / (s g + t)) U' and h = U diag(g / (s g + t)) U' b~; without noise G / s and b / s. The more
        noise, the less information, so that privacy never pays.

        Parameters
        ----------
        noise : float
            s, the VARIANCE of the outputs given the weights.
        weight_square : float, optional
            E|w|^2; M when None.
        """
        F, z, beside = self.like_rows(weight_square)
        weighted = F / (noise + beside)[:, None]
        return F.T @ weighted, weighted.T @ z

    def _half(self) -> tuple[FloatArray, FloatArray]:
        """F (k, M) and z (k,) with F' F = G and F' z = b, of columns scaled alike, so that small ones keep digits."""
        scale = np.sqrt(np.clip(np.diagonal(self.gram), 0.0, None))
        scale[scale == 0.0] = 1.0
        g, U = np.linalg.eigh(self.gram / scale[:, None] / scale)
        kept = g > ROUNDED * len(g)
        g, U = g[kept], U[:, kept]
        return np.sqrt(g)[:, None] * (U.T * scale), (U.T @ (self.moment / scale)) / np.sqrt(g)


SYMMETRIC = 1e-12
"""How far a Gram matrix may be from symmetric, and an eigenvalue below 0 a feature, as a share of its entries."""

ROUNDED = 1e-14
"""A direction that holds no more than this share of what M features of size 1 do is rounding."""


def closed(values: ArrayLike) -> FloatArray:
    """A read-only float64 array of the values: the same object where it is one already, else a copy."""
    is_closed = isinstance(values, np.ndarray) and values.base is None and not values.flags.writeable
    array: FloatArray = np.asarray(values, dtype=np.float64) if is_closed else np.array(values, dtype=np.float64)
    array.setflags(write=False)
    return array


def _finite(values: ArrayLike, what: str) -> FloatArray:
    array = closed(values)
    bad = array.size - int(np.count_nonzero(np.isfinite(array)))
    if bad:
        raise ValueError(f"{what} must be finite, got {bad} NaN or infinite values of {array.size}")
    return array


@runtime_checkable
class Game(Protocol):
    """A cooperative game: ``game(coalitions)`` gives the value of each row of a boolean (m, n) array.

    The empty coalition is worth 0. A game may also offer ``table() -> (2**n,)``, the values of all coalitions indexed
    by bitmask (bit i set = party i is in), ``shapley() -> (n,)`` where a closed form exists, ``parties``, the names,
    and ``chains(orders (k, n)) -> (k, n + 1)``, the values of every prefix of each order of arrival, the empty one's 0
    first, where a chain of growing coalitions costs less than one by one.
    """

    @property
    def n(self) -> int: ...

    def __call__(self, coalitions: NDArray[np.bool_], /) -> FloatArray: ...


@runtime_checkable
class CeilingGame(Game, Protocol):
    """A game that knows the most that each party's reward could be worth, where that is not the value of the pool."""

    def ceilings(self) -> FloatArray:
        """(n,), in the unit of the game."""
        ...


@runtime_checkable
class ModelGame(Game, Protocol):
    """A game whose values are what data tell of a model, or of its predictions: noise or tempering makes rewards in it.

    ``model`` with all hyperparameters known; ``contributions`` of the parties; ``inputs`` (m, d) of all of them;
    ``progress`` to be told; ``noise_response`` and ``tempering_response``, how the value of a party's own rows and the
    others' together answers to noise on the others' outputs, and to tempering their likelihood
    (``guerdon.models.NoiseResponse``); ``noise_of``, the noise variance of each row of a contribution.
    """

    @property
    def parties(self) -> tuple[str, ...]: ...
    @property
    def model(self) -> Any: ...
    @property
    def contributions(self) -> tuple[Contribution, ...]: ...
    @property
    def inputs(self) -> FloatArray: ...
    @property
    def progress(self) -> Progress: ...
    def noise_response(self, own: Contribution, others: Contribution) -> Any: ...
    def tempering_response(self, own: Contribution, others: Contribution) -> Any: ...
    def noise_of(self, contribution: Contribution) -> FloatArray: ...


@runtime_checkable
class SyntheticGame(CeilingGame, Protocol):
    """A game whose values are discrepancies from all data, real and synthetic: what synthetic rewards are drawn in.

    ``synthetic`` rows G (g, d) to draw from; ``contributions`` of the parties; ``progress`` to be told. The others are
    what a value needs when a row is added: the ``kernel``, its sums ``A`` (n,), ``B`` (n, n) and ``candidate_sums``
    (g,) and ``sums_at_synthetic`` of one party (g,), the parties' ``sizes`` (n,) and that of the ``reference``, and
    ``union_sums``, ``value_of`` and ``unbiased_mmd2_of`` of a party's rows
    with some of G (see ``guerdon.valuation.mmd_game``).
    """

    @property
    def parties(self) -> tuple[str, ...]: ...
    @property
    def contributions(self) -> tuple[Contribution, ...]: ...
    @property
    def synthetic(self) -> FloatArray: ...
    @property
    def kernel(self) -> Any: ...
    @property
    def A(self) -> FloatArray: ...  # noqa: N802
    @property
    def B(self) -> FloatArray: ...  # noqa: N802
    @property
    def candidate_sums(self) -> FloatArray: ...
    @property
    def sizes(self) -> NDArray[Any]: ...
    def sums_at_synthetic(self, party: int, kernel: Any = ...) -> FloatArray: ...
    @property
    def reference(self) -> float: ...
    @property
    def progress(self) -> Progress: ...
    def union_sums(self, party: int, indices: ArrayLike = ...) -> Any: ...
    def value_of(self, sums: Any) -> float: ...
    def unbiased_mmd2_of(self, sums: Any) -> float: ...


def members(kind: type) -> set[str]:
    """The names of what a kind of game has: those of the attributes and methods of a class or protocol."""
    own = {name for base in kind.__mro__ for name in (*vars(base), *getattr(base, "__annotations__", ()))}
    return {name for name in own if not name.startswith("_") or name == "__call__"}


def lacks(game: object, kind: type) -> list[str]:
    """What a game has not of what this kind of game has; empty where it is one."""
    return sorted(name for name in members(kind) if not hasattr(game, name))


def ceilings_of(game: Game) -> FloatArray:
    """The most that each party's reward could be worth (n,): as the game says, else the value of the pool, v_N."""
    own = getattr(game, "ceilings", None)
    if own is not None:
        return np.asarray(own(), dtype=np.float64)
    return np.full(game.n, float(game(np.ones((1, game.n), dtype=bool))[0]))


@dataclass(frozen=True, eq=False)
class TableGame:
    """A game given by the (2**n,) table of its values, indexed by bitmask; the first entry is the empty coalition's 0.

    Examples
    --------
    >>> game = TableGame([0.0, 7.0, 5.0, 8.0])
    >>> game.n, float(game(np.array([[True, True]]))[0])
    (2, 8.0)
    """

    values: FloatArray
    parties: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        values = _finite(self.values, "the table of coalition values")
        if values.ndim != 1 or len(values) < 2 or len(values) & (len(values) - 1):
            raise ValueError(f"a table of coalition values has shape (2**n,) with n >= 1, got {values.shape}")
        if values[0] != 0.0:
            raise ValueError(f"the empty coalition is worth 0, got {values[0]}: subtract it from every entry")
        object.__setattr__(self, "values", values)

    @property
    def n(self) -> int:
        return len(self.values).bit_length() - 1

    def table(self) -> FloatArray:
        return self.values

    def __call__(self, coalitions: NDArray[np.bool_]) -> FloatArray:
        masks = np.asarray(coalitions, dtype=bool) @ (1 << np.arange(self.n))
        return np.asarray(self.values[masks])


def all_coalitions(n: int) -> NDArray[np.bool_]:
    """Every coalition of n parties as a (2**n, n) boolean array; row k holds the bits of k."""
    return (np.arange(1 << n)[:, None] >> np.arange(n) & 1).astype(bool)


def coalition_members(mask: int, n: int) -> tuple[int, ...]:
    """The parties in the coalition with this bitmask."""
    return tuple(i for i in range(n) if mask >> i & 1)


def game_table(game: Game | ArrayLike) -> FloatArray:
    """The (2**n,) table of a game: its own ``table()`` where it offers one, else every coalition evaluated.

    A (2**n,) array is taken as the table itself.
    """
    if not callable(game):
        return TableGame(np.asarray(game)).values
    own = getattr(game, "table", None)
    if own is not None:
        return np.asarray(own(), dtype=np.float64)
    n = game.n
    values = np.asarray(game(all_coalitions(n)), dtype=np.float64)
    if values.shape != (1 << n,):
        raise ValueError(f"a game of {n} parties must return ({1 << n},) values for all coalitions, got {values.shape}")
    return TableGame(values).values


@dataclass(frozen=True, eq=False)
class ShapleyValues:
    """Shapley values with what is known about their error.

    Parameters
    ----------
    values : (n,) array
        phi_i, in the unit of the game.
    standard_errors : (n,) array or None
        Standard deviations of the estimates, None where the method is exact; the roots of the covariance's diagonal
        where that is given and they are not.
    evaluations : int
        How many coalition values were computed.
    method : str
        What computed them, in words.
    efficiency_gap : float, optional
        |sum phi - v_N|, where a closed form was used: what is known of its error.
    covariance : (n, n) array, optional
        Of the estimates, where it is known: those from one sample err together.
    degrees_of_freedom : float or (n,) array, optional
        How well the errors themselves are known; perfectly where None.
    rows : (m,) array, optional
        The values of single rows in the parties' order, where the method shares out by rows; they sum to the parties'.

    Examples
    --------
    >>> found = ShapleyValues(np.array([5.0, 3.0]), covariance=np.diag([0.04, 0.01]), degrees_of_freedom=7)
    >>> found.confidence_interval(0.95).round(3)
    array([[4.527, 5.473],
           [2.764, 3.236]])
    """

    values: FloatArray
    standard_errors: FloatArray | None = None
    evaluations: int = 0
    method: str = "given"
    efficiency_gap: float | None = None
    covariance: FloatArray | None = None
    degrees_of_freedom: float | FloatArray | None = None
    rows: FloatArray | None = None

    def __post_init__(self) -> None:
        if self.standard_errors is None and self.covariance is not None:
            object.__setattr__(self, "standard_errors", np.sqrt(np.diagonal(self.covariance)))

    @property
    def alpha(self) -> FloatArray:
        """phi_i / phi*, each party's Shapley value divided by the largest: (n,)."""
        return np.asarray(self.values / self.values.max())

    def confidence_interval(self, level: float = 0.95) -> FloatArray:
        """Where each value lies with this confidence, by Student's t: (n, 2), of no width where the method is exact."""
        margin: FloatArray | float = 0.0
        if self.standard_errors is not None:
            margin = self.standard_errors * _student_quantile(level, self.degrees_of_freedom)
        return np.stack([self.values - margin, self.values + margin], axis=1)

    def difference_errors(self) -> FloatArray:
        """Standard errors of phi_i - phi_j: (n, n), var_i + var_j - 2 cov_ij; without a covariance, as if independent.

        Differences of estimates from one sample are known better, or worse, than the estimates' own errors tell.
        """
        n = len(self.values)
        if self.standard_errors is None:
            return np.zeros((n, n))
        shared = np.diag(np.square(self.standard_errors)) if self.covariance is None else self.covariance
        variances = np.diagonal(shared)
        return np.asarray(np.sqrt(np.clip(variances[:, None] + variances - 2.0 * shared, 0.0, None)))

    def difference_margins(self, level: float = 0.95) -> FloatArray:
        """How far phi_i - phi_j may be off with this confidence, each pair by itself: (n, n)."""
        freedom = self.degrees_of_freedom
        if freedom is not None:
            freedom = np.broadcast_to(freedom, self.values.shape)
            freedom = np.minimum.outer(freedom, freedom)
        return np.asarray(self.difference_errors() * _student_quantile(level, freedom))


def _student_quantile(level: float, degrees_of_freedom: float | FloatArray | None) -> FloatArray:
    """How many standard errors to each side hold the truth with this probability; 1.96 at 0.95 where None or inf."""
    if not 0.0 < level < 1.0:
        raise ValueError(f"level is a probability between 0 and 1, got {level!r}")
    from scipy.special import stdtrit  # a party's app, which every message starts, has no use for SciPy

    freedom = np.inf if degrees_of_freedom is None else degrees_of_freedom
    return np.asarray(stdtrit(freedom, 0.5 + 0.5 * level))


def shapley_array(shapley: ShapleyValues | ArrayLike) -> FloatArray:
    """The values (n,) of a ``ShapleyValues`` or of an array."""
    values = shapley.values if isinstance(shapley, ShapleyValues) else shapley
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not np.all(np.isfinite(array)):
        raise ValueError(f"Shapley values must be a finite (n,) array, got {array!r}")
    return array


@dataclass(frozen=True)
class Thresholds:
    """The largest rho for individual rationality (rho_r) and for stability (rho_s); inf where nothing binds."""

    rational: float
    stable: float


@dataclass(frozen=True, eq=False)
class RewardTargets:
    """What each party's reward should be worth.

    Parameters
    ----------
    values : (n,) array
        r_i, in the unit of the game.
    rho : float or None
        The fairness exponent, None for a scheme without one.
    maximum : float
        What the best reward must reach (R3).
    ceilings : (n,) array
        What each party's reward can be worth at most (R2).
    thresholds : Thresholds, optional
        rho_r and rho_s, where the scheme has them.
    deficits : (n,) array, optional
        maximum - r_i without the cancellation, where the scheme knows it.
    rho_from_game : bool, optional
        Whether rho was chosen from this game's values, or was given whatever they are; None where the scheme does not
        say.
    """

    values: FloatArray
    rho: float | None
    maximum: float
    ceilings: FloatArray
    thresholds: Thresholds | None = None
    deficits: FloatArray | None = None
    rho_from_game: bool | None = None
