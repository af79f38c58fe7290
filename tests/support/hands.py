"""A git lab whose agent does what a test's function says: write files, answer in data."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.eventlog import StepStarted, StepSucceeded, Usage
from holdfast.execution import Outcome
from holdfast.plugins import AgentResult, AgentTask, Emit, Readiness, hookimpl
from holdfast.reducer import Workflow
from holdfast.runs import answer_question
from tests.support.gitlab import GitLab
from tests.support.lab import Crash

Act = Callable[[str, Path], Any]
"""Gets the prompt and the folder; returns the answer: a text, data, or an error to be raised."""
SETTINGS = "[user]\n name = Ada\n email = ada@example.org\n[commit]\n gpgSign = false\n"


class Hands:
    """An agent by the name of `hands`."""

    def __init__(self, act: Act) -> None:
        self.act = act
        self.tasks: list[AgentTask] = []

    def readiness(self) -> Readiness:
        return Readiness(True, "")

    async def run(self, task: AgentTask, emit: Emit) -> AgentResult:
        self.tasks.append(task)
        found = self.act(task.prompt, Path(task.folder))
        if isinstance(found, Exception):
            raise found
        text, output = (found, None) if isinstance(found, str) else ("", msgspec.to_builtins(found))
        return AgentResult(text=text, output=output, usage=Usage(cost_usd=0.01))

    @property
    def prompts(self) -> list[str]:
        return [task.prompt for task in self.tasks]

    @hookimpl
    def holdfast_agents(self) -> dict[str, Any]:
        return {"hands": self}


class PackLab(GitLab):
    """A repository in which a workflow of the pack is run with one pair of hands."""

    def __init__(self, folder: Path, act: Act) -> None:
        self.hands = Hands(act)
        super().__init__(folder, self.hands)

    async def play(self, workflow: Workflow, **given: Any) -> Outcome:
        return await self.go(workflow, {"agent": "hands", **given})

    async def report(self, workflow: Workflow, **given: Any) -> Any:
        """Run a workflow that succeeds, and return what it returned."""
        return told(await self.play(workflow, **given), workflow)

    async def dies(self, running: Awaitable[Outcome]) -> bool:
        """Tell whether the agent's act raised Crash, which ends the process."""
        died = False
        try:
            await running
        except* Crash:
            died = True
        return died

    def answer(self, gate: str, value: Any) -> None:
        """Answer a question as another process would."""
        answer_question(self.log, "r", gate, value, by="anna", actor="cli:anna")

    def branches(self) -> list[str]:
        return self.repo.git("branch", "--format=%(refname:short)").split()

    def done_again(self) -> list[str]:
        """Return the steps that were begun again after they had succeeded."""
        over, again = set[str](), list[str]()
        for event in self.events():
            if isinstance(event, StepStarted) and event.key in over:
                again.append(event.key)
            if isinstance(event, StepSucceeded):
                over.add(event.key)
        return again


def identify(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let git commit as somebody, with no settings of the machine's."""
    path = folder / "gitconfig"
    path.write_text(SETTINGS)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


def told(outcome: Outcome, workflow: Workflow) -> Any:
    """Return what a run that succeeded returned."""
    assert outcome.status == "succeeded", outcome
    return msgspec.convert(outcome.output, workflow.output)
