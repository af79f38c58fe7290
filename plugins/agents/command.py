"""The `command` agent: any program that reads a prompt on standard input and works in a folder."""

import shlex
from typing import Final

import msgspec

from ..errors import BadOptions, Crashed
from ..types import AgentResult, AgentTask, Emit, Needs, Progress, Readiness
from .cli import options_of, run_lines
from .structured import last_json, prompt_of

OUTPUT_CHARACTERS = 64 * 1024 * 1024


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`command` is the program with its arguments: a list, or a text split as a shell would."""

    command: str | list[str]


class Command:
    """Runs the program that the task's options name.

    The prompt comes on standard input, with the schema of the wanted answer at its end; what the
    program prints is the answer. HOLDFAST_MODEL and HOLDFAST_PERMISSIONS tell it what was asked for;
    holding to them is its own affair.
    """

    needs: Final = Needs(network=False)

    async def run(self, task: AgentTask, emit: Emit) -> AgentResult:
        argv = _argv(options_of(task, Options).command)
        env = task.env | {"HOLDFAST_PERMISSIONS": task.permissions}
        if task.model is not None:
            env["HOLDFAST_MODEL"] = task.model
        answer = _Answer(emit, argv[0])
        ending = await run_lines(
            argv, task, emit, env=env, stdin=prompt_of(task), on_line=answer.add
        )
        if ending.code:
            raise Crashed(f"{argv[0]!r} ended with {ending}", detail=ending.stderr)
        output = None if task.schema is None else last_json(answer.text)
        return AgentResult(text=answer.text, output=output)

    def readiness(self) -> Readiness:
        return Readiness(True, "runs the program that the step's options name")


class _Answer:
    def __init__(self, emit: Emit, program: str) -> None:
        self._emit, self._program = emit, program
        self._lines: list[str] = []
        self._size = 0

    def add(self, line: str) -> None:
        self._size += len(line) + 1
        if self._size > OUTPUT_CHARACTERS:
            raise Crashed(
                f"{self._program!r} printed more than {OUTPUT_CHARACTERS} characters and was ended. "
                "Let it write to a file in the workspace."
            )
        self._lines.append(line)
        self._emit(Progress("text", line))

    @property
    def text(self) -> str:
        return "\n".join(self._lines)


def _argv(command: str | list[str]) -> list[str]:
    try:
        argv = shlex.split(command) if isinstance(command, str) else command
    except ValueError as error:
        raise BadOptions(f"the option command={command!r} cannot be split: {error}") from error
    if not argv:
        raise BadOptions('the option "command" is empty: name the program to run')
    return argv
