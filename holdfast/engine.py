"""The engine: claims runs, executes them under trio, and commits what happens in groups.

It takes its clock, its log, its plugins and its workflows as arguments, so that a test can stand in
for each of them.
"""

import os
import secrets
import socket
import time
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import msgspec
import trio
from msgspec.structs import replace

from holdfast.eventlog import (
    AnyEvent,
    Batch,
    BranchMoved,
    Doorbell,
    Log,
    NewRun,
    NoSuchRun,
    Owner,
    RunClaimed,
    RunReleased,
    RunStarted,
    owner_alive,
    pack,
    ring,
)
from holdfast.plugins import Plugins, Progress
from holdfast.reducer import (
    ENDED,
    ChildRequest,
    Edits,
    State,
    Workflow,
    digest,
    fingerprint,
    spent_below,
    within,
)

from .children import budget_of_child, forked_child
from .commits import Committer
from .config import NAME as CONFIG
from .config import Config
from .errors import RunBusy, RunEnded
from .execution import Execution, Outcome
from .insiders import log_id
from .limits import Limits
from .redact import Redactor
from .runs import read_state, request_cancel
from .sandboxing import Rules
from .settings import budget_of, roles_of

LOOK_AGAIN_S = 1.0  # a bell can be lost when its ringer is killed between commit and ring


class Watcher(Protocol):
    """Sees a run live: what was committed, and what agents say in between."""

    def events(self, state: State, events: Sequence[AnyEvent]) -> None: ...

    def progress(self, run: str, key: str, progress: Progress) -> None: ...


class Engine:
    """Executes runs of one log in this process. Use as `async with Engine(...) as engine`.

    `load` finds a workflow by its reference. `now` is the clock, in ns since 1970. `linger_s` is how
    long `execute` stays for a timer when nothing but waiting is left. `serves` tells that what is
    interrupted here is left to whoever serves the project next (see serving.py).
    """

    def __init__(
        self,
        log: Log,
        plugins: Plugins,
        load: Callable[[str], Workflow],
        *,
        now: Callable[[], int] = time.time_ns,
        actor: str = "engine",
        watcher: Watcher | None = None,
        limits: Limits | None = None,
        config: Config | None = None,
        linger_s: float = 60.0,
        serves: bool = False,
    ) -> None:
        self.log = log
        self.plugins = plugins
        self.load = load
        self.now = now
        self.actor = actor
        self.watcher = watcher
        self.config = config or Config()
        self.limits = limits or Limits.of(self.config.limits)
        self.linger_ns = int(linger_s * 1e9)
        self.serves = serves
        self._heard = trio.Event()
        self._news = trio.Event()
        self.redactor = Redactor(os.environ, plugins)
        self.log_id = log_id(log)
        self._executions: dict[str, Execution] = {}
        self.at_work: dict[str, set[str]] = {}  # folder -> marks of steps that work on its files
        self._held: set[str] = set()  # what is executed, claimed or made here
        self._committer = Committer(log)
        self.roles = roles_of(self.config, self.redactor)

    async def __aenter__(self) -> Self:
        self._service = self._serve()
        await self._service.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        return await self._service.__aexit__(kind, error, trace)

    @asynccontextmanager
    async def _serve(self) -> AsyncGenerator[None]:
        """Own a claim's lock, and listen for other processes, as long as the engine is open."""
        problem: Exception | None = None
        self.owner = Owner.acquire(self.log.path)
        try:
            with Doorbell(self.log.path) as bell:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._committer.run)
                    nursery.start_soon(self._listen, bell)
                    nursery.start_soon(self._look_again)
                    try:
                        yield
                    except Exception as error:  # noqa: BLE001 - raised below, outside of the nursery
                        problem = error
                    finally:
                        self._committer.close()
                    nursery.cancel_scope.cancel()
        finally:
            self.owner.close()
        if problem is not None:
            raise problem

    # --- runs ----------------------------------------------------------------------------------

    def create(self, workflow: Workflow, input: Mapping[str, Any], **about: Any) -> int:
        """Record a new run, checked and not yet begun, and return its branch.

        `about`: the `run` id, and `folder`, `source`, `parent`, `parent_key`, `budget` as in RunStarted;
        without one it is the project's, or the workflow's. Raises
        InputInvalid, InputHasSecret, RunExists and LogUnwritable; nothing is written then.
        """
        new = self._new_run(workflow, input, about)
        return self.log.create_run(
            new.run, new.events, actor=new.actor, time=new.time, blobs=new.blobs
        )

    def prepare(self, workflow: Workflow, input: Mapping[str, Any], **about: Any) -> NewRun:
        """Return a new run, checked and not recorded, for whoever writes it; see `create`."""
        return self._new_run(workflow, input, about)

    async def start(self, workflow: Workflow, input: Mapping[str, Any], **about: Any) -> Outcome:
        """Create a run, claimed by this process, and execute it; see `create` and `execute`."""
        with self._holding(about["run"]):
            branch = await self._make(workflow, input, about)
            return await self._execute(about["run"], branch, workflow)

    async def _make(
        self, workflow: Workflow, input: Mapping[str, Any], about: Mapping[str, Any]
    ) -> int:
        """Record a new run and its claim in one commit, and return its branch."""
        return await self._write_claimed(self._new_run(workflow, input, about))

    async def _write_claimed(self, new: NewRun) -> int:
        return await self._write(replace(new, events=[*new.events, self.claim_event()]))

    def _new_run(
        self, workflow: Workflow, input: Mapping[str, Any], about: Mapping[str, Any]
    ) -> NewRun:
        blobs: dict[bytes, bytes] = {}
        checked = workflow.check(dict(input))
        self._refuse_secrets(workflow, checked)
        given = fingerprint.encode(checked, "the input")
        fields: dict[str, Any] = {**about}
        fields["source"] = about.get("source") or workflow.reference
        if "budget" not in about:
            fields["budget"] = budget_of(self.config.limits, otherwise=workflow.budget)
        started = RunStarted(
            workflow=workflow.name,
            code=digest(workflow.function),
            input=pack(given, blobs),
            seed=secrets.token_bytes(16),
            **fields,
        )
        return NewRun(started.run, [started], self.actor, self.now(), blobs)

    def _refuse_secrets(self, workflow: Workflow, given: Mapping[str, Any]) -> None:
        """A redacted input would not be the one that was given, and the workflow needs that one."""
        for field, value in given.items():
            raw = fingerprint.encode(value, f"the input {field!r}")
            self.redactor.refuse(workflow.name, field, raw)

    async def execute(
        self,
        run: str,
        *,
        workflow: Workflow | None = None,
        takeover: bool = False,
        edits: Edits = "refuse",
    ) -> Outcome:
        """Claim a run and execute it until it ends or only waits.

        `edits` says what becomes of files that somebody edited where a run that took another way
        needs others: FilesEdited is raised, or they are discarded, or it goes on with them.
        Raises RunBusy when another live process has it (unless `takeover`) or this engine is at it,
        RunReplaced when another takes it over meanwhile, RunEnded, WorkflowError where the workflow
        cannot be driven on.
        """
        row = self.log.run(run)
        if row.status in ENDED:
            raise RunEnded(run, row.status, "resumed")
        if workflow is None:
            workflow = self.load(row.source)
        with self._holding(run):
            branch = await self._claim(run, takeover=takeover)
            return await self._execute(run, branch, workflow, edits)

    async def _execute(
        self, run: str, branch: int, workflow: Workflow, edits: Edits = "refuse"
    ) -> Outcome:
        while True:
            outcome = await self._execute_history(run, branch, workflow, edits)
            if outcome.status != "continued":
                return outcome
            branch = self.log.branch_of(run)  # its next history, which is claimed already

    async def _execute_history(
        self, run: str, branch: int, workflow: Workflow, edits: Edits
    ) -> Outcome:
        execution = self._executions[run] = Execution(self, branch, workflow, edits)
        try:
            return await execution.go()
        finally:
            del self._executions[run]

    @contextmanager
    def _holding(self, run: str) -> Generator[None, None, None]:
        """Let nobody else in this process execute the run meanwhile. Raises RunBusy."""
        if run in self._held:
            raise RunBusy(run, host=socket.gethostname(), pid=os.getpid())
        self._held.add(run)
        try:
            yield
        finally:
            self._held.discard(run)

    def claim_event(self) -> RunClaimed:
        """Return the event by which this engine claims a run."""
        return RunClaimed(self.owner.token, socket.gethostname(), os.getpid(), self.roles)

    async def _claim(self, run: str, *, takeover: bool) -> int:
        """Claim the branch that has the run's name now, and return it."""
        while True:
            row = self.log.run(run)
            # Our own claim on a run that we do not execute is left from a release that failed.
            held = row.owner != self.owner.token and self._alive(row.owner)
            if held and not takeover:
                raise RunBusy(run, host=row.host, pid=row.pid)
            if row.status in ENDED:
                raise RunEnded(run, row.status, "resumed")
            claim = [self.claim_event()]
            try:
                await self._write(Batch(row.branch, claim, row.head, self.actor, self.now()))
            except BranchMoved:
                continue
            if self.log.branch_of(run) != row.branch:  # somebody has gone back in it meanwhile
                released = [RunReleased(self.owner.token, "interrupted")]
                with suppress(BranchMoved):  # or has taken it over, and gone on in the next history
                    after = row.head + len(claim)
                    await self._write(Batch(row.branch, released, after, self.actor, self.now()))
                continue
            if held:
                ring(self.log.path)
            return row.branch

    def _alive(self, owner: str) -> bool:
        return owner_alive(self.log.path, owner)

    async def execute_child(
        self,
        run: str,
        request: ChildRequest,
        parent: State,
        *,
        is_wanted: Callable[[], bool],
        folder: str,
        edits: Edits = "refuse",
    ) -> Outcome:
        """Execute a child run, which is created when it is new; an ended one tells its outcome.

        It works in `folder`. One that is no longer wanted once it has been made is cancelled, before it
        does anything.
        """
        try:
            row = self.log.run(run)
        except NoSuchRun:
            if not is_wanted():
                return Outcome(run, "cancelled", 0)
        else:
            if row.status in ENDED:
                return self.outcome(run)
            return await self.execute(run, edits=edits)
        workflow = self.load(request.workflow)
        with self._holding(run):
            if parent.children[request.key].origin:
                new = forked_child(self.log, self.load, parent, request, folder, now=self.now())
                branch = await self._write_claimed(replace(new, actor=self.actor))
            else:
                effects = parent.effects if parent.effects == "hold" else ""
                tree = parent.children[request.key].tree
                about: dict[str, Any] = {"run": run, "folder": folder, "tree": tree}
                about |= {"source": request.workflow, "effects": effects}
                about["edits"] = within(parent.edits, request.key)
                about |= {"parent": parent.run, "parent_key": request.key}
                about["budget"] = budget_of_child(parent, request)
                branch = await self._make(workflow, request.input, about)
            if not is_wanted():
                self.cancel_child(run)
            return await self._execute(run, branch, workflow, edits)

    def edit(self, run: str, workflow: Workflow, tell: Callable[[str], None]) -> None:
        """Let a run that is executed here go on with edited code, where that leaves alone what has begun.

        `tell` is called with what became of it, once that is known.
        """
        if run in self._executions:
            self._executions[run].edit(workflow, tell)

    def sandbox_rules(self, folder: Path, workflow: Workflow) -> Rules:
        """Return what sandboxes for a run's steps go by: nothing in them reaches the log."""
        home = self.log.path.parent
        hidden = self.log.path if home == folder else home
        code = Path(workflow.function.__code__.co_filename)
        return Rules(self.config.sandbox, (hidden,), (folder / CONFIG, code))

    def cancel_child(self, run: str) -> bool:
        """Ask a child run to cancel itself; return whether nobody is there to do it."""
        with suppress(NoSuchRun, RunEnded):  # it had not begun, or has just ended
            if self.log.run(run).status in ENDED:
                return False  # as at each resume of a parent: its whole history need not be read
            why = "its parent no longer wants it"
            request_cancel(self.log, run, self.actor, why, now=self.now())
            if run not in self._executions:
                return not self._alive(self.log.run(run).owner)
            self._executions[run].wake()
        return False

    def started(self, mark: str) -> bool:
        """Tell whether a process with this mark belongs to a run that is being executed here."""
        return any(execution.mark in mark for execution in self._executions.values())

    def outcome(self, run: str) -> Outcome:
        """Return how an ended run ended."""
        row = self.log.run(run)
        state = read_state(self.log, row.branch)
        output = msgspec.msgpack.decode(self.log.load(state.output))
        return Outcome(
            run,
            state.status,
            state.offset,
            output,
            state.error,
            state.waiting,
            usage=spent_below(state),
        )

    # --- commits -------------------------------------------------------------------------------

    async def commit(self, batch: Batch) -> int:
        """Append durably and return the new head; raise BranchMoved, LogUnwritable."""
        return await self._write(batch)

    async def commit_successor(self, new: NewRun) -> None:
        """End a run's history and begin its next one; raise BranchMoved, LogUnwritable."""
        await self._write(new)

    async def _write(self, item: Batch | NewRun) -> int:
        try:
            return await self._committer.write(item, alone=self._is_alone())
        finally:
            self._tell_news()

    def _is_alone(self) -> bool:
        """Whether the only run at work has nothing else at work."""
        if len(self._executions) > 1:
            return False
        return all(execution.is_idle for execution in self._executions.values())

    # --- other processes -----------------------------------------------------------------------

    async def _listen(self, bell: Doorbell) -> None:
        while True:
            await trio.lowlevel.wait_readable(bell.fileno())
            bell.drain()
            self._wake_all()

    async def _look_again(self) -> None:
        while True:
            await trio.sleep(LOOK_AGAIN_S)
            self._wake_all()

    async def heard(self) -> None:
        """Wait until another process may have appended something, or a bell may have been lost."""
        await self._heard.wait()

    def news(self) -> trio.Event:
        """Return what is set once something may have been appended, by this engine too; then ask anew."""
        return self._news

    def _tell_news(self) -> None:
        self._news.set()
        self._news = trio.Event()

    def _wake_all(self) -> None:
        self._heard.set()
        self._heard = trio.Event()
        self._tell_news()
        for execution in self._executions.values():
            execution.wake()
