"""The generator of a run: fitted on the pool, taken from a file, or trained with its state kept by the journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guerdon.generators import FittedGenerator, GeneratorFitError, ResumableGenerator, SyntheticData
from guerdon.generators.protocols import Density
from guerdon.generators.quality import sample_quality
from guerdon.scaling import Scaling
from guerdon.types import Contribution, FloatArray, Progress
from strategies.session import Journal, Session

__all__ = ["GeneratorFile", "fit_generator", "quality_record"]

COMPARED = 1000
"""Samples, and rows of the pool, that the quality of a generator is computed from at most."""


def fit_generator(
    session: Session,
    scaled: Sequence[Contribution],
    scaling: Scaling,
    *,
    rng: np.random.Generator,
    progress: Progress,
) -> FittedGenerator:
    """The session's generator for this pool; a given one is taken instead of trained.

    What it draws are rows of the parties' table, where it is known what its columns are.

    Parameters
    ----------
    scaled : the pool in the units that ``scaling`` brings it to, in which samples come out too
    """
    columns = scaled[0].columns  # also for a generator of somebody's own, which need not know of them
    return replace(_fitted(session, scaled, scaling, rng, progress), columns=columns)


def _fitted(
    session: Session, scaled: Sequence[Contribution], scaling: Scaling, rng: np.random.Generator, progress: Progress
) -> FittedGenerator:
    generator = session.parts["generator"]
    file = GeneratorFile(session.journal, scaling, scaled[0].feature_names or ())
    if session.generator is not None:
        return file.restore(generator, session.generator, scaled)
    if isinstance(generator, ResumableGenerator):
        return generator.fit(scaled, rng=rng, progress=progress, checkpoint=file)
    fitted: FittedGenerator = generator.fit(scaled, rng=rng)
    return fitted


@dataclass(frozen=True, eq=False)
class GeneratorFile:
    """The checkpoint of a run's training: what the generator saves, and the units and features it was trained in."""

    journal: Journal
    scaling: Scaling
    features: tuple[str, ...]

    def load(self) -> dict[str, NDArray[Any]] | None:
        return self.journal.load_generator()

    def save(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        units = {"feature_mean": self.scaling.feature_mean, "feature_scale": self.scaling.feature_scale}
        self.journal.save_generator({**arrays, **units, "features": np.array(self.features, dtype=np.str_)})

    def restore(
        self, generator: ResumableGenerator, arrays: Mapping[str, NDArray[Any]], scaled: Sequence[Contribution]
    ) -> FittedGenerator:
        """A generator that another run or a script trained, its samples in this run's units.

        Raises
        ------
        GeneratorFitError
            It was trained on other features, or is not the generator that the run config names.
        """
        trained = tuple(str(name) for name in arrays.get("features", ()))
        if trained and trained != self.features:
            raise GeneratorFitError(
                f"generator-file was trained on the features {', '.join(trained)}, but the parties have "
                f"{', '.join(self.features)}"
            )
        fitted = generator.restore(arrays, scaled)
        units = Scaling.identity(len(self.features))
        if "feature_mean" in arrays:
            units = Scaling(arrays["feature_mean"], arrays["feature_scale"])
        return replace(fitted, density=_InUnits(fitted.density, units, self.scaling))


def quality_record(synthetic: SyntheticData, scaled: Sequence[Contribution], *, fitted: bool) -> dict[str, Any] | None:
    """The quality of a generator's samples beside the pool, as allocation.json holds it; fitted : to this pool.

    Up to 2,000 evenly spaced rows of the pool are dealt in turn to those that train a classifier and those that samples
    are compared with. A generator fitted here has seen both, and a kernel density repeats them up to its bandwidth: the
    distance flatters those that remember. None where two samples can't be compared with two rows.
    """
    pool = _labelled_pool(scaled)
    if len(synthetic) < 2 or len(pool) < 4:
        return None
    chosen = np.linspace(0, len(pool) - 1, min(len(pool), 2 * COMPARED)).astype(int)
    quality = sample_quality(
        _rows(synthetic, np.arange(min(len(synthetic), COMPARED))),
        _rows(pool, chosen[::2]),
        _rows(pool, chosen[1::2]),
    )
    return {**asdict(quality), "against": f"the pool, which the generator was {'' if fitted else 'not '}fitted to"}


def _labelled_pool(scaled: Sequence[Contribution]) -> SyntheticData:
    outputs = [c.y for c in scaled if c.y is not None]
    labels = np.concatenate(outputs) if len(outputs) == len(scaled) else None
    return SyntheticData(np.concatenate([c.X for c in scaled]), labels)


def _rows(data: SyntheticData, rows: NDArray[np.intp]) -> SyntheticData:
    return SyntheticData(data.points[rows], None if data.labels is None else data.labels[rows])


@dataclass(frozen=True, eq=False)
class _InUnits:
    """A density learned in the units of ``trained``, whose points come in those of ``scaling``."""

    density: Density
    trained: Scaling
    scaling: Scaling

    def draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        return self.scaling.features(self.trained.original_features(self.density.draw(n, rng)))

    def describe(self) -> dict[str, Any]:
        return self.density.describe()
