"""The training of an MMD GAN, a step at a time, so that it can stop after any and go on with the same bits."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from guerdon.generators.mmd_gan_loss import mmd2, witness_penalty
from guerdon.generators.mmd_gan_networks import build_critic, build_generator, initialise
from guerdon.generators.mmd_gan_plan import Plan
from guerdon.models.protocols import Arrays

__all__ = ["Training", "network_arrays", "set_network"]

BETAS = (0.5, 0.9)
"""Of Adam: Binkowski et al. (2018)."""

MEMORY = 0.995
"""The generator that is kept averages the weights of about the last 1 / (1 - MEMORY) steps."""

SETTLING = 2000
"""Samples over which the kept generator's batch norms are averaged."""


class Training:
    """Critic, generator and its running average, both optimisers, the random state, and the steps done.

    All randomness is one torch.Generator on the CPU, so that every device sees the same draws; on a GPU the sums may
    still differ in their last bits from run to run.

    Parameters
    ----------
    rows : (m, columns) float32 Tensor
        The pool, on the device that trains.
    seed : int
        Seeds the weights, batches, noise and interpolates.
    """

    def __init__(self, plan: Plan, rows: Tensor, seed: int) -> None:
        self.plan, self.rows, self.seed, self.step = plan, rows, seed, 0
        self.rng = torch.Generator().manual_seed(seed)
        critic = build_critic(plan.shape, plan.columns, plan.width)
        generator = build_generator(plan.shape, plan.columns, plan.noise, plan.width)
        self.critic = initialise(critic, self.rng).to(rows.device)
        self.generator = initialise(generator, self.rng).to(rows.device)
        self.average = copy.deepcopy(self.generator)
        self.critic_adam = torch.optim.Adam(self.critic.parameters(), betas=BETAS)
        self.generator_adam = torch.optim.Adam(self.generator.parameters(), betas=BETAS)

    @property
    def finished(self) -> bool:
        return self.step >= self.plan.steps

    @property
    def finite(self) -> bool:
        """Whether all weights of the kept generator are numbers."""
        return all(bool(weight.isfinite().all()) for weight in self.average.parameters())

    def advance(self) -> None:
        """One step: the critic maximises MMD^2 minus the penalty a few times, then the generator minimises MMD^2.

        Learning rates fall linearly to 0 over the second half.
        """
        plan = self.plan
        rate = plan.learning_rate * min(1.0, 2.0 * (1.0 - self.step / plan.steps))
        for _ in range(plan.critic_steps):
            real = self._batch()
            with torch.no_grad():
                fake = self.generator(self._noise(plan.batch))
            features = self.critic(torch.cat([real, fake]))
            h_real, h_fake = features[: plan.batch], features[plan.batch :]
            at = torch.rand((plan.batch, 1), generator=self.rng).to(self.rows.device)
            penalty = witness_penalty(self.critic, real, fake, at, (h_real, h_fake))
            _descend(self.critic_adam, plan.penalty * penalty - mmd2(h_real, h_fake), rate)
        with torch.no_grad():
            h_real = self.critic(self._batch())
        self.critic.requires_grad_(False)
        loss = mmd2(h_real, self.critic(self.generator(self._noise(plan.batch))))
        _descend(self.generator_adam, loss, rate)
        self.critic.requires_grad_(True)
        self.step += 1
        self._follow()

    @torch.no_grad()
    def settled(self) -> nn.Sequential:
        """The averaged generator on the CPU, its batch norms fixed at their means over 2,000 samples."""
        network = copy.deepcopy(self.average)
        rng = torch.Generator().manual_seed(self.seed)  # its own, so that the training's goes on as if nothing was
        norms = [layer for layer in network if isinstance(layer, nn.BatchNorm2d)]
        for layer in norms:
            layer.reset_running_stats()
        network.train()
        for _ in range(math.ceil(SETTLING / self.plan.batch) if norms else 0):
            network(torch.randn((self.plan.batch, self.plan.noise), generator=rng).to(self.rows.device))
        return network.eval().cpu()

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything that ``load`` needs to go on with the same bits."""
        found = {"step": np.array(self.step), "random": self.rng.get_state().numpy()}
        for name in ("critic", "generator", "average"):
            found |= network_arrays(getattr(self, name), f"{name}/")
        for name in ("critic", "generator"):
            adam = getattr(self, f"{name}_adam")
            for i, moments in adam.state_dict()["state"].items():
                found |= {f"{name}_adam/{i}/{key}": value.cpu().numpy() for key, value in moments.items()}
        return {key: value.copy() for key, value in found.items()}

    def load(self, arrays: Arrays) -> None:
        """Take up the state of an earlier training by the same plan."""
        self.step = int(arrays["step"])
        self.rng.set_state(torch.from_numpy(np.array(arrays["random"])))
        for name in ("critic", "generator", "average"):
            set_network(getattr(self, name), arrays, f"{name}/")
        for name in ("critic", "generator"):
            adam = getattr(self, f"{name}_adam")
            _set_moments(adam, arrays, f"{name}_adam/")

    def _batch(self) -> Tensor:
        """A batch of different rows."""
        return self.rows[torch.randperm(len(self.rows), generator=self.rng)[: self.plan.batch].to(self.rows.device)]

    def _noise(self, n: int) -> Tensor:
        return torch.randn((n, self.plan.noise), generator=self.rng).to(self.rows.device)

    @torch.no_grad()
    def _follow(self) -> None:
        """average <- memory average + (1 - memory) weights, with a shorter memory at first."""
        memory = min(MEMORY, self.step / (self.step + 9.0))
        for kept, new in zip(self.average.parameters(), self.generator.parameters(), strict=True):
            kept.lerp_(new, 1.0 - memory)


def network_arrays(network: nn.Module, prefix: str = "") -> dict[str, NDArray[Any]]:
    """Weights, and means and variances of the batch norms, by name."""
    return {f"{prefix}{name}": value.detach().cpu().numpy() for name, value in network.state_dict().items()}


def set_network(network: nn.Module, arrays: Arrays, prefix: str = "") -> None:
    """Set them in place.

    Raises
    ------
    RuntimeError
        Names or shapes are others.
    """
    own = {k.removeprefix(prefix): torch.from_numpy(np.array(v)) for k, v in arrays.items() if k.startswith(prefix)}
    network.load_state_dict(own)


def _descend(adam: torch.optim.Adam, loss: Tensor, rate: float) -> None:
    for group in adam.param_groups:
        group["lr"] = rate
    adam.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    adam.step()


def _set_moments(adam: torch.optim.Adam, arrays: Mapping[str, NDArray[Any]], prefix: str) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in arrays.items():
        if name.startswith(prefix):
            i, key = name.removeprefix(prefix).split("/")
            state.setdefault(int(i), {})[key] = torch.from_numpy(np.array(value))
    adam.load_state_dict({**adam.state_dict(), "state": state})
