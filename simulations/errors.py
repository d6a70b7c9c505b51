"""What each expected error means for the exit status, and what the user reads."""

from __future__ import annotations

import sys

import click

from simulations.own_data import KEYS, OWN_DATA

__all__ = ["exit_status"]

FAILED, MISUSED, INTERRUPTED = 1, 2, 130

MISUSES = (
    ("server.report.comparison_page", "ComparisonError"),
    ("server.run_directory", "RunDirectoryError"),
    ("simulations.engines", "EngineError"),
    ("simulations.papers.study", "StudyError"),
    ("simulations.prepare", "PrepareError"),
    ("simulations.scenarios", "ScenarioError"),
)
"""Errors that say what the user has to mend, by the module that has them."""


def exit_status(error: BaseException) -> tuple[int | None, str]:
    """(status, sentence) of an expected error; (None, "") where it is a mistake of ours, which keeps its traceback."""
    match error:
        case _ if isinstance(error, _loaded(("simulations.processes", "StoppedError"))):
            return getattr(error, "exit_code", FAILED), f"{error}; nothing was left running"
        case KeyboardInterrupt() | click.Abort():
            return INTERRUPTED, "stopped before anything was started"
        case click.exceptions.Exit():
            return error.exit_code, ""
        case click.NoSuchOption() if error.option_name.lstrip("-") in (*KEYS, "dataset"):
            return MISUSED, f"No such option: {error.option_name}. {OWN_DATA}"
        case click.UsageError() if "extra argument" in error.message and ("." in error.message):
            return MISUSED, f"{error.message} --data takes one file and is repeated for each. {OWN_DATA}"
        case click.ClickException():
            error.show(sys.stderr)  # of itself it takes a terminal of ASCII for one of UTF-8
            return error.exit_code, ""
        case _ if isinstance(error, _loaded(*MISUSES)):
            return MISUSED, str(error)
        case FileNotFoundError():
            return FAILED, str(error)
        case _:
            return None, ""


def _loaded(*names: tuple[str, str]) -> tuple[type[BaseException], ...]:
    """Those of the classes whose modules are loaded: no other can have been raised, and loading all takes seconds."""
    return tuple(getattr(sys.modules[module], name) for module, name in names if module in sys.modules)
