"""The folders that a run's steps work in: its own, and the worktrees of the workspaces that it opened."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from holdfast.reducer import (
    RECORDED_KINDS,
    ChildRequest,
    CloseCall,
    CommitCall,
    Conflict,
    Edits,
    MarkersCall,
    MergeCall,
    Merged,
    OpenCall,
    Opened,
    Step,
    StepRequest,
    WorkspaceCall,
)
from holdfast.workspaces import (
    Git,
    NoSuchCommit,
    NoTarget,
    Repository,
    begin_resolving,
    commit_work,
    merge,
    remember_merged,
)

from .effects import Done, Job
from .files import Files, Kept
from .history import History
from .sandboxing import Rules

if TYPE_CHECKING:
    from .engine import Engine


class Spaces:
    """The files of one run in this process, by workspace; that of its own folder has the key ""."""

    def __init__(self, engine: "Engine", history: History, edits: Edits) -> None:
        self.edits: Edits = edits
        self._engine = engine
        self._history = history
        self._by_key = {"": Files(engine, history, edits)}

    def of(self, request: StepRequest | ChildRequest) -> Files:
        """Return the files that a step or a child works on."""
        return self._at(request.workspace)

    def folder_of(self, request: ChildRequest) -> str:
        """Return the folder that a child works in: the one that was recorded, unless it is a workspace."""
        inside = self.of(request).folder if request.workspace else self._history.state.folder
        return str(inside)

    def _at(self, key: str, outer: str | None = None) -> Files:
        if key not in self._by_key:
            if outer is None:
                outer = self._history.state.workspaces[key].outer
            around = self._at(outer)
            self._by_key[key] = Files(self._engine, self._history, self.edits, key, around)
        return self._by_key[key]

    def forget(self) -> None:
        """Look again everywhere: what was found last has not been recorded."""
        for files in self._by_key.values():
            files.forget()

    def must_look(self, request: StepRequest | ChildRequest) -> bool:
        """Whether something is to be done about the files before a step or a child works on them."""
        return self.of(request).must_look(request)

    def first_of(
        self, held: Mapping[str, StepRequest | ChildRequest]
    ) -> tuple[Files, list[str], str]:
        """Return the files to be seen to first, those held that begin then, and the one that it is about.

        What lies around a workspace goes first where it is to be brought back: so a run that is
        rewound leaves nothing as it was for long.
        """
        about, request = next(iter(held.items()))
        where, state = request.workspace, self._history.state
        while where:
            outer = state.workspaces[where].outer
            if state.is_astray_in(outer) and state.files_in(outer).snapshot:
                return self._at(outer), [], about
            where = outer
        begin = [key for key in held if held[key].workspace == request.workspace]
        return self.of(request), begin, about

    def at_work(self, request: StepRequest) -> set[str]:
        """Return what works in the same folder as a step, to which it belongs from now on."""
        counts = request.works_on_files and request.kind not in ("workspace", "close")
        return self.of(request).at_work if counts else set()

    def job(self, request: StepRequest, step: Step, mark: str, sandbox: Rules) -> Job:
        """Return what an attempt at a step needs to know."""
        files, redact = self.of(request), self._history.redactor.text
        return Job(request, step, files.folder, mark, redact, files.environment, sandbox)

    async def keep(self, request: StepRequest, error: Exception | None) -> Kept:
        """Record the files after an attempt at a step that may have changed them."""
        if request.kind not in RECORDED_KINDS or not request.works_on_files:
            return Kept()
        if request.kind != "workspace":
            return await self.of(request).keep(request.key)
        return Kept() if error else await self._at(request.key).keep(request.key)

    # --- what workspaces do --------------------------------------------------------------------

    async def perform(self, request: StepRequest, call: WorkspaceCall) -> Done:
        """Do what a workspace asks for. All of it may be done again after a crash. Raises WorkspaceError."""
        match call:
            case OpenCall(base=base):
                return Done(await self._open(request, base))
            case CommitCall(message=message, joins=joins, resolved=resolved):
                workspace = await self.of(request).surely_open()
                also = (joins,) if joins else ()
                return Done(await commit_work(workspace, message, also=also, resolved=resolved))
            case MarkersCall(source=source, tree=tree):
                workspace = await self.of(request).surely_open()
                await begin_resolving(workspace, Conflict("", "", source, "", tree, ()))
                return Done(None)
            case MergeCall():
                return Done(await self._merge(request, call))
            case CloseCall():
                return Done(await self.of(request).remove())

    async def _open(self, request: StepRequest, base: str) -> Opened:
        outer = await self.of(request).surely_open()
        commit = await _commit(outer.git, base) if base else ""
        made = self._at(request.key, request.workspace)
        await made.make(commit)
        assert made.made is not None, "it was just made"
        return Opened(made.made.base, self._engine.config.workspace.setup)

    async def _merge(self, request: StepRequest, call: MergeCall) -> Merged | Conflict:
        outer = await self.of(request).surely_open()
        repository = await Repository.open(outer.root, home=outer.home)
        target = call.into or await outer.git.text("symbolic-ref", "-q", "HEAD", ok=(0, 1))
        if not target:
            raise NoTarget(call.workspace)
        squash = call.base != ""
        done = await merge(
            repository, call.source, target, message=call.message, base=call.base, squash=squash
        )
        if isinstance(done, Merged):
            workspace = await self._at(call.workspace).surely_open()
            await remember_merged(repository, workspace, call.source)
        return done


async def _commit(git: Git, name: str) -> str:
    found = await git.resolve(name)
    if not found:
        raise NoSuchCommit(name, str(git.folder))
    return found
