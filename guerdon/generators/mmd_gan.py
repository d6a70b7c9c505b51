"""An MMD GAN as generator (Binkowski, Sutherland, Arbel and Gretton, "Demystifying MMD GANs", ICLR 2018)."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from guerdon.checks import is_number, require_count
from guerdon.generators.labeller import Labeller
from guerdon.generators.mmd_gan_plan import Plan, Shape, sides
from guerdon.generators.protocols import Checkpoint, FittedGenerator, GeneratorFitError, pooled_columns, pooled_rows
from guerdon.models.protocols import Arrays
from guerdon.threads import one_torch_thread
from guerdon.types import Contribution, FloatArray, Progress, silent

if TYPE_CHECKING:
    import torch

    from guerdon.generators.mmd_gan_training import Training

__all__ = ["MmdGan"]

STEPS = 3000
"""Of the generator, where no epochs are given: enough for legible digits, and for a table's clusters."""


@dataclass(frozen=True)
class MmdGan:
    """A generator network trained until a critic's kernel can't tell its samples from the pool.

        min over generators of max over critics h of MMD^2_u(k o h; pool, samples) - penalty E (|grad f| - 1)^2

    with k a mixture of rational-quadratic kernels plus a dot product on 16 features, MMD^2_u the unbiased estimate on a
    batch, and f its witness (``guerdon.generators.mmd_gan_loss``).

    Images are flat rows of height * width * channels pixels from 0 to 1, channels last (in a run: divide by 255, and
    ``standardize = false``); so are the samples. Table columns are brought to mean 0 and standard deviation 1, and
    samples back; a column that is constant stays so, and of a category a sample has the nearest level. The same seed
    gives the same bits on a CPU, which trains on one thread however many there are; a GPU's sums may differ in their
    last bits. The networks are float32, samples
    float64.

    The defaults make legible digits of 5,000 MNIST images in about ten minutes on one core. The paper's own are
    ``critic_steps=5, width=64, learning_rate=1e-4`` and many more epochs, for a GPU.

    Parameters
    ----------
    shape : tuple of int, optional
        (height, width, channels) of images, None for tables. Sides are even and at least 8, channels 1 or 3.
    epochs : float, optional
        How often the critic sees the pool: the generator takes epochs * rows / (batch * critic_steps) steps. 3,000
        steps, whatever the pool, when None.
    batch : int
        Rows, and samples, of one estimate of MMD^2; the pool must have as many.
    critic_steps : int
        Steps of the critic for each of the generator's.
    noise : int
        Dimension of the noise that becomes a sample.
    width : int
        Channels at the finest resolution, doubled at every coarser one; tables have two hidden layers of 4 width.
    learning_rate : float
        Adam's, for both networks; it falls to 0 over the second half.
    penalty : float
        Weight of the gradient penalty, lambda.
    save_every : int
        Steps of the generator between two checkpoints.
    device : str
        A device of torch; "auto" is "cuda" where there is one, else "cpu".

    Raises
    ------
    ValueError
        A parameter is out of its range.

    Examples
    --------
    >>> rows = np.random.default_rng(0).normal(size=(100, 3))
    >>> gan = MmdGan(epochs=1, batch=20, critic_steps=1, width=4)
    >>> fitted = gan.fit([Contribution("A", rows)], rng=np.random.default_rng(1))
    >>> fitted.sample(5, rng=np.random.default_rng(2)).points.shape
    (5, 3)
    """

    shape: Shape | None = None
    epochs: float | None = None
    batch: int = 64
    critic_steps: int = 2
    noise: int = 32
    width: int = 32
    learning_rate: float = 1e-3
    penalty: float = 1.0
    save_every: int = 100
    device: str = "auto"

    def __post_init__(self) -> None:
        for name in ("batch", "critic_steps", "noise", "width", "save_every"):
            require_count(name, getattr(self, name))
        for name in ("learning_rate", "penalty", *(() if self.epochs is None else ("epochs",))):
            value = getattr(self, name)
            if not is_number(value) or not 0 < value < math.inf:
                raise ValueError(f"{name} must be a positive number, got {value!r}")
        if self.batch < 2:
            raise ValueError("batch must be at least 2, since the unbiased MMD^2 needs pairs; got 1")
        if self.shape is not None:
            object.__setattr__(self, "shape", _checked(self.shape))
        if self.device != "auto":
            _device(self.device)

    def fit(
        self,
        contributions: Sequence[Contribution],
        *,
        rng: np.random.Generator,
        progress: Progress = silent,
        checkpoint: Checkpoint | None = None,
    ) -> FittedGenerator:
        """The generator trained on this pool, or trained to the end from where the checkpoint is.

        Parameters
        ----------
        progress : callable
            Called as progress("train", steps done, steps).
        checkpoint : Checkpoint, optional
            Saved to every ``save_every`` steps and at the end. Resumed from it, a training gives the bits of one that
            was never interrupted; once trained, nothing is trained again.

        Raises
        ------
        GeneratorFitError
            The pool has fewer rows than a batch, columns that the shape doesn't have, or pixels that are none; the
            checkpoint is of another training; the training diverged.
        """
        import torch  # here and below: a run that only names this generator does not wait for it

        from guerdon.generators.mmd_gan_density import GanDensity
        from guerdon.generators.mmd_gan_training import Training

        labeller = Labeller.of(contributions)
        pool = pooled_rows(contributions, self.batch, f"MmdGan(batch={self.batch})")
        center, scale = self._units(pool)
        seed = int(rng.integers(2**63))
        mark = np.array(self._mark(pool, seed))
        found = None if checkpoint is None else checkpoint.load()
        if found is not None and str(found.get("training")) != str(mark):
            raise GeneratorFitError(
                "the checkpoint is of another training: of another pool, seed or MmdGan. Remove it to start afresh."
            )
        if found is not None and "step" not in found:
            return FittedGenerator(
                GanDensity.from_arrays(found), labeller, self.shape, columns=pooled_columns(contributions)
            )
        units = (pool - center) / np.where(scale > 0, scale, 1.0)
        rows = torch.from_numpy(units.astype(np.float32)).to(_device(self.device))
        training = Training(self._plan(pool), rows, seed)
        if found is not None:
            training.load(found)
        with one_torch_thread():
            _train(training, self.save_every, progress, checkpoint, mark)
            network = training.settled()
        if not training.finite:
            raise GeneratorFitError("the training diverged: take a smaller learning_rate or a larger penalty")
        density = GanDensity(network, self.shape, self.noise, self.width, center, scale)
        if checkpoint is not None:
            checkpoint.save({**density.arrays(), "training": mark})
        return FittedGenerator(density, labeller, self.shape, columns=pooled_columns(contributions))

    def restore(self, arrays: Arrays, contributions: Sequence[Contribution]) -> FittedGenerator:
        """A generator that was trained before, whose labels are learned from these contributions.

        Raises
        ------
        GeneratorFitError
            It was made by an MmdGan of another shape, noise or width, or for other columns.
        """
        from guerdon.generators.mmd_gan_density import GanDensity

        density = GanDensity.from_arrays(arrays)
        for name in ("shape", "noise", "width"):
            asked, came = getattr(self, name), getattr(density, name)
            if asked != came:
                raise GeneratorFitError(
                    f"the generator given has {name}={came}, not {asked}: write MmdGan({name}={came})"
                )
        columns = pooled_rows(contributions, 1, "labelling").shape[1]
        if columns != len(density.center):
            raise GeneratorFitError(
                f"the generator given makes {len(density.center)} columns, the parties have {columns}"
            )
        return FittedGenerator(density, Labeller.of(contributions), self.shape, columns=pooled_columns(contributions))

    def _units(self, pool: FloatArray) -> tuple[FloatArray, FloatArray]:
        """What table columns are centred at and divided by, both (d,); images are taken as they are."""
        columns = pool.shape[1]
        if self.shape is None:
            scale = pool.std(axis=0)
            return pool.mean(axis=0), np.where(scale > 1e-12 * np.abs(pool).max(axis=0), scale, 0.0)
        if math.prod(self.shape) != columns:
            raise GeneratorFitError(
                f"images of shape {self.shape} are rows of {math.prod(self.shape)} pixels, the parties' have {columns} "
                "columns: give their shape, or shape=None for a table"
            )
        if pool.min() < 0.0 or pool.max() > 1.0:
            raise GeneratorFitError(
                f"pixels must be from 0 to 1, got {pool.min():.4g} to {pool.max():.4g}: divide them by their largest "
                "possible value, and set standardize = false"
            )
        return np.zeros(columns), np.ones(columns)

    def _plan(self, pool: FloatArray) -> Plan:
        return Plan(
            shape=self.shape,
            columns=pool.shape[1],
            steps=self._steps(len(pool)),
            batch=self.batch,
            critic_steps=self.critic_steps,
            noise=self.noise,
            width=self.width,
            learning_rate=self.learning_rate,
            penalty=self.penalty,
        )

    def _steps(self, rows: int) -> int:
        if self.epochs is None:
            return STEPS
        return math.ceil(self.epochs * rows / (self.batch * self.critic_steps))

    def _mark(self, pool: FloatArray, seed: int) -> str:
        """What tells this training from any other: a hash of its plan, seed and pool."""
        digest = hashlib.sha256(f"{self._plan(pool)} {seed} {pool.shape}".encode())
        digest.update(np.ascontiguousarray(pool).tobytes())
        return digest.hexdigest()


def _train(
    training: Training, save_every: int, progress: Progress, checkpoint: Checkpoint | None, mark: NDArray[Any]
) -> None:
    """To the last step, reporting about a hundred times and saving between."""
    steps = training.plan.steps
    report_every = max(1, steps // 100)
    progress("train", training.step, steps)
    while not training.finished:
        training.advance()
        if checkpoint is not None and training.step % save_every == 0 and not training.finished:
            checkpoint.save({**training.arrays(), "training": mark})
        if training.step % report_every == 0 or training.finished:
            progress("train", training.step, steps)


def _checked(shape: Any) -> Shape:
    sizes = tuple(shape) if isinstance(shape, (tuple, list)) else ()
    whole = len(sizes) == 3 and all(isinstance(size, int) and size >= 1 for size in sizes)
    if not whole or len(sides(sizes)) < 2 or sizes[2] not in (1, 3):
        raise ValueError(
            "shape must be (height, width, channels) with even sides of at least 8 and 1 or 3 channels, such as "
            f"(28, 28, 1), or None for tables; got {shape!r}"
        )
    return sizes


def _device(name: str) -> torch.device:
    import torch

    cuda = torch.cuda.is_available()
    if name == "auto":
        return torch.device("cuda" if cuda else "cpu")
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"device must be 'auto', 'cpu', 'cuda' or another of torch's, got {name!r}") from error
    if device.type == "cuda" and not cuda:
        raise ValueError(f"device={name!r}, but torch finds no GPU here: take 'auto' or 'cpu'")
    return device
