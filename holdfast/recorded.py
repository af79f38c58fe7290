"""The recorded files of a run: the git trees of any frame, and of a step."""

from msgspec import Struct

from holdfast.eventlog import Log, RunRow, WorkspaceDrifted, WorkspaceSeen
from holdfast.reducer import State, is_tree, reduce, replay

from .errors import NoFiles, NoSuchStep
from .frames import near

LOOKS = (WorkspaceSeen, WorkspaceDrifted)


class StepFiles(Struct, frozen=True):
    """The git trees that a step began with and that it left."""

    key: str
    before: str
    after: str


def has_files(log: Log, branch: int) -> bool:
    """Tell whether anybody has looked at the files of a run: without that, none are recorded."""
    return any(isinstance(record.event, LOOKS) for record in log.records(branch))


def files_at(log: Log, branch: int, at: int) -> tuple[bytes, State]:
    """Return the git tree of the files at a frame, empty where none was recorded; and the last state.

    Before anybody had looked at them, they were what they were found to be then.
    """
    state, snapshot = State(), b""
    for record in log.records(branch):
        state = reduce(state, record.event, record.time)
        is_first = isinstance(record.event, LOOKS) and not snapshot
        if is_first or (state.offset <= at and state.snapshot):
            snapshot = state.snapshot
    return snapshot, state


def tree_at(log: Log, row: RunRow, at: int) -> str:
    """Return the id of the git tree of a run's files at a frame. Raises NoFiles."""
    snapshot, _ = files_at(log, row.branch, at)
    if not snapshot:
        raise NoFiles(row.run, f"at frame {at}")
    return snapshot.hex()


def step_files(log: Log, row: RunRow, key: str) -> StepFiles:
    """Return the files before and after a step. Raises NoSuchStep, NoFiles."""
    state = replay(log.records(row.branch))
    step = state.steps.get(key)
    if step is None:
        raise NoSuchStep(row.run, key, near(key, list(state.steps)))
    if not (is_tree(step.tree) and step.snapshot):
        raise NoFiles(row.run, f"before and after step {key!r}")
    return StepFiles(key, step.tree.hex(), step.snapshot.hex())


def folder_of(log: Log, row: RunRow) -> str:
    """Return a folder in the repository that has a run's files."""
    state = replay(log.records(row.branch))
    return state.checkout or state.folder
