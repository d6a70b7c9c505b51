"""The studies of this paper, in its order."""

from simulations.papers.study import Study

__all__ = ["STUDIES"]

STUDIES: tuple[Study, ...] = ()
