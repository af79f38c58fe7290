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
    return any(_is_look(record.event) for record in log.records(branch))


def _is_look(event: object) -> bool:
    """Whether somebody looked at the files in the run's own folder."""
    return isinstance(event, LOOKS) and not event.workspace


def files_at(log: Log, branch: int, at: int) -> tuple[bytes, bytes, State]:
    """Return the git tree of the run's own folder at a frame, empty where none was recorded, the commit
    that was checked out there, and the last state.

    Before anybody had looked at them, the files were what they were found to be then.
    """
    state, snapshot, head = State(), b"", b""
    for record in log.records(branch):
        state = reduce(state, record.event, record.time)
        is_first = _is_look(record.event) and not snapshot
        if is_first or (state.offset <= at and state.snapshot):
            snapshot, head = state.snapshot, state.head
    return snapshot, head, state


def tree_at(log: Log, row: RunRow, at: int, workspace: str = "") -> str:
    """Return the id of the git tree of a run's files at a frame: of its own folder, or of a workspace.

    Raises NoFiles, and NoSuchStep for what is no workspace.
    """
    if workspace:
        return _workspace_at(log, row, at, workspace)
    snapshot, _, _ = files_at(log, row.branch, at)
    if not snapshot:
        raise NoFiles(row.run, f"at frame {at}")
    return snapshot.hex()


def _workspace_at(log: Log, row: RunRow, at: int, key: str) -> str:
    known = replay(log.records(row.branch)).workspaces
    if key not in known:
        raise NoSuchStep(row.run, key, near(key, list(known)) or list(known), "workspace")
    found = replay(log.records(row.branch, 0, at)).workspaces.get(key)
    if found is None or not found.snapshot:
        raise NoFiles(row.run, f"in workspace {key!r} at frame {at}")
    return found.snapshot.hex()


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
