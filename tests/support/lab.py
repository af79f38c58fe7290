"""An engine on a real log with a virtual clock, for tests of what runs do."""

import math
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar, overload

import trio

from holdfast.commits import Committer
from holdfast.engine import Engine
from holdfast.eventlog import AnyEvent, Batch, Log, NewRun
from holdfast.execution import Outcome
from holdfast.plugins import Plugins
from holdfast.redact import Redactor
from holdfast.reducer import State, Workflow
from holdfast.replaying import Replayer
from holdfast.runs import decide_gate, read_state

E = TypeVar("E")
EPOCH = 1_800_000_000_000_000_000


def virtual_now() -> int:
    return EPOCH + int(trio.current_time() * 1e9)


class Crash(BaseException):
    """The process ends here; nothing after this line happens."""


class VirtualEngine(Engine):
    """Commits in its own thread: virtual time would pass while another thread works."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._committer = Committer(self.log, slow_s=math.inf)

    def _is_alone(self) -> bool:
        return True


class CrashingEngine(VirtualEngine):
    """Dies at commit number `at`, before it or right after it, as kill -9 would."""

    at = 0
    after = False

    async def commit(self, batch: Batch) -> int:
        self._before()
        head = await super().commit(batch)
        self._behind()
        return head

    async def commit_successor(self, new: NewRun) -> None:
        self._before()
        await super().commit_successor(new)
        self._behind()

    def _before(self) -> None:
        self.at -= 1
        if self.at == 0 and not self.after:
            raise Crash

    def _behind(self) -> None:
        if self.at == 0:
            raise Crash


class Lab:
    """A log in a folder, and the workflows that may be run on it."""

    def __init__(self, folder: Path, *plugins: object) -> None:
        self.folder = folder
        self.log = Log.open(folder / "log")
        self.plugins = Plugins.load(*plugins, installed=False)
        self.workflows: dict[str, Workflow] = {}

    def load(self, reference: str) -> Workflow:
        return self.workflows[reference]

    @asynccontextmanager
    async def engine(self, **options: Any) -> AsyncGenerator[Engine]:
        kind: type[Engine] = options.pop("kind", VirtualEngine)
        options.setdefault("now", virtual_now)
        async with kind(self.log, self.plugins, self.load, **options) as engine:
            yield engine

    async def run(
        self,
        workflow: Workflow,
        input: dict[str, Any] | None = None,
        run: str = "r",
        **options: Any,
    ) -> Outcome:
        """Create a run and execute it."""
        self.workflows[workflow.reference] = workflow
        async with self.engine(**options) as engine:
            engine.create(workflow, input or {}, run=run, folder=str(self.folder))
            return await engine.execute(run)

    async def resume(
        self, run: str = "r", workflow: Workflow | None = None, **options: Any
    ) -> Outcome:
        takeover = options.pop("takeover", False)
        async with self.engine(**options) as engine:
            return await engine.execute(run, workflow=workflow, takeover=takeover)

    async def crash(
        self,
        workflow: Workflow,
        input: dict[str, Any],
        *,
        at: int,
        after: bool,
        run: str = "r",
        **options: Any,
    ) -> bool:
        """Execute a new run and die at commit `at`; return False when it ended before that."""
        self.workflows[workflow.reference] = workflow
        crashed = False
        try:
            async with self.engine(kind=CrashingEngine, **options) as engine:
                assert isinstance(engine, CrashingEngine)
                engine.at, engine.after = at, after
                engine.create(workflow, input, run=run, folder=str(self.folder))
                await engine.execute(run)
        except* Crash:
            crashed = True
        return crashed

    def approve(self, gate: str | None = None, *, run: str = "r", **options: Any) -> None:
        """Decide a gate as another process would."""
        options.setdefault("approved", True)
        options.setdefault("by", "anna")
        options.setdefault("now", virtual_now())
        decide_gate(self.log, run, gate, actor="cli:anna", **options)

    def append_unheard(self, *events: AnyEvent, run: str = "r") -> None:
        """Append as another process would that was killed before it could ring."""
        branch = self.log.branch_of(run)
        head, now = self.log.head(branch), virtual_now()
        self.log.append(branch, events, expected=head, actor="cli:anna", time=now)

    def replays(self, run: str = "r") -> bool:
        """Tell whether the run's code, driven anew, asks for and comes to what is recorded."""
        row = self.log.run(run)
        replayer = Replayer(self.log, self.load, Redactor({}))  # type: ignore[arg-type]
        return replayer.prove(row, self.load(row.source)).ok

    def state(self, run: str = "r") -> State:
        return read_state(self.log, self.log.branch_of(run))

    @overload
    def events(self, run: str = "r") -> list[AnyEvent]: ...
    @overload
    def events(self, run: str = "r", *, kind: type[E]) -> list[E]: ...

    def events(self, run: str = "r", *, kind: type[Any] = object) -> list[Any]:
        """Return a run's events, all or those of one kind."""
        records = self.log.records(self.log.branch_of(run))
        return [record.event for record in records if isinstance(record.event, kind)]


class Counter:
    """Step functions that count how often they really ran."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __call__(self, name: str, value: Any = None) -> Callable[[], Any]:
        async def work() -> Any:
            self.calls.append(name)
            await trio.sleep(0.01)
            return name if value is None else value

        return work
