"""The `acp` agents: whatever speaks the Agent Client Protocol over its standard input and output."""

from collections.abc import Collection, Mapping
from typing import Any, get_args

from ...errors import BadOptions
from ...types import AgentResult, AgentTask, Emit, Permissions, Readiness
from ..cli import arguments_for, options_of, run_lines
from .conversation import Conversation
from .known import ANY, KNOWN
from .options import Options, argv_of


class Acp:
    """Runs one task in a session of an agent: a known one by its name, or any by its command."""

    def __init__(self, name: str = "") -> None:
        self._known = KNOWN[name] if name else ANY
        self.needs = self._known.needs

    async def run(self, task: AgentTask, emit: Emit) -> AgentResult:
        options = options_of(task, Options)
        reading = self._known.reading(task, emit)
        if options.mode is None:
            arguments_for(task, reading.name, self._known.modes)  # refused before anything is done
        start = self._known.start(task)
        conversation = Conversation(task, options, self._known, start, reading)
        ending = await run_lines(
            self._argv(task, options, start.args),
            task,
            emit,
            env=start.env,
            stdin=conversation.talk,
            on_line=conversation.peer.feed,
            on_error=reading.feed_error,
        )
        return reading.result(ending)

    def _argv(self, task: AgentTask, options: Options, args: list[str]) -> list[str]:
        program = self._known.program
        if program is None:
            return argv_of(options)
        if options.command:
            raise BadOptions(
                f'the option command={options.command!r} is for the agent "acp"; this one is '
                f"looked for in the PATH, or where {program.variable} says."
            )
        return [program.locate(task.env), *args, *options.args]

    def permissions_with(self, options: Mapping[str, Any]) -> Collection[Permissions]:
        return self._known.modes if options.get("mode") is None else get_args(Permissions)

    def readiness(self) -> Readiness:
        if self._known.program is None:
            return Readiness(True, "speaks with the program that the step's options name")
        return self._known.program.readiness()
