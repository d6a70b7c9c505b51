"""From what a reward should be worth to the reward itself."""

from guerdon.realization.noise import (
    ModelReward,
    NoiseInjection,
    expected_reward_mnlp,
    noise_responses,
    noise_variances,
    reward_data,
    solve_noise,
)
from guerdon.realization.sampling import Sample, SyntheticReward, WeightedSampling

__all__ = [
    "ModelReward",
    "NoiseInjection",
    "Sample",
    "SyntheticReward",
    "WeightedSampling",
    "expected_reward_mnlp",
    "noise_responses",
    "noise_variances",
    "reward_data",
    "solve_noise",
]
