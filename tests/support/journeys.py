"""A log on which random programs are run, left and taken up again, under a virtual clock."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import trio

from holdfast.eventlog import AnyEvent, Batch, ChildFinished, NewRun, NoSuchRun, StepReused
from holdfast.execution import Outcome
from holdfast.frames import cut
from holdfast.reducer import ENDED, Child, Plan, State
from holdfast.runs import decide_gate, read_state, send_signal
from holdfast.travel import Change, fork, plan
from tests.support import travellers
from tests.support.lab import Crash, Lab, VirtualEngine, virtual_now
from tests.support.travellers import Files, Pack, first, kid, second

LOOKS = 40  # rounds in which people look after a run


class Mortal(VirtualEngine):
    """Dies at write number `at`, before it or right after it; nothing is written after that."""

    at = 0
    after = False
    dead = False

    async def _write(self, item: Batch | NewRun) -> int:
        if self.dead:
            raise Crash
        self.at -= 1
        if self.at == 0 and not self.after:
            self.dead = True
            raise Crash
        head = await super()._write(item)
        if self.at == 0:
            self.dead = True
            raise Crash
        self.restore(item)
        return head

    def restore(self, item: Batch | NewRun) -> None:
        """Bring the files to where a new fork of a child begins."""
        if isinstance(item, NewRun) and item.parent is not None:
            travellers.world.files |= touches(
                self.log, read_state(self.log, item.parent, item.offset)
            )


class Restorer:
    """Does to the files what the steps that are taken over did to them."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def events(self, state: State, events: Sequence[AnyEvent]) -> None:
        for event in events:
            if isinstance(event, StepReused):
                step = state.steps[event.key]
                travellers.world.files |= touch(self._lab.log, step)
            if isinstance(event, ChildFinished):
                travellers.world.files |= touches_of_run(self._lab.log, event.run)

    def progress(self, *_: object) -> None: ...


def touch(log: Any, step: Any) -> Files:
    """Return what a step left in the files: its answer, unless somebody gave it."""
    if step.status != "succeeded" or not step.files:
        return frozenset()
    answer = msgspec.msgpack.decode(log.load(step.result))
    return frozenset([answer]) if answer in travellers.world.seen_by else frozenset()


def touches(log: Any, state: State) -> Files:
    """Return what a run, with its children, has left in the files."""
    found: Files = frozenset()
    for step in state.steps.values():
        found |= touch(log, step)
    for child in state.children.values():
        found |= _touches_of_child(log, state, child)
    return found


def _touches_of_child(log: Any, state: State, child: Child) -> Files:
    if child.run:
        return touches_of_run(log, child.run)
    assert state.forked is not None
    try:
        row = log.run(child.origin)
    except NoSuchRun:
        return frozenset()
    at = cut(log, state.forked.branch, state.forked.at, row.branch)
    return touches(log, read_state(log, row.branch, at))


def touches_of_run(log: Any, run: str) -> Files:
    try:
        return touches(log, read_state(log, log.branch_of(run)))
    except NoSuchRun:
        return frozenset()


class Journey(Lab):
    """A lab for travellers: `world` is what really happens in it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, Pack())
        self.world = travellers.new_world()
        for each in (first, second, kid):
            self.workflows[each.reference] = each
        self.restorer = Restorer(self)

    # --- doing ---------------------------------------------------------------------------------

    async def begin(self, x: str = "x", run: str = "r") -> None:
        async with self.engine() as engine:
            engine.create(first, {"x": x}, run=run, folder=str(self.folder))

    async def go(self, run: str, *, die_at: int = 0, after: bool = False) -> Outcome | None:
        """Execute a run until it ends or waits, or the engine dies."""
        self.world.files = touches_of_run(self.log, run)
        try:
            async with self.engine(kind=Mortal, watcher=self.restorer) as engine:
                assert isinstance(engine, Mortal)
                engine.at, engine.after = die_at, after
                return await engine.execute(run)
        except BaseException as error:
            if not _is_crash(error):
                raise
            return None

    async def finish(self, run: str) -> Outcome:
        """Execute a run to its end; people do what it waits for."""
        outcome = None
        for _ in range(LOOKS):
            if self.log.run(run).status in ENDED:
                break
            outcome = await self.go(run)
            assert outcome is not None
            if outcome.status in ENDED:
                break
            if not self.help(run):
                await trio.sleep(30)
        async with self.engine() as engine:
            return engine.outcome(run)

    def help(self, run: str) -> bool:
        """Do what a run and its children wait for; return whether there was anything."""
        did = False
        for each in self.family(run):
            state = self.state(each)
            if state.status in ENDED:
                continue
            for gate in state.open_gates:
                approved = gate.kind != "approval" or is_approved(gate.key)
                decide_gate(
                    self.log, each, gate.key, approved=approved, by="anna", actor="cli:anna"
                )
                did = True
            for wait in state.waits.values():
                send_signal(self.log, each, wait.signal, f"payload of {wait.signal}", "cli:anna")
                did = True
        return did

    def family(self, run: str) -> Iterator[str]:
        """Yield a run and the children that are its own, those of children included."""
        try:
            state = self.state(run)
        except NoSuchRun:
            return
        yield run
        for child in state.children.values():
            if child.run and child.status == "running":
                yield from self.family(child.run)

    # --- travelling ----------------------------------------------------------------------------

    def leave(self, run: str, change: Change, id: str | None = None) -> str:
        return fork(self.log, self.load, run, change, actor="cli:ann", id=id, now=virtual_now())[0]

    def plan(self, run: str, change: Change) -> Plan:
        return plan(self.log, self.load, run, change, now=virtual_now())

    def raw(self, branch: int) -> list[bytes]:
        """Return the records of a branch, as bytes."""
        return [msgspec.msgpack.encode(record) for record in self.log.records(branch)]

    def own(self, run: str) -> list[AnyEvent]:
        """Return what a fork recorded after it left its origin."""
        return self.events(run)[self.state(run).base :]


def is_approved(key: str) -> bool:
    """Return what people say to a gate: the same each time."""
    number = re.sub(r"\D", "", key.rpartition("/")[2])
    return not (number.isdigit() and int(number) % 5 == 0)


def _is_crash(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_is_crash(each) for each in error.exceptions)
    return isinstance(error, Crash | trio.Cancelled)
