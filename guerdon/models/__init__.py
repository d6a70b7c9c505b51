"""Bayesian models: what data is worth to them, and what they predict after it."""

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
