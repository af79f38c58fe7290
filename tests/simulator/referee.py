"""What must hold of a log when its runs have ended, whatever happened on the way."""

import msgspec

from holdfast.eventlog import (
    ApprovalDecided,
    AttemptFailed,
    CancelRequested,
    ChildFinished,
    ChildStarted,
    DoubtRaised,
    FellBack,
    Record,
    RunCancelled,
    RunClaimed,
    RunFailed,
    RunReleased,
    RunStarted,
    RunSucceeded,
    StepCancelled,
    StepDeferred,
    StepFailed,
    StepReused,
    StepStarted,
    StepSucceeded,
    TimerFired,
    verify,
)
from holdfast.reducer import (
    ENDED,
    GATE,
    Driver,
    State,
    Step,
    digest,
    limit_of,
    redrive,
    reduce,
    used_by,
)
from tests.simulator.generic import PRICE, generic
from tests.simulator.oracle import expected
from tests.simulator.programs import Program, is_sequential, nodes
from tests.simulator.world import World, runs_of

OVER = RunSucceeded | RunFailed | RunCancelled
RESULT = StepSucceeded | StepFailed


class Referee:
    """Checks one ended run and its children."""

    def __init__(self, world: World, root: str) -> None:
        self.world, self.root = world, root

    def check(self) -> None:
        """Check everything; blame the world for the first thing that is wrong."""
        verdict = verify(self.world.log)
        self._hold(verdict.ok, f"the log does not verify: {verdict.fault}")
        self._check_acknowledged()
        for run in runs_of(self.world, self.root):
            records = list(self.world.log.records(self.world.log.branch_of(run)))
            offsets = [record.offset for record in records]
            self._hold(offsets == [*range(len(records))], f"{run} has offsets {offsets}")
            Story(self, run, records).check()
            self._check_left(run)
            self._check_replay(run, records)
            self._check_row(run)
            self._check_children(run)

    def _hold(self, holds: bool, what: str) -> None:
        if not holds:
            self.world.blame(what)

    def _check_acknowledged(self) -> None:
        """What a process was told to be committed stands in the log, there and in this order."""
        for life in self.world.lives:
            for branch, offset, events in life.acknowledged:
                records = self.world.log.records(branch, offset, offset + len(events))
                found = [_plain(record.event) for record in records]
                said = [_plain(event) for event in events]
                self._hold(found == said, f"{life.name} was told of {said}; the log has {found}")

    def _check_replay(self, run: str, records: list[Record]) -> None:
        """Every prefix drives the workflow to where it was, and all of it to the end that it had."""
        middle = self.world.chance.randint(1, len(records))
        for end in (middle, len(records)):
            driver = Driver(generic, self.world.log.load)
            state = redrive(driver, records[:end], code=digest(generic.function))
            ended = driver.ended
            driver.close()
        told = ended.status_of_run(state) if ended else "running"
        self._hold(told == state.status, f"{run} replays to {told}, and was {state.status}")

    def _check_row(self, run: str) -> None:
        state, row = self.world.state(run), self.world.log.run(run)
        same = (row.status, row.head, row.owner) == (state.status, state.offset, state.owner)
        self._hold(same, f"{run} is listed as {row}, and is {state.status}")
        self._hold(row.owner == "", f"{run} has ended and is owned")

    def _check_left(self, run: str) -> None:
        """A fork has at its beginning what its origin had, and lets the origin's children be."""
        state, log = self.world.state(run), self.world.log
        if state.forked is None:
            return
        there = [*log.records(state.forked.branch, 0, state.base)]
        own = [*log.records(log.branch_of(run), 0, state.base + 1)]
        changed = own[0].event != there[0].event if there else True
        self._hold(changed or own[:-1] == there, f"{run} does not begin as its origin")
        made = {row.run for row in log.runs()}  # one that was cancelled early never was
        for child in state.children.values():
            is_theirs = child.run in made and not child.run.startswith(f"{run}/")
            is_theirs = is_theirs and child.status != "cancelled"  # the origin sees it off itself
            if state.forked.reason == "fork" and is_theirs:
                last = [*log.records(log.branch_of(child.run))][-1]
                self._hold(last.seq < own[-1].seq, f"{run} went on with {child.run}")

    def _check_children(self, run: str) -> None:
        state = self.world.state(run)
        for child in state.children.values():
            if child.run not in {row.run for row in self.world.log.runs()}:
                self._hold(child.status == "cancelled", f"{child.run} never was")
                continue
            there = self.world.state(child.run)
            if child.status == "cancelled":
                unwanted = there.cancelling is not None or there.status in ENDED
                self._hold(unwanted, f"{child.run} was not told that nobody wants it")
            else:
                self._hold(there.status == child.status, f"{child.run} is not {child.status}")
            for record in self.world.log.records(self.world.log.branch_of(child.run)):
                if isinstance(record.event, CancelRequested) and record.actor == "engine":
                    self._hold(
                        child.status == "cancelled" or state.cancelling is not None,
                        f"{child.run} was cancelled though its parent wants it",
                    )


class Story:
    """The events of one run, held against what may follow what."""

    def __init__(self, referee: Referee, run: str, records: list[Record]) -> None:
        self._hold = referee._hold
        self._world, self._run, self._records = referee.world, run, records
        self._claimed = -1  # offset of the last claim
        self._started: dict[str, int] = {}  # key -> offset of the last start
        self._once: set[tuple[str, str]] = set()
        self._trees: list[bytes] = []  # what stood for the files before each event
        first = records[0].event
        given = (
            msgspec.msgpack.decode(self._world.log.load(first.input))
            if isinstance(first, RunStarted)
            else {}
        )
        program = given.get("program", [])
        self._plans = {node[1]: node[2] for node in nodes(program) if node[0] == "agent"}

    def check(self) -> None:
        """Check the events one by one, each against the state before it."""
        state = State()
        for record in self._records:
            self._check(state, record)
            state = reduce(state, record.event, record.time)
            self._check_budget(state, record)
        self._hold(state.status in ENDED, f"{self._run} has not ended")

    def _check(self, state: State, record: Record) -> None:
        self._trees.append(state.tree)
        event, place = record.event, f"{self._run} at {record.offset}: {record.event}"
        self._hold(isinstance(event, RunStarted) == (record.offset == 0), f"a start: {place}")
        self._hold(state.status not in ENDED, f"after the end: {place}")
        match event:
            case RunClaimed():
                self._claimed = record.offset
            case ChildStarted(run=child) if state.forked is None:  # a fork may take one over
                self._check_child(child, record.seq, place)
            case RunReleased(reason="waiting"):
                self._check_waiting(state, event, place)
            case StepStarted():
                self._check_start(state, event, record.time, place)
                self._started[event.key] = record.offset
            case StepSucceeded() | StepFailed() | AttemptFailed() | StepDeferred():
                self._check_result(state, event, place, record.branch)
            case StepReused():
                self._check_reused(state, event, place)
            case FellBack():
                self._check_fallback(state, event, place)
            case StepCancelled() | TimerFired() | ChildFinished():
                self._only_once(event.key, type(event).__name__, place)
            case ApprovalDecided(by="engine"):
                self._only_once(event.key, "expiry", place)
            case DoubtRaised():
                step = state.steps.get(event.key)
                running = step is not None and step.status == "running"
                self._hold(running, f"no reason to doubt: {place}")
            case _:
                pass

    def _check_child(self, child: str, seq: int, place: str) -> None:
        """A child is begun for whoever starts it, and nobody is given the end of another."""
        log = self._world.log
        row = next((row for row in log.branches() if row.run == child), None)
        first = next(log.records(row.branch, row.offset, row.offset + 1), None) if row else None
        self._hold(first is None or first.seq > seq, f"it was there before: {place}")

    def _check_budget(self, state: State, record: Record) -> None:
        """What was used and what is set aside are never more than there is when something begins."""
        begins = isinstance(record.event, StepStarted | ChildStarted)
        if not begins or record.event.reserved is None or state.purse.budget is None:  # type: ignore[union-attr]
            return
        aside = sum(each.usd for each in state.purse.reserved.values())
        used, limit = used_by(state).usd, limit_of(state).usd
        self._hold(used + aside <= limit + 1e-6, f"{self._run} overspends: {record}")

    def _check_fallback(self, state: State, event: FellBack, place: str) -> None:
        """Somebody is left who was at work, and not for himself."""
        step = state.steps.get(event.key)
        self._hold(step is not None and step.status in ("retrying", "deferred"), place)
        self._hold(step is not None and step.by == event.left != event.by, f"not at work: {place}")

    def _only_once(self, key: str, what: str, place: str) -> None:
        self._hold((key, what) not in self._once, f"for the second time: {place}")
        self._once.add((key, what))

    def _check_start(self, state: State, event: StepStarted, time: int, place: str) -> None:
        step = state.steps.get(event.key)
        if step is None:
            self._hold(event.attempt == 1, f"not the first attempt: {place}")
            return
        self._hold(event.attempt == step.attempt + 1, f"attempts out of order: {place}")
        self._check_own_budget(state, step, place)
        if step.status == "running":
            restarted = self._claimed > self._started[event.key]
            self._hold(restarted, f"started while it is running: {place}")
        elif step.status == "doubt":
            gate = state.gates[event.key]
            said = gate.decision is not None and gate.decision.approved
            self._hold(said, f"repeated without anybody's word: {place}")
        else:
            self._hold(step.status in ("retrying", "deferred"), f"was {step.status}: {place}")
            self._hold(time >= step.not_before, f"too early: {place}")

    def _check_own_budget(self, state: State, step: Step, place: str) -> None:
        """Nobody goes on with a step that has used its own budget, before a person adds to it."""
        plan = self._plans.get(step.key.rpartition("/")[2], {})
        if step.usage is None or "budget" not in plan:
            return
        more = state.purse.raised.get(f"{step.key}{GATE}")
        limit = plan["budget"] * PRICE + (more.usd if more else 0.0)
        self._hold(step.usage.cost_usd < limit, f"it has used {step.usage} of {limit}: {place}")

    def _check_result(
        self,
        state: State,
        event: StepSucceeded | StepFailed | AttemptFailed | StepDeferred,
        place: str,
        branch: int,
    ) -> None:
        step = state.steps.get(event.key)
        if step is None:
            self._hold(False, f"it never started: {place}")
            return
        gate = state.gates.get(event.key)
        decided = gate is not None and gate.decision is not None and not gate.decision.approved
        denied = decided and isinstance(event, StepFailed)
        self._hold(step.status == "running" or denied, f"was {step.status}: {place}")
        self._hold(event.attempt == step.attempt, f"another attempt's result: {place}")
        if isinstance(event, StepSucceeded):
            done = self._world.done.get((self._world.run_of(branch), event.key), [])
            self._hold(bool(done), f"nobody did this: {place}")
            answer = msgspec.msgpack.decode(self._world.log.load(event.result))
            self._hold(answer in done, f"nobody answered {answer!r}: {place}")

    def _check_reused(self, state: State, event: StepReused, place: str) -> None:
        """What is taken over was done, and saw the files that are here."""
        old = state.steps.get(event.key)
        self._hold(old is None or old.status not in ENDED, f"it had ended: {place}")
        here = self._trees[event.begun] if old is None else old.tree
        self._hold(not event.files or event.tree == here, f"it saw other files: {place}")

    def _check_waiting(self, state: State, event: RunReleased, place: str) -> None:
        """A run that is said to wait waits for somebody, or for a moment to come."""
        for key in event.waiting:
            step, child = state.steps.get(key), state.children.get(key)
            gate = state.gates.get(key)
            waits = (
                key in state.waits
                or key in state.timers
                or (gate is not None and gate.decision is None)
                or (child is not None and child.status not in ENDED)
                or (step is not None and step.status in ("retrying", "deferred"))
                or any(one.kind == "budget" for one in state.open_gates)
                or len(state.purse.reserved) > 0  # a child has it, and waits itself
            )
            self._hold(waits, f"nothing to wait for at {key}: {place}")


def _plain(event: object) -> object:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(event))


def compare(world: World, program: Program, run: str, other: str = "") -> None:
    """Blame the world where a run came to another end than its program says, or than another run."""
    found = _ending(world, run)
    if found[:2] != (said := expected(program)):
        world.blame(f"{run} ended with {found}, and its program with {said}")
    if other and is_sequential(program) and found != (undisturbed := _ending(world, other)):
        world.blame(f"{run} ended with {found}, undisturbed with {undisturbed}")


def _ending(world: World, run: str) -> tuple[object, ...]:
    state = world.state(run)
    output = msgspec.msgpack.decode(world.log.load(state.output))
    return (state.status, output, state.error and state.error.code)
