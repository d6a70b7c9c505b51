"""Where synthetic data come from: distributions fitted to the pool."""

from guerdon.generators.adversarial_forest import AdversarialForest
from guerdon.generators.embedded_mixture import EmbeddedMixture
from guerdon.generators.gaussian_mixture import GaussianMixture
from guerdon.generators.given import GivenRows
from guerdon.generators.growth import GrownPool, grow_until_feasible
from guerdon.generators.kernel_density import KernelDensity
from guerdon.generators.labeller import check_labels
from guerdon.generators.mmd_gan import MmdGan
from guerdon.generators.protocols import (
    Checkpoint,
    FittedGenerator,
    GeneratorFitError,
    ResumableGenerator,
    SyntheticData,
    SyntheticGenerator,
)

__all__ = [
    "AdversarialForest",
    "Checkpoint",
    "EmbeddedMixture",
    "FittedGenerator",
    "GaussianMixture",
    "GeneratorFitError",
    "GivenRows",
    "GrownPool",
    "KernelDensity",
    "MmdGan",
    "ResumableGenerator",
    "SyntheticData",
    "SyntheticGenerator",
    "check_labels",
    "grow_until_feasible",
]
