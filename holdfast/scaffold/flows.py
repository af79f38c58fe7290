"""A project's own workflows: a source to begin with, a copy of another, and the file they are kept in."""

import ast
import keyword
import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path
from string import Template

from .errors import BadWorkflowName, ScaffoldUnwritable, WorkflowExists

NAME = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")
LONGEST_NAME = 60

STARTER = Template('''\
"""The workflow `$name`: an agent works on a goal until the tests pass and a reviewer approves.

    holdfast check $name                what would not work, and what to write instead
    holdfast run --dry-run $name        its steps, gates and loops; nothing is called
    holdfast run $name -i goal="..."

Between its calls of `run` a workflow only computes: no clock, file, network or random number of its own.
Each call is a step whose result is recorded, so that a run goes on after a crash where it was.
"""

from typing import Annotated

from msgspec import Meta, Struct

from holdfast import Run, workflow


class Review(Struct):
    """What the reviewer answers with: the agent is asked again where its answer does not fit."""

    approved: bool
    comments: list[str] = []


@workflow
async def $function(
    run: Run,
    goal: Annotated[str, Meta(description="What is to be done.")],
    test: Annotated[str, Meta(description="The command that runs the tests.")] = "pytest -q",
) -> str:
    """Work on a goal until its tests are green and a reviewer approves, then ask a person."""
    summary, feedback = "", ""
    # `async for` and a ceiling: what still does not hold after five rounds fails, and says so.
    async for _ in run.loop("round", max=5):
        # Who does it is the role "default" of holdfast.toml, unless agent= or role= say otherwise.
        summary = await run.agent("code", f"{goal}\\n\\n{feedback}")

        # With check=False a failing command is no failure of the step: its result says so.
        tests = await run.shell("test", test, check=False, timeout="30m")
        if not tests.ok:
            feedback = f"The tests fail:\\n{(tests.stdout + tests.stderr)[-8000:]}"
            continue

        question = f"Review the uncommitted changes; change nothing. The goal was: {goal}"
        review = await run.agent("review", question, output=Review, permissions="read")
        if review.approved:
            break
        feedback = "The reviewer asks for:\\n" + "\\n".join(review.comments)

    # A gate costs nothing while it waits, for a minute or a month: holdfast inbox
    await run.approve("accept the change", {"goal": goal, "summary": summary})
    return summary
''')


def checked_name(name: str) -> str:
    """Return the name, or raise BadWorkflowName."""
    if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise BadWorkflowName(
            name,
            f"take up to {LONGEST_NAME} small letters, digits, and single '-' or '_' between them, a "
            "letter first, as in 'nightly-audit'",
        )
    return name


def starter(name: str) -> str:
    """Return the source of a small workflow that works."""
    return STARTER.substitute(name=name, function=_function(name))


def copied(source: str, name: str) -> str:
    """Return a workflow's source under another name, where nothing else in the file refers to it."""
    module = ast.parse(source)
    functions = [node for node in module.body if isinstance(node, ast.AsyncFunctionDef)]
    marked = [function for function in functions if function.decorator_list]
    used = {node.id for node in ast.walk(module) if isinstance(node, ast.Name)}
    if len(marked) != 1 or marked[0].name in used:
        return source
    old = rf"^async def {marked[0].name}\("
    return re.sub(old, f"async def {_function(name)}(", source, flags=re.MULTILINE)


def store(folder: Path, name: str, source: str, *, replace: bool = False, how: str = "") -> Path:
    """Write a workflow's file, all of it or nothing, and return it.

    Without `replace` a file that is there is left alone: WorkflowExists, which tells `how` to have it
    replaced. Raises BadWorkflowName and ScaffoldUnwritable.
    """
    path = folder / f"{checked_name(name)}.py"
    try:
        number, temporary = tempfile.mkstemp(dir=folder, prefix=".new-", suffix=".tmp")
        try:
            with os.fdopen(number, "w", encoding="utf-8") as file:
                file.write(source)
                file.flush()
                os.fchmod(number, 0o644)
                os.fsync(number)
            if replace:
                os.replace(temporary, path)
            else:
                os.link(temporary, path)  # unlike a rename this takes nobody's place
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
    except FileExistsError as error:
        raise WorkflowExists(name, path, how) from error
    except OSError as error:
        raise ScaffoldUnwritable(folder, error.strerror or str(error)) from error
    return path


def _function(name: str) -> str:
    plain = name.replace("-", "_")
    return f"{plain}_" if keyword.iskeyword(plain) or plain in {"run", "workflow"} else plain
