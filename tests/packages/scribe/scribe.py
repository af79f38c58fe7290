"""An agent of a stranger: it writes down what it is told, with a program, and goes on in a session.

The plugin is a class, as some prefer it, and holds its agent.
"""

from collections.abc import Mapping

import msgspec

from holdfast.plugins import (
    Agent,
    AgentResult,
    AgentTask,
    Crashed,
    Emit,
    Permissions,
    Progress,
    Readiness,
    SessionLost,
    hookimpl,
)
from holdfast.plugins.building import arguments_for, options_of, run_lines

WAYS: dict[Permissions, list[str]] = {"edit": [], "full": []}


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    file: str = "notes.txt"


class Scribe:
    """Its session is the name of the file that it writes to."""

    async def run(self, task: AgentTask, emit: Emit) -> AgentResult:
        arguments_for(task, "scribe", WAYS)
        file = options_of(task, Options).file
        if task.session is not None and task.session != file:
            raise SessionLost(f"there is no file {task.session!r} to go on with")
        lines: list[str] = []
        script = 'tee -a "$0" && echo >> "$0" && wc -l < "$0"'
        ending = await run_lines(
            ["sh", "-c", script, file],
            task,
            emit,
            env=task.env,
            stdin=task.prompt,
            on_line=lines.append,
        )
        if ending.code:
            raise Crashed(f"the scribe's pen broke: {ending}")
        emit(Progress("file", "", {"path": file}))
        return AgentResult(text="\n".join(lines), session=file)

    def readiness(self) -> Readiness:
        return Readiness(True, "needs a shell")


class Plugin:
    def __init__(self) -> None:
        self.scribe = Scribe()

    @hookimpl
    def holdfast_agents(self) -> Mapping[str, Agent]:
        return {"scribe": self.scribe}
