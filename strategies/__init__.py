"""What crosses the wire, and when: the mediator's protocol as Flower strategies."""

from strategies.cosine_gradient_rewards import CosineGradientRewards
from strategies.federated_learning import FederatedLearning
from strategies.mediator import QuorumError, TrustedMediator
from strategies.model_rewards import ModelRewards
from strategies.session import Journal, Outcome, Session, Settings
from strategies.synthetic_data_rewards import SyntheticDataRewards
from strategies.training_time_rewards import TrainingTimeRewards

__all__ = [
    "CosineGradientRewards",
    "FederatedLearning",
    "Journal",
    "ModelRewards",
    "Outcome",
    "QuorumError",
    "Session",
    "Settings",
    "SyntheticDataRewards",
    "TrainingTimeRewards",
    "TrustedMediator",
]
