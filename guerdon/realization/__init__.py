"""Realizations: they make rewards that are worth their targets.

Each name is loaded when it is first used: whoever needs one does not wait for the libraries of all.
"""

from typing import TYPE_CHECKING

from guerdon.on_demand import on_demand

if TYPE_CHECKING:
    from guerdon.realization.noise import (
        ModelReward,
        NoiseInjection,
        expected_reward_mnlp,
        noise_responses,
        noise_variances,
        others_noise,
        own_posterior,
        reward_data,
        solve_noise,
    )
    from guerdon.realization.noise_path import NoisePath
    from guerdon.realization.sampling import Sample, SyntheticReward, WeightedSampling
    from guerdon.realization.tempering import (
        LikelihoodTempering,
        TemperedReward,
        mnlp_with_noise_instead,
        tempered_data,
        tempering_exponents,
        tempering_responses,
    )

__all__ = [
    "LikelihoodTempering",
    "ModelReward",
    "NoiseInjection",
    "NoisePath",
    "Sample",
    "SyntheticReward",
    "TemperedReward",
    "WeightedSampling",
    "expected_reward_mnlp",
    "mnlp_with_noise_instead",
    "noise_responses",
    "noise_variances",
    "others_noise",
    "own_posterior",
    "reward_data",
    "solve_noise",
    "tempered_data",
    "tempering_exponents",
    "tempering_responses",
]

__getattr__ = on_demand(
    __name__,
    {
        "LikelihoodTempering": "tempering",
        "ModelReward": "noise",
        "NoiseInjection": "noise",
        "NoisePath": "noise_path",
        "Sample": "sampling",
        "SyntheticReward": "sampling",
        "TemperedReward": "tempering",
        "WeightedSampling": "sampling",
        "expected_reward_mnlp": "noise",
        "mnlp_with_noise_instead": "tempering",
        "noise_responses": "noise",
        "noise_variances": "noise",
        "others_noise": "noise",
        "own_posterior": "noise",
        "reward_data": "noise",
        "solve_noise": "noise",
        "tempered_data": "tempering",
        "tempering_exponents": "tempering",
        "tempering_responses": "tempering",
    },
)
