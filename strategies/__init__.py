"""The mediator: what it asks, when, and what it makes of the answers, as Flower strategies.

Each name is loaded when it is first used: whoever derives from one strategy does not wait for the libraries of all.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from strategies.classification_rewards import ClassificationRewards
    from strategies.conversation import Conversation, QuorumError
    from strategies.cosine_gradient_rewards import CosineGradientRewards
    from strategies.federated_learning import FederatedLearning
    from strategies.model_rewards import ModelRewards
    from strategies.pooling import PoolingMediator
    from strategies.pooling import PoolingMediator as TrustedMediator
    from strategies.session import Journal, Outcome, Session, Settings
    from strategies.synthetic_data_rewards import SyntheticDataRewards
    from strategies.training_time_rewards import TrainingTimeRewards

__all__ = [
    "ClassificationRewards",
    "Conversation",
    "CosineGradientRewards",
    "FederatedLearning",
    "Journal",
    "ModelRewards",
    "Outcome",
    "PoolingMediator",
    "QuorumError",
    "Session",
    "Settings",
    "SyntheticDataRewards",
    "TrainingTimeRewards",
    "TrustedMediator",
]

HOMES = {
    "ClassificationRewards": "classification_rewards",
    "Conversation": "conversation",
    "CosineGradientRewards": "cosine_gradient_rewards",
    "FederatedLearning": "federated_learning",
    "Journal": "session",
    "ModelRewards": "model_rewards",
    "Outcome": "session",
    "PoolingMediator": "pooling",
    "QuorumError": "conversation",
    "Session": "session",
    "Settings": "session",
    "SyntheticDataRewards": "synthetic_data_rewards",
    "TrainingTimeRewards": "training_time_rewards",
    "TrustedMediator": "pooling",
}
"""The module of each name."""

RENAMED = {"TrustedMediator": "PoolingMediator"}
"""What had another name until 0.1."""


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module 'strategies' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"strategies.{HOMES[name]}"), RENAMED.get(name, name))
