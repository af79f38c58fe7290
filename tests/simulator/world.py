"""The simulated world: one log, the processes that live on it, and what really happened to them.

What really happened is kept beside the log, so that the log can be held against it. Everything that
chance decides comes from one source, so that a seed replays exactly.
"""

import os
import random
from collections import Counter
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, NoReturn

import msgspec
import trio

from holdfast.eventlog import (
    ApprovalDecided,
    AttemptFailed,
    FellBack,
    Journaled,
    Log,
    RunForked,
    StepDeferred,
    StepFailed,
    StepStarted,
    ring,
)
from holdfast.eventlog.owners import Owner
from holdfast.plugins import RateLimited, Refused
from holdfast.reducer import State, reduce

EPOCH = 1_800_000_000_000_000_000
MOST_OPERATIONS = 20_000

_here: "ContextVar[Life]" = ContextVar("life")
executed: ContextVar[str] = ContextVar("executed")
"""The run that the present task works for, as `World.run_of` names it."""


class Wrong(BaseException):
    """Something was seen that must never happen: the simulation ends here."""


class Crash(BaseException):
    """The process ends here, as with kill -9; nothing after this line happens."""


class Begun(msgspec.Struct, frozen=True):
    """A step that really began, when the log had `size` records."""

    size: int
    life: str


class World:
    """A log and all that happens around it."""

    def __init__(self, log: Log, seed: int, *, calm: bool) -> None:
        self.log = log
        self.calm = calm
        self.chance = random.Random(f"chaos {seed} {calm}")
        self.travels = random.Random(f"travels {seed}")
        self.purses = random.Random(f"purses {seed}")
        self.begun: dict[tuple[str, str], list[Begun]] = {}
        self.done: dict[tuple[str, str], list[str]] = {}
        self.tried: Counter[tuple[str, str, str]] = Counter()
        self.wrong: list[str] = []
        self.trace: list[str] = []
        self.lives: list[Life] = []
        self.operations = 0
        self._mirrors: dict[int, Mirror] = {}

    def now(self) -> int:
        """Return the virtual time, in ns since 1970."""
        return EPOCH + int(trio.current_time() * 1e9)

    def note(self, text: str) -> None:
        """Write a line of what happened."""
        try:
            moment = trio.current_time()
        except RuntimeError:
            moment = 0.0
        self.trace.append(f"{moment:10.3f} {text}")

    def blame(self, what: str) -> NoReturn:
        """End the simulation: this must never happen."""
        self.note(f"WRONG: {what}")
        self.wrong.append(what)
        raise Wrong(what)

    def state(self, run: str) -> State:
        """Return the state of a run as the log has it now."""
        branch = self.log.branch_of(run)
        mirror = self._mirrors.get(branch)
        if mirror is None:
            mirror = self._mirrors[branch] = Mirror(self.log, branch)
        return mirror.newest()

    def journal(self, run: str, key: str) -> list[tuple[str, Any]]:
        """Return what an agent has to find in its journal: what was written since it began anew."""
        entries: list[tuple[str, Any]] = []
        for record in self.log.records(self.log.branch_of(run)):
            match record.event:
                case Journaled(key=its, kind=kind, entry=entry) if its == key:
                    entries.append((kind, msgspec.msgpack.decode(self.log.load(entry))))
                case AttemptFailed(key=its) | StepFailed(key=its) | FellBack(key=its) if its == key:
                    entries.clear()
                case RunForked(reason=why, retried=keys) if why != "retry" or key in keys:
                    entries.clear()
                case _:
                    pass
        return entries

    @property
    def living(self) -> "list[Life]":
        """The processes that are alive."""
        return [life for life in self.lives if life.alive]

    def run_of(self, branch: int) -> str:
        """Return the run whose branch this is, by a name that no other branch takes over."""
        return f"{self.log.branch(branch).run}@{branch}"


class Mirror:
    """A state folded from the log, event by event as they are needed."""

    def __init__(self, log: Log, branch: int) -> None:
        self._log, self._branch = log, branch
        self.state = State()

    def newest(self) -> State:
        """Return the state after all events."""
        return self.at(self._log.head(self._branch))

    def at(self, offset: int) -> State:
        """Return the state after `offset` events, which are no fewer than the last time."""
        if offset > self.state.offset:
            for record in self._log.records(self._branch, self.state.offset, offset):
                self.state = reduce(self.state, record.event, record.time)
        return self.state


class Life:
    """One process from its start to its end: when it is killed or interrupted, and what it does."""

    def __init__(
        self, world: World, *, kill_at: int = 0, interrupt_at: int = 0, takeover: bool = False
    ) -> None:
        self.world = world
        self.name = f"p{len(world.lives) + 1}"
        self.kill_at, self.interrupt_at, self.takeover = kill_at, interrupt_at, takeover
        self.operations = 0
        self.dead = False
        self.alive = False
        self.began = self.ended = 0  # in operations of the world
        self.disk_failed = False
        self.owner: Owner | None = None
        self.scope = trio.CancelScope()
        self.acknowledged: list[tuple[int, int, list[Any]]] = []
        world.lives.append(self)

    def enter(self) -> None:
        """Make this the process that the present task and its children are in."""
        _here.set(self)

    def note(self, text: str) -> None:
        """Write a line of what this process did."""
        self.world.note(f"{self.name} {text}")

    def operation(self, what: str) -> None:
        """A moment at which the process may be killed or interrupted."""
        if self.dead:
            raise Crash
        self.operations += 1
        self.world.operations += 1
        if self.world.operations > MOST_OPERATIONS:
            self.world.blame("it goes on for ever: more operations than any program needs")
        if self.operations == self.interrupt_at:
            self.note(f"is interrupted at: {what}")
            self.scope.cancel()
        if self.operations == self.kill_at:
            self.die(what)
            raise Crash

    def die(self, what: str) -> None:
        """Be dead: the kernel lets go of the lock, and nobody removes its file.

        What it had no time to ring for is heard at once: engines look again by themselves each second,
        and nobody does so here.
        """
        self.note(f"is killed at: {what}")
        self.dead, self.alive = True, False
        self.ended = self.world.operations
        if self.owner is not None and self.owner._descriptor is not None:
            os.close(self.owner._descriptor)
            self.owner._descriptor = None
        ring(self.world.log.path)

    # --- what steps do -------------------------------------------------------------------------

    async def work(self, label: str, key: str, plan: dict[str, Any]) -> str:
        """Be a step: begin, take time, be limited, hang or fail as planned, and answer."""
        run = executed.get()
        self._begin(run, key, plan)
        await self._take_time(plan.get("long", 0))
        if self._next(label, key, "limited", plan):
            raise RateLimited("slow down")
        if self._next(label, key, "hangs", plan):
            self.note(f"{run} {key} hangs")
            await trio.sleep_forever()
        if self._next(label, key, "fails", plan):
            raise OSError(f"no luck with {key}")
        if late := plan.get("late", 0):
            with trio.CancelScope(shield=True):
                await trio.sleep(late)
        self.operation(f"the end of {run} {key}")
        return self._finish(run, key)

    async def compute(self, key: str) -> str:
        """Be a pure step."""
        run = executed.get()
        self._begin(run, key, {"pure": True})
        if self.world.chance.random() < 0.5:
            await self._take_time(0)
        return self._finish(run, key)

    def leave(self, label: str, key: str, why: str, agent: str) -> None:
        """Be an agent that cannot do it: never, or not for hours."""
        if why == "refuses":
            raise Refused("not this")
        if why == "quota" and not self.world.tried[label, key, agent]:
            self.world.tried[label, key, agent] += 1
            raise RateLimited("used up", until=self.world.now() + 5000 * 10**9)

    def session(self, key: str, given: str | None, agent: str) -> str:
        """Return the session that an agent opens or goes on with: its own."""
        run = executed.get()
        recorded = self.world.state(run).steps[key]
        if given is not None and given != recorded.session and self.owns(run):
            self.world.blame(f"{key} goes on with session {given}, not {recorded.session}")
        if given is not None and not given.startswith(agent):
            self.world.blame(f"{agent} goes on with session {given} of {key}")
        return given or f"{agent} {self.world.tried.total()}"

    def remember(self, key: str, entries: list[tuple[str, Any]]) -> None:
        """Be an agent that goes on from its journal, which has all that the log has, and no more."""
        run = executed.get()
        logged = self.world.journal(run, key)
        if entries != logged and self.owns(run):
            self.world.blame(
                f"{run} {key} finds {entries} in its journal, and the log has {logged}"
            )

    async def call(self, key: str, number: int) -> None:
        """Be a tool that is called: once for all, and not before that stands in the log."""
        run = executed.get()
        self.operation(f"the beginning of call {number} of {run} {key}")
        logged = self.world.journal(run, key)
        if ("began", number) not in logged and self.owns(run):
            self.world.blame(f"call {number} of {run} {key} began before that was on disk")
        if ("finished", number) in logged and self.owns(run):
            self.world.blame(f"call {number} of {run} {key} was made again")
        await trio.sleep(self.world.chance.choice([0, 0, 0.01, 2]))
        self.operation(f"the end of call {number} of {run} {key}")

    def owns(self, run: str) -> bool:
        """Whether the log says that this process executes the run."""
        return self.owner is not None and self.world.state(run).owner == self.owner.token

    def _next(self, run: str, key: str, what: str, plan: dict[str, Any]) -> bool:
        if self.world.tried[run, key, what] >= plan.get(what, 0):
            return False
        self.world.tried[run, key, what] += 1
        return True

    async def _take_time(self, long_s: float) -> None:
        chance = self.world.chance
        for _ in range(chance.choice([0, 1, 1, 2])):
            self.operation("a step's checkpoint")
            await trio.sleep(chance.choice([0, 0, 0.01, 0.5, 2]))
        if long_s:
            await trio.sleep(long_s)
        self.operation("a step's checkpoint")

    def _begin(self, run: str, key: str, plan: dict[str, Any]) -> None:
        self.operation(f"the beginning of {run} {key}")
        self.note(f"{run} {key} begins")
        world = self.world
        step = world.state(run).steps.get(key)
        before = world.begun.setdefault((run, key), [])
        if step is None and "pure" not in plan:
            world.blame(f"{run} {key} began before its start was on disk")
        if step is not None and self.owns(run):  # who is replaced cannot know it at once
            if step.status in ("succeeded", "failed"):
                world.blame(f"{run} {key} began again though it had {step.status}")
            if step.status != "running" and "pure" not in plan:
                world.blame(f"{run} {key} began though it was {step.status}")
            if before and plan.get("doubt") == "ask" and not self._cleared(run, key, before[-1]):
                world.blame(f"effect {run} {key} was repeated without anybody's word")
            if "doubt" in plan and not before and not self._is_let(run, key):
                world.blame(f"effect {run} {key} happened in a fork without anybody's word")
        before.append(Begun(world.log.size(), self.name))

    def _cleared(self, run: str, key: str, last: Begun) -> bool:
        """Whether the last try at an effect is known to have failed, or a person let it be repeated."""
        branch = self.world.log.branch_of(run)
        for record in self.world.log.scan(last.size):
            event = record.event
            if record.branch != branch or getattr(event, "key", "") != key:
                continue
            if isinstance(event, AttemptFailed | StepDeferred):
                return True
            if isinstance(event, ApprovalDecided) and event.approved:
                return True
        return False

    def _is_let(self, run: str, key: str) -> bool:
        """Whether an effect of a fork may happen: it is new in a retry, or somebody said so there.

        To try it again is such a word where nobody had refused it.
        """
        state, log = self.world.state(run), self.world.log
        if not state.effects:
            return True
        branch = log.branch_of(run)
        if state.effects == "repeat" and state.forked is not None:
            there = log.records(state.forked.branch)
            known = any(isinstance(r.event, StepStarted) and r.event.key == key for r in there)
            if not known:
                return True
        words = [
            (r.offset, r.event.approved)
            for r in log.records(branch)
            if isinstance(r.event, ApprovalDecided) and r.event.key == key
        ]
        before = [approved for offset, approved in words if offset < state.base]
        if state.forked is not None and key in state.forked.retried and all(before[-1:]):
            return True
        return any(approved for offset, approved in words if offset >= state.base)

    def _finish(self, run: str, key: str) -> str:
        answer = "done"
        self.world.done.setdefault((run, key), []).append(answer)
        self.note(f"{run} {key} answers")
        return answer


def here() -> Life:
    """Return the process that the present task is in."""
    return _here.get()


def runs_of(world: World, root: str) -> Iterator[str]:
    """Yield a run, its forks, and the children of all of them."""
    for row in sorted(world.log.runs(), key=lambda row: row.branch):
        if row.run == root or row.run.startswith((f"{root}/", f"{root}.")):
            yield row.run
