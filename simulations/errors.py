"""What each expected error means for the exit status, and what the user reads."""

from __future__ import annotations

import click

__all__ = ["exit_status"]

FAILED, MISUSED, INTERRUPTED = 1, 2, 130


def exit_status(error: BaseException) -> tuple[int | None, str]:
    """(status, sentence) of an expected error; (None, "") where it is a mistake of ours, which keeps its traceback."""
    from server.report import ComparisonError
    from server.run_directory import RunDirectoryError
    from simulations.papers.study import StudyError
    from simulations.prepare import PrepareError
    from simulations.processes import StoppedError
    from simulations.scenarios import ScenarioError

    match error:
        case StoppedError():
            return error.exit_code, f"{error}; nothing was left running"
        case KeyboardInterrupt() | click.Abort():
            return INTERRUPTED, "stopped before anything was started"
        case click.exceptions.Exit():
            return error.exit_code, ""
        case click.ClickException():
            error.show()
            return error.exit_code, ""
        case PrepareError() | ScenarioError() | RunDirectoryError() | ComparisonError() | StudyError():
            return MISUSED, str(error)
        case FileNotFoundError():
            return FAILED, str(error)
        case _:
            return None, ""
