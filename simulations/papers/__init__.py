"""The papers' figures and tables, drawn again: ``python -m simulations paper NAME``.

Studies are imported when they are asked for, since matplotlib and torch take a while.
"""

from __future__ import annotations

import difflib
import importlib

from simulations.papers.study import Options, Study, StudyError, Task, run_study

__all__ = ["PAPERS", "Options", "Study", "StudyError", "Task", "find_studies", "run_study"]

PAPERS = {
    "sim2020": "Sim et al., Collaborative Machine Learning with Incentive-Aware Model Rewards (ICML 2020)",
    "tay2022": "Tay et al., Incentivizing Collaboration in Machine Learning via Synthetic Data Rewards (AAAI 2022)",
}
"""Each paper is a package here, with its studies in ``STUDIES``."""


def find_studies(name: str) -> tuple[Study, ...]:
    """The study of this name, or all of a paper.

    Raises
    ------
    StudyError
        There is none of this name; names what is on offer.
    """
    paper = name.split("-")[0]
    on_offer = [study.name for known in PAPERS for study in _studies(known)] if paper not in PAPERS else []
    if paper in PAPERS:
        studies = _studies(paper)
        if name == paper:
            return studies
        found = tuple(study for study in studies if study.name == name)
        if found:
            return found
        on_offer = [study.name for study in studies]
    near = difflib.get_close_matches(name, [*PAPERS, *on_offer], n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise StudyError(f"there is no study {name!r}.{hint} On offer: {', '.join([*PAPERS, *on_offer])}.")


def _studies(paper: str) -> tuple[Study, ...]:
    studies: tuple[Study, ...] = importlib.import_module(f"simulations.papers.{paper}").STUDIES
    return studies
