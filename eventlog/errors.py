"""Errors of the log, below the one root of everything Holdfast raises on purpose.

HoldfastError
  LogError
    BranchMoved         another writer appended first
    NoSuchBranch        nothing has this branch number
    NoSuchRun           no run has this id
    RunExists           a run of this id was recorded before
    LogTooNew           written by a newer Holdfast
    LogDamaged          the file is cut short or its pages do not make sense
    LogUnwritable       the disk is full, the folder read-only, the device broken
    ValueTooLarge       one value is above what a transaction can hold
    RecordCorrupt       a record does not decode
"""

from typing import ClassVar


class HoldfastError(Exception):
    """An error that a user can meet: it says what happened, where, and what to do next.

    `code` is stable and is what scripts compare; `exit_status` is what the command line ends with.
    """

    code: ClassVar[str] = "error"
    exit_status: ClassVar[int] = 1


class LogError(HoldfastError):
    code = "log"


class BranchMoved(LogError):
    code = "branch_moved"

    def __init__(self, branch: int, *, expected: int, actual: int) -> None:
        super().__init__(
            f"branch {branch} is at offset {actual}, not {expected}: another writer appended "
            "first. Read what is new and decide again."
        )
        self.branch, self.expected, self.actual = branch, expected, actual


class NoSuchBranch(LogError):
    code = "no_such_branch"

    def __init__(self, branch: int) -> None:
        super().__init__(f"the log has no branch {branch}. List the runs with: holdfast ps")
        self.branch = branch


class NoSuchRun(LogError):
    code = "no_such_run"
    exit_status = 2

    def __init__(self, run: str) -> None:
        super().__init__(f"no run is called {run!r} in this project. List them with: holdfast ps")
        self.run = run


class RunExists(LogError):
    code = "run_exists"
    exit_status = 2

    def __init__(self, run: str) -> None:
        super().__init__(
            f"a run called {run!r} exists. Choose another --id, or go on with: holdfast resume {run}"
        )
        self.run = run


class LogTooNew(LogError):
    code = "log_too_new"

    def __init__(self, path: str, *, found: int, known: int) -> None:
        super().__init__(
            f"the log in {path!r} has format {found}; this Holdfast knows formats up to {known}. "
            "Nothing was changed. Install a newer Holdfast: pip install -U holdfast"
        )
        self.path, self.found, self.known = path, found, known


class LogDamaged(LogError):
    code = "log_damaged"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"the log in {path!r} cannot be read: {reason}. Nothing was changed. "
            f"Check it with: python -m lmdb verify {path}, and put a backup in its place."
        )
        self.path, self.reason = path, reason


class LogUnwritable(LogError):
    code = "log_unwritable"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"the log in {path!r} cannot be written: {reason}. What was recorded before stays "
            "readable. Make room or give write access, then go on with: holdfast resume"
        )
        self.path, self.reason = path, reason


class ValueTooLarge(LogError):
    code = "value_too_large"

    def __init__(self, size_bytes: int, *, limit_bytes: int) -> None:
        super().__init__(
            f"a value of {size_bytes} bytes is above the limit of {limit_bytes} bytes for one "
            "recorded value. Write it to a file in the workspace and return its path."
        )
        self.size_bytes, self.limit_bytes = size_bytes, limit_bytes


class RecordCorrupt(LogError):
    code = "record_corrupt"

    def __init__(self, seq: int, reason: str) -> None:
        super().__init__(
            f"record {seq} of the log does not decode: {reason}. "
            "Find out what else is hurt with: holdfast audit verify"
        )
        self.seq, self.reason = seq, reason
