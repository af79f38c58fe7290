"""A run that goes on in a fresh history: one commit, nothing lost, and no dearer as it gets older."""

from typing import Any

import msgspec
import pytest
import trio

from holdfast import Run, workflow
from holdfast.eventlog import (
    Failure,
    RunCancelled,
    RunContinued,
    RunPaused,
    RunStarted,
    SignalReceived,
    StepStarted,
    verify,
)
from holdfast.pausing import pause, unpause
from holdfast.reducer import Driver, InputHasSecret, InputInvalid, digest, prove, replay
from holdfast.runs import request_cancel, send_signal
from holdfast.travel import Change, fork, plan
from tests.support.lab import Counter, Lab, virtual_now

SECRET = "sk-" + "a1B2" * 12


@workflow
async def count_up(run: Run, n: int = 0, most: int = 3) -> str:
    await run.step("work", str, n)
    if n < most:
        raise run.continue_as_new(n=n + 1, most=most)
    return f"reached {n}"


async def test_a_run_goes_on_under_its_name_with_new_input_and_an_empty_history(
    lab: Lab, autojump_clock: object
) -> None:
    outcome = await lab.run(count_up)

    assert (outcome.status, outcome.output) == ("succeeded", "reached 3")
    assert [row.run for row in lab.log.runs()] == ["r"]
    names = [lab.log.name_of(row.branch) for row in lab.log.branches()]
    assert names == ["r@1", "r@2", "r@3", "r"]
    assert len(lab.events("r@1", kind=RunContinued)) == 1
    assert lab.events(kind=RunStarted)[0].continues == 3
    assert len(lab.events()) == 5  # started, claimed, a step, the end: nothing of what was before
    assert lab.log.run("r@1").status == "continued"
    assert verify(lab.log).ok


async def test_awaiting_it_is_the_same_and_finally_blocks_run(
    lab: Lab, autojump_clock: object
) -> None:
    count = Counter()

    @workflow
    async def awaits(run: Run, n: int = 0) -> int:
        try:
            if n == 0:
                await run.continue_as_new(n=1)
        finally:
            await run.step("tidy", count("tidy"))
        return n

    assert (await lab.run(awaits)).output == 1
    assert count.calls == ["tidy", "tidy"]


async def test_within_a_branch_it_cancels_the_others_first(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def branches(run: Run, n: int = 0) -> str:
        async def ends() -> None:
            await run.sleep(5)
            if n == 0:
                raise run.continue_as_new(n=1)

        await run.parallel(ends(), run.step("long", trio.sleep, 20))
        return "done"

    outcome = await lab.run(branches)

    assert outcome.output == "done"
    assert trio.current_time() < 30


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(1, 14))
async def test_a_crash_anywhere_loses_no_history_and_repeats_no_finished_step(
    at: int, after: bool, lab: Lab, autojump_clock: object
) -> None:
    crashed = await lab.crash(count_up, {}, at=at, after=after)
    if crashed and lab.log.run("r").status != "succeeded":
        await lab.resume(takeover=True)

    assert lab.log.run("r").status == "succeeded"
    worked = [
        event.key
        for row in lab.log.branches()
        for event in lab.events(lab.log.name_of(row.branch), kind=StepStarted)
        if event.attempt == 1
    ]
    assert worked == ["work"] * 4
    assert verify(lab.log).ok


@workflow
async def eater(run: Run, got: list[Any] = []) -> Any:  # noqa: B006 - an input's default is copied
    await run.wait("more")
    got = [*got, await run.wait("food", key="a")]
    if len(got) == 3:
        return got
    raise run.continue_as_new(got=got)


async def test_signals_that_nobody_took_move_over_in_order(
    lab: Lab, autojump_clock: object
) -> None:
    await lab.run(eater)
    for n in range(3):
        send_signal(lab.log, "r", "food", n, "cli:x", key="a")
        send_signal(lab.log, "r", "more", None, "cli:x")
    send_signal(lab.log, "r", "food", "other", "cli:x", key="b")

    assert (await lab.resume()).output == [0, 1, 2]
    assert [e.correlation for e in lab.events(kind=SignalReceived)] == ["a", "b", ""]


async def test_a_signal_that_comes_at_that_very_moment_is_not_lost(
    lab: Lab, autojump_clock: object
) -> None:
    async def work() -> None:
        lab.append_unheard(SignalReceived("news", msgspec.Raw(msgspec.msgpack.encode("late"))))

    @workflow
    async def listens(run: Run, n: int = 0) -> Any:
        if n == 0:
            await run.step("work", work)
            raise run.continue_as_new(n=1)
        return await run.wait("news")

    assert (await lab.run(listens)).output == "late"


async def test_a_signal_that_was_on_its_way_to_the_old_history_finds_the_new_one(
    lab: Lab, autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sends has read the old history when the run goes on in another."""

    @workflow
    async def listens(run: Run, n: int = 0) -> Any:
        await run.wait("go")
        if n == 0:
            raise run.continue_as_new(n=1)
        return await run.wait("news")

    await lab.run(listens)
    send_signal(lab.log, "r", "go", None, "cli:x")
    before = [lab.log.branch_of("r")]
    await lab.resume()
    branch_of = lab.log.branch_of
    monkeypatch.setattr(
        lab.log, "branch_of", lambda run: before.pop() if before else branch_of(run)
    )
    monkeypatch.setattr("holdfast.runs.read_state", _as_it_was(lab))
    send_signal(lab.log, "r", "news", 7, "cli:x")
    monkeypatch.undo()
    send_signal(lab.log, "r", "go", None, "cli:x")

    assert (await lab.resume()).output == 7


def _as_it_was(lab: Lab) -> Any:
    """Read the old history as it was before it ended, and the new one as it is."""

    def read(log: Any, branch: int) -> Any:
        records = [*log.records(branch)]
        ended = isinstance(records[-1].event, RunContinued)
        return replay(records[:-1] if ended else records)

    return read


def _explained(error: BaseException) -> Failure:
    return Failure("test", str(error))


async def test_a_cancel_at_that_moment_wins(lab: Lab, autojump_clock: object) -> None:
    async def work() -> None:
        request_cancel(lab.log, "r", "cli:x", "enough", now=virtual_now())

    @workflow
    async def stubborn(run: Run) -> None:
        try:
            await run.step("work", work)
        finally:
            await run.continue_as_new()

    outcome = await lab.run(stubborn)

    assert outcome.status == "cancelled"
    assert len(lab.events(kind=RunCancelled)) == 1


async def test_a_pause_goes_on_in_the_next_history(lab: Lab, autojump_clock: object) -> None:
    @workflow
    async def pausing(run: Run, n: int = 0) -> int:
        if n == 0:
            await run.approve("go")
            raise run.continue_as_new(n=1)
        await run.step("work", str)
        return n

    await lab.run(pausing)
    pause(lab.log, "r", "cli:anna", "lunch")
    lab.approve()
    paused = await lab.resume()
    assert (paused.status, [e.reason for e in lab.events(kind=RunPaused)]) == ("waiting", ["lunch"])
    unpause(lab.log, "r", "cli:anna")

    assert (await lab.resume()).output == 1


async def test_a_child_goes_on_as_the_same_child(lab: Lab, autojump_clock: object) -> None:
    @workflow
    async def outer(run: Run) -> Any:
        return await run.child(count_up, {"most": 2})

    lab.workflows[count_up.reference] = count_up

    assert (await lab.run(outer)).output == "reached 2"
    assert lab.state("r/count_up").parent == "r"


async def test_each_history_has_children_of_its_own(lab: Lab, autojump_clock: object) -> None:
    @workflow
    async def tenfold(run: Run, n: int) -> int:
        return n * 10

    @workflow
    async def outer(run: Run, n: int = 1, got: list[int] = []) -> Any:  # noqa: B006
        got = [*got, await run.child(tenfold, {"n": n}, name="kid")]
        if n == 3:
            return got
        raise run.continue_as_new(n=n + 1, got=got)

    lab.workflows[tenfold.reference] = tenfold

    assert (await lab.run(outer)).output == [10, 20, 30]
    assert len([row for row in lab.log.runs() if row.parent_run == "r"]) == 3


async def test_input_that_does_not_fit_stops_the_run_which_goes_on_when_mended(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow(name="w")
    async def wrong(run: Run, n: int = 0) -> int:
        raise run.continue_as_new(m=1)

    @workflow(name="w")
    async def right(run: Run, n: int = 0) -> int:
        if n:
            return n
        raise run.continue_as_new(n=1)

    @workflow(name="w")
    async def leaks(run: Run, n: str = "") -> str:
        raise run.continue_as_new(n=SECRET)

    with pytest.raises(InputInvalid, match="does not fit workflow 'w'"):
        await lab.run(wrong)
    with pytest.raises(InputHasSecret):
        await lab.run(leaks, run="s")
    assert lab.log.run("r").status == "running"

    assert (await lab.resume(workflow=right)).output == 1


async def test_the_cost_of_going_on_does_not_grow(lab: Lab, autojump_clock: object) -> None:
    await lab.run(count_up, {"most": 60})
    sizes = [lab.log.head(row.branch) for row in lab.log.branches()]

    assert len(sizes) == 61
    assert max(sizes) == min(sizes)


# --- time travel -----------------------------------------------------------------------------------


async def test_an_old_history_can_be_forked_rewound_and_replayed(
    lab: Lab, autojump_clock: object
) -> None:
    await lab.run(count_up)
    change = Change("fork", 1, input={"n": 7})
    told = plan(lab.log, lab.load, "r@1", change, now=virtual_now())
    fork(lab.log, lab.load, "r@1", change, actor="cli:a", id="f", now=virtual_now())
    forked = await lab.resume("f")
    rewind = Change("rewind", "work")
    fork(lab.log, lab.load, "r@2", rewind, actor="cli:a", now=virtual_now())
    rewound = await lab.resume("r")

    assert (told.ended, forked.output, rewound.output) == ("succeeded", "reached 7", "reached 3")
    assert [row.run for row in lab.log.runs()] == ["r", "f"]
    assert verify(lab.log).ok


async def test_every_history_on_the_way_replays_to_the_end_that_it_had(
    lab: Lab, autojump_clock: object
) -> None:
    await lab.run(count_up)

    for row in lab.log.branches():
        driver = Driver(count_up, lab.log.load)
        proof = prove(
            driver,
            lab.log.records(row.branch),
            code=digest(count_up.function),
            explain=_explained,
        )
        assert proof.divergence is None


async def test_code_that_would_go_on_otherwise_is_found_by_a_replay(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow(name="count_up")
    async def by_two(run: Run, n: int = 0, most: int = 3) -> str:
        await run.step("work", str, n)
        raise run.continue_as_new(n=n + 2)

    await lab.run(count_up)
    proof = prove(Driver(by_two, lab.log.load), lab.log.records(1), code=b"", explain=_explained)

    assert proof.divergence is not None
    assert "{'most': 3, 'n': 1} and is {'most': 3, 'n': 2} now" in proof.divergence.difference
