"""A simulated process: the real engine on a log that may fail, killed between any two operations."""

import math
from collections.abc import Sequence
from typing import Any

import trio
from msgspec.structs import replace

from holdfast.commits import Committer
from holdfast.engine import Engine
from holdfast.eventlog import (
    Batch,
    Budget,
    CancelRequested,
    Event,
    LogUnwritable,
    NewRun,
    RunClaimed,
    owner_alive,
)
from holdfast.execution import Outcome
from holdfast.limits import Limits
from holdfast.plugins import Plugins, Progress
from holdfast.reducer import Edits, State, Workflow
from tests.simulator.generic import RobotPlugin, generic
from tests.simulator.people import People
from tests.simulator.world import Crash, Life, Mirror, executed

PLUGINS = Plugins.load(RobotPlugin(), installed=False)


Item = Batch | NewRun


class Dead(Exception):
    """The process that wanted something is no more."""


class Disk:
    """Whether writing works at the moment; broken disks are mended after some tries."""

    def __init__(self) -> None:
        self.broken_for = 0

    def fails(self) -> bool:
        """Tell whether the next write fails."""
        self.broken_for -= 1
        return self.broken_for >= 0


class ProcessLog:
    """The log as one process has it: between its writes people act, disks fill, and it is killed."""

    def __init__(self, life: Life, people: People, disk: Disk) -> None:
        self._life, self._people, self._disk = life, people, disk
        self._log = life.world.log

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def create_run(self, run: str, events: Sequence[Event], **options: Any) -> int:
        """Create a run, if the process lives and the disk has room."""
        return self._one(NewRun(run, events, **options))

    def append(self, branch: int, events: Sequence[Event], *, expected: int, **options: Any) -> int:
        """Append, if the process lives and the disk has room."""
        return self._one(Batch(branch, events, expected, **options))

    def write_each(self, items: Sequence[Item]) -> list[int | Exception]:
        """Write items in one go, or tell each that the process is dead by now.

        Death is told rather than raised: who raises in the middle of a group commit would leave the
        others waiting for ever, in a process that is no more.
        """
        try:
            for item in items:
                self._before(item)
            results = self._log.write_each(items)
            for item, result in zip(items, results, strict=True):
                self._after(item, result)
        except Crash:
            return [Dead()] * len(items)
        return results

    def write_one(self, item: Item) -> int:
        """Write an item, or tell the process that it is dead by now."""
        result = self.write_each([item])[0]
        if isinstance(result, Exception):
            raise result
        return result

    def _one(self, item: Item) -> int:
        self._before(item)
        result = self._log.write_each([item])[0]
        self._after(item, result)
        if isinstance(result, Exception):
            raise result
        return result

    def _before(self, item: Item) -> None:
        life, what = self._life, _told(item)
        life.operation(f"before {what}")
        if not life.world.calm:
            self._people.interfere()
            if life.world.chance.random() < self._people.mood.disk:
                self._disk.broken_for = life.world.chance.choice([1, 1, 4])
        if self._disk.fails():
            life.disk_failed = True
            life.note(f"cannot do: {what}")
            raise LogUnwritable(str(self._log.path), "the disk is full")
        life.note(what)
        if isinstance(item, Batch) and self._log.head(item.branch) == item.expected:
            self._check_right(item.branch, item.events)

    def _after(self, item: Item, result: int | Exception) -> None:
        life = self._life
        if isinstance(result, Exception):
            life.note(f"is refused: {result!r}")
            return
        life.operation("before the commit is acted upon")
        branch, offset = (
            (item.branch, item.expected) if isinstance(item, Batch) else (result, item.offset)
        )
        life.acknowledged.append((branch, offset, list(item.events)))

    def _check_right(self, branch: int, events: Sequence[object]) -> None:
        life, world = self._life, self._life.world
        assert life.owner is not None
        run = world.run_of(branch)
        owner = world.state(run).owner
        if isinstance(events[0], CancelRequested):
            return
        if isinstance(events[0], RunClaimed):
            held = owner != life.owner.token and owner_alive(self._log.path, owner)
            if held and not life.takeover:
                world.blame(f"{life.name} claims {run}, which a living process has")
        elif owner != life.owner.token:
            world.blame(f"{life.name} writes to {run}, which another process has")


def _told(item: Item) -> str:
    names = [f"{type(e).__name__}({getattr(e, 'key', '')})".removesuffix("()") for e in item.events]
    place = f"{item.branch}@{item.expected}" if isinstance(item, Batch) else f"new {item.run}"
    return f"write {place}: {', '.join(names)}"


class Process(Engine):
    """The engine of one life."""

    def __init__(self, life: Life, people: People, disk: Disk, *, limits: Limits) -> None:
        log = ProcessLog(life, people, disk)
        super().__init__(
            log,  # type: ignore[arg-type]
            PLUGINS,
            lambda _: generic,
            now=life.world.now,
            watcher=Memory(life),
            limits=limits,
        )
        self.life = life
        self.branches: dict[str, int] = {}  # of what was executed here
        self._committer = Committer(self.log, slow_s=math.inf)  # no clock waits for threads

    async def _look_again(self) -> None:
        """Trust the bell, which is never lost here: a lost wake-up is to be seen."""
        await trio.sleep_forever()

    async def _write(self, item: Item) -> int:
        """Write, sometimes slowly: what happens meanwhile must not matter."""
        await self._be_slow()
        try:
            head = await super()._write(item)
        except Dead:
            raise Crash from None
        await self._be_slow()
        return head

    async def _be_slow(self) -> None:
        chance = self.life.world.chance
        if chance.random() < 0.7:
            return
        with trio.CancelScope(shield=True):  # a commit that was begun is never abandoned
            await trio.sleep(chance.choice([0, 0, 0.005, 0.3]))

    async def _execute_history(
        self, run: str, branch: int, workflow: Workflow, edits: Edits
    ) -> Outcome:
        self.branches[run] = branch
        token = executed.set(self.life.world.run_of(branch))
        try:
            return await super()._execute_history(run, branch, workflow, edits)
        finally:
            executed.reset(token)

    async def live(
        self, workflow: Workflow, run: str, input: dict[str, Any], budget: Budget | None
    ) -> str:
        """Create the run where it is missing, execute it, and return its status."""
        log = self.life.world.log
        if run in {row.run for row in log.runs()}:
            outcome = await self.execute(run, takeover=self.life.takeover)
        elif self.life.world.chance.random() < 0.5:
            outcome = await self.start(workflow, input, run=run, budget=budget)
        else:
            self.create(workflow, input, run=run, budget=budget)
            outcome = await self.execute(run, takeover=self.life.takeover)
        state = self.life.world.state(run)
        there = log.branch_of(run) == self.branches[run]  # somebody may have rewound it since
        if there and state.offset == outcome.offset and state.status != outcome.status:
            self.life.world.blame(f"{run} is told to be {outcome.status}, which it is not")
        return outcome.status

    def check_nothing_leaked(self) -> None:
        """Blame the process for what it still holds after its end in good order."""
        if self._executions:
            self.life.world.blame(f"{self.life.name} still executes {list(self._executions)}")
        if taken := {k: n for k, n in self.limits._taken.items() if n}:
            self.life.world.blame(f"{self.life.name} ended and still has slots: {taken}")


class Memory:
    """Holds what the engine has in memory against the log, at each of its commits."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._mirrors: dict[str, Mirror] = {}

    def events(self, state: State, events: Sequence[object]) -> None:
        """Compare the state in memory with that of the log."""
        world = self._life.world
        run = executed.get()
        mirror = self._mirrors.get(run)
        if mirror is None:
            mirror = self._mirrors[run] = Mirror(world.log, world.log.branch_of(run))
        recorded = mirror.at(state.offset)
        if replace(recorded, resolved=()) != replace(state, resolved=()):
            world.blame(f"{state.run} in memory is not what the log has: {state} {recorded}")

    def progress(self, run: str, key: str, progress: Progress) -> None:
        """See what an agent says."""
