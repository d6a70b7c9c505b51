"""Bayesian models: what data is worth to them, and what they predict after it.

Each name is loaded when it is first used: whoever needs one does not wait for the libraries of all.
"""

from typing import TYPE_CHECKING

from guerdon.on_demand import on_demand

if TYPE_CHECKING:
    from guerdon.models.bayesian_linear import BayesianLinear
    from guerdon.models.bayesian_logistic import BayesianLogistic
    from guerdon.models.class_predictor import ClassPredictor
    from guerdon.models.features import Affine, Features
    from guerdon.models.fourier_features import FourierFeatures
    from guerdon.models.gaussian_process import GaussianProcess, GaussianProcessPosterior
    from guerdon.models.linear_gaussian_posterior import LinearGaussianPosterior
    from guerdon.models.logistic_posterior import LogisticPosterior
    from guerdon.models.neural_features import NeuralFeatures
    from guerdon.models.party_effects import PartyEffects
    from guerdon.models.party_noise import PartyNoise
    from guerdon.models.predictor import Predictor
    from guerdon.models.protocols import Classifier, FitReport, Heavy, Model, NoiseResponse, Posterior, Pretrainable
    from guerdon.models.robust_fit import median_fit
    from guerdon.models.sparse_gaussian_process import SparseGaussianProcess

__all__ = [
    "Affine",
    "BayesianLinear",
    "BayesianLogistic",
    "ClassPredictor",
    "Classifier",
    "Features",
    "FitReport",
    "FourierFeatures",
    "GaussianProcess",
    "GaussianProcessPosterior",
    "Heavy",
    "LinearGaussianPosterior",
    "LogisticPosterior",
    "Model",
    "NeuralFeatures",
    "NoiseResponse",
    "PartyEffects",
    "PartyNoise",
    "Posterior",
    "Predictor",
    "Pretrainable",
    "SparseGaussianProcess",
    "median_fit",
]

__getattr__ = on_demand(
    __name__,
    {
        "Affine": "features",
        "BayesianLinear": "bayesian_linear",
        "BayesianLogistic": "bayesian_logistic",
        "ClassPredictor": "class_predictor",
        "Classifier": "protocols",
        "Features": "features",
        "FitReport": "protocols",
        "FourierFeatures": "fourier_features",
        "GaussianProcess": "gaussian_process",
        "GaussianProcessPosterior": "gaussian_process",
        "Heavy": "protocols",
        "LinearGaussianPosterior": "linear_gaussian_posterior",
        "LogisticPosterior": "logistic_posterior",
        "Model": "protocols",
        "NeuralFeatures": "neural_features",
        "NoiseResponse": "protocols",
        "PartyEffects": "party_effects",
        "PartyNoise": "party_noise",
        "Posterior": "protocols",
        "Predictor": "predictor",
        "Pretrainable": "protocols",
        "SparseGaussianProcess": "sparse_gaussian_process",
        "median_fit": "robust_fit",
    },
)
