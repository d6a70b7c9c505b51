"""What rewards give away of single rows: attacks on twins of a reward, made of one half of the rows each."""

from guerdon.audit.attacks import Cells, Scored, density_ratio, guesses, nearest, singling_out
from guerdon.audit.auc import LEVEL, Area, area_with_interval
from guerdon.audit.disclosure import Attack, Disclosure, Targets, judge_attacks, twin_rewards
from guerdon.audit.halves import Halves, split_in_halves

__all__ = [
    "LEVEL",
    "Area",
    "Attack",
    "Cells",
    "Disclosure",
    "Halves",
    "Scored",
    "Targets",
    "area_with_interval",
    "density_ratio",
    "guesses",
    "judge_attacks",
    "nearest",
    "singling_out",
    "split_in_halves",
    "twin_rewards",
]
