"""Bayesian models: what data is worth to them, and what they predict after it."""

from guerdon.models.gaussian_process import GaussianProcess, GaussianProcessPosterior
from guerdon.models.predictor import Predictor
from guerdon.models.protocols import FitReport, Model, NoiseResponse, Posterior

__all__ = [
    "FitReport",
    "GaussianProcess",
    "GaussianProcessPosterior",
    "Model",
    "NoiseResponse",
    "Posterior",
    "Predictor",
]
