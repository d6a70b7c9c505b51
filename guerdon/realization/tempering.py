"""Model rewards by tempering the others' likelihood: Sim et al. (NeurIPS 2023).

Party i's model is the posterior proportional to p(theta) p(y_i | theta) p(y_others | theta)^kappa_i, with kappa_i in
[0, 1] chosen so that the model is worth r_i. kappa = 1 is the pool's model, kappa = 0 the party's own. Where the
others' outputs have Gaussian noise of variances L_o, a likelihood to the power kappa is that of noise L_o / kappa with
the outputs as they are. With S the covariance of the others' f given the party's own rows

    IG_i(kappa) = v_i + 1/2 log det(I + kappa L_o^-1/2 S L_o^-1/2) = v_i + 1/2 sum_j log1p(kappa lambda_j),

one eigendecomposition a party, equal noise or not, and no noise is drawn. With equal noise s2 it is the value under
noise injection with eta = s2 (1 / kappa - 1).

Nothing hides the others' outputs: whoever can take his own data out of such a reward can undo the tempering. From the
reward of an exact Gaussian process, which holds all rows, anyone can train the pool's own model. Noise injection does
not have that weakness, and pays for it with predictions that are worse on average by what the noise adds to their
errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from guerdon.metrics import expected_mnlp
from guerdon.models.predictor import Predictor
from guerdon.models.protocols import NoiseResponse, Posterior
from guerdon.models.statistics import as_rows
from guerdon.realization.noise import (
    Responsive,
    inputs_of,
    made_of,
    noise_variances,
    others_of,
    outputs_of,
    own_posterior,
    own_values,
    posterior_of,
)
from guerdon.row_marks import weights_of
from guerdon.threads import one_thread
from guerdon.types import Contribution, FloatArray, ModelGame, RewardTargets, Statistics

__all__ = [
    "LikelihoodTempering",
    "TemperedReward",
    "mnlp_with_noise_instead",
    "tempered_data",
    "tempering_exponents",
    "tempering_responses",
]

UNHIDDEN = (
    "no noise was added: the others' outputs count for less in it but are as they were sent, so that whoever takes the "
    "party's own data out of it has what they say exactly, and can undo the tempering"
)
"""What a tempered reward discloses, unless its party is the only one."""


@dataclass(frozen=True, eq=False)
class TemperedReward:
    """One party's model reward.

    Attributes
    ----------
    party : str
        Whose reward it is.
    target : float
        r_i, the value in nats that it should have.
    reached : float
        The value in nats that it has, at kappa.
    kappa : float
        The power of the others' likelihood, in [0, 1].
    eta : float or None
        The noise VARIANCE that noise injection would add for the same value, s2 (1 / kappa - 1), where the others'
        noise variances are all s2, else None.
    rows : tuple of int
        Which rows of the pool, (start, stop), are the party's own.
    posterior : Posterior
        The rewarded model.
    alone : Posterior
        What the party's own rows give.
    """

    party: str
    target: float
    reached: float
    kappa: float
    eta: float | None
    rows: tuple[int, int]
    posterior: Posterior
    alone: Posterior

    @property
    def contains(self) -> str:
        """What whoever gets the reward can read from it."""
        return self.posterior.contains if self.kappa == 0.0 else f"{self.posterior.contains}; {UNHIDDEN}"

    def facts(self) -> Mapping[str, Any]:
        """The power ``kappa``; no noise was added."""
        return {"kappa": self.kappa}


@dataclass(frozen=True)
class LikelihoodTempering:
    """Realize the targets of a model's game by tempering the others' likelihood; nothing is drawn."""

    needs: ClassVar[type] = ModelGame

    def __call__(
        self, game: ModelGame, targets: RewardTargets | ArrayLike, *, rng: np.random.Generator
    ) -> tuple[TemperedReward, ...]:
        """One reward a party, in the game's order; ``rng`` is left alone."""
        responses = tempering_responses(game, game.contributions)
        alone = own_values(game)
        kappas = tempering_exponents(game, game.contributions, targets, responses=responses, alone=alone)
        values = targets.values if isinstance(targets, RewardTargets) else np.asarray(targets, dtype=np.float64)
        rewards = []
        for i, response in enumerate(responses):
            kappa = float(kappas[i])
            reached = float(alone[i]) + (response.gain(1.0 / kappa - 1.0).value if kappa > 0.0 else 0.0)
            rewards.append(self._reward(game, i, float(values[i]), kappa, reached))
            game.progress("realize", i + 1, game.n)
        return tuple(rewards)

    def _reward(self, game: ModelGame, i: int, target: float, kappa: float, reached: float) -> TemperedReward:
        own = game.contributions[i]
        others = np.asarray(others_of(game.model, game.contributions, i).noise)
        start = sum(len(c) for c in game.contributions[:i])
        alone = own_posterior(game, i)
        return TemperedReward(
            party=own.party,
            target=target,
            reached=reached,
            kappa=kappa,
            eta=_equivalent_noise(kappa, others),
            rows=(start, start + len(own)),
            posterior=alone if kappa == 0.0 else posterior_of(game.model, tempered_data(game, i, kappa)),
            alone=alone,
        )


def tempering_responses(
    model: Responsive, contributions: Sequence[Contribution] | Sequence[Statistics]
) -> list[NoiseResponse]:
    """How each party's value answers to tempering, as to relative noise: one decomposition a party."""
    model, rows = as_rows(model, contributions)
    with one_thread():
        return [model.tempering_response(own, others_of(model, rows, i)) for i, own in enumerate(rows)]


def tempering_exponents(
    model: Responsive,
    contributions: Sequence[Contribution] | Sequence[Statistics],
    targets: RewardTargets | ArrayLike,
    *,
    responses: Sequence[NoiseResponse] | None = None,
    alone: FloatArray | None = None,
) -> FloatArray:
    """The power kappa_i (n,) of the others' likelihood that brings each party's model down to its target value.

    Solves v_i + 1/2 sum_j log1p(kappa lambda_j) = r_i as noise injection solves for eta, in units of each row's own
    noise: kappa = 1 / (1 + eta). 1 where r_i = v_N, 0 where r_i = v_i (within 1e-10 v_N).

    Parameters
    ----------
    model : Responsive
        A model with all hyperparameters known, or a game, as for ``noise_variances``.
    contributions : sequence of n Contribution or Statistics
    targets : (n,) array or RewardTargets
        The values in nats that the rewards should have.
    responses : sequence of n NoiseResponse, optional
        What ``tempering_responses(model, contributions)`` gave, where it is known already.
    alone : (n,) array, optional
        As for ``noise_variances``.

    Raises
    ------
    ValueError
        A target is below v_i (rho > rho_r) or above v_N: no tempering realizes it.
    """
    if responses is None:
        responses = tempering_responses(model, contributions)
    return np.asarray(1.0 / (1.0 + noise_variances(model, contributions, targets, responses=responses, alone=alone)))


def tempered_data(game: ModelGame, i: int, kappa: float) -> Contribution:
    """The pool with the others' noise variances divided by kappa > 0, and all outputs as they are; pool order.

    Where the others' rows are marked with weights (``RowMarks.weighted``), their noise variances are divided by these.
    """
    parts = made_of(game, i)
    noise = [game.model.noise_of(c) / (1.0 if k == i else kappa * weights_of(c)) for k, c in enumerate(parts)]
    own = game.contributions[i]
    y = np.concatenate([outputs_of(c) for c in parts])
    return Contribution(own.party, inputs_of(game, i), y, own.feature_names, np.concatenate(noise))


def mnlp_with_noise_instead(
    predictor: Predictor,
    eta: float,
    others: NDArray[np.bool_],
    X: FloatArray,
    y: FloatArray,
    noise: float | FloatArray | None = None,
) -> float:
    """The MNLP in nats that noise injection of the same value would have on average, from a tempered model.

    With equal noise both have the same weights and predictive variances; the noise adds eta |w_others|^2 to the
    variance of the mean, so that it is worse by eta |w_others|^2 / (2 variance), averaged over the rows.

    Parameters
    ----------
    predictor : Predictor
        The tempered model, with a posterior that knows the rows it was trained on.
    eta : float
        The noise VARIANCE that noise injection would add, in the posterior's own units.
    others : (m,) bool array
        Which rows of the training data are the others'.
    X : (k, d) array
        Held-out rows in the data's units.
    y : (k,) array
        Their outputs.
    noise : (k,) array, optional
        Their noise VARIANCES, where they bring some.
    """
    inputs = predictor.scaling.features(np.asarray(X, dtype=np.float64))
    spread = eta * predictor.scaling.target_scale**2 * predictor.posterior.sensitivity(inputs, others)
    return expected_mnlp(*predictor.predict(X, noise), y, spread)


def _equivalent_noise(kappa: float, others: FloatArray) -> float | None:
    if len(others) and np.any(others != others[0]):
        return None
    if kappa == 0.0:
        return float("inf")
    return float(others[0] * (1.0 / kappa - 1.0)) if len(others) else 0.0
