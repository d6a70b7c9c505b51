"""The studies of this paper, in its order. They share one file of results, so that nothing is computed twice."""

from simulations.papers.study import Study
from simulations.papers.tay2022.cases import DATASETS, SPLITS
from simulations.papers.tay2022.pictures import Correlations, Embeddings
from simulations.papers.tay2022.tables import AlphaTable, BetaTable, SvmTable, full_tables

__all__ = ["STUDIES"]

FIG1 = Embeddings(
    name="tay2022-fig1",
    title="Fig. 1: synthetic digits as reward to party 1, by beta",
    datasets=("mnist",),
    splits=("equal-disjoint",),
    parties=(1,),
)

APPENDIX = Embeddings(
    name="tay2022-embeddings",
    title="Appendix I.9: the synthetic rows of every party, by beta",
    datasets=tuple(DATASETS),
    splits=SPLITS,
    parties=(1, 2, 3, 4, 5),
)

STUDIES: tuple[Study, ...] = (
    AlphaTable(5, "equal-disjoint"),
    AlphaTable(6, "unequal"),
    BetaTable(7, "equal-disjoint"),
    BetaTable(8, "unequal"),
    *full_tables(),
    Correlations(),
    SvmTable(),
    FIG1,
    APPENDIX,
)
