"""`Workspace`: a git worktree that the steps within an `async with` work in, and what brings it back."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import msgspec

from holdfast.eventlog import Usage

from .errors import StepFailed, WorkflowError
from .merges import Conflict, Merged
from .requests import (
    CloseCall,
    CommitCall,
    MarkersCall,
    MergeCall,
    OpenCall,
    Policy,
    ShellCall,
    StepKind,
    StepRequest,
    WorkspaceCall,
)
from .results import ShellResult
from .tasks import Continue, Future, Scope

if TYPE_CHECKING:
    from .driver import Driver
    from .run import Run

T = TypeVar("T")
_PLAIN = Policy(reasks=0)
_ABROAD = Policy(reasks=0, effect=True, on_doubt="retry")  # to merge again does no harm
UNRESOLVED = "unresolved"
Decide = Callable[[Conflict, str], Awaitable[Any]]
"""Asks somebody to settle a conflict; told why the last try did not."""
Check = Callable[[], Awaitable[str]]
"""Looks at what was settled before it is merged, and returns what is wrong with it, or nothing."""


class Opened(msgspec.Struct, frozen=True):
    """What opening a workspace came to: the commit that it began with, and what makes it ready."""

    base: str
    setup: str = ""


class Workspace:
    """A worktree on a branch of its own. Its folder and its branch have other names in a fork, so that a
    workflow knows neither; steps find themselves there, and Python functions ask `step_folder()`.
    """

    def __init__(self, run: "Run", driver: "Driver", name: str, base: str) -> None:
        self.name = name
        self.key = ""
        self._run, self._driver, self._asked = run, driver, base
        self._scope = self._outer = Scope()
        self._opened = Opened("")
        self._since = ""  # the commit up to which all was brought back
        self._is_merged = self._is_closed = False

    @property
    def base(self) -> str:
        """The commit that it began with: the same one in every fork."""
        return self._opened.base

    @property
    def usage(self) -> Usage:
        """What the steps in it have used so far, children not counted."""
        steps = self._driver.steps.items() if self.key else ()
        used = [step.usage for key, step in steps if key.startswith(f"{self.key}/") and step.usage]
        return Usage(
            input_tokens=sum(each.input_tokens for each in used),
            output_tokens=sum(each.output_tokens for each in used),
            cached_tokens=sum(each.cached_tokens for each in used),
            cost_usd=sum(each.cost_usd for each in used),
        )

    async def __aenter__(self) -> Self:
        task = self._driver.current
        if task is None or self.key:
            raise WorkflowError(
                f"workspace {self.name!r} was opened twice, or outside of its workflow. Write: "
                f"async with run.workspace({self.name!r}) as ws"
            )
        self._outer = task.scope
        self.key = self._outer.key(self.name)
        self._scope = Scope(f"{self.key}/", self.key)
        self._scope.results = self._outer.results
        call = OpenCall(self._asked)
        self._opened = await self._ask(self.key, "workspace", call, self._outer, Opened)
        self._since = self._opened.base
        if self._opened.setup:
            shell = ShellCall(self._opened.setup)
            key = self._scope.key("setup")
            request = StepRequest(key, "shell", shell, _PLAIN, ShellResult, self.key)
            await self._driver.ask(request, self._scope)
        task.scope = self._scope
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        task = self._driver.current
        if task is not None:  # else the whole workflow is let go
            task.scope = self._outer
        left_well = kind is None or issubclass(kind, Continue)  # the run goes on without it
        if left_well and self._is_merged:
            await self._do("close", CloseCall(), bool)
            self._is_closed = True

    async def commit(self, message: str = "") -> str:
        """Commit what is in the workspace on its own branch, and return the commit."""
        commit = await self._do("commit", CommitCall(message or self.name), str)
        assert isinstance(commit, str)
        return commit

    async def merge(
        self, *, message: str = "", into: str = "", squash: bool = False
    ) -> Merged | Conflict:
        """Commit what is in the workspace, and merge that into the branch that the run works on.

        What both sides changed is a Conflict, and nothing is merged then. With `into`, it goes into that
        branch instead, which is an effect. `squash` makes one commit of it. StepFailed is raised where
        it is refused: `failure.code` is target_dirty, target_busy, target_moved, target_missing,
        no_target or unrelated_histories.
        """
        text = message or self.name
        commit = await self._do("commit", CommitCall(text), str)
        return await self._merge(commit, text, into, squash=squash)

    async def resolve(
        self,
        conflict: Conflict,
        *,
        agent: str | None = None,
        model: str | None = None,
        role: str | Sequence[str] = "",
        options: Mapping[str, Any] | None = None,
        message: str = "",
        into: str = "",
        max: int = 3,
        check: Check | None = None,
    ) -> Merged | Conflict:
        """Let an agent settle a conflict here, and merge again.

        It is asked up to `max` times while markers are left, or others have made a new conflict
        meanwhile; what is in conflict then is returned. `check` may run tests before it is merged:
        what it returns is wrong, and the agent is asked again with that.
        """
        return await self._settle(
            conflict,
            lambda found, rest: self._run.agent(
                "resolve",
                _prompt(found, rest),
                agent=agent,
                model=model,
                role=role,
                options=options,
            ),
            message=message,
            into=into,
            max=max,
            check=check,
        )

    async def ask(
        self,
        conflict: Conflict,
        *,
        by: Sequence[str] = (),
        message: str = "",
        into: str = "",
        max: int = 3,
        check: Check | None = None,
    ) -> Merged | Conflict:
        """Let a person settle a conflict here: an approval, given once the files have no markers left.

        Raises ApprovalDenied where that is denied; else it is as with `resolve`.
        """
        return await self._settle(
            conflict,
            lambda found, _: self._run.approve("resolve", found, by=by),
            message=message,
            into=into,
            max=max,
            check=check,
        )

    # --- the parts of it -----------------------------------------------------------------------

    async def _settle(
        self,
        conflict: Conflict,
        decide: Decide,
        *,
        message: str,
        into: str,
        max: int,
        check: Check | None,
    ) -> Merged | Conflict:
        text = message or f"{self.name}: resolve conflicts"
        found: Merged | Conflict = conflict
        marked, joined, rest = "", "", ""
        for _ in range(max):
            assert isinstance(found, Conflict), "else it is merged"
            if marked != found.tree:
                await self._do("markers", MarkersCall(found.source_commit, found.tree), Any)
                marked = found.tree
            await self._within(decide(found, rest))
            paths = tuple(file.path for file in found.files)
            try:
                joins = found.target_commit if found.target_commit != joined else ""
                commit = await self._do("commit", CommitCall(text, joins, paths), str)
            except StepFailed as failed:
                if failed.failure.code != UNRESOLVED:
                    raise
                rest = failed.failure.message
                continue
            joined = found.target_commit
            if check is not None and (rest := await self._within(check())):
                continue
            found, rest = await self._merge(commit, text, into), ""
            if isinstance(found, Merged):
                break
        return found

    async def _within(self, call: Awaitable[T]) -> T:
        """Await a call of the run in the workspace's own scope, wherever the workflow is."""
        task = self._driver.current
        assert task is not None, "called from a workflow"
        scope, task.scope = task.scope, self._scope
        try:
            return await call
        finally:
            task.scope = scope

    async def _merge(
        self, commit: str, text: str, into: str, *, squash: bool = False
    ) -> Merged | Conflict:
        call = MergeCall(self.key, commit, text, into, self._since if squash else "")
        key = self._scope.key("merge")
        result = await self._ask(key, "merge", call, self._outer, Merged | Conflict)
        if isinstance(result, Merged):
            self._is_merged, self._since = True, commit
        assert isinstance(result, Merged | Conflict)
        return result

    async def _do(self, kind: StepKind, call: WorkspaceCall, output: Any) -> Any:
        if self._is_closed or not self.key:
            raise WorkflowError(
                f"workspace {self.name!r} is not open. Merge within its async with, or open another"
            )
        return await self._ask(self._scope.key(kind), kind, call, self._scope, output)

    def _ask(
        self, key: str, kind: StepKind, call: WorkspaceCall, scope: Scope, output: Any
    ) -> Future:
        is_abroad = isinstance(call, MergeCall) and call.into != ""
        policy = _ABROAD if is_abroad else _PLAIN
        request = StepRequest(key, kind, call, policy, output, scope.workspace)
        return self._driver.ask(request, scope)


def _prompt(conflict: Conflict, rest: str) -> str:
    """Return what an agent is asked to do about a conflict."""
    files = "\n".join(f"- {file.path} ({', '.join(file.kinds)})" for file in conflict.files)
    again = f"\n\nThat was tried already: {rest}" if rest else ""
    return (
        "Two pieces of work were merged, and both changed the same places. The files below are in your "
        "folder with conflict markers: the first side of each is what the others did, the second is "
        "what was done here. Edit them so that both intentions hold, and leave no markers. Do not "
        f"commit.\n\n{files}{again}"
    )
