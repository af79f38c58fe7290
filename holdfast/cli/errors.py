"""Errors of the command line's own.

HoldfastError
  BadRunId      a run id that could not be typed, or named a file
  BadInput      an input that is no JSON object
  NotStarted    a detached process ended before it had the run
"""

import shlex

from holdfast.eventlog import HoldfastError


class BadRunId(HoldfastError):
    code = "bad_run_id"
    exit_status = 2

    def __init__(self, run: str) -> None:
        super().__init__(
            f"{run[:120]!r} cannot be a run's id: it is 1 to 100 letters (a to z, A to Z), digits, '.', '_' "
            "and '-', and begins with a letter or digit. Leave --id out to have one made"
        )
        self.run = run


class BadInput(HoldfastError):
    code = "bad_input"
    exit_status = 2


class NotStarted(HoldfastError):
    code = "not_started"

    def __init__(self, run: str, log_file: str, last_line: str) -> None:
        super().__init__(
            f"the detached process for run {run!r} ended before it began: {last_line or 'silently'}. "
            f"Its output is in {log_file}; try in the foreground: holdfast resume {shlex.quote(run)}"
        )
        self.run, self.log_file = run, log_file
