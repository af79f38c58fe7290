"""Approvals, signals, timers, children, cancel: a run that waits is data, not a process."""

import datetime
from typing import Any

import pytest
import trio

from holdfast import ApprovalDenied, ChildFailed, Run, workflow
from holdfast.errors import GateAmbiguous, NoSuchGate, NotAllowed, RunEnded
from holdfast.eventlog import ApprovalDecided, ChildFinished, RunReleased, StepSucceeded, TimerFired
from holdfast.runs import request_cancel, send_signal
from holdfast.travel import Change, fork
from tests.support.lab import Counter, Lab, virtual_now


@workflow
async def approval(run: Run) -> str:
    await run.step("before", trio.sleep, 0)
    decision = await run.approve("go", {"files": 3})
    return f"{decision.by}: {decision.note}"


async def test_a_run_that_only_waits_is_released_and_goes_on_after_the_word(
    lab: Lab, autojump_clock: object
) -> None:
    waiting = await lab.run(approval)
    lab.approve("go", note="fine")
    done = await lab.resume()

    assert (waiting.status, waiting.waiting) == ("waiting", ("go",))
    assert [e.reason for e in lab.events(kind=RunReleased)] == ["waiting"]
    assert done.output == "anna: fine"
    assert len(lab.events(kind=StepSucceeded)) == 1


async def test_denial_is_an_exception_that_the_workflow_may_catch(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def asks(run: Run) -> str:
        try:
            await run.approve("go")
        except ApprovalDenied as error:
            soft = await run.approve("again", on_deny="return")
            return f"{error.by} {error.note} {soft.approved}"
        return "yes"

    await lab.run(asks)
    lab.approve("go", approved=False, note="no")
    await lab.resume()
    lab.approve("again", approved=False)

    assert (await lab.resume()).output == "anna no False"


async def test_an_uncaught_denial_fails_the_run(lab: Lab, autojump_clock: object) -> None:
    await lab.run(approval)
    lab.approve(approved=False, note="not today")

    outcome = await lab.resume()

    assert outcome.status == "failed"
    assert outcome.error is not None
    assert (outcome.error.code, outcome.error.message) == (
        "approval_denied",
        "anna denied 'go': not today",
    )


async def test_m_of_n_counts_each_person_once(lab: Lab, autojump_clock: object) -> None:
    @workflow
    async def two(run: Run) -> bool:
        return bool(await run.approve("go", count=2, by=["anna", "ben"]))

    await lab.run(two)
    lab.approve("go", by="anna")
    lab.approve("go", by="anna")
    with pytest.raises(NotAllowed, match="'carl' may not decide 'go'"):
        lab.approve("go", by="carl")
    still = await lab.resume()
    lab.approve("go", by="ben")

    assert still.status == "waiting"
    assert len(lab.events(kind=ApprovalDecided)) == 2
    assert (await lab.resume()).output is True


async def test_an_approval_that_nobody_gives_in_time_counts_as_denied(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def hurry(run: Run) -> str:
        decision = await run.approve("go", expires="30s", on_deny="return")
        return f"{decision.approved} {decision.by}"

    assert (await lab.run(hurry)).output == "False engine"


async def test_wrong_gates_are_named(lab: Lab, autojump_clock: object) -> None:
    @workflow
    async def several(run: Run) -> Any:
        return await run.parallel(run.approve("one"), run.approve("two"))

    await lab.run(several)

    with pytest.raises(GateAmbiguous, match="'one', 'two'"):
        lab.approve()
    with pytest.raises(NoSuchGate, match=r"no open gate 'three'. Open are: 'one', 'two'"):
        lab.approve("three")
    lab.approve("one")
    lab.approve()
    assert (await lab.resume()).status == "succeeded"
    with pytest.raises(RunEnded, match="has succeeded, so it cannot be approved"):
        lab.approve("one")


async def test_a_gates_own_name_will_do_where_only_one_has_it(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def scoped(run: Run) -> Any:
        return await run.parallel(a=run.approve("go"), b=run.approve("stop"), c=run.approve("stop"))

    await lab.run(scoped)
    lab.approve("go")

    with pytest.raises(GateAmbiguous, match="'b/stop', 'c/stop'"):
        lab.approve("stop")
    assert [gate.key for gate in lab.state().open_gates] == ["b/stop", "c/stop"]


async def test_signals_are_kept_in_order_until_somebody_awaits_them(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def listens(run: Run) -> list[Any]:
        await run.approve("go")
        return [await run.wait("news") for _ in range(3)]

    await lab.run(listens)
    send_signal(lab.log, "r", "news", 1, "cli:x")
    send_signal(lab.log, "r", "news", {"two": 2}, "cli:x")
    lab.approve("go")
    waiting = await lab.resume()
    send_signal(lab.log, "r", "news", [3], "cli:x")

    assert (waiting.status, waiting.waiting) == ("waiting", ("news#3",))
    assert (await lab.resume()).output == [1, {"two": 2}, [3]]


async def test_a_signal_meant_for_the_loser_of_a_race_is_not_lost(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def impatient(run: Run) -> Any:
        await run.race(run.wait("news"), run.sleep("5s"))
        return await run.wait("news")

    await lab.run(impatient)
    send_signal(lab.log, "r", "news", "late", "cli:x")

    assert (await lab.resume()).output == "late"


async def test_a_short_timer_is_waited_for_and_a_long_one_is_not(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def naps(run: Run) -> str:
        before = run.now()
        await run.sleep("30s")
        await run.sleep("3d")
        return str(run.now() - before)

    waiting = await lab.run(naps)
    early = await lab.resume()
    await trio.sleep(4 * 86_400)
    done = await lab.resume()

    assert (waiting.status, early.status) == ("waiting", "waiting")
    assert done.output.startswith("4 days, 0:00:30")
    assert len(lab.events(kind=TimerFired)) == 2


async def test_news_from_another_process_reaches_a_run_at_work(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def busy(run: Run) -> list[Any]:
        return await run.parallel(
            run.step("long", trio.sleep, 10), run.approve("go"), run.wait("s")
        )

    async def people() -> None:
        await trio.sleep(2)
        lab.approve("go")
        await trio.sleep(2)
        send_signal(lab.log, "r", "s", 7, "cli:x")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(people)
        outcome = await lab.run(busy)

    assert outcome.status == "succeeded"
    assert outcome.output[2] == 7


async def test_an_approval_that_comes_between_is_taken_in_in_the_logs_order(
    lab: Lab, autojump_clock: object
) -> None:
    """The step and the approval race; the approval is first in the log, so it wins, also live."""

    async def work() -> str:
        lab.approve("go")
        return "step"

    @workflow
    async def race(run: Run) -> str:
        winner = await run.race(run.step("work", work), run.approve("go"))
        await run.step("after", trio.sleep, 0)
        return "step" if winner == "step" else "approval"

    outcome = await lab.run(race)

    assert outcome.output == "approval"
    assert lab.state().status == "succeeded"


@workflow
async def inner(run: Run, n: int) -> int:
    await run.approve("inner go")
    if n < 0:
        raise ValueError("negative")
    return int(await run.step("square", lambda: n * n))


async def test_a_child_is_a_run_of_its_own(lab: Lab, autojump_clock: object) -> None:
    @workflow
    async def outer(run: Run) -> list[Any]:
        good = await run.child(inner, {"n": 3})
        try:
            await run.child(inner, {"n": -1}, name="bad")
        except ChildFailed as error:
            return [good, error.failure.message if error.failure else ""]
        return []

    lab.workflows[inner.reference] = inner
    first = await lab.run(outer)
    lab.approve(run="r/inner")
    second = await lab.resume()
    lab.approve(run="r/bad")
    third = await lab.resume()

    assert (first.status, first.waiting) == ("waiting", ("inner",))
    assert second.waiting == ("bad",)
    assert third.output == [9, "ValueError: negative"]
    assert lab.state("r/inner").parent == "r"


async def test_a_childs_large_output_is_kept_once(lab: Lab, autojump_clock: object) -> None:
    @workflow
    async def wordy(run: Run) -> str:
        return "word " * 10_000

    @workflow
    async def outer(run: Run) -> int:
        return len(await run.child(wordy))

    lab.workflows[wordy.reference] = wordy

    assert (await lab.run(outer)).output == 50_000
    finished = lab.events(kind=ChildFinished)[0]
    assert len(bytes(finished.output)) < 100


async def test_a_child_goes_on_while_its_parent_is_at_work(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def outer(run: Run) -> list[Any]:
        return await run.parallel(run.child(inner, {"n": 3}), run.step("long", trio.sleep, 20))

    async def person() -> None:
        await trio.sleep(5)
        lab.approve(run="r/inner")

    lab.workflows[inner.reference] = inner
    async with trio.open_nursery() as nursery:
        nursery.start_soon(person)
        outcome = await lab.run(outer)

    assert outcome.output[0] == 9


async def test_cancelling_runs_the_finally_blocks_and_stops_the_rest(
    lab: Lab, autojump_clock: object
) -> None:
    count = Counter()

    @workflow
    async def tidy(run: Run) -> None:
        try:
            await run.step("long", trio.sleep, 1000)
        finally:
            await run.step("clean up", count("clean up"))

    async def person() -> None:
        await trio.sleep(5)
        request_cancel(lab.log, "r", "cli:x", "enough")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(person)
        outcome = await lab.run(tidy)

    assert (outcome.status, count.calls) == ("cancelled", ["clean up"])
    assert trio.current_time() < 100


async def test_cancelling_a_waiting_run_takes_effect_when_it_is_resumed(
    lab: Lab, autojump_clock: object
) -> None:
    await lab.run(approval)
    request_cancel(lab.log, "r", "cli:x")

    assert (await lab.resume()).status == "cancelled"
    with pytest.raises(RunEnded):
        request_cancel(lab.log, "r", "cli:x")


async def test_cancel_reaches_children(lab: Lab, autojump_clock: object) -> None:
    @workflow
    async def child(run: Run) -> None:
        await run.step("long", trio.sleep, 1000)

    @workflow
    async def outer(run: Run) -> None:
        await run.child(child)

    async def person() -> None:
        await trio.sleep(5)
        request_cancel(lab.log, "r", "cli:x", "enough")

    lab.workflows[child.reference] = child
    async with trio.open_nursery() as nursery:
        nursery.start_soon(person)
        outcome = await lab.run(outer)

    assert outcome.status == "cancelled"
    assert lab.state("r/child").status == "cancelled"


async def test_a_parent_ends_only_after_the_clean_up_of_its_children(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def child(run: Run) -> None:
        try:
            await run.step("long", trio.sleep, 1000)
        finally:
            await run.step("tidy", trio.sleep, 10)

    @workflow
    async def outer(run: Run) -> None:
        await run.race(run.sleep(5), run.child(child))

    lab.workflows[child.reference] = child

    assert (await lab.run(outer)).status == "succeeded"

    assert lab.state("r/child").status == "cancelled"
    assert [e.key for e in lab.events("r/child", kind=StepSucceeded)] == ["tidy"]


async def test_a_child_with_a_long_name_has_an_id_that_fits(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def echo(run: Run, text: str) -> str:
        return text

    @workflow
    async def outer(run: Run, texts: list[str]) -> list[str]:
        return await run.map(lambda text: run.child(echo, {"text": text}), texts)

    lab.workflows[echo.reference] = echo
    texts = ["ä" * 150 + "a", "ä" * 150 + "b", "short"]

    assert (await lab.run(outer, {"texts": texts})).output == texts
    assert "r/short/echo" in [row.run for row in lab.log.runs()]


async def test_a_child_that_another_process_executes_does_not_stop_its_parent(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def child(run: Run) -> str:
        await run.approve("go")
        await run.step("long", trio.sleep, 20)
        return "child"

    @workflow
    async def outer(run: Run) -> list[Any]:
        return await run.parallel(run.child(child), run.step("work", trio.sleep, 10))

    async def elsewhere() -> None:
        await trio.sleep(3)
        async with lab.engine() as other:
            lab.approve(run="r/child")
            await other.execute("r/child")

    lab.workflows[child.reference] = child
    async with trio.open_nursery() as nursery:
        nursery.start_soon(elsewhere)
        waiting = await lab.run(outer)

    assert (waiting.status, waiting.waiting) == ("waiting", ("child",))
    assert (await lab.resume()).output == ["child", None]


async def test_a_childs_timer_fires_while_its_parent_is_at_work(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def child(run: Run) -> None:
        await run.sleep("5m")

    @workflow
    async def outer(run: Run) -> None:
        await run.parallel(run.child(child), run.step("work", trio.sleep, 3600))

    lab.workflows[child.reference] = child

    assert (await lab.run(outer)).status == "succeeded"


async def test_signals_with_a_key_reach_who_waits_with_that_key_in_order(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def orders(run: Run) -> Any:
        async def one(order: str) -> Any:
            return [await run.wait("paid", key=order), await run.wait("paid", key=order)]

        return [await run.map(one, ["7", "8/a"]), await run.wait("paid")]

    await lab.run(orders)
    for payload, key in ((1, "8/a"), (2, "7"), (3, ""), (4, "7"), (5, "8/a"), (6, "9")):
        send_signal(lab.log, "r", "paid", payload, "cli:x", key=key)

    assert (await lab.resume()).output == [[[2, 4], [1, 5]], 3]


async def test_a_signal_that_came_first_is_kept_for_its_key_across_a_fork(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def late(run: Run) -> Any:
        await run.approve("go")
        return await run.wait("paid", key="7")

    await lab.run(late)
    send_signal(lab.log, "r", "paid", "other", "cli:x", key="8")
    send_signal(lab.log, "r", "paid", "mine", "cli:x", key="7")
    fork(lab.log, lab.load, "r", Change("fork", 1), actor="cli:a", id="before", now=virtual_now())
    fork(lab.log, lab.load, "r", Change("fork"), actor="cli:a", id="after", now=virtual_now())
    lab.approve(run="after")
    await lab.resume("before")
    lab.approve(run="before")

    assert (await lab.resume("after")).output == "mine"
    assert (await lab.resume("before")).waiting == ("paid:7",)


async def test_a_timer_of_a_month_outlives_everything(lab: Lab, autojump_clock: object) -> None:
    @workflow
    async def monthly(run: Run) -> str:
        begun = run.now()
        await run.sleep("4w2d")
        await run.sleep_until(begun + datetime.timedelta(days=61))
        return str((run.now() - begun).days)

    await lab.run(monthly)
    await trio.sleep(30 * 86_400 - 100)
    early = await lab.resume()
    await trio.sleep(100)
    half = await lab.resume()
    await trio.sleep(31 * 86_400)

    assert (early.status, half.status) == ("waiting", "waiting")
    assert (await lab.resume()).output == "61"
