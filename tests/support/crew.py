"""Agents and models that do what a list says, and remember what they were asked."""

from collections.abc import Mapping
from typing import Any

import msgspec
import trio

from holdfast.eventlog import Usage
from holdfast.plugins import (
    AgentResult,
    AgentTask,
    Emit,
    ModelCall,
    ModelResult,
    Progress,
    Readiness,
    hookimpl,
)


class Answer(msgspec.Struct, frozen=True):
    """What one attempt comes to: after `seconds`, with `usd` and `tokens` used."""

    text: str = "done"
    usd: float | None = 0.0
    tokens: int = 0
    seconds: float = 0.0

    @property
    def usage(self) -> Usage | None:
        return None if self.usd is None else Usage(self.tokens, 0, 0, self.usd)


Script = list[Answer | Exception]


class Member:
    """One agent, or one model: answers from its list, the last of which it repeats."""

    def __init__(self, name: str, script: Script, crew: "Crew") -> None:
        self.name, self.script, self.crew = name, script, crew

    async def answer(self) -> Answer:
        self.crew.asked.append(self.name)
        self.crew.at_work.append(self.name)
        self.crew.most = max(self.crew.most, len(self.crew.at_work))
        try:
            found = self.script.pop(0) if len(self.script) > 1 else self.script[0]
            if isinstance(found, Exception):
                raise found
            await trio.sleep(found.seconds)
            self.crew.spent += found.usd or 0.0
            return found
        finally:
            self.crew.at_work.remove(self.name)

    async def run(self, task: AgentTask, emit: Emit) -> AgentResult:
        self.crew.tasks.append((self.name, task))
        emit(Progress("session", f"{self.name}'s"))
        found = await self.answer()
        return AgentResult(
            text=f"{self.name}: {found.text}", usage=found.usage, session=f"{self.name}'s"
        )

    async def call(self, call: ModelCall, emit: Emit) -> ModelResult:
        found = await self.answer()
        return ModelResult(text=f"{call.model}: {found.text}", usage=found.usage)

    def readiness(self) -> Readiness:
        return Readiness(True, "scripted")


class Crew:
    """A plugin that offers them: `Crew(a=[...], models={"m/": [...]})`."""

    def __init__(self, models: Mapping[str, Script] = {}, **agents: Script) -> None:
        self.asked: list[str] = []
        self.tasks: list[tuple[str, AgentTask]] = []
        self.at_work: list[str] = []
        self.most = 0
        self.spent = 0.0
        self._agents = {name: Member(name, [*script], self) for name, script in agents.items()}
        self._models = {name: Member(name, [*script], self) for name, script in models.items()}

    @hookimpl
    def holdfast_agents(self) -> dict[str, Any]:
        return dict(self._agents)

    @hookimpl
    def holdfast_models(self) -> dict[str, Any]:
        return dict(self._models)
