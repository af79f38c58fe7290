"""Where a step works, for the Python functions that steps call."""

from contextvars import ContextVar
from pathlib import Path

at_work_in: ContextVar[Path] = ContextVar("holdfast_step_folder")


def step_folder() -> Path:
    """Return the folder that the step at hand works in, which is another in a workspace and in a fork.

    To be asked in a function that `run.step` calls; elsewhere it is the current directory.
    """
    return at_work_in.get(None) or Path.cwd()
