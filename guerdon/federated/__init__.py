"""Rewards in federated learning: parties keep their rows, send updates of a network, and get models worth those."""

from guerdon.federated.classifier import Recipe, check_labels, initial_weights, predict, train
from guerdon.federated.cosine_gradients import (
    contributions,
    download_shares,
    importance,
    largest_share,
    normalised,
    weighted_sum,
)
from guerdon.federated.training_time import mean_of, others_drawn, others_numbers, reward_rates
from guerdon.federated.weights import Weights, added, inner, norm, scaled

__all__ = [
    "Recipe",
    "Weights",
    "added",
    "check_labels",
    "contributions",
    "download_shares",
    "importance",
    "initial_weights",
    "inner",
    "largest_share",
    "mean_of",
    "norm",
    "normalised",
    "others_drawn",
    "others_numbers",
    "predict",
    "reward_rates",
    "scaled",
    "train",
    "weighted_sum",
]
