"""Tools that find workflows and run them."""

import inspect
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from holdfast.cli.inputs import run_id
from holdfast.errors import RunBusy, RunEnded
from holdfast.reducer import ENDED, NotAWorkflow

from . import shapes
from .arguments import Limit, Object, Run, Start
from .bounds import page_of
from .calls import next_call
from .desk import Visit
from .standing import go_on
from .tool import Asked, Tool

Name = Annotated[
    str, Meta(description="A name that list_workflows has, or a file: fix.py or fix.py:name.")
]


class ListWorkflows(Asked, frozen=True):
    start: Start = 0
    limit: Limit = 30


def list_workflows(visit: Visit, asked: ListWorkflows) -> dict[str, Any]:
    """List the workflows that can be run by name: the shipped, the installed, the project's own."""
    from holdfast.cli.commands.workflows import described

    kit = visit.desk.kit()
    load, limits = kit.load, kit.config.limits
    rows: list[dict[str, Any]] = []
    for name in load.names():
        try:
            row = described(name, load(name), limits)
        except NotAWorkflow as error:
            rows.append({"name": name, "error": {"code": error.code, "message": str(error)}})
        else:
            required = [field["name"] for field in row["inputs"] if field["required"]]
            rows.append({"name": name, "description": row["description"], "required": required})
    return page_of(rows, asked.start, asked.limit)


class DescribeWorkflow(Asked, frozen=True):
    workflow: Name


def describe_workflow(visit: Visit, asked: DescribeWorkflow) -> dict[str, Any]:
    """Tell what a workflow does, takes and may cost: documentation, inputs with defaults, usual budget."""
    from holdfast.cli.commands.workflows import described

    kit = visit.desk.kit()
    found = kit.load(asked.workflow)
    return {
        **described(asked.workflow, found, kit.config.limits),
        "documentation": inspect.getdoc(found.function) or "",
        "output": inspect.formatannotation(found.output),
    }


class RunWorkflow(Asked, frozen=True):
    workflow: Name
    input: Annotated[
        Object, Meta(description="Its inputs by name; describe_workflow lists them.")
    ] = msgspec.field(default_factory=dict[str, Any])
    id: Annotated[str | None, Meta(description="The run's id; by default one is made.")] = None
    budget_usd: Annotated[
        float, Meta(ge=0, description="What it may cost; then it asks. 0: as set up.")
    ] = 0.0
    budget_tokens: Annotated[int, Meta(ge=0, description="How many tokens it may use.")] = 0  # fmt: skip


def run_workflow(visit: Visit, asked: RunWorkflow) -> dict[str, Any]:
    """Start a run of a workflow in the background and return its id at once.

    A wrong input is refused before anything is written. Follow it with wait_for_run.
    """
    from holdfast.cli.commands.run import create
    from holdfast.settings import budget_of

    kit = visit.desk.kit()
    found = kit.load(asked.workflow)
    given = found.check(asked.input)
    name = run_id(asked.id, found.name)
    with visit.desk.log(create=True) as log:
        given_usd, given_tokens = asked.budget_usd, asked.budget_tokens
        budget = budget_of(kit.config.limits, given_usd, given_tokens, found.budget)
        project = visit.place.project()
        create(visit.place, log, kit, project, found, asked.workflow, given, name, budget)
        go_on(visit, log, name)
        row = log.run(name)
    following = next_call(["watch", name])
    return {"run": name, "offset": row.head, "owner_alive": True, "next": following}


class Resume(Asked, frozen=True):
    run: Run
    takeover: Annotated[bool, Meta(description="Also from a live process that executes it.")] = (
        False
    )


def resume(visit: Visit, asked: Resume) -> dict[str, Any]:
    """Go on with a run that waits or was interrupted, in a background process."""
    from holdfast.cli.rows import is_alive

    with visit.desk.log() as log:
        row = log.run(asked.run)
        if row.status in ENDED:
            raise RunEnded(asked.run, row.status, "resumed")
        if is_alive(log, row) and not asked.takeover:
            raise RunBusy(asked.run, host=row.host, pid=row.pid)
        go_on(visit, log, asked.run, takeover=asked.takeover)
        row = log.run(asked.run)
    following = next_call(["watch", asked.run])
    return {"run": asked.run, "offset": row.head, "owner_alive": True, "next": following}


TOOLS = [
    Tool("list_workflows", ListWorkflows, shapes.Counted, "reads", list_workflows),
    Tool("describe_workflow", DescribeWorkflow, shapes.Workflow, "reads", describe_workflow),
    Tool("run_workflow", RunWorkflow, shapes.Done, "adds", run_workflow),
    Tool("resume", Resume, shapes.Done, "adds", resume),
]
