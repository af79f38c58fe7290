"""Secrets never reach the log: not in prompts, outputs, errors, transcripts, notes or inputs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast import Run, StepFailed, workflow
from holdfast.eventlog import Log, RunReleased, StepSucceeded
from holdfast.eventlog import StepFailed as StepFailedEvent
from holdfast.plugins import (
    AgentResult,
    AgentTask,
    Emit,
    Progress,
    Readiness,
    RedactionFailed,
    hookimpl,
)
from holdfast.reducer import InputHasSecret, WorkflowDiverged
from holdfast.runs import decide_gate, send_signal
from tests.support.lab import Lab

NAMED = "correct-horse-battery"
TOKEN = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
PADDING = "lorem ipsum dolor " * 200


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", NAMED)


def everything(log: Log) -> Iterator[bytes]:
    """Yield the log's file as it is, and every record and value in it as they are read."""
    for row in log.runs():
        for record in log.records(row.branch):
            yield msgspec.msgpack.encode(record)
            for value in msgspec.structs.asdict(record.event).values():
                if isinstance(value, msgspec.Raw):
                    yield log.load(value)
    yield (Path(log.path) / "data.mdb").read_bytes()


def assert_absent(lab: Lab, *secrets: str) -> None:
    for data in everything(lab.log):
        for secret in secrets or (NAMED, TOKEN):
            assert secret.encode() not in data


class Chatty:
    """An agent that says all it was told."""

    async def run(self, task: AgentTask, emit: Emit) -> AgentResult:
        emit(Progress("text", f"{PADDING}{task.prompt}"))
        emit(Progress("tool", "", {"name": "bash", "input": {NAMED: f"curl -H {TOKEN}"}}))
        return AgentResult(text=f"I was told: {task.prompt}")

    def readiness(self) -> Readiness:
        return Readiness(True, "here")


class ChattyPlugin:
    @hookimpl
    def holdfast_agents(self) -> dict[str, Any]:
        return {"chatty": Chatty()}


async def test_a_secret_in_a_prompt_an_answer_and_a_transcript_is_redacted(tmp_path: Path) -> None:
    lab = Lab(tmp_path, ChattyPlugin())

    @workflow
    async def tells(run: Run) -> Any:
        return await run.agent("ask", f"{PADDING}{NAMED} {TOKEN}", agent="chatty")

    outcome = await lab.run(tells)

    assert outcome.output.endswith("[redacted:DATABASE_PASSWORD] [redacted]")
    assert_absent(lab)
    lab.log.close()


async def test_a_secret_in_the_output_of_a_command_is_redacted(lab: Lab) -> None:
    @workflow
    async def prints(run: Run) -> str:
        small = await run.shell("small", 'echo "$DATABASE_PASSWORD"')
        await run.shell("large", f'seq 2000; echo "$DATABASE_PASSWORD {TOKEN}"; seq 2000')
        return small.stdout

    outcome = await lab.run(prints)

    assert outcome.output == "[redacted:DATABASE_PASSWORD]\n"
    assert_absent(lab)


async def test_a_secret_in_the_output_of_a_failed_command_is_redacted_before_it_is_cut(
    lab: Lab,
) -> None:
    @workflow
    async def prints(run: Run) -> None:
        await run.shell("fails", f"echo {NAMED}{'x' * 1990}; exit 3")

    outcome = await lab.run(prints)

    assert outcome.status == "failed"
    assert_absent(lab, NAMED, NAMED[4:], "battery")


async def test_a_secret_in_an_exception_is_redacted(lab: Lab) -> None:
    said: list[str] = []

    def raises() -> None:
        raise OSError(f"cannot log in as {NAMED}")

    @workflow
    async def fails(run: Run) -> None:
        try:
            await run.step("one", raises, retries=1, backoff=0)
        except StepFailed as error:
            said.append(str(error))
        raise ValueError(f"{TOKEN} is wrong")

    outcome = await lab.run(fails)

    assert said == ["step 'one' failed: OSError: cannot log in as [redacted:DATABASE_PASSWORD]"]
    assert outcome.error is not None
    assert outcome.error.code == "workflow_error"
    assert "ValueError: [redacted] is wrong" in outcome.error.message
    assert len(lab.events(kind=StepFailedEvent)) == 1
    assert_absent(lab)


async def test_a_secret_in_notes_subjects_and_outputs_is_redacted(lab: Lab) -> None:
    @workflow
    async def leaks(run: Run) -> dict[str, Any]:
        await run.note(f"with {TOKEN}", data={NAMED: [NAMED.encode(), 7]})
        await run.approve("go", subject=f"use {TOKEN}")
        return {"password": NAMED}

    await lab.run(leaks)
    lab.approve("go")
    outcome = await lab.resume()

    assert outcome.output == {"password": "[redacted:DATABASE_PASSWORD]"}
    assert_absent(lab)


async def test_what_people_write_is_redacted(lab: Lab) -> None:
    @workflow
    async def asks(run: Run) -> list[Any]:
        decision = await run.approve("go")
        return [decision.note, await run.wait("key")]

    await lab.run(asks)
    decide_gate(lab.log, "r", "go", approved=True, by="anna", actor="cli:anna", note=f"use {NAMED}")
    send_signal(lab.log, "r", "key", {"token": TOKEN}, "cli:anna")
    outcome = await lab.resume()

    assert outcome.output == ["use [redacted:DATABASE_PASSWORD]", {"token": "[redacted]"}]
    assert_absent(lab)


async def test_the_workflow_sees_what_the_log_has_live_and_resumed(lab: Lab) -> None:
    seen: list[str] = []

    @workflow
    async def looks(run: Run) -> Any:
        said = await run.step("say", lambda: f"it is {NAMED}")
        seen.append(said)
        await run.wait("go on")
        return await run.step("use", lambda text: text.upper(), said)

    await lab.run(looks)
    send_signal(lab.log, "r", "go on", None, "cli:anna")
    outcome = await lab.resume()

    assert seen == ["it is [redacted:DATABASE_PASSWORD]"] * 2
    assert outcome.output == "IT IS [REDACTED:DATABASE_PASSWORD]"


@pytest.mark.parametrize("value", [NAMED, f"https://x/?key={TOKEN}", {"deep": [TOKEN]}])
async def test_an_input_with_a_secret_is_refused(lab: Lab, value: Any) -> None:
    @workflow
    async def takes(run: Run, goal: str, options: Any = None) -> None: ...

    with pytest.raises(InputHasSecret, match=r"input 'options' of.*\[redacted.*environment") as e:
        await lab.run(takes, {"goal": "g", "options": value})

    assert e.value.code == "input_has_secret"
    assert NAMED not in str(e.value)
    assert TOKEN not in str(e.value)
    assert list(lab.log.runs()) == []
    assert_absent(lab)


async def test_a_child_whose_input_has_a_secret_stops_the_run(lab: Lab) -> None:
    @workflow
    async def kid(run: Run, word: str) -> None: ...

    @workflow
    async def parent(run: Run) -> None:
        await run.child(kid, {"word": TOKEN})

    lab.workflows[kid.reference] = kid
    with pytest.raises(InputHasSecret):
        await lab.run(parent)

    released: list[Any] = list(lab.events(kind=RunReleased))
    assert [event.reason for event in released] == ["stopped"]
    assert_absent(lab)


async def test_equal_secrets_have_equal_fingerprints_and_others_differ(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = iter([NAMED, NAMED, "another-horse-1"])
    monkeypatch.setenv("OTHER_PASSWORD", "another-horse-1")

    @workflow
    async def asks(run: Run) -> None:
        await run.step("use", lambda text: len(text), next(secrets))
        await run.wait("go on")

    await lab.run(asks)
    await lab.resume()

    with pytest.raises(WorkflowDiverged) as caught:
        await lab.resume()
    assert NAMED not in str(caught.value)
    assert "-['[redacted:DATABASE_PASSWORD]']" in str(caught.value)
    assert "+['[redacted:OTHER_PASSWORD]']" in str(caught.value)
    assert_absent(lab, NAMED, "another-horse-1")


class Hides:
    def __init__(self, word: str) -> None:
        self.word = word

    @hookimpl
    def holdfast_redact(self, text: str) -> str:
        if self.word == "broken" and "customer" in text:
            raise ValueError(f"cannot hide {text!r}")
        return text.replace(self.word, "[customer]")


async def test_plugins_redact_everything_that_is_written(tmp_path: Path) -> None:
    lab = Lab(tmp_path, Hides("ACME"))

    @workflow
    async def says(run: Run) -> list[str]:
        await run.note("for ACME")
        return [await run.step("say", lambda: {"ACME": [b"ACME", "ACME"]})]

    outcome = await lab.run(says)

    assert outcome.output == [{"[customer]": [b"[customer]", "[customer]"]}]
    for record in lab.log.records(1, 1):  # the first tells the source file, where the word stands
        assert b"ACME" not in msgspec.msgpack.encode(record)
    assert len(lab.events(kind=StepSucceeded)) == 1
    lab.log.close()


async def test_a_broken_redactor_stops_the_run_and_nothing_is_written(tmp_path: Path) -> None:
    lab = Lab(tmp_path, Hides("broken"))

    @workflow
    async def says(run: Run) -> Any:
        return await run.step("say", lambda: f"a customer: {TOKEN}")

    with pytest.raises(RedactionFailed, match="cannot hide"):
        await lab.run(says)

    assert lab.events(kind=StepSucceeded) == []
    released: list[Any] = list(lab.events(kind=RunReleased))
    assert released[0].error.code == "redaction_failed"
    assert_absent(lab)
    lab.log.close()
