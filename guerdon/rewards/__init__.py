"""Reward schemes: what each reward should be worth, and the certificate of what that satisfies."""

from guerdon.rewards.certificate import Certificate, Check, certify
from guerdon.rewards.rectified import InfeasibleRewardsError, RectifiedRhoShapley
from guerdon.rewards.rho_shapley import RhoShapley, rho_thresholds, weaker_coalitions
from guerdon.types import RewardTargets, Thresholds

__all__ = [
    "Certificate",
    "Check",
    "InfeasibleRewardsError",
    "RectifiedRhoShapley",
    "RewardTargets",
    "RhoShapley",
    "Thresholds",
    "certify",
    "rho_thresholds",
    "weaker_coalitions",
]
