"""Model rewards by noise on the others' outputs: Sim et al. (ICML 2020), section 4.3.

Party i's model is trained on its own rows as they are and on everybody else's outputs with noise N(0, eta_i) added,
eta_i chosen so that the model is worth r_i. eta = 0 is the pool's model, eta = inf the party's own. The noise is nested
(``guerdon.realization.noise_path``): a lesser reward is a noisier version of a better one, so that parties that lay
their rewards side by side, or runs that are repeated, average nothing out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from guerdon.linalg import PRECISION
from guerdon.metrics import expected_mnlp
from guerdon.models.protocols import Model, NoiseResponse, Posterior
from guerdon.models.statistics import as_rows
from guerdon.realization.noise_path import NoisePath
from guerdon.row_marks import shown, shown_to_others, weights_of
from guerdon.threads import one_thread
from guerdon.types import Contribution, FloatArray, ModelGame, RewardTargets, Statistics

__all__ = [
    "ModelReward",
    "NoiseInjection",
    "Responsive",
    "expected_reward_mnlp",
    "inputs_of",
    "made_of",
    "noise_responses",
    "noise_variances",
    "others_noise",
    "others_of",
    "outputs_of",
    "own_posterior",
    "own_values",
    "posterior_of",
    "reward_data",
    "solve_noise",
]

OWN_ONLY = 1e-10
"""A target within this share of v_N of the party's own value is met by its own rows alone: eta = inf."""

EVERYTHING = 1e-12
"""A target given as a number within this share of v_N of it is the pool's own model: eta = 0."""

TOO_MUCH = 1e-9
"""A target above v_N by more than this share of it is refused."""

ROUNDING = PRECISION
"""Two ways to one value may differ by this share of it, as much as a value may be off: a scheme's targets, which come
from the game's values and respect rho_r, are not refused for less."""


UNHIDDEN = "eta = 0, so that no noise was added and what is in it of the others' outputs is as they were sent"
"""What the best party's reward discloses."""


@dataclass(frozen=True, eq=False)
class ModelReward:
    """One party's model reward.

    Attributes
    ----------
    party : str
        Whose reward it is.
    target : float
        r_i, the value in nats that it should have.
    reached : float
        The value in nats that it has, at eta.
    eta : float
        The noise VARIANCE on the others' outputs: 0, finite, or inf (own rows only).
    draws : (m,) array
        The noise itself, added to the outputs of the others' m rows in the pool's order; empty for eta = inf.
    posterior : Posterior
        The rewarded model.
    alone : Posterior
        What the party's own rows give.
    """

    party: str
    target: float
    reached: float
    eta: float
    draws: FloatArray
    posterior: Posterior
    alone: Posterior

    @property
    def contains(self) -> str:
        """What whoever gets the reward can read from it."""
        return f"{self.posterior.contains}; {UNHIDDEN}" if self.eta == 0.0 else self.posterior.contains

    def facts(self) -> Mapping[str, Any]:
        """The noise VARIANCE ``eta``."""
        return {"eta": self.eta}


@dataclass(frozen=True)
class NoiseInjection:
    """Realize the targets of a model's game by noise on the others' outputs (Sim et al., section 4.3)."""

    needs: ClassVar[type] = ModelGame

    def __call__(
        self, game: ModelGame, targets: RewardTargets | ArrayLike, *, rng: np.random.Generator
    ) -> tuple[ModelReward, ...]:
        """One reward a party, in the game's order.

        ``rng`` gives the secret of the rows' noise paths: with the same seed a row has one path in every run and in
        every party's reward, whatever the order of parties and rows. Whoever knows the seed can take the noise off
        again: keep it secret.
        """
        values = _values_of(targets, game.n)
        alone = own_values(game)
        solved = [_solve(game, i, targets, float(alone[i])) for i in range(game.n)]
        path, rewards = NoisePath.of(rng), []
        for i in range(game.n):
            rewards.append(self._reward(game, i, float(values[i]), *solved[i], path))
            game.progress("realize", i + 1, game.n)
        return tuple(rewards)

    def _reward(
        self,
        game: ModelGame,
        i: int,
        target: float,
        eta: float,
        reached: float,
        path: NoisePath,
    ) -> ModelReward:
        own = game.contributions[i]
        draws = others_noise(game, i, eta, path)
        alone = own_posterior(game, i)
        return ModelReward(
            party=own.party,
            target=target,
            reached=reached,
            eta=eta,
            draws=draws,
            posterior=alone if np.isinf(eta) else posterior_of(game.model, reward_data(game, i, eta, draws)),
            alone=alone,
        )


class Responsive(Protocol):
    """What answers to noise and tempering: a model, by its information gain, or a ``ModelGame``, by its values."""

    def noise_response(self, own: Contribution, others: Contribution) -> NoiseResponse: ...
    def tempering_response(self, own: Contribution, others: Contribution) -> NoiseResponse: ...
    def noise_of(self, contribution: Contribution) -> FloatArray: ...


def noise_responses(
    model: Responsive, contributions: Sequence[Contribution] | Sequence[Statistics]
) -> list[NoiseResponse]:
    """How each party's value answers to noise on the others' outputs: one decomposition a party.

    This is the work in ``noise_variances``; hand it over there to solve for many targets, as a sweep over rho does.
    """
    model, rows = as_rows(model, contributions)
    return [_response(model, rows, i) for i in range(len(rows))]


def _response(model: Responsive, contributions: Sequence[Contribution], i: int) -> NoiseResponse:
    with one_thread():
        return model.noise_response(contributions[i], others_of(model, contributions, i))


def noise_variances(
    model: Responsive,
    contributions: Sequence[Contribution] | Sequence[Statistics],
    targets: RewardTargets | ArrayLike,
    *,
    responses: Sequence[NoiseResponse] | None = None,
    alone: FloatArray | None = None,
) -> FloatArray:
    """The noise VARIANCE eta_i (n,) that brings each party's model down to its target value.

    Solves v_i + gain_i(eta) = r_i by one eigendecomposition a party and a safeguarded Newton iteration in log eta, on
    the gain r_i - v_i or on the deficit v_N - r_i, whichever is smaller, so that neither end loses digits.

    Parameters
    ----------
    model : Responsive
        A model with all hyperparameters known, whose information gain the value is; or the game whose values it is of,
        as that of ``guerdon.valuation.PredictiveInformation``.
    contributions : sequence of n Contribution or Statistics
    targets : (n,) array or RewardTargets
        The values in nats that the rewards should have.
    responses : sequence of n NoiseResponse, optional
        What ``noise_responses(model, contributions)`` gave, where it is known already.
    alone : (n,) array, optional
        v_i as the game has them that the targets were made for; the responses' own, which may differ by rounding, when
        None.

    Returns
    -------
    (n,) array
        0 where r_i = v_N, inf where r_i = v_i (within 1e-10 v_N), finite between.

    Raises
    ------
    ValueError
        A target is below v_i (rho > rho_r) or above v_N: no noise realizes it.
    """
    if responses is None:
        responses = noise_responses(model, contributions)
    values = _values_of(targets, len(contributions))
    own = [response.own_value for response in responses] if alone is None else np.asarray(alone).tolist()
    names = [part.party for part in contributions]
    parts = zip(responses, names, own, strict=True)
    return np.array([_solve_one(r, name, i, targets, float(values[i]), v) for i, (r, name, v) in enumerate(parts)])


def solve_noise(response: NoiseResponse, gain: float, deficit: float) -> float:
    """eta with response.gain(eta) = gain and response.deficit(eta) = deficit, both positive, solved on the smaller.

    Newton on the logarithm of the curve against log eta, where both curves are concave with slopes between 0 and 1 in
    size, started from the side on which Newton's steps don't overshoot; the bracket is kept and bisected where rounding
    leads a step out of it.
    """
    on_gain = gain <= deficit
    curve, wanted = (response.gain, np.log(gain)) if on_gain else (response.deficit, np.log(deficit))
    rising = -1.0 if on_gain else 1.0
    low = np.log(deficit) - np.log(response.small_noise) - 1e-6  # deficit(eta) <= eta small_noise
    high = np.log(response.large_noise) - np.log(gain) + 1e-6  # gain(eta) <= large_noise / eta
    x = high if on_gain else low
    for _ in range(200):
        eta = float(np.exp(x))
        value, slope = curve(eta)
        error = np.log(value) - wanted if value > 0.0 else -np.inf
        if error * rising > 0:
            high = x
        else:
            low = x
        newton = x - error * value / (slope * eta) if value > 0.0 and slope != 0.0 else np.nan
        after = newton if low <= newton <= high else 0.5 * (low + high)
        if abs(after - x) <= 4e-16 * max(1.0, abs(x)) or error == 0.0:
            return float(np.exp(after if error != 0.0 else x))
        x = after
    return float(np.exp(x))  # steps of a few ulps back and forth: as close as float64 comes


def others_noise(game: ModelGame, i: int, eta: float, path: NoisePath) -> FloatArray:
    """The noise of VARIANCE eta on the outputs of all rows but party i's, in the pool's order; empty for eta = inf."""
    others = [c for k, c in enumerate(game.contributions) if k != i and np.isfinite(eta)]
    return np.concatenate([np.empty(0), *(path.draws(shown(c), eta) for c in others)])


def own_posterior(game: ModelGame, i: int) -> Posterior:
    """What party i's own rows give, in the units that rewards are sent in."""
    own = shown(game.contributions[i])
    return posterior_of(game.model, replace(own, noise=game.noise_of(own)))


def reward_data(game: ModelGame, i: int, eta: float, draws: FloatArray) -> Contribution:
    """D_i^r: the pool with ``draws`` added to the others' outputs and eta to their noise variance; pool order.

    Where the others' rows are marked with weights (``RowMarks.weighted``), their noise variances are divided by these.
    """
    parts, start = [], 0
    for k, c in enumerate(made_of(game, i)):
        noise = game.model.noise_of(c)
        y = outputs_of(c)
        if k != i:
            y, noise = y + draws[start : start + len(c)], (noise + eta) / weights_of(c)
            start += len(c)
        parts.append((y, noise))
    y, noise = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return Contribution(game.contributions[i].party, inputs_of(game, i), y, game.contributions[i].feature_names, noise)


def made_of(game: ModelGame, i: int) -> list[Contribution]:
    """The contributions as party i's reward is made of them: its own as they are, the others' as others see them."""
    return [shown(c) if k == i else shown_to_others(c) for k, c in enumerate(game.contributions)]


def inputs_of(game: ModelGame, i: int) -> FloatArray:
    """All inputs (m, d) of party i's reward: one array for all rewards, where others see what the parties do."""
    parts = made_of(game, i)
    alike = all(part is shown(c) for part, c in zip(parts, game.contributions, strict=True))
    return game.inputs if alike else np.concatenate([c.X for c in parts])


def expected_reward_mnlp(
    game: ModelGame, i: int, eta: float, X: FloatArray, y: FloatArray, noise: float | FloatArray | None = None
) -> float:
    """Party i's MNLP at (X, y) in nats, exactly averaged over the noise that its reward might have drawn.

    The predictive mean is linear in the outputs, so noise of variance eta on the others' adds eta times the squared
    norm of their weights to its variance; the predictive variance does not depend on the draw.
    """
    if np.isinf(eta):
        own = game.contributions[i]
        posterior = posterior_of(game.model, replace(own, noise=game.noise_of(own)))
        return expected_mnlp(*posterior.predict(X, noise), y, np.zeros(1))
    clean = reward_data(game, i, eta, np.zeros(sum(len(c) for k, c in enumerate(game.contributions) if k != i)))
    posterior = posterior_of(game.model, clean)
    owner = np.concatenate([np.full(len(c), k) for k, c in enumerate(game.contributions)])
    others: NDArray[np.bool_] = owner != i
    return expected_mnlp(*posterior.predict(X, noise), y, eta * posterior.sensitivity(X, others))


def others_of(model: Responsive, contributions: Sequence[Contribution], i: int) -> Contribution:
    """Everybody's inputs but party i's, each row with the noise variance that holds for it."""
    rest = [c for k, c in enumerate(contributions) if k != i]
    X = np.concatenate([np.empty((0, contributions[i].X.shape[1])), *(c.X for c in rest)])
    return Contribution("(others)", X, noise=np.concatenate([np.empty(0), *(model.noise_of(c) for c in rest)]))


def own_values(game: ModelGame) -> FloatArray:
    """v_i in nats as the game has them, which is what rho_r was taken from: (n,)."""
    return np.asarray(game(np.eye(game.n, dtype=bool)))


def _solve(game: ModelGame, i: int, targets: RewardTargets | ArrayLike, alone: float) -> tuple[float, float]:
    """Party i's noise variance and the value in nats that it comes to; of its response nothing stays in memory."""
    response = _response(game, game.contributions, i)
    eta = _solve_one(response, game.parties[i], i, targets, float(_values_of(targets, game.n)[i]), alone)
    return eta, alone + (response.gain(eta).value if np.isfinite(eta) else 0.0)


def _values_of(targets: RewardTargets | ArrayLike, parties: int) -> FloatArray:
    values = targets.values if isinstance(targets, RewardTargets) else np.asarray(targets, dtype=np.float64)
    if values.shape != (parties,):
        raise ValueError(f"{parties} parties need targets of shape ({parties},), got {values.shape}")
    return values


def _solve_one(
    response: NoiseResponse, party: str, i: int, targets: RewardTargets | ArrayLike, target: float, alone: float
) -> float:
    most = response.gain(0.0).value
    pool = alone + most
    exact = _exact_deficit(targets, i, pool)
    deficit = pool - target if exact is None else exact
    gain = target - alone
    if not np.isfinite(target) or target > pool * (1.0 + (TOO_MUCH if exact is None else ROUNDING)):
        raise ValueError(
            f"party {party!r}: target {target:.10g} nats is more than the {pool:.10g} that the pooled data is worth; "
            "no model trained on it reaches that"
        )
    if deficit <= (EVERYTHING * pool if exact is None else 0.0):
        return 0.0
    if -(ROUNDING if _respects_rho_r(targets) else OWN_ONLY) * pool <= gain <= OWN_ONLY * pool:
        return float("inf")
    if gain < 0.0:
        raise ValueError(_below_own_value(alone, party, targets, target))
    return solve_noise(response, min(gain, most), deficit)


def _respects_rho_r(targets: RewardTargets | ArrayLike) -> bool:
    """Whether a scheme made the targets at a rho of at most rho_r, so that none can be below v_i but by rounding."""
    if not isinstance(targets, RewardTargets) or targets.thresholds is None or targets.rho is None:
        return False
    return targets.rho <= targets.thresholds.rational


def _exact_deficit(targets: RewardTargets | ArrayLike, i: int, pool: float) -> float | None:
    """v_N - r_i without the cancellation, where the scheme knows it and its maximum is v_N."""
    if not isinstance(targets, RewardTargets) or targets.deficits is None:
        return None
    if abs(targets.maximum - pool) > ROUNDING * pool:
        return None
    return float(targets.deficits[i])


def _below_own_value(alone: float, party: str, targets: RewardTargets | ArrayLike, target: float) -> str:
    reason = "rho is above rho_r, the largest that is individually rational"
    if isinstance(targets, RewardTargets) and targets.thresholds is not None and targets.rho is not None:
        reason = f"rho = {targets.rho:.6g} is above rho_r = {targets.thresholds.rational:.6g}"
    return (
        f"party {party!r}: target {target:.10g} nats is below the {alone:.10g} that its own data is worth, and no "
        f"noise on the others' data makes a model worse than that: {reason}. Choose rho <= rho_r, or rho='rational' or "
        "'stable'."
    )


def posterior_of(model: Model, data: Contribution) -> Posterior:
    """What the model believes after these rows, each with the noise variance that it brings."""
    return model.posterior(data.X, outputs_of(data), noise=data.noise)


def outputs_of(contribution: Contribution) -> FloatArray:
    """The outputs y (m,); a party that sent none is an error that names it."""
    if contribution.y is None:
        raise ValueError(f"party {contribution.party!r} sent no outputs y, which a model reward is trained on")
    return contribution.y
