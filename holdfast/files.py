"""The files that a run's steps work on: looked at before, recorded after, and brought back.

Only where the run's folder is in a git repository; everywhere else there is nothing to do.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import trio

from holdfast.eventlog import (
    AnyEvent,
    Failure,
    RestoreStarted,
    SnapshotMissed,
    WorkspaceDrifted,
    WorkspaceRestored,
    WorkspaceSeen,
)
from holdfast.reducer import (
    RECORDED_KINDS,
    ChildRequest,
    Edits,
    Refuse,
    Restore,
    State,
    StepRequest,
    decide_files,
    is_to_begin_anew,
    is_tree,
)
from holdfast.workspaces import (
    BareRepository,
    GitMissing,
    GitTooOld,
    NotARepository,
    Repository,
    Snapshot,
    Workspace,
    WorkspaceError,
    add_worktree,
    restore,
    snapshot,
)
from holdfast.workspaces import changes as changes_between

from .effects import failure
from .errors import FilesEdited
from .history import History
from .places import WORKTREE, has_repository

if TYPE_CHECKING:
    from .engine import Engine

NO_FILES = (NotARepository, BareRepository, GitMissing, GitTooOld)


class Kept(msgspec.Struct, frozen=True):
    """The git tree that an attempt left; or why that could not be recorded, if it was to be."""

    tree: bytes = b""
    missed: Failure | None = None


class Look(msgspec.Struct, frozen=True):
    """What was found before steps begin: what to record, and what to bring back after that."""

    events: list[AnyEvent] = []
    back_to: bytes = b""


class Files:
    """The files of one run in this process."""

    def __init__(self, engine: "Engine", history: History, edits: Edits) -> None:
        self.edits: Edits = edits
        self._engine = engine
        self._history = history
        self._workspace: Workspace | None = None
        self._is_off = False  # there is no repository, or it cannot be used
        self._looked = False

    def forget(self) -> None:
        """Look again: what was found last has not been recorded."""
        self._looked = False

    @property
    def at_work(self) -> set[str]:
        """What works in the same folder now, by run and step."""
        return self._engine.at_work.setdefault(self._history.state.folder, set())

    def is_kept(self, request: StepRequest) -> bool:
        """Whether the files are recorded when a step ends."""
        return request.kind in RECORDED_KINDS and request.works_on_files

    def must_look(self, request: StepRequest | ChildRequest) -> bool:
        """Whether something is to be done about the files before a step or a child works on them."""
        state = self._history.state
        if self._is_off or (isinstance(request, StepRequest) and not request.works_on_files):
            return False
        is_kept = isinstance(request, StepRequest) and self.is_kept(request)
        if not self._looked:
            if not (is_kept or state.snapshot):
                return False
            self._is_off = not (state.folder and has_repository(_checkout_of(state)))
            return not self._is_off
        if not is_kept:
            return False
        step = state.steps.get(request.key)
        return not is_tree(state.tree) or (step is not None and is_to_begin_anew(state, step))

    async def look(self, held: Iterable[str]) -> Look:
        """Find out what the files are, and decide. Raises FilesEdited, and WorkspaceError where files
        are to be brought back and that cannot be."""
        state, keys = self._history.state, [*held]
        try:
            workspace = await self.open()
            if workspace is None:
                return Look()
            found = await snapshot(workspace, message=f"Before {keys[0]}")
        except WorkspaceError as error:
            if state.restoring or (state.is_astray and state.snapshot):
                raise
            self._is_off = True
            return Look([SnapshotMissed(keys[0], self._failure(error))])
        decision = decide_files(
            state,
            _id(found.tree),
            first=not self._looked,
            held=keys,
            edits=self.edits,
            is_ours=workspace.is_ours,
            alone=not self.at_work,
        )
        self._looked = True
        match decision:
            case Restore(tree=tree, reason=reason):
                found_tree, commit = _id(found.tree), _id(found.commit)
                return Look([RestoreStarted(tree, found_tree, commit, reason)], tree)
            case Refuse(tree=tree):
                assert state.forked is not None, "only then files are brought back with care"
                edited = await changes_between(workspace, state.forked.left.hex(), found.tree)
                paths = [change.path for change in edited]
                raise FilesEdited(state.run, str(workspace.root), paths)
            case _:
                return Look(_seen(state, found, drifted=decision.drifted))

    async def bring_back(self, tree: bytes) -> WorkspaceRestored:
        """Make the files those of a git tree; what was there is in the run's snapshots."""
        workspace = await self.open()
        assert workspace is not None, "somebody has just looked"
        done = await restore(workspace, tree.hex())
        return WorkspaceRestored(_id(done.tree))

    async def keep(self, key: str) -> Kept:
        """Record the files after an attempt. Whatever goes wrong, the attempt is what it was."""
        if self._workspace is None or self._is_off:
            return Kept()
        kept = Kept()
        with trio.CancelScope(shield=True):  # what was done is not lost because somebody stops us
            try:
                taken = await snapshot(self._workspace, message=f"After {key}")
                kept = Kept(_id(taken.tree))
            except WorkspaceError as error:
                kept = Kept(missed=self._failure(error))
        return kept

    async def open(self) -> Workspace | None:
        """Return the workspace, which is made where it is a worktree of the run's own; None without git."""
        if self._workspace is None and not self._is_off:
            try:
                self._workspace = await self._open(self._history.state)
            except NO_FILES:
                self._is_off = True
        return self._workspace

    async def _open(self, state: State) -> Workspace:
        folder, home = Path(state.folder), self._engine.log.path.parent
        if state.checkout and not state.parent and not folder.is_dir():
            repository = await Repository.open(Path(state.checkout), home=home)
            forked = state.forked
            base: Snapshot | None = None
            if forked is not None and forked.folder:
                head = state.head.hex() or await repository.git.resolve("HEAD")
                base = Snapshot(forked.snapshot.hex(), "", head)
            await add_worktree(repository, state.run, WORKTREE, base=base)
        return await Workspace.open(folder, run=state.run, name=WORKTREE, home=home)

    def _failure(self, error: WorkspaceError) -> Failure:
        return failure(error, self._history.redactor.text)


def _seen(state: State, found: Snapshot, *, drifted: bool) -> list[AnyEvent]:
    tree, about = _id(found.tree), (_id(found.commit), _id(found.head))
    if drifted:
        return [WorkspaceDrifted(state.tree, tree, *about)]
    is_known = tree == state.tree and state.looked >= 0
    return (
        []
        if is_known and not (state.is_astray or state.restoring)
        else [WorkspaceSeen(tree, *about)]
    )


def _checkout_of(state: State) -> str:
    return state.checkout or state.folder


def _id(name: str) -> bytes:
    return bytes.fromhex(name)
