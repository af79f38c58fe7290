"""An agent's journal in the log: durable entry by entry, found again after a crash, left by a fork."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from holdfast import Run, workflow
from holdfast.departure import Reason
from holdfast.eventlog import (
    AttemptFailed,
    Journaled,
    SignalReceived,
    StepDeferred,
    StepStarted,
    Usage,
)
from holdfast.plugins import (
    Agent,
    AgentResult,
    AgentTask,
    Crashed,
    Emit,
    Entry,
    RateLimited,
    Readiness,
    hookimpl,
)
from holdfast.redact import Redactor
from holdfast.reducer import Workflow
from holdfast.replaying import Replayer
from holdfast.travel import Change, fork, retry_change
from tests.support.lab import Lab, virtual_now

Work = Callable[[AgentTask], Awaitable[Any]]


class Diarist:
    """An agent that does what the test says, and keeps what it found in its journal."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.found: list[list[Any]] = []
        self.rejected: list[bool] = []
        self.prompts: list[str] = []

    async def run(self, task: AgentTask, emit: Emit) -> AgentResult:
        self.found.append([entry.data for entry in task.journal.entries])
        self.rejected.append(task.journal.is_rejected)
        self.prompts.append(task.prompt)
        output = await self.work(task)
        return AgentResult(text=str(output), output=output)

    def readiness(self) -> Readiness:
        return Readiness(True, "always")

    @hookimpl
    def holdfast_agents(self) -> Mapping[str, Agent]:
        return {"diarist": self}


async def write(task: AgentTask, *data: Any) -> None:
    for each in data:
        await task.journal.append(Entry("wrote", each, f"wrote {each}", Usage(1, 1)))


Make = Callable[[Work], tuple[Lab, Diarist]]


@pytest.fixture
def lab_with(tmp_path: Path) -> Iterator[Make]:
    """Make a lab with an agent that works so."""
    labs: list[Lab] = []

    def make(work: Work) -> tuple[Lab, Diarist]:
        agent = Diarist(work)
        labs.append(Lab(tmp_path, agent))
        return labs[-1], agent

    yield make
    for lab in labs:
        lab.log.close()


def leave(lab: Lab, change: Change, id: str | None = None) -> None:
    fork(lab.log, lab.load, "r", change, actor="cli:anna", id=id, now=virtual_now())


def flow(output: Any = str, **options: Any) -> Workflow:
    @workflow
    async def keep(run: Run) -> Any:
        return await run.agent("write", "go", agent="diarist", output=output, **options)

    return keep


KEEP = flow()


async def test_an_entry_is_on_disk_when_append_returns(lab_with: Make) -> None:
    seen: list[int] = []

    async def work(task: AgentTask) -> str:
        for number in range(3):
            await write(task, number)
            seen.append(len(lab.events(kind=Journaled)))
        return "done"

    lab, _ = lab_with(work)
    outcome = await lab.run(KEEP)

    assert outcome.output == "done"
    assert seen == [1, 2, 3]
    assert [event.text for event in lab.events(kind=Journaled)] == ["wrote 0", "wrote 1", "wrote 2"]
    assert lab.state().usage == Usage(3, 3)
    assert lab.state().steps["write"].journal == 3


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(1, 8))
async def test_a_crash_at_any_commit_loses_no_entry_that_was_acknowledged(
    lab_with: Make, at: int, after: bool
) -> None:
    acknowledged: list[Any] = []

    async def work(task: AgentTask) -> list[Any]:
        for number in range(len(task.journal.entries), 4):
            await write(task, number)
            acknowledged.append(number)
        return [entry.data for entry in task.journal.entries]

    lab, agent = lab_with(work)
    crashed = await lab.crash(flow(list[int]), {}, at=at, after=after)
    known = [*acknowledged]
    outcome = await lab.resume() if lab.state().status == "running" else None

    assert crashed == (at <= 6)
    if outcome is not None:
        assert outcome.output == [0, 1, 2, 3]
    assert acknowledged == sorted({*acknowledged}), "none was written twice"
    if len(agent.found) > 1:
        assert agent.found[-1][: len(known)] == known
    assert lab.state().steps["write"].usage == Usage(4, 4)


async def test_a_rate_limit_goes_on_where_it_was(lab_with: Make, autojump_clock: object) -> None:
    large = {"text": "x" * 100_000}

    async def work(task: AgentTask) -> str:
        if not task.journal.entries:
            await write(task, large)
            raise RateLimited("slow down")
        return "done"

    lab, agent = lab_with(work)
    outcome = await lab.run(KEEP)

    assert outcome.output == "done"
    assert agent.found == [[], [large]]
    assert len(lab.events(kind=StepDeferred)) == 1
    assert len(bytes(lab.events(kind=Journaled)[0].entry)) < 100, "it lies in a blob"


async def test_an_answer_that_does_not_fit_is_told_to_the_same_journal(
    lab_with: Make, autojump_clock: object
) -> None:
    async def work(task: AgentTask) -> Any:
        await write(task, task.prompt)
        return 1 if task.journal.entries[1:] else "one"

    lab, agent = lab_with(work)
    outcome = await lab.run(flow(int))

    assert outcome.output == 1
    assert agent.found == [[], ["go"]]
    assert agent.rejected == [False, True]
    assert "was not usable" in agent.prompts[1]
    assert "go" not in agent.prompts[1].split(), "what was asked is in the journal"


async def test_another_try_after_a_failure_begins_an_empty_journal(
    lab_with: Make, autojump_clock: object
) -> None:
    async def work(task: AgentTask) -> str:
        await write(task, len(agent.found))
        if len(agent.found) == 1:
            raise Crashed("no luck")
        return "done"

    lab, agent = lab_with(work)
    await lab.run(KEEP)

    assert agent.found == [[], []]
    assert lab.state().steps["write"].usage == Usage(2, 2)


async def test_a_retry_by_hand_begins_an_empty_journal(
    lab_with: Make, autojump_clock: object
) -> None:
    async def work(task: AgentTask) -> str:
        await write(task, "x")
        if len(agent.found) == 1:
            raise Crashed("no luck")
        return "done"

    lab, agent = lab_with(work)
    await lab.run(flow(retries=0))
    leave(lab, retry_change(lab.log, "r"))
    outcome = await lab.resume()

    assert outcome.output == "done"
    assert agent.found == [[], []]
    assert lab.state().steps["write"].journal == 1


@pytest.mark.parametrize("reason", ["fork", "rewind"])
async def test_who_leaves_in_the_middle_of_a_journal_begins_an_empty_one(
    lab_with: Make, reason: Reason
) -> None:
    async def work(task: AgentTask) -> str:
        await write(task, "first", "second")
        return "done"

    lab, agent = lab_with(work)
    await lab.run(KEEP)
    at = next(r.offset for r in lab.log.records(1) if isinstance(r.event, Journaled)) + 1
    leave(lab, Change(reason, at), "f" if reason == "fork" else None)
    outcome = await lab.resume("f" if reason == "fork" else "r")

    assert outcome.output == "done"
    assert agent.found == [[], []]
    origin, left = ("r", "f") if reason == "fork" else ("r@1", "r")
    assert lab.state(left).steps["write"].journal == 2
    assert lab.state(origin).steps["write"].journal == 2


async def test_every_frame_of_a_journal_is_proved_by_a_replay(lab_with: Make) -> None:
    async def work(task: AgentTask) -> str:
        await write(task, "first", "second")
        return "done"

    lab, agent = lab_with(work)
    await lab.run(KEEP)
    row = lab.log.run("r")
    replayer = Replayer(lab.log, lab.load, Redactor({}))  # type: ignore[arg-type]

    assert all(replayer.prove(row, KEEP, frame).ok for frame in range(row.head + 1))
    assert len(agent.found) == 1


async def test_an_edited_workflow_that_goes_on_keeps_the_journal_of_a_step_at_work(
    lab_with: Make,
) -> None:
    async def work(task: AgentTask) -> list[Any]:
        for number in range(len(task.journal.entries), 3):
            await write(task, number)
        return [entry.data for entry in task.journal.entries]

    lab, agent = lab_with(work)
    await lab.crash(flow(list[int]), {}, at=3, after=True)
    leave(lab, Change("accept"))
    outcome = await lab.resume()

    assert outcome.output == [0, 1, 2]
    assert agent.found[1]


async def test_secrets_are_taken_out_of_entries(
    lab_with: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOUSE_API_KEY", "hunter2hunter2")

    async def work(task: AgentTask) -> str:
        await write(task, "the key is hunter2hunter2")
        return "done"

    lab, _ = lab_with(work)
    await lab.run(KEEP)

    (event,) = lab.events(kind=Journaled)
    assert b"hunter2" not in lab.log.load(event.entry)
    assert event.text == "wrote the key is [redacted:HOUSE_API_KEY]"


@pytest.mark.parametrize("data", [object(), {"n": 2**70}, "\ud800"])
async def test_what_cannot_be_recorded_is_the_agents_mistake(lab_with: Make, data: Any) -> None:
    async def work(task: AgentTask) -> str:
        text = data if isinstance(data, str) else ""
        await task.journal.append(Entry("wrote", data, text))
        return "unreachable"

    lab, _ = lab_with(work)
    outcome = await lab.run(flow(retries=0))

    assert outcome.status == "failed"
    assert outcome.error is not None
    assert "journal entry 1 of step 'write'" in outcome.error.message


async def test_news_from_another_process_keeps_every_entry_once_and_in_order(
    lab_with: Make,
) -> None:
    async def work(task: AgentTask) -> list[Any]:
        for number in range(5):
            lab.append_unheard(SignalReceived("news"))
            await write(task, number)
        return [entry.data for entry in task.journal.entries]

    lab, agent = lab_with(work)
    outcome = await lab.run(flow(list[int]))

    assert outcome.output == [0, 1, 2, 3, 4]
    assert [event.text for event in lab.events(kind=Journaled)] == [f"wrote {n}" for n in range(5)]
    assert len(lab.events(kind=StepStarted)) == 1
    assert len(agent.found) == 1
    assert not lab.events(kind=AttemptFailed)


async def test_an_agent_that_is_no_longer_wanted_is_stopped_while_it_writes(lab_with: Make) -> None:
    async def work(task: AgentTask) -> str:
        for number in range(10_000):
            await write(task, number)
        return "done"

    @workflow
    async def race(run: Run) -> str:
        return await run.race(
            slow=run.agent("write", "go", agent="diarist"), quick=run.shell("quick", "true")
        )

    lab, _ = lab_with(work)
    outcome = await lab.run(race)

    assert outcome.status == "succeeded"
    assert len(lab.events(kind=Journaled)) < 10_000
