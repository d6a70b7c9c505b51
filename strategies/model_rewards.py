"""Model rewards (Sim et al., ICML 2020): to each party a model of the pool that is worth its reward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from guerdon.models import Model, Predictor
from guerdon.models.protocols import Posterior
from guerdon.pipeline import Allocation, allocate
from guerdon.realization import ModelReward
from guerdon.scaling import Scaling
from guerdon.types import Contribution
from guerdon.valuation import InformationGain
from strategies.mediator import TrustedMediator
from strategies.messages import MessageError, Reward
from strategies.record import allocation_record, number, party_view
from strategies.session import Outcome

__all__ = ["ModelRewards"]


class ModelRewards(TrustedMediator):
    """Value data by its information gain on the model, and give each party a model with the right amount of noise.

    Composes the parts ``model``, ``shapley``, ``scheme`` and ``realization`` of the run config. Open hyperparameters
    are learned on the pool; a party's model alone uses the same, so that only the data differ.
    """

    parts: ClassVar[Mapping[str, str]] = {
        "model": "GaussianProcess(kernel='rbf')",
        "shapley": "Auto()",
        "scheme": "RhoShapley(rho='stable')",
        "realization": "NoiseInjection()",
    }

    def accept(self, contribution: Contribution) -> None:
        if contribution.y is None:
            raise MessageError("outputs y are missing, and a model reward is trained on them: name the target column")

    def value(self, contributions: Sequence[Contribution]) -> Outcome:
        work = _Work(contributions, self.target, self._scaling(contributions))
        model = self._fit(work.scaled)
        parts, settings = self.session.parts, self.settings
        self._stage("value", 2 ** len(contributions))
        allocation = allocate(
            work.scaled,
            InformationGain(model),
            parts["shapley"],
            parts["scheme"],
            None if settings.stop_after == "valuation" else parts["realization"],
            rng=np.random.default_rng(settings.seed),
            secret_rng=np.random.default_rng(self.journal.secret_seed()),
            progress=self._progress,
        )
        return Outcome(
            record=self._record(allocation, work, model),
            alone={
                c.party: work.reward(
                    i, model.posterior(s.X, np.asarray(s.y), s.noise), {"kind": "model", "alone": True}
                )
                for i, (c, s) in enumerate(zip(contributions, work.scaled, strict=True))
            },
            rewards={
                made.party: work.reward(i, made.posterior, self._about(allocation, i, made, model))
                for i, made in enumerate(allocation.rewards)
            },
        )

    def _scaling(self, contributions: Sequence[Contribution]) -> Scaling:
        if self.settings.standardize:
            return Scaling.of_pool(contributions)
        return Scaling.identity(contributions[0].X.shape[1])

    def _fit(self, scaled: Sequence[Contribution]) -> Model:
        self._stage("fit")
        fitted: Model = self.session.parts["model"].fit(scaled, progress=self._progress)
        return fitted

    def _progress(self, stage: str, done: int, total: int) -> None:
        if stage in ("value", "fit") or (stage == "realize" and done):
            self.journal.event("progress", stage=stage, done=done, total=total)
        else:
            self._stage(stage, total if stage == "realize" else None)

    def _record(self, allocation: Allocation, work: _Work, model: Model) -> dict[str, Any]:
        record = allocation_record(allocation, work.contributions, self.settings.run, self.session.texts, unit="nats")
        record["kind"] = "model"
        record["model"] = {**model.describe(), "standardized": self.settings.standardize}
        if (record["model"].get("fit") or {}).get("noise_at_bound"):
            self._note(
                "the learned noise variance is at its bound: under this kernel the data does not tell noise from "
                "signal, so the values mean little. Give the model a noise, or a smoother kernel.",
            )
        scale = work.scaling.target_scale**2
        for entry, made in zip(record["parties"], allocation.rewards, strict=False):
            entry["eta"] = number(made.eta * scale)
            entry["reached"] = made.reached
        return record

    def _about(self, allocation: Allocation, i: int, made: ModelReward, model: Model) -> dict[str, Any]:
        """What a party may know of its reward: its own numbers, and what is common knowledge."""
        return {
            **party_view(allocation, i, self.settings.run, self.session.texts, unit="nats"),
            "kind": "model",
            "reached": made.reached,
            "target_name": self.target,
            "model": {key: value for key, value in model.describe().items() if key != "fit"},
            "contains": (
                "the posterior of an exact Gaussian process: the pool's inputs, its outputs as far as the noise lets "
                "them through, and the mean and standard deviation of all"
            ),
        }


@dataclass(frozen=True, eq=False)
class _Work:
    """The pool as it came and in standard units."""

    contributions: Sequence[Contribution]
    target: str
    scaling: Scaling

    @property
    def scaled(self) -> list[Contribution]:
        return [self.scaling.apply(c) for c in self.contributions]

    def reward(self, i: int, posterior: Posterior, about: dict[str, Any]) -> Reward:
        c = self.contributions[i]
        own_noise = None if c.noise is None else float(np.mean(c.noise))
        predictor = Predictor(posterior, self.scaling, c.feature_names or (), self.target, own_noise)
        return Reward(predictor.arrays(), about)
