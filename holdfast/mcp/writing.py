"""Tools that write workflows, and show beforehand what one would do.

They write files and no history, so whoever works inside a run may use them as well.
"""

from pathlib import Path
from typing import Annotated, Any

import click
import msgspec
from msgspec import Meta

from holdfast.cli.dryruns import dry_run_object, dry_run_of, tree_lines
from holdfast.dryrun import DryRun as Result
from holdfast.dryrun import Unending, bounded
from holdfast.reducer import NotAWorkflow, Workflow

from . import shapes
from .arguments import Object
from .desk import Visit
from .starting import Name
from .tool import Asked, Tool

SHOWN_LINES = 150
Samples = Annotated[
    Object,
    Meta(
        description='Step -> the result it is given; "*" stands for any text. Else made of its type.'
    ),
]


class DryRun(Asked, frozen=True):
    workflow: Name
    input: Annotated[
        Object, Meta(description="Its inputs; samples stand in for what is missing.")
    ] = msgspec.field(default_factory=dict[str, Any])
    samples: Samples = msgspec.field(default_factory=dict[str, Any])


def dry_run(visit: Visit, asked: DryRun) -> dict[str, Any]:
    """Show what a workflow would do: its steps, gates and loops. Nothing is called or written.

    Results are samples made of their types; where they lead astray, give others in `samples`.
    """
    kit = visit.desk.kit()
    result = dry_run_of(kit, kit.load(asked.workflow), asked.input, asked.samples)
    return {**_shown(result), "next": _start(asked.workflow, result)}


class CreateWorkflow(Asked, frozen=True):
    name: Annotated[
        str, Meta(description="Small letters, digits and hyphens: its file is NAME.py.")
    ]
    source: Annotated[
        str, Meta(max_length=200_000, description="A Python file with one @workflow function.")
    ]
    replace: Annotated[bool, Meta(description="Overwrite the project's workflow of this name.")] = (
        False
    )
    input: Annotated[Object, Meta(description="Inputs for its dry run.")] = msgspec.field(
        default_factory=dict[str, Any]
    )
    samples: Samples = msgspec.field(default_factory=dict[str, Any])


def create_workflow(visit: Visit, asked: CreateWorkflow) -> dict[str, Any]:
    """Check a workflow, dry-run it and store it in the project, to be run by its name at once.

    Where `problems` holds more than notes nothing is stored: mend the source as `instead` says and call
    again. `from holdfast import Run, workflow`; `@workflow async def f(run: Run, goal: str) -> str:`;
    every step is awaited and has a name. Examples are in the files that describe_workflow calls `source`.
    """
    from holdfast.checking import check_source, known_names
    from holdfast.scaffold import WorkflowExists, checked_name, store

    kit, project = visit.desk.kit(), visit.place.project()
    path = project.workflows / f"{checked_name(asked.name)}.py"
    how = "overwrite it: replace=true"
    if not asked.replace and path.exists():
        raise WorkflowExists(asked.name, path, how)
    known = known_names(kit.plugins, kit.load, kit.config)
    problems: list[dict[str, Any]] = [
        msgspec.to_builtins(found)
        for found in check_source(asked.source, path.name, path.parent, known)
    ]
    result = None
    if all(problem["note"] for problem in problems):
        found = _loaded(path, asked.source)
        if isinstance(found, Workflow):
            result = dry_run_of(kit, found, asked.input, asked.samples)
        else:
            problems.append(found)
    if result is None:
        again = {"tool": "create_workflow", "arguments": {"name": asked.name}}
        again |= {"fill_in": ["source"]}
        return {"stored": False, "path": "", "problems": problems, "dry_run": None, "next": again}
    made = store(project.make_workflows(), asked.name, asked.source, replace=asked.replace, how=how)
    return {
        "stored": True,
        "path": str(made),
        "problems": problems,
        "dry_run": _shown(result),
        "next": _start(asked.name, result),
    }


def _loaded(path: Path, source: str) -> Workflow | dict[str, Any]:
    """Return the workflow, or the problem that it cannot be loaded. Its top level runs, bounded."""
    from holdfast.loading import from_source

    try:
        with bounded():
            return from_source(path, source)
    except (NotAWorkflow, Unending) as error:
        instead = "one @workflow function, and nothing at the top level that fails"
        return {
            "line": 1, "column": 1, "code": error.code, "found": str(error), "instead": instead,
            "file": path.name, "note": False,
        }  # fmt: skip


def _shown(result: Result) -> dict[str, Any]:
    """Return a dry run with its tree as the lines that people see."""
    told = dry_run_object(result)
    lines = [click.unstyle(line) for line in tree_lines(result.tree)]
    more = [f"... {len(lines) - SHOWN_LINES} lines more"] if len(lines) > SHOWN_LINES else []
    return {**told, "tree": [*lines[:SHOWN_LINES], *more]}


def _start(name: str, result: Result) -> dict[str, Any]:
    """Return the call to go on with: to start it, or to try other samples where it failed."""
    if not result.ok:
        return {"tool": "dry_run", "arguments": {"workflow": name}, "fill_in": ["samples"]}
    given = {key: value for key, value in result.input.items() if key not in result.sampled}
    call = {"workflow": name, "input": given}
    return {"tool": "run_workflow", "arguments": call, "fill_in": [*result.sampled]}


TOOLS = [
    Tool("dry_run", DryRun, shapes.DryRun, "reads", dry_run),
    Tool("create_workflow", CreateWorkflow, shapes.Created, "destroys", create_workflow),
]
