"""Realizations: they make rewards that are worth their targets."""

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
