"""What a coalition's data is worth."""

from guerdon.valuation.information_gain import InformationGain, InformationGainGame

__all__ = ["InformationGain", "InformationGainGame"]
