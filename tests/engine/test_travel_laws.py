"""Laws of time travel, over random workflows, histories, fork points and edits."""

import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.errors import EditTooLate, NoSuchStep, NothingToRetry, RunEnded, StepAmbiguous
from holdfast.eventlog import (
    ApprovalCarried,
    ApprovalDecided,
    ApprovalRequested,
    ChildStarted,
    Edit,
    EffectHeld,
    SignalAwaited,
    StepReused,
    StepStarted,
    StepSucceeded,
    TimerSet,
)
from holdfast.reducer import ENDED, Plan, State
from holdfast.runs import read_state
from holdfast.travel import Change, retry_change
from tests.support.journeys import Journey, touches
from tests.support.lab import virtual_now
from tests.support.travellers import PROGRAMS, Program, first, is_timely, nodes, programs, second

MEMORY = Path("/dev/shm")
FIRST, SECOND = first.reference, second.reference
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
REFUSED = (EditTooLate, NoSuchStep, NothingToRetry, RunEnded, StepAmbiguous)
REASONS = st.sampled_from(["fork", "fork", "fork", "rewind", "retry", "accept"])
STOPS = st.sampled_from(["end", "end", "waits", "dies", "dies and ends"])


@given(programs, st.data())
@settings(max_examples=50, suppress_health_check=SLOW)
def test_a_journey_keeps_all_laws(program: Program, data: Any) -> None:
    _play(program, _journey, data)


@given(programs, st.data())
@settings(max_examples=40, suppress_health_check=SLOW)
def test_a_fork_that_is_killed_anywhere_comes_to_the_same(program: Program, data: Any) -> None:
    _play(program, _kill, data)


def _play(program: Program, what: Callable[[Journey, Any], Awaitable[None]], data: Any) -> None:
    """Play a program as the run `r`, then do something with it, in virtual time."""
    PROGRAMS["first"] = PROGRAMS["second"] = program

    async def main() -> None:
        with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
            lab = Journey(Path(folder))
            with lab.log:
                await lab.begin()
                await _live(lab, "r", data)
                await what(lab, data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("holdfast.execution.end_orphans", _end_nothing)
        trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


async def _journey(lab: Journey, data: Any) -> None:
    run = "r"
    for number in range(data.draw(st.integers(1, 3), "journeys")):
        run = await Leg(lab, run, data, number).travel()


async def _kill(lab: Journey, data: Any) -> None:
    """Fork twice in the same way, and kill the engine of one of the forks."""
    try:
        change = Leg(lab, "r", data, 0).a_change("fork")
        whole, killed = lab.leave("r", change, "whole"), lab.leave("r", change, "killed")
    except REFUSED:
        return
    undisturbed = await lab.finish(whole)
    for _ in range(data.draw(st.integers(1, 2), "kills")):
        if lab.log.run(killed).status not in ENDED:
            at, after = data.draw(st.integers(1, 20), "dies at"), data.draw(st.booleans(), "after")
            await lab.go(killed, die_at=at, after=after)
    outcome = await lab.finish(killed)

    over = set[str]()
    for event in lab.own(killed):
        assert not (isinstance(event, StepStarted | StepReused) and event.key in over), event
        if isinstance(event, StepSucceeded | StepReused):
            over.add(event.key)
    if is_timely(PROGRAMS["first"]) and is_timely(PROGRAMS["second"]):
        assert (outcome.status, outcome.output) == (undisturbed.status, undisturbed.output)
        assert _reused(lab, killed) == _reused(lab, whole)


def _reused(lab: Journey, run: str) -> set[str]:
    return {event.key for event in lab.own(run) if isinstance(event, StepReused)}


async def _live(lab: Journey, run: str, data: Any) -> None:
    """Let a run live for a while."""
    stop = data.draw(STOPS, "stop")
    if stop == "waits":
        await lab.go(run)
    if stop.startswith("dies"):
        await lab.go(
            run, die_at=data.draw(st.integers(1, 25), "dies at"), after=data.draw(st.booleans())
        )
    if stop.endswith(("end", "ends")):
        await lab.finish(run)


async def _end_nothing(*_: object) -> None:
    """Look for no processes, as there are none: that takes threads, whom no clock waits for."""


class Leg:
    """One travel from a run to another, held against the laws."""

    def __init__(self, lab: Journey, origin: str, data: Any, number: int) -> None:
        self.lab, self.origin, self.data = lab, origin, data
        self.id = f"f{number}"

    async def travel(self) -> str:
        lab, data = self.lab, self.data
        branch = lab.log.branch_of(self.origin)
        size = lab.log.size()
        old = PROGRAMS["first"]
        try:
            change = self._change()
            plan = lab.plan(self.origin, change)
            assert lab.log.size() == size, "a plan writes nothing"
            before = lab.raw(branch)
            self.over = {row.run for row in lab.log.runs() if row.status in ENDED}
            parent = lab.state(self.origin)
            run = lab.leave(self.origin, change, self.id if change.reason == "fork" else None)
        except REFUSED:
            assert lab.log.size() == size, "what is refused writes nothing"
            PROGRAMS["first"] = old
            return self.origin
        if lab.log.branch_of(run) != branch and change.reason != "fork":
            assert lab.log.branch_of(f"{run}@{branch}") == branch
        self._check_start(run, branch, change)
        await _live(lab, run, data)
        if data.draw(st.booleans(), "goes to the end"):
            outcome = await lab.finish(run)
            self._check_plan(run, plan)
            await self._check_outcome(run, outcome, change)
        assert lab.raw(branch) == before
        self._check_effects(run, parent)
        self._check_no_needless_work(run, parent)
        self._check_files(run)
        return run

    # --- what is wanted ------------------------------------------------------------------------

    def _change(self) -> Change:
        draw, lab = self.data.draw, self.lab
        reason = draw(REASONS, "reason")
        state = lab.state(self.origin)
        if reason == "retry":
            change = retry_change(lab.log, self.origin)
            lab.world.mended |= {*change.retried}
            for key in change.retried:
                if key in state.children:
                    lab.world.mended |= {d for d in lab.world.begun if d.startswith(f"{key}/")}
            return change
        if reason == "accept":
            if state.source == FIRST:
                PROGRAMS["first"] = self._variant(PROGRAMS["first"])
            return Change("accept")
        return self.a_change(reason)

    def a_change(self, reason: Any) -> Change:
        """Draw where to leave, and what to do otherwise."""
        draw, lab = self.data.draw, self.lab
        state = lab.state(self.origin)
        head = lab.log.run(self.origin).head
        at: int | None = draw(st.integers(1, head), "at")
        what = draw(st.sampled_from(["", "", "edit", "edit", "input", "workflow", "reuse"]), "what")
        edits = [self._edit(state)] if what == "edit" else []
        if edits and draw(st.booleans(), "before the edit"):
            at = None
        source = None
        if what == "workflow":
            PROGRAMS["second"] = self._variant(PROGRAMS["first"])
            source = SECOND
        return Change(
            reason,
            at,
            [edit for edit in edits if edit is not None],
            {"x": "y"} if what == "input" else None,
            source,
            reuse=True if what == "reuse" else None,
        )

    def _edit(self, state: State) -> Edit | None:
        draw = self.data.draw
        keys = sorted(state.steps)
        for child in state.children.values():
            if child.run:
                inner = self._state_of(child.run)
                keys += [f"{child.key}/{key}" for key in sorted(inner.steps)]
        if not keys:
            return None
        key = draw(st.sampled_from(keys), "edited")
        name = key.rpartition("/")[2]
        if name.startswith("agent"):
            what = draw(st.sampled_from(["result", "prompt", "agent", "model"]), "edit")
        elif name.startswith("model"):
            what = draw(st.sampled_from(["result", "prompt", "model"]), "edit")
        else:
            what = "result"
        value = {"agent": "other", "model": "guess/2"}.get(what, "edited")
        return Edit(what, msgspec.Raw(msgspec.msgpack.encode(value)), key)

    def _variant(self, program: Program) -> Program:
        draw = self.data.draw
        place = draw(st.integers(0, len(program) - 1), "place")
        node, how = program[place], draw(st.sampled_from(["drop", "add", "reads"]), "how")
        if how == "drop" and len(program) > 1:
            return [*program[:place], *program[place + 1 :]]
        if how == "reads" and node[0] in ("step", "pure", "agent", "model", "gate", "child"):
            return [*program[:place], [*node[:2], not node[2], *node[3:]], *program[place + 1 :]]
        new = draw(st.sampled_from([["step", "new", True, {}], ["pure", "new2", True]]), "new")
        return [*program[:place], new, *program[place:]]

    # --- the laws ------------------------------------------------------------------------------

    def _check_start(self, run: str, branch: int, change: Change) -> None:
        """A fork begins where its parent was; what it waits for is put off."""
        log, state = self.lab.log, self.lab.state(run)
        forked = state.forked
        assert forked is not None
        assert forked.branch == branch
        base = state.base
        there = read_state(log, branch, base) if base > 1 or change.input is None else None
        if there is None:
            return
        assert dict(there.steps.items()).keys() == dict(state.steps.items()).keys()
        for key, step in there.steps.items():
            if key not in forked.retried:
                own = state.steps[key]
                assert (own.status, own.result, own.tree) == (step.status, step.result, step.tree)
        assert there.tree == state.tree
        if base == forked.at:
            for key in ("signals", "received", "waits", "passed", "input", "seed", "usage"):
                assert getattr(there, key) == getattr(state, key), key
        moment = read_state(log, branch, forked.at).now
        shift = 0 if change.reason == "accept" else max(0, virtual_now() - moment)
        for key, timer in there.timers.items():
            assert state.timers[key].until == timer.until + shift
        for key, gate in there.gates.items():
            assert state.gates[key].decision == gate.decision

    def _check_effects(self, run: str, parent: State) -> None:
        """No effect happens in a fork without a word; none twice in a retry without one."""
        state = self.lab.state(run)
        for child in state.children.values():
            if child.run and child.run.startswith(f"{run}/"):
                there = {c.key: c for c in parent.children.values()}.get(child.key)
                old = self._state_of(there.run) if there is not None and there.run else State()
                if self._state_of(child.run).run and child.run != old.run:
                    self._check_effects_of(child.run, state.effects, old)
        self._check_effects_of(run, state.effects, parent)

    def _state_of(self, run: str) -> State:
        rows = {row.run for row in self.lab.log.runs()}
        return self.lab.state(run) if run in rows else State()

    def _check_effects_of(self, run: str, effects: str, parent: State) -> None:
        state = self.lab.state(run)
        allowed = set[str]()
        retried = set(state.forked.retried) if state.forked else set[str]()
        for event in self.lab.events(run)[state.base :]:
            if isinstance(event, ApprovalDecided) and event.approved:
                allowed.add(event.key)
            if isinstance(event, StepStarted) and event.key.rpartition("/")[2].startswith("effect"):
                free = effects == "repeat" and event.key not in parent.steps
                free = free or event.key in retried
                assert free or event.key in allowed, f"effect {event.key} happened in {run}"

    def _check_no_needless_work(self, run: str, parent: State) -> None:
        state = self.lab.state(run)
        assert state.forked is not None
        if state.forked.until <= state.forked.at:
            return
        self._check_needless(run, parent)

    def _check_needless(self, run: str, parent: State) -> None:
        state = self._state_of(run)
        for key, step in state.steps.items():
            old = parent.steps.get(key)
            if old is None or step.reused or step.begun < state.base or old.status != "succeeded":
                continue
            if old.fingerprint == step.fingerprint:
                other_files = step.files and step.tree != old.tree
                assert other_files, f"{key} was done again in {run}"
        for key, child in state.children.items():
            there = parent.children.get(key)
            if there is not None and there.run and _is_own(run, child.run, there.run):
                self._check_needless(child.run, self._state_of(there.run))

    def _check_files(self, run: str) -> None:
        """What is taken over saw what is there."""
        lab, state = self.lab, self.lab.state(run)
        final = touches(lab.log, state)
        for step in state.steps.values():
            if step.reused and step.files and step.status == "succeeded":
                answer = msgspec.msgpack.decode(lab.log.load(step.result))
                done = lab.world.seen_by.get(answer)
                if done is not None:
                    gone = {seen for seen in done.seen - final if not self._was_cut_short(seen)}
                    assert not gone, f"{step.key} saw {gone}, which is not there"

    def _was_cut_short(self, answer: str) -> bool:
        """Whether it is of a step that something else was at work with, or that lost a race."""
        key = answer.rpartition(":")[0]
        at_once = [node for node in nodes(self.program) if node[0] in ("all", "map", "race")]
        return any(
            key.endswith(str(inner[1]))
            for node in at_once
            for inner in nodes([node])
            if len(inner) > 1
        )

    @property
    def program(self) -> Program:
        return [*PROGRAMS["first"], *PROGRAMS["second"]]

    async def _check_outcome(self, run: str, outcome: Any, change: Change) -> None:
        """It comes to what the edited program comes to when nobody disturbs it."""
        lab = self.lab
        program = PROGRAMS["second" if lab.state(run).source == SECOND else "first"]
        broken = any(part == {"broken": True} for n in nodes(program) for part in n)
        if not is_timely(program) or (lab.world.mended and broken) or outcome.status not in ENDED:
            return
        files = touches(lab.log, lab.state(run))
        edits = list(lab.state(run).edits)
        lab.world.tried.clear()
        source = change.workflow or lab.state(run).source
        again = Change("fork", 1, edits, None, source, reuse=False, allow_effects=True)
        other = lab.leave(run, again, f"{self.id}-oracle")
        expected = await lab.finish(other)
        assert (outcome.status, outcome.output) == (expected.status, expected.output)
        assert files == touches(lab.log, lab.state(other))

    def _check_plan(self, run: str, plan: Plan) -> None:
        """What a plan is certain of comes true."""
        lab, own = self.lab, self.lab.own(run)
        said = {item.key: item for item in plan.items}
        started = {e.key for e in own if isinstance(e, StepStarted | ChildStarted)}
        reused = {e.key for e in own if isinstance(e, StepReused | ApprovalCarried)}
        asked = {e.key for e in own if isinstance(e, EffectHeld | ApprovalRequested)}
        waited = {e.key for e in own if isinstance(e, SignalAwaited | TimerSet)}
        state = lab.state(run)
        ran = {
            k for k in started if k not in state.children or state.children[k].run not in self.over
        }
        for key, item in said.items():
            place = f"{item} in {[type(e).__name__ + ' ' + getattr(e, 'key', '') for e in own]}"
            if not item.certain:
                continue
            open_before = _open_before(lab, run, key)
            match item.action:
                case "kept":
                    assert key not in reused, place
                case "reused":
                    assert key in reused or key in started - ran, place
                    assert key not in ran, place
                case "runs":
                    assert key in ran or (open_before and item.kind == "child"), place
                case "asks":
                    assert key in asked or open_before, place
                case "waits":
                    assert key in waited or open_before, place
                case "dropped":
                    assert key not in started | reused | asked | waited, place
        if plan.ended and all(item.certain for item in plan.items):
            happened = started | reused
            assert happened <= said.keys(), f"{happened - said.keys()} is not in {plan.items}"


def _is_own(run: str, child: str, old: str) -> bool:
    return child != old and child.startswith(f"{run}/")


def _open_before(lab: Journey, run: str, key: str) -> bool:
    state = lab.state(run)
    before = read_state(lab.log, lab.log.branch_of(run), state.base + 1)
    return any(key in them for them in (before.timers, before.waits, before.gates, before.children))
