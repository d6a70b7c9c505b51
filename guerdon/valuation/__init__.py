"""What a coalition's data is worth."""

from guerdon.valuation.diagnostics import NoiseSensitivity, noise_sensitivity
from guerdon.valuation.embedded_mmd import EmbeddedDiscrepancy, EmbeddedGame
from guerdon.valuation.information_gain import InformationGain, InformationGainGame
from guerdon.valuation.mmd import MaximumMeanDiscrepancy
from guerdon.valuation.mmd_game import MaximumMeanDiscrepancyGame
from guerdon.valuation.predictive_information import PredictiveInformation, PredictiveInformationGame
from guerdon.valuation.sampling_error import RowGame, SamplingError, sampling_error
from guerdon.valuation.uncertainty import ValueUncertainty, value_uncertainty

__all__ = [
    "EmbeddedDiscrepancy",
    "EmbeddedGame",
    "InformationGain",
    "InformationGainGame",
    "MaximumMeanDiscrepancy",
    "MaximumMeanDiscrepancyGame",
    "NoiseSensitivity",
    "PredictiveInformation",
    "PredictiveInformationGame",
    "RowGame",
    "SamplingError",
    "ValueUncertainty",
    "noise_sensitivity",
    "sampling_error",
    "value_uncertainty",
]
