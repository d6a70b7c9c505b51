"""Shapley values: exact from the table of coalition values, a game's own closed form, or sampled with errors."""

from guerdon.shapley.auto import Auto
from guerdon.shapley.exact import MAX_EXACT_PARTIES, ExactShapley, exact_shapley
from guerdon.shapley.monte_carlo import MonteCarloShapley, hoeffding_permutations
from guerdon.shapley.permutation import PermutationShapley
from guerdon.shapley.row import RowShapley
from guerdon.shapley.stratified import StratifiedShapley
from guerdon.types import ShapleyValues

__all__ = [
    "MAX_EXACT_PARTIES",
    "Auto",
    "ExactShapley",
    "MonteCarloShapley",
    "PermutationShapley",
    "RowShapley",
    "ShapleyValues",
    "StratifiedShapley",
    "exact_shapley",
    "hoeffding_permutations",
]
