"""Tables 5 to 16 and the SVM's, each beside the paper's numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from simulations.papers.study import Options, StudyError, Task
from simulations.papers.tables import save_table
from simulations.papers.tay2022.cases import DATASETS, PAPER_SIZES, SPLITS, Case, chosen_betas, chosen_cases
from simulations.papers.tay2022.measures import alpha_correlations, beta_correlation, missing, of_case, per_beta
from simulations.papers.tay2022.printed import ALPHA, BETA_CORRELATIONS, FULL_TABLES, SVM_CORRELATIONS
from simulations.papers.tay2022.tasks import accuracy_tasks, sample_tasks, value_tasks
from simulations.partitions.class_shares import Split

__all__ = ["AlphaTable", "BetaTable", "FullTable", "SvmTable", "about", "full_tables"]

RESULTS = "tay2022"
"""All studies of this paper read and write one file of results."""

DENSITY = "a kernel density of the eight features, its bandwidth by Silverman's rule,"

INSTEAD = {
    "credit-ratings": "",
    "credit-card": "a subset of the card transactions that has all of the frauds",
    "mnist": "{generator} in place of the pre-trained MMD GAN",
    "cifar10": "{generator} in place of the MMD GAN, an EfficientNet-lite0 in place of the Inception network",
}
"""What is not as in the paper, besides sizes."""


def about(cases: Sequence[Case], results: pl.DataFrame) -> str:
    """Which sizes were run, what stands in for what, and which cases have no numbers and why, in words."""
    lines = []
    for case in {case.dataset: case for case in cases}.values():
        size, paper = case.size, PAPER_SIZES[case.dataset]
        text = f"{DATASETS[case.dataset]}: {size.rows} rows a party, |G| = {size.synthetic}"
        if (size.rows, size.synthetic) != (paper.rows, paper.synthetic):
            text += f" (paper: {paper.rows}, {paper.synthetic})"
        instead = INSTEAD[case.dataset].format(generator=DENSITY if case.generator is None else case.generator.label)
        lines.append(f"{text}; {instead}." if instead else f"{text}; the paper's own data.")
    reasons = [missing(results, case) for case in cases]
    return "\n".join([*lines, *(f"Missing: {reason}" for reason in reasons if reason is not None)])


@dataclass(frozen=True)
class AlphaTable:
    """Tables 5 and 6: Shapley values, divided by the largest."""

    number: int
    split: Split
    results: str = RESULTS

    @property
    def name(self) -> str:
        return f"tay2022-table{self.number}"

    @property
    def title(self) -> str:
        return f"Table {self.number}: normalized Shapley values, {self.split.replace('-', ' ')} split"

    def tasks(self, options: Options) -> list[Task]:
        return [task for case in chosen_cases(options, splits=[self.split]) for task in value_tasks(case, options)]

    def draw(self, results: pl.DataFrame, options: Options) -> Sequence[Path]:
        cases = chosen_cases(options, splits=[self.split])
        rows = []
        for case in cases:
            printed_alpha = ALPHA[case.dataset, case.split]
            alpha: list[float | None] = [None] * len(printed_alpha)
            if missing(results, case) is None:
                alpha = of_case(results, case, "value").sort("party")["alpha"].to_list()
            row: dict[str, object] = {"data set": DATASETS[case.dataset]}
            for i, (ours, printed) in enumerate(zip(alpha, printed_alpha, strict=True), start=1):
                row |= {f"alpha_{i}": ours, f"alpha_{i}, paper": printed}
            rows.append(row)
        heading = f"# {self.title}\n\n{about(cases, results)}"
        return save_table(pl.DataFrame(rows, infer_schema_length=None), options.folder, self.name, heading)


@dataclass(frozen=True)
class BetaTable:
    """Tables 7 and 8: the correlation of beta with how many points are given, and how close they bring a party."""

    number: int
    split: Split
    results: str = RESULTS

    @property
    def name(self) -> str:
        return f"tay2022-table{self.number}"

    @property
    def title(self) -> str:
        return f"Table {self.number}: correlation of beta with |G_i| and MMD_u, {self.split.replace('-', ' ')} split"

    def tasks(self, options: Options) -> list[Task]:
        if len(chosen_betas(options)) < 2:
            raise StudyError(f"{self.name} correlates with beta: leave --only beta= out, or give two, such as beta=1,8")
        cases = chosen_cases(options, splits=[self.split])
        return [t for case in cases for t in [*value_tasks(case, options), *sample_tasks(case, options)]]

    def draw(self, results: pl.DataFrame, options: Options) -> Sequence[Path]:
        cases = chosen_cases(options, splits=[self.split])
        rows = []
        for case in cases:
            there = missing(results, case) is None
            table, printed = per_beta(results, case) if there else None, BETA_CORRELATIONS[case.dataset, case.split]
            for column, label, paper in zip(("count", "mmd2"), ("|G_i|", "MMD_u"), printed, strict=True):
                found = None if table is None else str(beta_correlation(table, column))
                rows.append(
                    {
                        "data set": DATASETS[case.dataset],
                        "beta with": label,
                        "mean ± standard error over parties": found,
                        "paper": f"{paper.mean:g} ± {paper.standard_error:g}",
                    }
                )
        heading = f"# {self.title}\n\n{about(cases, results)}"
        return save_table(pl.DataFrame(rows, infer_schema_length=None), options.folder, self.name, heading)


@dataclass(frozen=True)
class FullTable:
    """One of Tables 9 to 16: everything of one data set and split."""

    dataset: str
    split: Split
    results: str = RESULTS

    @property
    def number(self) -> int:
        return FULL_TABLES[self.dataset, self.split].number

    @property
    def name(self) -> str:
        return f"tay2022-table{self.number}"

    @property
    def title(self) -> str:
        return f"Table {self.number}: {DATASETS[self.dataset]}, {self.split.replace('-', ' ')} split"

    def tasks(self, options: Options) -> list[Task]:
        cases = chosen_cases(options, [self.dataset], [self.split])
        return [t for case in cases for t in [*value_tasks(case, options), *sample_tasks(case, options)]]

    def draw(self, results: pl.DataFrame, options: Options) -> Sequence[Path]:
        (case,) = chosen_cases(options, [self.dataset], [self.split])
        printed, heading = FULL_TABLES[self.dataset, self.split], f"# {self.title}\n\n{about([case], results)}"
        if missing(results, case) is not None:
            facts = {"v*": printed.maximum, "rho": printed.rho, "length-scale": printed.lengthscale}
            rows = [_row(what, None, None, None, paper) for what, paper in facts.items()]
            rows += [_row("r_i", party, None, None, paper) for party, paper in enumerate(printed.rewards, start=1)]
            return save_table(pl.DataFrame(rows, infer_schema_length=None), options.folder, self.name, heading)
        values = of_case(results, case, "value").sort("party")
        rows = [
            _row(what, None, float(values[column][0]), None, paper)
            for what, column, paper in (
                ("v*", "maximum", printed.maximum),
                ("rho", "rho", printed.rho),
                ("length-scale", "lengthscale", printed.lengthscale),
            )
        ]
        for party, target in zip(values["party"], values["target"], strict=True):
            rows.append(_row("r_i", party, target, None, printed.rewards[party - 1]))
        for found in per_beta(results, case).iter_rows(named=True):
            beta, party = found["beta"], found["party"]
            count, mmd2 = printed.counts[beta][party - 1], printed.mmd2[beta][party - 1]
            rows.append(_row(f"|G_i|, beta = {beta}", party, found["count"], found["count_spread"], float(count)))
            rows.append(_row(f"MMD_u, beta = {beta}", party, found["mmd2"], None, mmd2))
        streams = int(of_case(results, case, "sample")["stream"].max() or 0) + 1  # type: ignore[arg-type]
        heading += (
            f"\nCounts and MMD_u are means over {streams} random stream(s) of the "
            "sampling, with the counts' standard deviation; the paper's come from one."
        )
        return save_table(pl.DataFrame(rows, infer_schema_length=None), options.folder, self.name, heading)


def _row(what: str, party: int | None, here: float | None, spread: float | None, paper: float) -> dict[str, object]:
    return {"what": what, "party": party, "here": here, "spread": spread, "paper": paper}


@dataclass(frozen=True)
class SvmTable:
    """The correlation of a party's classification accuracy with alpha, and the accuracies behind it."""

    results: str = RESULTS
    name: str = "tay2022-svm"
    title: str = "Section 6: accuracy of a support vector machine on D_i u G_i, and its correlation with alpha"

    def tasks(self, options: Options) -> list[Task]:
        makers = (value_tasks, sample_tasks, accuracy_tasks)
        return [task for case in chosen_cases(options) for make in makers for task in make(case, options)]

    def draw(self, results: pl.DataFrame, options: Options) -> Sequence[Path]:
        cases, rows = chosen_cases(options), []
        for case in cases:
            found: list[str | None] = [None] * 3
            if missing(results, case) is None:
                table = per_beta(results, case)
                means = table.group_by("party").agg(pl.col("accuracy", "accuracy_alone").mean()).sort("party")
                accuracies = (", ".join(f"{a:.3f}" for a in means[name]) for name in ("accuracy_alone", "accuracy"))
                found = [str(alpha_correlations(table, "accuracy")), *accuracies]
            rows.append(
                {
                    "data set": DATASETS[case.dataset],
                    "split": case.split,
                    "correlation with alpha": found[0],
                    "paper": SVM_CORRELATIONS.get((case.dataset, case.split)),
                    "alone": found[1],
                    "with G_i (mean over beta)": found[2],
                }
            )
        heading = (
            f"# {self.title}\n\n{about(cases, results)}\nRBF kernel, scikit-learn's defaults, on the features "
            "that values are computed from; at most 10,000 rows of D_i u G_i, drawn at random; parties 1 to 5. "
            "Correlations: mean ± standard error over beta."
        )
        return save_table(pl.DataFrame(rows, infer_schema_length=None), options.folder, self.name, heading)


def full_tables() -> tuple[FullTable, ...]:
    return tuple(FullTable(dataset, split) for dataset in DATASETS for split in SPLITS)
