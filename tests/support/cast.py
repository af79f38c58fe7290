"""An agent that plays every part of a workflow: what its prompt says decides which answer comes next."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from holdfast.eventlog import Usage
from holdfast.execution import Outcome
from holdfast.plugins import AgentResult, AgentTask, Emit, Readiness, hookimpl
from holdfast.reducer import Workflow
from holdfast.runs import answer_question
from tests.support.gitlab import GitLab
from tests.support.lab import virtual_now

Act = Callable[[AgentTask], Any]
PRICE = Usage(cost_usd=0.01)


class Cast:
    """`Cast({"Review this": [no, yes]})`: the first phrase that a prompt has is the part to be played.

    Its answers come in order, the last one again and again; a function is called with the task. Text is
    what the agent said; anything else is data, as was asked for.
    """

    def __init__(self, parts: Mapping[str, Sequence[Any] | Act]) -> None:
        self.parts: dict[str, list[Any] | Act] = {
            phrase: part if callable(part) else [*part] for phrase, part in parts.items()
        }
        self.tasks: list[AgentTask] = []

    def prompts(self, phrase: str) -> list[str]:
        """Return the prompts of one part."""
        return [task.prompt for task in self.tasks if self._part(task.prompt) == phrase]

    def _part(self, prompt: str) -> str:
        for phrase in self.parts:
            if phrase in prompt:
                return phrase
        raise AssertionError(f"nobody plays this: {prompt}")

    def readiness(self) -> Readiness:
        return Readiness(True, "")

    async def run(self, task: AgentTask, emit: Emit) -> AgentResult:
        self.tasks.append(task)
        part = self.parts[self._part(task.prompt)]
        if callable(part):
            answer = part(task)
        else:
            answer = part.pop(0) if len(part) > 1 else part[0]
            answer = answer(task) if callable(answer) else answer
        if isinstance(answer, str):
            return AgentResult(text=answer, usage=PRICE)
        return AgentResult(text="", output=msgspec.to_builtins(answer), usage=PRICE)

    @hookimpl
    def holdfast_agents(self) -> dict[str, Any]:
        return {"cast": self}


def writes(said: Any, **files: str) -> Act:
    """Return an answer that writes files first: `writes("done", a_txt="...")` writes a.txt."""

    def act(task: AgentTask) -> Any:
        for name, text in files.items():
            Path(task.folder, name.replace("_", ".")).write_text(text)
        return said

    return act


class Stage(GitLab):
    """A small repository whose test wants `good` in state.txt, and a cast that works there."""

    TEST = "grep -q good state.txt || { echo no good yet; exit 1; }"

    def __init__(self, folder: Path, cast: Cast) -> None:
        super().__init__(folder, cast)
        self.cast = cast
        self.root = self.repo.root

    async def play(self, workflow: Workflow, **given: Any) -> Outcome:
        return await self.go(workflow, {"agent": "cast", **given})

    def answer(self, value: Any, run: str = "r", gate: str | None = None) -> None:
        """Answer a question as another process would."""
        answer_question(self.log, run, gate, value, by="anna", actor="cli:anna", now=virtual_now())
