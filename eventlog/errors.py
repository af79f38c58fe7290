"""Errors of the log, below the one root of everything Holdfast raises on purpose.

HoldfastError
  LogError
    BranchMoved         another writer appended first
    NoSuchBranch        nothing has this branch number
    NoSuchOffset        a branch has no such offset to fork from
    NoSuchRun           no run has this id
    NoSuchSchedule      no schedule has this name
    RunExists           a run of this id was recorded before
    BadRunName          a run id that cannot be stored
    LogTooNew           written by a newer Holdfast
    LogDamaged          the file is cut short or its pages do not make sense
    LogUnwritable       the disk is full, the folder read-only, the device broken
    ValueTooLarge       one value is above what a transaction can hold
    ValueTooDeep        one value is nested deeper than it could be read back
    NotText             a text that is no Unicode, such as the name of some files
    RecordCorrupt       a record does not decode
    BlobDamaged         a blob is missing or differs from its digest
    LogBusy             too many readers at once
    LogClosed           used after close()
    LogForked           used in a forked child of the process that opened it
    LogOpenTwice        opened a second time in one process
    LogInUse            somebody has it open, so it cannot be compacted
    NoRoomToCompact     the disk has no room for a second copy of it
    CopyDiffers         the compacted copy is not what it was made from
"""

from collections.abc import Sequence
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


class NoSuchOffset(LogError):
    code = "no_such_offset"
    exit_status = 2

    def __init__(self, branch: int, *, offset: int, head: int) -> None:
        super().__init__(
            f"branch {branch} has offsets 0 to {head}, not {offset}. "
            "See its frames with: holdfast log"
        )
        self.branch, self.offset, self.head = branch, offset, head


class NoSuchRun(LogError):
    code = "no_such_run"
    exit_status = 2

    def __init__(self, run: str) -> None:
        super().__init__(f"no run is called {run!r} in this project. List them with: holdfast ps")
        self.run = run


class NoSuchSchedule(LogError):
    code = "no_such_schedule"
    exit_status = 2

    def __init__(self, schedule: str) -> None:
        super().__init__(
            f"no schedule is called {schedule!r} in this project. List them with: holdfast schedule list"
        )
        self.schedule = schedule


class RunExists(LogError):
    code = "run_exists"
    exit_status = 2

    def __init__(self, run: str) -> None:
        super().__init__(
            f"a run called {run!r} exists. Choose another --id, or go on with: holdfast resume {run}"
        )
        self.run = run


class BadRunName(LogError):
    code = "bad_run_name"
    exit_status = 2

    def __init__(self, run: str, *, limit_bytes: int) -> None:
        super().__init__(
            f"{run[:80]!r} cannot be a run's id: it needs 1 to {limit_bytes} bytes of UTF-8. "
            "Choose another --id"
        )
        self.run, self.limit_bytes = run, limit_bytes


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


class ValueTooDeep(LogError):
    code = "value_too_deep"
    exit_status = 2

    def __init__(self, *, limit: int) -> None:
        super().__init__(
            f"a value is nested more than {limit} levels deep, and could not be read back safely. "
            "Flatten it, or write it to a file in the workspace and return its path."
        )
        self.limit = limit


class NotText(LogError):
    code = "not_text"
    exit_status = 2

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text[:80]!r} cannot be recorded: it has characters that are no Unicode text. "
            "Give a name or a text in UTF-8; a file with such a name must be renamed."
        )
        self.text = text


class RecordCorrupt(LogError):
    code = "record_corrupt"

    def __init__(self, seq: int, reason: str) -> None:
        super().__init__(
            f"record {seq} of the log does not decode: {reason}. "
            "Find out what else is hurt with: holdfast audit verify"
        )
        self.seq, self.reason = seq, reason


class BlobDamaged(LogError):
    code = "blob_damaged"

    def __init__(self, digest: bytes, reason: str) -> None:
        super().__init__(
            f"blob {digest.hex()} of the log {reason}. "
            "Find out what else is hurt with: holdfast audit verify"
        )
        self.digest, self.reason = digest, reason


class LogBusy(LogError):
    code = "log_busy"

    def __init__(self, path: str, *, readers: int) -> None:
        super().__init__(
            f"the log in {path!r} has {readers} readers at once, which is all it has room for. "
            "Wait for other commands to finish, then try again."
        )
        self.path, self.readers = path, readers


class LogClosed(LogError):
    code = "log_closed"

    def __init__(self, path: str) -> None:
        super().__init__(f"the log in {path!r} was closed. Open it again with Log.open().")
        self.path = path


class LogForked(LogError):
    code = "log_forked"

    def __init__(self, path: str, *, opened_by: int) -> None:
        super().__init__(
            f"the log in {path!r} was opened by process {opened_by} and cannot be used in a fork "
            "of it. Open it anew in the child, or start children with the 'spawn' method."
        )
        self.path, self.opened_by = path, opened_by


class LogOpenTwice(LogError):
    code = "log_open_twice"

    def __init__(self, path: str) -> None:
        super().__init__(
            f"the log in {path!r} is already open in this process. Pass that Log on, or close it."
        )
        self.path = path


class LogInUse(LogError):
    code = "log_in_use"

    def __init__(self, path: str, pids: Sequence[int]) -> None:
        who = f" ({'process' if len(pids) == 1 else 'processes'} {some_pids(pids)})" if pids else ""
        super().__init__(
            f"the log in {path!r} cannot be compacted while somebody has it open{who}. Nothing was "
            "changed. Wait until what runs has ended, or stop it with: holdfast cancel RUN"
        )
        self.path, self.pids = path, list(pids)


def some_pids(pids: Sequence[int]) -> str:
    """Name the first few of many processes."""
    more = f" and {len(pids) - 5} more" if len(pids) > 5 else ""
    return ", ".join(map(str, pids[:5])) + more


class NoRoomToCompact(LogError):
    code = "no_room_to_compact"

    def __init__(self, path: str, *, needed_bytes: int, free_bytes: int) -> None:
        super().__init__(
            f"the log in {path!r} cannot be compacted: the copy takes {needed_bytes} bytes, and the "
            f"disk has {free_bytes}. Nothing was changed. Make room, then try again"
        )
        self.path, self.needed_bytes, self.free_bytes = path, needed_bytes, free_bytes


class CopyDiffers(LogError):
    code = "copy_differs"

    def __init__(self, path: str, table: str) -> None:
        super().__init__(
            f"the compacted copy of the log in {path!r} differs from it in the table {table!r}, so "
            "it was thrown away. Nothing was changed. Find out what is hurt with: holdfast audit verify"
        )
        self.path, self.table = path, table
