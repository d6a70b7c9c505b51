"""What a party does with a reward: ``python -m clients show REWARD`` and ``python -m clients predict REWARD FILE``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import polars as pl
import typer
from rich.console import Console
from rich.table import Table

from clients.party_data import PartyError, numbers, read_table
from clients.reward_store import load_predictor, load_reward, synthetic_images, synthetic_table
from strategies.messages import Reward

__all__ = ["cli", "main"]

cli = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Use the reward that a run left in a party's store (NAME-reward/RUN beside its own file).",
)

RewardArgument = Annotated[
    Path, typer.Argument(metavar="REWARD", help="The reward's folder, with reward.npz and reward.json in it.")
]


@cli.command()
def show(reward: RewardArgument) -> None:
    """Say what a reward is and what it is worth."""
    found = load_reward(reward)
    console = Console(highlight=False, soft_wrap=True)
    for line in _lines(found):
        console.print(line, markup=False)
    table = Table(title="All parties of the run")
    for column, justify in (("party", "left"), ("alpha", "right"), ("reward / best", "right")):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    for entry in found.about["parties"]:
        table.add_row(entry["party"], f"{entry['alpha']:.4f}", f"{entry['share_of_best']:.4f}")
    console.print(table)


def _lines(reward: Reward) -> list[str]:
    about = reward.about
    unit = about["unit"]
    thresholds = about.get("thresholds") or {}
    rho = "none" if about["rho"] is None else f"{about['rho']:.6g}"
    limits = ", ".join(f"{name} up to {_short(value)}" for name, value in thresholds.items())
    what, how = _synthetic(reward) if about["kind"] == "synthetic" else _model(reward)
    return [
        f"A {about['kind']} reward for {about['party']}, from run {about['run']}.",
        what,
        f"Worth {about['reached']:.6g} ({unit}); the party's own data alone is worth {about['own_value']:.6g}.",
        f"Scheme {about['scheme']}; rho = {rho}" + (f" ({limits})." if limits else "."),
        how,
        f"It holds {about['contains']}.",
    ]


def _model(reward: Reward) -> tuple[str, str]:
    predictor = load_predictor(reward)
    scaled = "as they are" if predictor.scaling.is_identity else "standardised"
    model = reward.about["model"]
    if "kernel" in model:
        what = f"Kernel {model['kernel']}"
    else:
        what = f"Linear in {(model.get('features') or {}).get('kind', 'the inputs')}"
    return (
        f"It predicts {predictor.target} from {', '.join(predictor.feature_names)}.",
        f"{what}, on inputs {scaled}.",
    )


def _synthetic(reward: Reward) -> tuple[str, str]:
    about = reward.about
    if "images" in reward.arrays:
        images = synthetic_images(reward)
        shape = " x ".join(str(side) for side in images.shape[1:])
        with_labels = f", each with its {about['target_name']}" if "labels" in reward.arrays else ""
        what = f"{len(images)} synthetic images of {shape}{with_labels}, in reward.npz; the first are in reward.png."
    else:
        table = synthetic_table(reward)
        what = f"{len(table)} synthetic rows of {', '.join(table.columns)}, in reward.parquet and reward.csv."
    return (
        what,
        f"Made by {about['realization']} from {about['synthetic_pool_rows']} rows of {about['generator']}, "
        f"sampling ended by {about['stopped']}.",
    )


def _short(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"


@cli.command()
def predict(
    reward: RewardArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .csv or .parquet file with the model's features.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Where to write (.csv or .parquet); standard output if left out."),
    ] = None,
    noise_column: Annotated[
        str | None,
        typer.Option("--noise-column", help="A column of FILE with the noise variance of each new observation."),
    ] = None,
) -> None:
    """Add the predicted mean and standard deviation of the target, in its own units, to every row of a file."""
    predictor = load_predictor(load_reward(reward))
    table = read_table(file)
    wanted = [*predictor.feature_names, *([noise_column] if noise_column else [])]
    missing = [name for name in wanted if name not in table.columns]
    if missing:
        raise PartyError(f"{file.name} lacks the columns {', '.join(missing)}; it has {', '.join(table.columns)}")
    X = np.column_stack([numbers(table, name, file.name) for name in predictor.feature_names])
    mean, variance = predictor.predict(X, numbers(table, noise_column, file.name) if noise_column else None)
    result = table.with_columns(
        pl.Series(f"{predictor.target}_mean", mean), pl.Series(f"{predictor.target}_sd", np.sqrt(variance))
    )
    if output is None:
        typer.echo(result.write_csv(), nl=False)
    elif output.suffix == ".parquet":
        result.write_parquet(output)
    elif output.suffix == ".csv":
        result.write_csv(output)
    else:
        raise PartyError(f"{output.name} must end in .csv or .parquet")


def main() -> None:
    """The command line; an expected error is one sentence and exit status 1."""
    try:
        cli()
    except PartyError as error:
        typer.echo(f"Error: {error}", err=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
