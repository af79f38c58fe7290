"""A coding agent: the adapter of a program that reads a prompt and prints an answer."""

from .shared import COMMANDS, Files

PLUGIN = '''\
"""What this package offers to Holdfast."""

from collections.abc import Mapping

from holdfast.plugins import Agent, hookimpl

from .agent import ${Class}

HOLDFAST_HOOKS = 1


@hookimpl
def holdfast_agents() -> Mapping[str, Agent]:
    """Offer the agent, by the name that workflows use: run.agent(..., agent="$name")."""
    return {"$name": ${Class}()}
'''

AGENT = '''\
"""The program `$name` as an agent."""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec
from holdfast.plugins import (
    AgentResult,
    AgentTask,
    Crashed,
    Emit,
    NoOutput,
    Permissions,
    Progress,
    Readiness,
)
from holdfast.plugins.building import (
    Program,
    arguments_for,
    last_json,
    options_of,
    prompt_of,
    run_lines,
)

PROGRAM = Program("$name", "${VARIABLE}_EXECUTABLE", install="(say here how it is installed)")

# The arguments by which the program is held to a permission. One that is not here is refused.
PERMISSIONS: dict[Permissions, list[str]] = {"full": []}


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a step may say as `options=`; anything else is refused."""

    args: list[str] = []


class ${Class}:
    """Runs the program in the task's folder. The prompt is its input, what it prints the answer."""

    async def run(self, task: AgentTask, emit: Emit) -> AgentResult:
        """Do one task. Cancelled by trio, `run_lines` ends the program and all that it started."""
        options = options_of(task, Options)
        held = arguments_for(task, PROGRAM.name, PERMISSIONS)
        argv = [PROGRAM.locate(task.env), *held, *options.args]
        lines: list[str] = []

        def on_line(line: str) -> None:
            lines.append(line)
            emit(Progress("text", line))

        ending = await run_lines(
            argv, task, emit, env=task.env, stdin=prompt_of(task), on_line=on_line
        )
        text = "\\n".join(lines).strip()
        if ending.code:
            raise Crashed(f"$name ended with {ending}", detail=text)
        if not text:
            raise NoOutput("$name ended well and said nothing")
        return AgentResult(text=text, output=last_json(text) if task.schema else None)

    def permissions_with(self, options: Mapping[str, Any]) -> Collection[Permissions]:
        """Tell which permissions there are, so that a dry run can say what would be refused."""
        return PERMISSIONS

    def readiness(self) -> Readiness:
        """Say whether the program is there, and in which version."""
        return PROGRAM.readiness()
'''

TEST = '''\
"""The agent, with a program that does what each test needs in place of the real one."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from holdfast.plugins import AgentTask
from holdfast.plugins.testing import agent_task, conformance

from $package import plugin
from $package.agent import ${Class}

SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}}}


def program(source: str, **fields: Any) -> Callable[[Path], AgentTask]:
    """Return what makes a task for a program with this source."""

    def task(folder: Path) -> AgentTask:
        path = folder / "program"
        path.write_text(f"#!{sys.executable}\\n{source}\\n")
        path.chmod(0o755)
        env = {"${VARIABLE}_EXECUTABLE": str(path)}
        return agent_task(folder, "hello", env=env, **fields)

    return task


def nowhere(folder: Path) -> AgentTask:
    env = {"${VARIABLE}_EXECUTABLE": str(folder / "missing")}
    return agent_task(folder, "hello", env=env)


test_agent_conforms = conformance(
    ${Class},
    works=program("import sys; print('heard', sys.stdin.read())"),
    schema=program("""print('{"answer": "hello"}')""", schema=SCHEMA),
    hangs=program("import time; print('ready', flush=True); time.sleep(600)"),
    fails=program("import sys; sys.exit(3)"),
    empty=program(""),
    missing=nowhere,
)
test_plugin_conforms = conformance(plugin)
'''

README = f"""\
# $distribution

The agent `$name` for Holdfast.

{COMMANDS}
In a workflow: `await run.agent("code", "Mend the tests.", agent="$name")`.

`src/$package/agent.py` is the adapter. Make it yours: the program's name and how it is installed, the
arguments for the permissions that it can be held to, how it prints what it does. A program that prints JSON
lines goes with `run_jsonl`. Raise the errors of `holdfast.plugins`: they tell the engine whether to
wait (`RateLimited`), to try again (`Crashed`), or to give up (`NotLoggedIn`, `Refused`).
"""

FILES: Files = {
    "src/$package/plugin.py": PLUGIN,
    "src/$package/agent.py": AGENT,
    "tests/test_agent.py": TEST,
    "README.md": README,
}
