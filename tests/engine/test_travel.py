"""Going back and taking another way: each rule by an example."""

from typing import Any

import msgspec
import pytest
import trio

from holdfast import Run, StepFailed, workflow
from holdfast.errors import (
    EditTooLate,
    NoSuchFrame,
    NoSuchStep,
    NothingToRetry,
    ResultInvalid,
    RunBusy,
    RunEnded,
    RunReplaced,
    StepAmbiguous,
)
from holdfast.eventlog import (
    ApprovalCarried,
    ChildStarted,
    Edit,
    EffectHeld,
    RunClaimed,
    RunContinued,
    RunExists,
    RunForked,
    RunReleased,
    RunStarted,
    StepReused,
    StepStarted,
)
from holdfast.plugins import AgentResult, AgentTask, Emit, Readiness, hookimpl
from holdfast.reducer import InputHasSecret, InputInvalid, Workflow
from holdfast.runs import send_signal
from holdfast.travel import Change, fork, plan, retry_change
from tests.support.lab import Counter, Lab, VirtualEngine, virtual_now

SECRET = "sk-" + "a1B2" * 12


class Echo:
    """An agent that repeats what it was told, and by which name."""

    async def run(self, task: AgentTask, emit: Emit) -> AgentResult:
        return AgentResult(text=f"{task.model or 'echo'}: {task.prompt}")

    def readiness(self) -> Readiness:
        return Readiness(ready=True, detail="always")

    @hookimpl
    def holdfast_agents(self) -> dict[str, "Echo"]:
        return {"echo": self}


@pytest.fixture
def lab(tmp_path: Any) -> Any:
    made = Lab(tmp_path, Echo())
    yield made
    made.log.close()


def edit(what: str, key: str, value: object) -> Edit:
    return Edit(what, msgspec.Raw(msgspec.msgpack.encode(value)), key)


def leave(lab: Lab, change: Change, id: str | None = None, run: str = "r") -> str:
    return fork(lab.log, lab.load, run, change, actor="cli:ann", id=id, now=virtual_now())[0]


def planned(lab: Lab, change: Change, run: str = "r") -> dict[str, str]:
    found = plan(lab.log, lab.load, run, change, now=virtual_now())
    return {item.key: item.action for item in found.items}


def own(lab: Lab, run: str, kind: type[Any] = object) -> list[Any]:
    """Return what a fork recorded since it left its origin."""
    events: list[Any] = lab.events(run)[lab.state(run).base :]
    return [event for event in events if isinstance(event, kind)]


def chain(count: Counter, **options: Any) -> Workflow:
    """Make a workflow of three steps, each of which reads what the one before came to."""

    async def work(name: str, read: str = "") -> str:
        return str(await count(name, f"{name}({read})")())

    @workflow
    async def three(run: Run, x: str = "x") -> str:
        a = await run.step("a", work, "a", x, **options)
        b = await run.step("b", work, "b", a, **options)
        return str(await run.step("c", work, "c", b, **options))

    return three


# --- where it leaves -------------------------------------------------------------------------------


async def test_a_fork_before_a_step_does_it_and_all_that_follows_afresh(
    lab: Lab, autojump_clock: object
) -> None:
    count = Counter()
    await lab.run(chain(count))

    assert leave(lab, Change("fork", "b")) == "r.2"
    outcome = await lab.resume("r.2")

    assert outcome.output == "c(b(a(x)))"
    assert count.calls == ["a", "b", "c", "b", "c"]
    assert lab.state("r").run == "r"


async def test_a_given_result_stands_in_for_the_step_and_reaches_what_reads_it(
    lab: Lab, autojump_clock: object
) -> None:
    count = Counter()
    await lab.run(chain(count))

    name = leave(lab, Change("fork", edits=[edit("result", "b", "B")]))

    assert (await lab.resume(name)).output == "c(B)"
    assert count.calls == ["a", "b", "c", "c"]
    [given] = own(lab, name, StepReused)
    assert (given.key, given.origin) == ("b", "")


async def test_only_what_an_edit_reaches_runs_again(lab: Lab, autojump_clock: object) -> None:
    count = Counter()

    @workflow
    async def two(run: Run) -> list[Any]:
        agent = await run.agent("ask", "hello", agent="echo")
        return [agent, await run.step("other", count("other"), pure=True)]

    await lab.run(two)
    for what, value, said in (
        ("model", "gpt", "gpt: hello"),
        ("prompt", "bye", "echo: bye"),
    ):
        name = leave(lab, Change("fork", edits=[edit(what, "ask", value)]))
        assert (await lab.resume(name)).output == [said, "other"]

    assert count.calls == ["other"]


async def test_a_step_that_works_on_files_is_not_taken_over_behind_one_that_ran_again(
    lab: Lab,
    autojump_clock: object,
) -> None:
    count = Counter()

    @workflow
    async def two(run: Run) -> None:
        await run.agent("ask", "hello", agent="echo")
        await run.step("files", count("files"))
        await run.step("pure", count("pure"), pure=True)

    await lab.run(two)
    name = leave(lab, Change("fork", edits=[edit("prompt", "ask", "bye")]))
    await lab.resume(name)

    assert count.calls == ["files", "pure", "files"]


async def test_an_attempt_sees_the_files_as_they_are_when_it_begins(
    lab: Lab, autojump_clock: object
) -> None:
    """A step whose first try failed before others changed the files saw what they did."""
    count = Counter()
    tries: list[int] = []

    async def flaky() -> str:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("no luck")
        return str(len(tries))

    @workflow
    async def both(run: Run) -> None:
        async def agent() -> None:
            await run.agent("ask", "hello", agent="echo")

        async def other() -> None:
            await run.step("flaky", flaky, retries=1, backoff=5)

        await run.parallel(other(), agent())

    await lab.run(both)
    name = leave(lab, Change("fork", 1, [edit("prompt", "agent/ask", "bye")]))
    await lab.resume(name)

    assert len(tries) == 3
    assert count.calls == []


async def test_without_an_edit_nothing_is_taken_over_and_with_reuse_all_is(
    lab: Lab, autojump_clock: object
) -> None:
    count = Counter()
    await lab.run(chain(count))

    fresh = leave(lab, Change("fork", 1))
    await lab.resume(fresh)
    reused = leave(lab, Change("fork", 1, reuse=True))
    await lab.resume(reused)

    assert count.calls == ["a", "b", "c"] * 2
    assert own(lab, fresh, StepReused) == []
    assert [event.origin for event in own(lab, reused, StepReused)] == ["r"] * 3


async def test_a_step_that_was_tried_again_is_taken_over_as_its_last_try_found_the_files(
    lab: Lab, autojump_clock: object
) -> None:
    tries: list[str] = []

    async def flaky() -> None:
        tries.append("try")
        await trio.sleep(1)
        if len(tries) == 1:
            raise OSError("no luck")

    @workflow
    async def beside(run: Run) -> None:
        await run.parallel(
            run.step("plain", trio.sleep, 1), run.step("flaky", flaky, retries=1, backoff="1s")
        )

    await lab.run(beside)
    run = leave(lab, Change("fork", 1, reuse=True))
    await lab.resume(run)

    assert sorted(event.key for event in own(lab, run, StepReused)) == ["flaky", "plain"]
    assert len(tries) == 2


async def test_another_input_does_again_what_reads_it(lab: Lab, autojump_clock: object) -> None:
    count = Counter()

    @workflow
    async def two(run: Run, x: str = "x", y: str = "y") -> list[str]:
        read = {"x": x, "y": y}

        async def work(name: str, value: str) -> str:
            return str(await count(name, value)())

        return [await run.step(name, work, name, read[name], pure=True) for name in read]

    await lab.run(two)
    name = leave(lab, Change("fork", input={"x": "x", "y": "new"}))

    assert (await lab.resume(name)).output == ["x", "new"]
    assert count.calls == ["x", "y", "y"]
    assert isinstance(lab.events(name)[0], RunStarted)


async def test_a_rewound_run_keeps_its_name_and_the_old_way_stays(
    lab: Lab, autojump_clock: object
) -> None:
    count = Counter()
    await lab.run(chain(count))
    before = list(lab.log.records(1))

    assert leave(lab, Change("rewind", "c")) == "r"
    await lab.resume("r")
    assert leave(lab, Change("rewind", "b")) == "r"
    await lab.resume("r")

    assert count.calls == ["a", "b", "c", "c", "b", "c"]
    assert list(lab.log.records(lab.log.branch_of("r@1"))) == before
    assert lab.log.branch_of("r@2") == 2
    assert lab.log.run("r").branch == 3


async def test_a_rewind_of_an_old_branch_takes_the_name_back(
    lab: Lab, autojump_clock: object
) -> None:
    count = Counter()
    await lab.run(chain(count))
    leave(lab, Change("rewind", "c"))

    name = leave(lab, Change("rewind", "b"), run="r@1")

    assert name == "r"
    assert lab.log.branch_of("r") == 3


# --- retry and accept ------------------------------------------------------------------------------


def broken_once(count: Counter) -> tuple[Workflow, list[str]]:
    mended: list[str] = []

    async def work() -> str:
        if not mended:
            raise OSError("no luck")
        return "mended"

    @workflow
    async def fails(run: Run) -> list[Any]:
        return [await run.step("a", count("a")), await run.step("b", work)]

    return fails, mended


async def test_a_retry_does_the_failed_step_again_and_nothing_else(
    lab: Lab, autojump_clock: object
) -> None:
    count = Counter()
    fails, mended = broken_once(count)
    assert (await lab.run(fails)).status == "failed"
    mended.append("yes")

    assert leave(lab, retry_change(lab.log, "r")) == "r"

    assert (await lab.resume()).output == ["a", "mended"]
    assert count.calls == ["a"]


async def test_a_retry_of_a_failed_child_tries_its_failed_step(
    lab: Lab, autojump_clock: object
) -> None:
    count = Counter()
    fails, mended = broken_once(count)
    lab.workflows[fails.reference] = fails

    @workflow
    async def parent(run: Run) -> Any:
        return await run.child(fails, name="kid")

    assert (await lab.run(parent)).status == "failed"
    mended.append("yes")
    leave(lab, retry_change(lab.log, "r"))

    assert (await lab.resume()).output == ["a", "mended"]
    assert count.calls == ["a"]


async def test_a_child_that_lost_a_race_has_not_failed(lab: Lab, autojump_clock: object) -> None:
    count = Counter()

    @workflow
    async def slow(run: Run) -> None:
        await run.sleep(1000)

    lab.workflows[slow.reference] = slow
    fails, _ = broken_once(count)

    @workflow
    async def parent(run: Run) -> Any:
        await run.race(run.child(slow, name="kid"), run.step("quick", count("quick")))
        return await fails.function(run)

    assert (await lab.run(parent)).status == "failed"
    assert retry_change(lab.log, "r").retried == ["b"]


async def test_what_cannot_be_retried_says_why(lab: Lab, autojump_clock: object) -> None:
    async def fail() -> None:
        raise OSError("no luck")

    @workflow
    async def two(run: Run) -> None:
        for name in ("a", "b"):
            try:
                await run.step(name, fail)
            except StepFailed:
                continue
        raise ValueError("both failed")

    @workflow
    async def waits(run: Run) -> None:
        await run.wait("news")

    count = Counter()
    await lab.run(two)
    await lab.run(waits, run="w")
    await lab.run(chain(count), run="good")

    with pytest.raises(StepAmbiguous, match="2 failed steps: 'a', 'b'"):
        retry_change(lab.log, "r")
    with pytest.raises(NothingToRetry, match="'w' is waiting and has not failed"):
        retry_change(lab.log, "w")
    with pytest.raises(RunEnded, match="'good' has succeeded, so it cannot be retried"):
        retry_change(lab.log, "good")
    with pytest.raises(NoSuchStep, match=r"no failed step 'aa'.*'a'"):
        retry_change(lab.log, "r", "aa")


async def test_accepting_edited_code_keeps_what_still_holds_time_and_again(
    lab: Lab, autojump_clock: object
) -> None:
    count = Counter()
    steps = ["a", "b"]

    @workflow
    async def edited(run: Run) -> None:
        for name in steps:
            await run.step(name, count(name), name, pure=True)
        await run.wait("news")

    async def counted(name: str) -> str:
        return str(await count(name)())

    @workflow
    async def plain(run: Run) -> None:
        for name in steps:
            await run.step(name, counted, name, pure=True)
        await run.wait("news")

    del edited
    await lab.run(plain)
    for steps[:] in (["new", "a", "b"], ["a", "newer", "b"], ["b", "a"]):
        leave(lab, Change("accept"))
        await lab.resume()

    assert count.calls == ["a", "b", "new", "newer"]
    assert lab.log.run("r").branch == 4


# --- effects ---------------------------------------------------------------------------------------


def deploying(count: Counter) -> Workflow:
    @workflow
    async def deploy(run: Run) -> str:
        await run.step("before", count("before"))
        await run.step("deploy", count("deploy"), effect=True)
        return str(await run.wait("news"))

    return deploy


async def test_an_effect_in_a_fork_waits_for_a_word(lab: Lab, autojump_clock: object) -> None:
    count = Counter()
    await lab.run(deploying(count))
    name = leave(lab, Change("fork", "before"))

    outcome = await lab.resume(name)
    assert outcome.waiting == ("deploy",)
    assert own(lab, name, EffectHeld) == [EffectHeld("deploy")]
    lab.approve("deploy", run=name)
    await lab.resume(name)

    assert count.calls == ["before", "deploy", "before", "deploy"]


async def test_a_denied_effect_fails_and_never_happens(lab: Lab, autojump_clock: object) -> None:
    count = Counter()
    await lab.run(deploying(count))
    name = leave(lab, Change("fork", "before"))
    await lab.resume(name)
    lab.approve("deploy", run=name, approved=False)

    outcome = await lab.resume(name)

    assert outcome.error is not None
    assert "anna decided" in outcome.error.message
    assert count.calls.count("deploy") == 1


async def test_a_refused_effect_that_is_tried_again_asks_again(
    lab: Lab, autojump_clock: object
) -> None:
    count = Counter()
    await lab.run(deploying(count))
    name = leave(lab, Change("fork", "before"))
    await lab.resume(name)
    lab.approve("deploy", run=name, approved=False)
    await lab.resume(name)

    leave(lab, retry_change(lab.log, name), run=name)

    assert (await lab.resume(name)).waiting == ("deploy",)
    assert count.calls.count("deploy") == 1
    lab.approve("deploy", run=name)
    await lab.resume(name)
    assert count.calls.count("deploy") == 2


async def test_a_held_effect_that_had_failed_waits_as_long_as_it_was_to_wait(
    lab: Lab, autojump_clock: object
) -> None:
    begun: list[float] = []

    async def flaky() -> None:
        begun.append(trio.current_time())
        if len(begun) == 1:
            raise OSError("no luck")

    @workflow
    async def deploy(run: Run) -> None:
        await run.step("deploy", flaky, effect=True, retries=1, backoff="60s")

    await lab.crash(deploy, {}, at=3, after=True)
    name = leave(lab, Change("fork", 4))
    left = trio.current_time()
    await lab.resume(name)
    lab.approve("deploy", run=name)
    await lab.resume(name)

    assert len(begun) == 2
    assert begun[1] >= left + 60


async def test_an_effect_may_be_allowed_beforehand(lab: Lab, autojump_clock: object) -> None:
    count = Counter()
    await lab.run(deploying(count))
    name = leave(lab, Change("fork", "before", allow_effects=True))

    await lab.resume(name)

    assert count.calls.count("deploy") == 2


async def test_effects_within_a_forks_children_wait_as_well(
    lab: Lab, autojump_clock: object
) -> None:
    count = Counter()
    kid = deploying(count)
    lab.workflows[kid.reference] = kid

    @workflow
    async def parent(run: Run) -> Any:
        return await run.child(kid, name="kid")

    await lab.run(parent)
    for at in (1, 3):  # before the child began, and when it was at work
        name = leave(lab, Change("fork", at))
        await lab.resume(name)
        child = lab.state(name).children["kid"].run
        assert [gate.key for gate in lab.state(child).open_gates] == ["deploy"]

    assert count.calls.count("deploy") == 1


async def test_a_child_with_another_input_asks_before_it_repeats_an_effect(
    lab: Lab, autojump_clock: object
) -> None:
    count = Counter()
    asked = ["old"]

    async def work(name: str) -> str:
        return str(await count(name)())

    @workflow
    async def kid(run: Run, x: str) -> None:
        await run.step("read", work, x, pure=True)
        await run.step("same", work, "same", pure=True)
        await run.step("deploy", work, f"deploy {x}", effect=True)
        await run.wait("news")

    lab.workflows[kid.reference] = kid

    @workflow
    async def parent(run: Run) -> Any:
        return await run.child(kid, {"x": asked[0]}, name="kid")

    await lab.run(parent)
    asked[:] = ["new"]
    leave(lab, Change("accept"))
    await lab.resume()

    assert count.calls == ["old", "same", "deploy old", "new"]
    child = lab.state().children["kid"].run
    assert [gate.key for gate in lab.state(child).open_gates] == ["deploy"]


# --- children --------------------------------------------------------------------------------------


def with_kid(lab: Lab, count: Counter) -> Workflow:
    @workflow
    async def kid(run: Run) -> list[Any]:
        await run.agent("ask", "hello", agent="echo")
        return [await run.step("files", count("files")), await run.step("p", count("p"), pure=True)]

    lab.workflows[kid.reference] = kid

    @workflow
    async def parent(run: Run) -> Any:
        await run.agent("first", "hello", agent="echo")
        return await run.child(kid, name="kid")

    return parent


async def test_a_child_that_finds_other_files_does_again_what_works_on_them(
    lab: Lab, autojump_clock: object
) -> None:
    count = Counter()
    await lab.run(with_kid(lab, count))

    name = leave(lab, Change("fork", edits=[edit("prompt", "first", "bye")]))
    await lab.resume(name)

    assert count.calls == ["files", "p", "files"]
    [started] = own(lab, name, ChildStarted)
    assert (started.origin, started.at) == ("r/kid", 1)


async def test_a_child_that_nothing_reaches_is_taken_over_whole(
    lab: Lab, autojump_clock: object
) -> None:
    count = Counter()
    await lab.run(with_kid(lab, count))

    name = leave(lab, Change("fork", "kid", reuse=True))
    await lab.resume(name)

    assert count.calls == ["files", "p"]
    assert own(lab, name, ChildStarted)[0].run == "r/kid"


@pytest.mark.parametrize("reuse", [None, False])
async def test_an_edit_reaches_a_step_within_a_child(
    lab: Lab, autojump_clock: object, reuse: bool | None
) -> None:
    count = Counter()
    await lab.run(with_kid(lab, count))

    name = leave(lab, Change("fork", edits=[edit("prompt", "kid/ask", "bye")], reuse=reuse))
    await lab.resume(name)

    kid = lab.state(lab.state(name).children["kid"].run)
    result = msgspec.msgpack.decode(lab.log.load(kid.steps["ask"].result))
    assert result == "echo: bye"


async def test_a_child_that_was_to_be_made_when_its_process_died_is_made_by_the_fork(
    lab: Lab,
    autojump_clock: object,
) -> None:
    count = Counter()
    parent = with_kid(lab, count)
    await lab.run(parent, run="whole")
    [child] = lab.events("whole", kind=ChildStarted)
    before = lab.events("whole")[: lab.events("whole").index(child)]
    lab.log.create_run("r", before, actor="engine", time=virtual_now())
    lab.append_unheard(ChildStarted("kid", "r/kid", child.fingerprint))

    name = leave(lab, Change("fork"))

    assert (await lab.resume(name)).output == ["files", "p"]


# --- gates, timers, signals ------------------------------------------------------------------------


async def test_an_approval_stands_while_what_was_approved_is_the_same(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def asks(run: Run) -> str:
        draft = await run.agent("draft", "hello", agent="echo")
        await run.approve("same", subject="always")
        await run.approve("changed", subject=draft)
        return draft

    await lab.run(asks)
    lab.approve("same")
    await lab.resume()
    lab.approve("changed")
    await lab.resume()
    change = Change("fork", edits=[edit("prompt", "draft", "bye")])
    name = leave(lab, change)

    outcome = await lab.resume(name)

    assert outcome.waiting == ("changed",)
    assert [event.key for event in own(lab, name, ApprovalCarried)] == ["same"]


async def test_a_timer_of_a_fork_runs_from_the_frames_own_time(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def naps(run: Run) -> str:
        await run.sleep(100_000)
        return "awake"

    await lab.run(naps)
    until = lab.state().timers["sleep"].until
    set_at = next(lab.log.records(1, 2, 3)).time
    await trio.sleep(5000)
    name = leave(lab, Change("fork", 3))

    assert lab.state(name).timers["sleep"].until - virtual_now() == until - set_at
    assert lab.log.run(name).timers == {"sleep": lab.state(name).timers["sleep"].until}


async def test_a_signal_that_came_before_the_frame_is_there(
    lab: Lab, autojump_clock: object
) -> None:
    count = Counter()

    @workflow
    async def waits(run: Run, x: str = "x") -> list[Any]:
        await run.step("a", count("a"))
        await run.approve("go on")
        return [x, await run.wait("news")]

    await lab.run(waits)
    send_signal(lab.log, "r", "news", "hello", "cli:ann")
    head = lab.log.head(1)
    plain = leave(lab, Change("fork", head))
    other = leave(lab, Change("fork", head, input={"x": "y"}))
    for name, x in ((plain, "x"), (other, "y")):
        await lab.resume(name)
        lab.approve("go on", run=name)
        assert (await lab.resume(name)).output == [x, "hello"]

    assert count.calls == ["a"]


@pytest.mark.parametrize("reason", ["retry", "rewind"])
async def test_signals_that_came_since_are_there_where_what_was_done_since_is(
    lab: Lab, autojump_clock: object, reason: Any
) -> None:
    count, broken = Counter(), [True]

    async def flaky() -> str:
        if broken:
            raise OSError("no luck")
        return "mended"

    @workflow
    async def waits(run: Run) -> list[Any]:
        async def first() -> Any:
            try:
                return await run.step("first", flaky)
            except StepFailed:
                return None

        async def second() -> Any:
            news = await run.wait("news")
            return news, await run.step("second", count("second"), pure=True)

        found = await run.parallel(first(), second())
        if found[0] is None:
            raise ValueError("the first one failed")
        return found

    await lab.run(waits)
    send_signal(lab.log, "r", "news", "hello", "cli:ann")
    assert (await lab.resume()).status == "failed"
    (key,) = [step.key for step in lab.state().steps.values() if step.status == "failed"]
    broken.clear()
    edit = Edit("result", msgspec.Raw(msgspec.msgpack.encode("mended")), key)
    change = Change("rewind", None, [edit]) if reason == "rewind" else None
    leave(lab, change or retry_change(lab.log, "r", key))

    assert (await lab.resume()).output == ["mended", ["hello", "second"]]
    assert count.calls == ["second"]


class Overtaken(VirtualEngine):
    """Somebody rewinds the run between the look at it and the claim."""

    async def _write(self, item: Any) -> int:
        if isinstance(item.events[0], RunClaimed) and len(self.log.branches()) == 1:
            change = Change("rewind", 1)
            fork(self.log, self.load, "r", change, actor="cli:ann", now=virtual_now())
        return await super()._write(item)


async def test_who_claims_a_history_that_its_run_has_just_left_goes_on_with_the_next(
    lab: Lab, autojump_clock: object
) -> None:
    count = Counter()

    @workflow
    async def work(run: Run) -> str:
        return await run.step("work", count("work"))

    lab.workflows[work.reference] = work
    async with lab.engine(kind=Overtaken) as engine:
        engine.create(work, {}, run="r")
        outcome = await engine.execute("r")

    assert (outcome.status, count.calls) == ("succeeded", ["work"])
    assert lab.log.branch_of("r") == 2
    left = [type(event) for event in lab.events("r@1")]
    assert left == [RunStarted, RunClaimed, RunReleased]


async def test_who_claims_a_run_that_was_taken_over_at_once_writes_nothing_more(
    lab: Lab, autojump_clock: object
) -> None:
    class Slow(VirtualEngine):
        async def _write(self, item: Any) -> int:
            head = await super()._write(item)
            if len(self.log.branches()) == 1 and isinstance(item.events[0], RunClaimed):
                async with lab.engine() as other:
                    await other.execute("r", takeover=True)
            return head

    @workflow
    async def work(run: Run, n: int = 0) -> None:
        if n == 0:
            raise run.continue_as_new(n=1)

    lab.workflows[work.reference] = work
    async with lab.engine(kind=Slow) as engine:
        engine.create(work, {}, run="r")
        with pytest.raises(RunEnded):
            await engine.execute("r")

    assert isinstance(lab.events("r@1")[-1], RunContinued)


async def test_a_run_whose_name_was_taken_goes_on_in_no_next_history(
    lab: Lab, autojump_clock: object
) -> None:
    async def lose() -> None:
        started = lab.events()[0]
        lab.log.create_run("r", [started], actor="cli:ann", time=virtual_now(), replaces=True)

    @workflow
    async def work(run: Run) -> None:
        await run.step("lose", lose)
        raise run.continue_as_new()

    with pytest.raises(RunReplaced, match="another history"):
        await lab.run(work)


# --- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (Change("fork", 99), NoSuchFrame, "there is no frame 99. Choose --at from 1 to"),
        (Change("fork", 0), NoSuchFrame, "there is no frame 0"),
        (Change("fork", "bb"), NoSuchStep, "no step 'bb'. Did you mean: 'b'"),
        (Change("fork", edits=[edit("model", "aa", "m")]), NoSuchStep, "no step 'aa'"),
        (Change("fork", "c", [edit("result", "a", "A")]), EditTooLate, "began at 2, before frame"),
        (Change("fork", edits=[edit("result", "b", 7)]), ResultInvalid, "does not fit.*str"),
        (Change("fork", edits=[edit("result", "b*", 7)]), ResultInvalid, "'b'.*does not fit.*str"),
        (Change("fork", edits=[edit("result", "b*", SECRET)]), InputHasSecret, "result of b"),
        (Change("fork", edits=[edit("prompt", "b", SECRET)]), InputHasSecret, "prompt of b"),
        (Change("fork", input={"x": 7}), InputInvalid, "x"),
        (Change("fork", input={"x": SECRET}), InputHasSecret, "secret"),
        (
            Change("fork", edits=[edit("result", "b", SECRET)]),
            InputHasSecret,
            "secret",
        ),
    ],
)
async def test_what_cannot_be_done_is_refused_before_anything_is_written(
    lab: Lab, autojump_clock: object, change: Change, error: type[Exception], words: str
) -> None:
    await lab.run(chain(Counter()))
    size = lab.log.size()

    for do in (leave, planned):
        with pytest.raises(error, match=words):
            do(lab, change)

    assert lab.log.size() == size


async def test_an_edit_of_a_childs_step_that_has_begun_is_too_late(
    lab: Lab, autojump_clock: object
) -> None:
    await lab.run(with_kid(lab, Counter()))
    head = lab.log.head(1)

    with pytest.raises(EditTooLate, match="'kid/ask'"):
        leave(lab, Change("fork", head, [edit("prompt", "kid/ask", "bye")]))


async def test_a_forks_id_is_its_own(lab: Lab, autojump_clock: object) -> None:
    await lab.run(chain(Counter()))
    leave(lab, Change("fork", 1), "mine")

    with pytest.raises(RunExists, match="'mine'"):
        leave(lab, Change("fork", 1), "mine")


@pytest.mark.parametrize("reason", ["rewind", "retry", "accept"])
async def test_a_living_run_keeps_its_name(lab: Lab, autojump_clock: object, reason: Any) -> None:
    @workflow
    async def slow(run: Run) -> None:
        await run.step("nap", trio.sleep, 50)

    lab.workflows[slow.reference] = slow
    async with lab.engine() as engine, trio.open_nursery() as nursery:
        engine.create(slow, {}, run="r", folder="")
        nursery.start_soon(engine.execute, "r")
        await trio.sleep(1)
        size = lab.log.size()
        with pytest.raises(RunBusy, match="is being executed by process"):
            leave(lab, Change(reason, 1))
        assert lab.log.size() == size
        assert leave(lab, Change("fork", 1)) == "r.2"


async def test_a_plan_writes_nothing_and_tells_what_will_be(
    lab: Lab, autojump_clock: object
) -> None:
    count = Counter()
    await lab.run(chain(count))
    size = lab.log.size()

    actions = planned(lab, Change("fork", edits=[edit("result", "b", "B")]))

    assert actions == {"a": "kept", "b": "reused", "c": "runs"}
    assert lab.log.size() == size
    assert count.calls == ["a", "b", "c"]


async def test_the_first_event_of_a_fork_says_what_it_is(lab: Lab, autojump_clock: object) -> None:
    await lab.run(chain(Counter()))
    name = leave(lab, Change("fork", 4, reuse=True))

    [forked] = own(lab, name, RunForked)

    assert (forked.run, forked.reason, forked.origin, forked.branch) == (name, "fork", "r", 1)
    assert (forked.at, forked.until) == (4, lab.log.head(1))
    assert own(lab, name, StepStarted) == []


async def test_a_fork_leaves_the_origins_cancelled_child_to_the_origin(
    lab: Lab, autojump_clock: object
) -> None:
    @workflow
    async def waits(run: Run) -> None:
        await run.approve("go")

    async def nap() -> None:
        await trio.sleep(1)

    @workflow
    async def racing(run: Run) -> None:
        await run.race(run.child(waits, {}, name="kid"), run.step("quick", nap))

    lab.workflows[waits.reference] = waits
    for at in range(1, 20):  # until a death between the cancelling and the telling
        name = f"r{at}"
        if not await lab.crash(racing, {}, at=at, after=True, run=name):
            break
        child = lab.state(name).children.get("kid")
        if child is not None and child.status == "cancelled":
            fork(lab.log, lab.load, name, Change("fork"), actor="cli:anna", id="other")
            assert (await lab.resume("other")).status == "succeeded"
            assert lab.state(child.run).cancelling is None
            return
    raise AssertionError("no commit cancelled the child without telling it")
