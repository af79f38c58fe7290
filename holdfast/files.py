"""The files of one folder that a run's steps work in: looked at before, recorded after, brought back.

Only where the run's folder is in a git repository; everywhere else there is nothing to do.
"""

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
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
    WorkspaceFiles,
    decide_files,
    is_to_begin_anew,
    is_tree,
)
from holdfast.workspaces import (
    BareRepository,
    GitMissing,
    GitTooOld,
    Made,
    NotARepository,
    Repository,
    Snapshot,
    Workspace,
    WorkspaceError,
    Worktree,
    WorktreeExists,
    add_worktree,
    remove_merged,
    reset_branch,
    restore,
    safe_name,
    snapshot,
    take_back,
)
from holdfast.workspaces import changes as changes_between

from .effects import failure
from .errors import FilesEdited
from .history import History
from .places import WORKTREE, has_repository, repository_root

if TYPE_CHECKING:
    from .engine import Engine

NO_FILES = (NotARepository, BareRepository, GitMissing, GitTooOld)


class Kept(msgspec.Struct, frozen=True):
    """The git tree that an attempt left, with the commit below it where that is another than before; or
    why that could not be recorded, if it was to be."""

    tree: bytes = b""
    head: bytes = b""
    missed: Failure | None = None


class Look(msgspec.Struct, frozen=True):
    """What was found before steps begin: what to record, and what to bring back after that."""

    events: list[AnyEvent] = []
    back_to: bytes = b""


class Files:
    """The files of one run in this process: in its folder, or in a workspace that it opened within `outer`."""

    def __init__(
        self,
        engine: "Engine",
        history: History,
        edits: Edits,
        key: str = "",
        outer: "Files | None" = None,
    ) -> None:
        self.edits: Edits = edits
        self.key = key
        self.made: Worktree | None = None
        self._engine = engine
        self._history = history
        self._outer = outer
        self._workspace: Workspace | None = None
        self._is_off = False  # there is no repository, or it cannot be used
        self._looked = False

    def forget(self) -> None:
        """Look again: what was found last has not been recorded."""
        self._looked = False

    @property
    def known(self) -> State | WorkspaceFiles:
        """What the log knows of them."""
        return self._history.state.files_in(self.key)

    @property
    def at_work(self) -> set[str]:
        """What works in the same folder now, by run and step."""
        return self._engine.at_work.setdefault(str(self.folder), set())

    @property
    def folder(self) -> Path:
        """Where the steps work."""
        state = self._history.state
        if self._outer is None:
            return Path(state.folder)
        root = repository_root(_checkout_of(state))
        inside = Path(_checkout_of(state)).relative_to(root) if root else ""
        return self._home / "worktrees" / safe_name(state.run) / safe_name(self._name) / inside

    @property
    def environment(self) -> dict[str, str]:
        """What the steps that work there find in their environment besides."""
        return {} if self.made is None else self.made.environment

    @property
    def _home(self) -> Path:
        return self._engine.log.path.parent

    @property
    def _name(self) -> str:
        """The worktree's name: a history that left or continues another opens a new one under a key."""
        state, first = self._history.state, self._history.branch_at(0)
        branch = self._history.branch_at(state.steps[self.key].begun)
        if branch != first or state.continues:
            return f"{self.key}~{branch}"
        return f"{WORKTREE}#" if self.key == WORKTREE else self.key  # no key ends like that

    def must_look(self, request: StepRequest | ChildRequest) -> bool:
        """Whether something is to be done about the files before a step or a child works on them."""
        state, known = self._history.state, self.known
        if self._is_off or (isinstance(request, StepRequest) and not request.works_on_files):
            return False
        if isinstance(request, StepRequest) and request.kind == "close":
            return False
        is_kept = isinstance(request, StepRequest) and request.kind in RECORDED_KINDS
        if not self._looked:
            if not (is_kept or known.snapshot):
                return False
            self._is_off = not (state.folder and has_repository(_checkout_of(state)))
            return not self._is_off
        if not is_kept:
            return False
        step = state.steps.get(request.key)
        return not is_tree(known.tree) or (step is not None and is_to_begin_anew(state, step))

    async def look(self, held: Iterable[str], about: str) -> Look:
        """Find out what the files are, and decide, before the steps `held` begin on behalf of `about`.

        Raises FilesEdited, and WorkspaceError where files are to be brought back and that cannot be.
        """
        state = self._history.state
        try:
            workspace = await self.open()
            if workspace is None:
                return Look()
            found = await snapshot(workspace, message=f"Before {about}")
        except WorkspaceError as error:
            astray = state.is_astray_in(self.key) and self.known.snapshot
            if self._outer is not None or self.known.restoring or astray:
                raise
            self._is_off = True
            return Look([SnapshotMissed(about, self._failure(error))])
        decision = decide_files(
            state,
            _id(found.tree),
            first=not self._looked,
            held=held,
            workspace=self.key,
            edits=self.edits,
            is_ours=workspace.is_ours,
            alone=not self.at_work,
        )
        self._looked = True
        match decision:
            case Restore(tree=tree, reason=reason):
                found_tree, commit = _id(found.tree), _id(found.commit)
                return Look([RestoreStarted(tree, found_tree, commit, reason, self.key)], tree)
            case Refuse(tree=tree):
                assert state.forked is not None, "only then files are brought back with care"
                edited = await changes_between(workspace, state.forked.left.hex(), found.tree)
                paths = [change.path for change in edited]
                raise FilesEdited(state.run, str(workspace.root), paths)
            case _:
                return Look(self._seen(found, drifted=decision.drifted))

    async def bring_back(self, tree: bytes) -> WorkspaceRestored:
        """Make the files those of a git tree; what was there is in the run's snapshots."""
        workspace = await self.open()
        assert workspace is not None, "somebody has just looked"
        head = await self._move_back(workspace)
        done = await restore(workspace, tree.hex())
        return WorkspaceRestored(_id(done.tree), self.key, head)

    async def _move_back(self, workspace: Workspace) -> bytes:
        """Let the branch go back as well: that of a worktree of ours, and one that only our merges moved."""
        head, forked = self.known.head, self._history.state.forked
        if not head:
            return b""
        if self._outer is not None:
            await reset_branch(workspace, head.hex())
            return b""
        if forked is None or not forked.merged or forked.merged == head:
            return b""
        return head if await take_back(workspace, forked.merged.hex(), head.hex()) else b""

    async def keep(self, key: str) -> Kept:
        """Record the files after an attempt. Whatever goes wrong, the attempt is what it was."""
        if self._workspace is None or self._is_off:
            return Kept()
        kept = Kept()
        with trio.CancelScope(shield=True):  # what was done is not lost because somebody stops us
            try:
                is_ours = self._outer is not None
                taken = await snapshot(self._workspace, message=f"After {key}", head_too=is_ours)
                head = _id(taken.head)
                kept = Kept(_id(taken.tree), b"" if head == self.known.head else head)
            except WorkspaceError as error:
                kept = Kept(missed=self._failure(error))
        return kept

    async def open(self) -> Workspace | None:
        """Return the workspace, which is made where it is a worktree of the run's own; None without git."""
        if self._workspace is None and not self._is_off:
            if self._outer is not None:
                return await self.make(self.known.head.hex())
            try:
                self._workspace = await self._open(self._history.state)
            except NO_FILES:
                self._is_off = True
        return self._workspace

    async def make(self, base: str) -> Workspace:
        """Make the worktree of a workspace, or find it again; `base` is the commit that it begins with.

        One that was made again, or for a fork, gets the files that the log has of it.
        """
        assert self._outer is not None, "the run's own folder is there"
        outer = await self._outer.surely_open()
        repository = await Repository.open(outer.root, home=self._home)
        run, files = self._history.state.run, self.known.snapshot.hex()
        add = partial(add_worktree, repository, run, self._name, beside=outer, files=files)
        made = await _make_or_find(add, base or None)
        self.made, self._workspace = made.worktree, made.workspace
        return made.workspace

    async def surely_open(self) -> Workspace:
        """Return the workspace. Raises WorkspaceError: NotARepository and its like where there is none."""
        workspace = await self.open()
        if workspace is None:
            workspace = await self._open(self._history.state)
        return workspace

    async def remove(self) -> bool:
        """Remove a worktree whose work is merged; whatever is not, keeps it. Return whether it is gone."""
        assert self._outer is not None, "the user's folder is nobody's to remove"
        outer = await self._outer.surely_open()
        repository = await Repository.open(outer.root, home=self._home)
        self.made = self._workspace = None
        return await remove_merged(repository, self._history.state.run, self._name)

    async def _open(self, state: State) -> Workspace:
        folder, home = Path(state.folder), self._engine.log.path.parent
        if state.checkout and not state.parent and not folder.is_dir():
            repository = await Repository.open(Path(state.checkout), home=home)
            base, files = await _beginning(repository, state)
            add = partial(add_worktree, repository, state.run, WORKTREE, files=files)
            await _make_or_find(add, base)
        return await Workspace.open(folder, run=state.run, name=WORKTREE, home=home)

    def _failure(self, error: WorkspaceError) -> Failure:
        return failure(error, self._history.redactor.text)

    def _seen(self, found: Snapshot, *, drifted: bool) -> list[AnyEvent]:
        known, is_astray = self.known, self._history.state.is_astray_in(self.key)
        tree, about = _id(found.tree), (_id(found.commit), _id(found.head), self.key)
        if drifted:
            return [WorkspaceDrifted(known.tree, tree, *about)]
        is_known = tree == known.tree and known.looked >= 0
        if is_known and not (is_astray or known.restoring):
            return []
        return [WorkspaceSeen(tree, *about)]


async def _beginning(repository: Repository, state: State) -> tuple[str | Snapshot | None, str]:
    """Return the commit that a fork's checkout begins with, and the git tree of its files.

    What differs from the last commit is then what differed in the original's folder.
    """
    forked, tree = state.forked, state.snapshot.hex()
    if forked is None or not forked.folder:
        return None, ""
    head = state.head.hex() or await repository.git.resolve("HEAD")
    return (head, tree) if head else (Snapshot(tree, "", ""), "")


async def _make_or_find(add: Callable[..., Awaitable[Made]], base: str | Snapshot | None) -> Made:
    """Make a worktree that begins with `base`, or find ours, whose branch may have gone on since."""
    try:
        return await add(base=base)
    except WorktreeExists:
        return await add()


def _checkout_of(state: State) -> str:
    return state.checkout or state.folder


def _id(name: str) -> bytes:
    return bytes.fromhex(name)
