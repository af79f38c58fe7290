"""Attempts: retries, time-outs, effects in doubt, limits, cancellation."""

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import trio

from holdfast import Run, StepFailed, workflow
from holdfast.eventlog import (
    AttemptFailed,
    DoubtRaised,
    StepCancelled,
    StepDeferred,
    StepStarted,
    StepSucceeded,
)
from holdfast.eventlog import StepFailed as StepHasFailed
from holdfast.limits import Limits
from holdfast.plugins import ModelCall, ModelResult, OutputInvalid, RateLimited, Readiness, hookimpl
from holdfast.reducer import WorkflowError
from tests.support.lab import EPOCH, Counter, Lab, virtual_now


def flaky(failures: int) -> Callable[[], str]:
    left = [failures]

    def work() -> str:
        if left[0]:
            left[0] -= 1
            raise OSError("no luck")
        return "done"

    return work


async def test_a_failed_step_is_tried_again_after_doubling_waits(
    lab: Lab, autojump_clock: object
) -> None:
    work = flaky(3)

    @workflow
    async def patient(run: Run) -> str:
        return await run.step("work", work, retries=3, backoff="10s")

    outcome = await lab.run(patient)

    assert outcome.output == "done"
    waits = [
        record.event.retry_at - record.time
        for record in lab.log.records(1)
        if isinstance(record.event, AttemptFailed)
    ]
    assert [wait // 10**9 for wait in waits] == [10, 20, 40]
    assert virtual_now() - EPOCH >= 70 * 10**9


async def test_a_step_without_retries_fails_with_its_own_words(
    lab: Lab, autojump_clock: object
) -> None:
    work = flaky(9)

    @workflow
    async def hasty(run: Run) -> str:
        return await run.step("work", work)

    outcome = await lab.run(hasty)

    assert outcome.status == "failed"
    assert outcome.error is not None
    assert outcome.error.code == "step_failed"
    assert "step 'work' failed: OSError: no luck" in outcome.error.message


async def test_a_step_that_takes_too_long_is_stopped(lab: Lab, autojump_clock: object) -> None:
    @workflow
    async def slow(run: Run) -> str:
        try:
            await run.step("sleep", trio.sleep_forever, timeout="2m")
        except StepFailed as error:
            return error.failure.code
        return "no"

    assert (await lab.run(slow)).output == "timeout"


async def test_silence_is_a_time_out_of_its_own(lab: Lab) -> None:
    @workflow
    async def silent(run: Run) -> str:
        try:
            await run.shell("talk", "echo hello; sleep 100", idle_timeout=0.2)
        except StepFailed as error:
            return error.failure.message
        return "no"

    assert "idle_timeout of 0.2 s" in (await lab.run(silent)).output


async def test_a_command_tells_how_it_ended(lab: Lab) -> None:
    @workflow
    async def shell(run: Run) -> list[Any]:
        bad = await run.shell("bad", "echo out; echo err >&2; exit 3", check=False)
        try:
            await run.shell("worse", "echo why >&2; exit 4")
        except StepFailed as error:
            return [bad.code, bad.stdout, bad.stderr, bad.ok, error.failure.code, str(error)]
        return []

    assert (await lab.run(shell)).output == [
        3,
        "out\n",
        "err\n",
        False,
        "exit_status",
        "step 'worse' failed: 'echo why >&2; exit 4' ended with status 4: why",
    ]


async def test_a_command_that_fails_in_silence_is_told_by_its_status(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def silent(run: Run) -> str:
        try:
            await run.shell("quiet", "exit 4")
        except StepFailed as error:
            return str(error)
        return ""

    said = (await lab.run(silent)).output

    assert said == "step 'quiet' failed: 'exit 4' ended with status 4"


async def test_an_effect_that_was_cut_short_asks_before_it_is_repeated(
    lab: Lab, autojump_clock: object
) -> None:
    count = Counter()

    @workflow
    async def deploy(run: Run) -> str:
        return await run.step("deploy", count("deploy"), effect=True)

    await lab.crash(deploy, {}, at=2, after=False)
    doubtful = await lab.resume()
    again = await lab.resume()
    lab.approve("deploy")
    final = await lab.resume()

    assert (doubtful.status, doubtful.waiting) == ("waiting", ("deploy",))
    assert again.status == "waiting"
    assert len(lab.events(kind=DoubtRaised)) == 1
    assert (final.status, count.calls) == ("succeeded", ["deploy", "deploy"])


async def test_an_effect_that_is_not_to_be_repeated_fails(lab: Lab, autojump_clock: object) -> None:
    count = Counter()

    @workflow
    async def deploy(run: Run) -> str:
        try:
            return str(await run.step("deploy", count("deploy"), effect=True))
        except StepFailed as error:
            return error.failure.code

    await lab.crash(deploy, {}, at=2, after=False)
    await lab.resume()
    lab.approve("deploy", approved=False, note="it went out")

    assert (await lab.resume()).output == "effect_in_doubt"
    assert count.calls == ["deploy"]


async def test_an_effect_that_timed_out_asks_before_it_is_repeated(
    lab: Lab, autojump_clock: object
) -> None:
    calls: list[str] = []

    async def deploy() -> str:
        calls.append("deploy")
        if len(calls) == 1:
            await trio.sleep_forever()
        return "deployed"

    @workflow
    async def deploys(run: Run) -> str:
        return str(await run.step("deploy", deploy, effect=True, timeout="1m", retries=3))

    doubtful = await lab.run(deploys)
    lab.approve("deploy")
    final = await lab.resume()

    assert (doubtful.status, doubtful.waiting) == ("waiting", ("deploy",))
    assert (final.output, len(calls)) == ("deployed", 2)


async def test_a_doubt_can_be_settled_while_the_run_is_executed(
    lab: Lab, autojump_clock: object
) -> None:
    count = Counter()

    @workflow
    async def deploy(run: Run) -> list[Any]:
        return await run.parallel(
            run.step("deploy", count("deploy"), effect=True),
            run.step("long", trio.sleep, 30),
        )

    await lab.crash(deploy, {}, at=2, after=False)

    async def approve_later() -> None:
        await trio.sleep(10)
        lab.approve("deploy")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(approve_later)
        outcome = await lab.resume()

    assert outcome.status == "succeeded"


class Scripted:
    """A model that answers from a list; exceptions are raised."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[ModelCall] = []

    async def call(self, call: ModelCall, emit: Any) -> ModelResult:
        self.asked.append(call)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return ModelResult(text=str(answer), output=answer)

    def readiness(self) -> Readiness:
        return Readiness(True, "scripted")

    @hookimpl
    def holdfast_models(self) -> dict[str, Any]:
        return {"scripted/": self}


class Review(msgspec.Struct):
    approved: bool
    comments: list[str] = []


@workflow
async def reviewed(run: Run) -> bool:
    review = await run.model("review", "Good?", model="scripted/one", output=Review)
    return bool(review.approved)


async def test_an_answer_that_does_not_fit_goes_back_with_the_reason(
    tmp_path: Any, autojump_clock: object
) -> None:
    model = Scripted(
        {"approved": "yes"}, OutputInvalid("no JSON", detail="Sure!"), {"approved": True}
    )
    lab = Lab(tmp_path, model)

    outcome = await lab.run(reviewed)

    assert outcome.output is True
    assert [len(call.messages) for call in model.asked] == [1, 3, 3]
    assert "Expected `bool`, got `str`" in model.asked[1].messages[-1].content
    assert model.asked[2].messages[1].content == "Sure!"
    lab.log.close()


async def test_a_rate_limit_waits_as_told_and_burns_no_attempt(
    tmp_path: Any, autojump_clock: object
) -> None:
    later = EPOCH + 40 * 10**9
    model = Scripted(*[RateLimited("slow down", until=later)] * 3, {"approved": True})
    lab = Lab(tmp_path, model)

    outcome = await lab.run(reviewed)

    assert outcome.output is True
    assert lab.state().steps["review"].failures == 0
    assert len(lab.events(kind=StepDeferred)) == 3
    lab.log.close()


async def test_a_run_parks_when_a_limit_lasts_longer_than_anybody_waits(
    tmp_path: Any, autojump_clock: object
) -> None:
    later = EPOCH + 3600 * 10**9
    lab = Lab(tmp_path, Scripted(RateLimited("tomorrow", until=later), {"approved": True}))

    parked = await lab.run(reviewed)
    await trio.sleep(3600)
    resumed = await lab.resume()

    assert (parked.status, parked.waiting) == ("waiting", ("review",))
    assert resumed.output is True
    lab.log.close()


async def test_no_more_than_the_limit_is_at_work_at_once(lab: Lab, autojump_clock: object) -> None:
    at_work, most = [0], [0]

    async def work() -> None:
        at_work[0] += 1
        most[0] = max(most[0], at_work[0])
        await trio.sleep(1)
        at_work[0] -= 1

    @workflow
    async def many(run: Run) -> None:
        await run.map(lambda _: run.step("work", work), range(20))

    outcome = await lab.run(many, limits=Limits(steps=3))

    assert (outcome.status, most[0]) == ("succeeded", 3)


async def test_losers_of_a_race_are_stopped_and_recorded_as_such(
    lab: Lab, autojump_clock: object
) -> None:
    ended: list[str] = []

    async def slow() -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.append("stopped")

    @workflow
    async def race(run: Run) -> str:
        return str(await run.race(run.step("slow", slow), run.step("fast", trio.sleep, 1)))

    outcome = await lab.run(race)

    assert (outcome.output, ended) == ("None", ["stopped"])
    assert [event.key for event in lab.events(kind=StepCancelled)] == ["slow"]


async def test_steps_that_end_together_share_a_commit(lab: Lab, autojump_clock: object) -> None:
    @workflow
    async def fan(run: Run) -> None:
        await run.map(lambda _: run.step("work", trio.sleep, 1), range(200))

    before = lab.log.commits
    await lab.run(fan)

    assert len(lab.events(kind=StepSucceeded)) == 200
    assert lab.log.commits - before <= 8


async def test_a_value_that_is_no_data_is_refused_by_name(lab: Lab, autojump_clock: object) -> None:
    @workflow
    async def opaque(run: Run) -> str:
        try:
            await run.step("make", lambda: object(), retries=5)
        except StepFailed as error:
            return f"{error.failure.code}: {error.failure.message}"
        return ""

    output = (await lab.run(opaque)).output

    assert output.startswith("not_recordable: the result of step 'make' cannot be recorded")
    assert len(lab.events(kind=StepStarted)) == 1


@pytest.mark.parametrize("name", ["", "a/b", "a[1]", "x" * 201, "a\nb", "a#2", 7])
async def test_a_name_that_cannot_be_a_key_stops_the_run(
    lab: Lab, autojump_clock: object, name: Any
) -> None:
    @workflow
    async def named(run: Run) -> None:
        await run.step("first", trio.sleep, 0)
        await run.step(name, trio.sleep, 0)

    with pytest.raises(Exception, match="cannot name a step") as caught:
        await lab.run(named)

    assert caught.value.code == "bad_name"  # type: ignore[attr-defined]
    assert lab.state().steps["first"].status == "succeeded"
    assert lab.state().owner == ""


async def test_pure_steps_share_flushes(lab: Lab, autojump_clock: object) -> None:
    async def square(n: int) -> int:
        return n * n

    @workflow
    async def computes(run: Run) -> int:
        return sum([await run.step("square", square, n, pure=True) for n in range(100)])

    before = lab.log.commits
    outcome = await lab.run(computes)

    assert outcome.output == sum(n * n for n in range(100))
    assert len(lab.events(kind=StepSucceeded)) == 100
    assert lab.log.commits - before < 10


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", [1, 2, 3])
async def test_pure_steps_that_a_crash_undid_are_done_again(
    lab: Lab, autojump_clock: object, at: int, after: bool
) -> None:
    count = Counter()

    @workflow
    async def computes(run: Run) -> list[str]:
        pure = [await run.step("pure", count(f"pure {n}"), pure=True) for n in range(3)]
        return [*pure, await run.step("real", count("real"))]

    await lab.crash(computes, {}, at=at, after=after)
    finished = {event.key for event in lab.events(kind=StepSucceeded)}
    if lab.state().status == "running":
        await lab.resume()

    assert lab.state().status == "succeeded"
    started = [event.key for event in lab.events(kind=StepStarted)]
    assert all(started.count(key) == 1 for key in finished)


async def test_news_that_come_before_a_pure_step_is_recorded_cost_only_that_step(
    lab: Lab, autojump_clock: object
) -> None:
    async def work() -> str:
        if lab.state().open_gates:
            lab.approve("go")
        return "pure"

    @workflow
    async def computes(run: Run) -> list[Any]:
        return await run.parallel(
            run.approve("go"), run.step("pure", work, pure=True), run.step("long", trio.sleep, 9)
        )

    await lab.run(computes)
    outcome = await lab.resume() if lab.state().status == "waiting" else None

    assert lab.state().status == "succeeded"
    assert outcome is None
    assert [e.key for e in lab.events(kind=StepSucceeded)].count("pure") == 1


async def test_an_effect_cannot_be_pure(lab: Lab, autojump_clock: object) -> None:
    @workflow
    async def confused(run: Run) -> None:
        await run.step("deploy", trio.sleep, 0, pure=True, effect=True)

    with pytest.raises(WorkflowError, match="'deploy' cannot be both"):
        await lab.run(confused)

    assert lab.state().steps.get("deploy") is None


class Script:
    """Functions as they are in scripts: they end the program, or a task."""

    @staticmethod
    def main(status: int) -> None:
        sys.exit(status)

    @staticmethod
    async def drops() -> None:
        raise asyncio.CancelledError

    @staticmethod
    async def exits_in_a_nursery() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            sys.exit("enough")


async def test_a_step_that_would_end_the_program_fails_and_ends_no_more_than_itself(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def scripts(run: Run) -> list[list[str]]:
        failures: list[list[str]] = []
        for function, *args in ((Script.main, 3), (Script.drops,), (Script.exits_in_a_nursery,)):
            try:
                await run.step("script", function, *args)
            except StepFailed as error:
                failures.append([error.failure.code, error.failure.message])
        return failures

    failures = (await lab.run(scripts)).output

    assert [code for code, _ in failures] == ["step_exited"] * 3
    assert failures[0][1] == (
        "Script.main raised SystemExit: 3, which is to end a program or a task, and here ended the step. "
        "Let it return, or raise an Exception; run a script that exits with run.shell()."
    )
    assert "Script.drops raised asyncio.exceptions.CancelledError" in failures[1][1]
    assert "in main" in (lab.events(kind=StepHasFailed)[0].error.detail)


@pytest.mark.parametrize("raised", [SystemExit(3), asyncio.CancelledError("enough")])
async def test_a_workflow_that_would_end_the_program_has_failed(
    raised: BaseException, lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def exits(run: Run) -> None:
        await run.parallel(run.step("wait", trio.sleep_forever), leaves(run))

    async def leaves(run: Run) -> None:
        await run.step("work", trio.sleep, 0)
        raise raised

    outcome = await lab.run(exits)

    assert outcome.status == "failed"
    assert outcome.error is not None
    assert outcome.error.code == "workflow_error"
    assert str(raised) in outcome.error.message
