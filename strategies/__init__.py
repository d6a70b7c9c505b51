"""The mediator: what it asks, when, and what it makes of the answers, as Flower strategies."""

from strategies.conversation import Conversation, QuorumError
from strategies.cosine_gradient_rewards import CosineGradientRewards
from strategies.federated_learning import FederatedLearning
from strategies.model_rewards import ModelRewards
from strategies.pooling import PoolingMediator
from strategies.session import Journal, Outcome, Session, Settings
from strategies.synthetic_data_rewards import SyntheticDataRewards
from strategies.training_time_rewards import TrainingTimeRewards

TrustedMediator = PoolingMediator
"""The name that ``PoolingMediator`` had until 0.1."""

__all__ = [
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
