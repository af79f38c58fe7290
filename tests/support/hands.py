"""A stage on which one function plays every part: it is told the prompt and the folder."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from holdfast.eventlog import StepStarted, StepSucceeded
from holdfast.execution import Outcome
from holdfast.plugins import AgentTask
from holdfast.reducer import Workflow
from tests.support.cast import Cast, Stage
from tests.support.lab import Crash

Act = Callable[[str, Path], Any]
"""Gets the prompt and the folder; returns the answer: a text, or data."""


class Hands(Stage):
    """A repository in which a workflow is run whose agent does what `act` does."""

    def __init__(self, folder: Path, act: Act) -> None:
        self.act = act
        super().__init__(folder, Cast({"": lambda task: self.act(task.prompt, Path(task.folder))}))

    @property
    def tasks(self) -> list[AgentTask]:
        return self.cast.tasks

    @property
    def prompts(self) -> list[str]:
        return [task.prompt for task in self.tasks]

    async def report(self, workflow: Workflow, **given: Any) -> Any:
        """Run a workflow that succeeds, and return what it returned."""
        return told(await self.play(workflow, **given), workflow)

    async def dies(self, running: Awaitable[Outcome]) -> bool:
        """Tell whether `act` raised Crash, which ends the process."""
        died = False
        try:
            await running
        except* Crash:
            died = True
        return died

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


def told(outcome: Outcome, workflow: Workflow) -> Any:
    """Return what a run that succeeded returned."""
    assert outcome.status == "succeeded", outcome
    return msgspec.convert(outcome.output, workflow.output)
