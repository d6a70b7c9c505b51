"""What crosses the wire, and when: the mediator's protocol as Flower strategies."""

from strategies.mediator import QuorumError, TrustedMediator
from strategies.model_rewards import ModelRewards
from strategies.session import Journal, Outcome, Session, Settings
from strategies.synthetic_data_rewards import SyntheticDataRewards

__all__ = [
    "Journal",
    "ModelRewards",
    "Outcome",
    "QuorumError",
    "Session",
    "Settings",
    "SyntheticDataRewards",
    "TrustedMediator",
]
