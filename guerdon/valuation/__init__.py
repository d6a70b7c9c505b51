"""What a coalition's data is worth.

Each name is loaded when it is first used: whoever needs one does not wait for the libraries of all.
"""

from typing import TYPE_CHECKING

from guerdon.on_demand import on_demand

if TYPE_CHECKING:
    from guerdon.valuation.diagnostics import NoiseSensitivity, noise_sensitivity
    from guerdon.valuation.embedded_mmd import EmbeddedDiscrepancy, EmbeddedGame
    from guerdon.valuation.information_gain import InformationGain, InformationGainGame
    from guerdon.valuation.mmd import MaximumMeanDiscrepancy
    from guerdon.valuation.mmd_game import MaximumMeanDiscrepancyGame
    from guerdon.valuation.predictive_information import PredictiveInformation, PredictiveInformationGame
    from guerdon.valuation.row_draws import RowGame, SamplingError, sampling_error
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

__getattr__ = on_demand(
    __name__,
    {
        "EmbeddedDiscrepancy": "embedded_mmd",
        "EmbeddedGame": "embedded_mmd",
        "InformationGain": "information_gain",
        "InformationGainGame": "information_gain",
        "MaximumMeanDiscrepancy": "mmd",
        "MaximumMeanDiscrepancyGame": "mmd_game",
        "NoiseSensitivity": "diagnostics",
        "PredictiveInformation": "predictive_information",
        "PredictiveInformationGame": "predictive_information",
        "RowGame": "row_draws",
        "SamplingError": "row_draws",
        "ValueUncertainty": "uncertainty",
        "noise_sensitivity": "diagnostics",
        "sampling_error": "row_draws",
        "value_uncertainty": "uncertainty",
    },
)
