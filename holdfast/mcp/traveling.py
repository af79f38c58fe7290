"""Tools that go back and take another way, and tell beforehand what that would do."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from holdfast.cli.changes import merged_input
from holdfast.cli.commands.fork import parent_name
from holdfast.cli.inputs import run_id
from holdfast.cli.plans import plan_object
from holdfast.eventlog import Edit, Log
from holdfast.insiders import refuse_release
from holdfast.settings import roles_of
from holdfast.travel import Change, retry_change
from holdfast.travel import fork as leave
from holdfast.travel import plan as planned

from . import shapes
from .arguments import Limit, Object, Resume, Run, Start
from .bounds import page_of
from .desk import Kit, Visit
from .errors import BadArguments
from .standing import done
from .tool import Asked, Tool

At = Annotated[
    int | str | None,
    Meta(description="A frame (number of events), or the key of the step before which to leave."),
]
Texts = dict[str, str]


class Otherwise(Asked, frozen=True, kw_only=True):
    """What is to be done otherwise; all of it may be left out."""

    run: Run
    at: At = None
    results: Annotated[
        Object, Meta(description="Step -> the result it takes instead of running.")
    ] = msgspec.field(default_factory=dict[str, Any])
    input: Annotated[Object | None, Meta(description="Fields of the input that become others.")] = (
        None
    )
    prompts: Annotated[Texts, Meta(description="Step -> another prompt.")] = msgspec.field(
        default_factory=dict[str, str]
    )
    agents: Annotated[Texts, Meta(description="Step -> another agent.")] = msgspec.field(
        default_factory=dict[str, str]
    )
    models: Annotated[Texts, Meta(description="Step -> another model.")] = msgspec.field(
        default_factory=dict[str, str]
    )
    workflow: Annotated[str | None, Meta(description="Go on with this workflow's code.")] = None
    reuse: Annotated[
        bool | None,
        Meta(
            description="Take over what still holds from after `at`; by default if anything is changed."
        ),
    ] = None
    changed_code: Annotated[
        Literal["keep", "rerun"],
        Meta(
            description="Finished functions whose own source changed: keep results, or run again."
        ),
    ] = "keep"
    allow_effects: Annotated[
        bool, Meta(description="Let effects happen without asking for each.")
    ] = False


class Fork(Otherwise, frozen=True, kw_only=True):
    id: Annotated[str | None, Meta(description="The new run's id; by default one is made.")] = None
    resume: Resume = False


def fork(visit: Visit, asked: Fork) -> dict[str, Any]:
    """Make a new run that shares the history of a run up to a frame; that run stays as it is.

    Without `at` it leaves before the first step that is changed. `plan` tells what would run again.
    """
    name = None if asked.id is None else run_id(asked.id, "")
    return _leave(visit, "fork", asked, asked.resume, name)


class Rewind(Otherwise, frozen=True, kw_only=True):
    resume: Resume = False


def rewind(visit: Visit, asked: Rewind) -> dict[str, Any]:
    """Take a run back to a frame, or to before a step, under its own name.

    What came after stays as RUN@BRANCH. Refused while a live process executes the run.
    """
    if asked.at is None:
        raise BadArguments("rewind", "it does not say how far to go back", "run, at")
    return _leave(visit, "rewind", asked, asked.resume, None)


class Retry(Asked, frozen=True):
    run: Run
    step: Annotated[str | None, Meta(description="By default the one that the run failed for.")] = (
        None
    )
    resume: Resume = True


def retry(visit: Visit, asked: Retry) -> dict[str, Any]:
    """Try a failed step again in place, after its cause was mended. What was done well stays."""
    with visit.desk.log() as log:
        wanted = retry_change(log, asked.run, asked.step)
        return _make(visit, log, asked.run, wanted, resume=asked.resume, name=None)


class Plan(Otherwise, frozen=True, kw_only=True):
    action: Literal["fork", "rewind", "retry", "accept"] = "fork"
    step: Annotated[str | None, Meta(description="With retry: the failed step.")] = None
    start: Start = 0
    limit: Limit = 50


def plan(visit: Visit, asked: Plan) -> dict[str, Any]:
    """Tell what a fork, rewind or retry with the same arguments would do; nothing is written.

    Each item is reused, runs (and why), asks, waits or is dropped, with what it cost before. `accept`
    plans going on with the workflow's code as it is now.
    """
    _refuse_unread(asked)
    kit = visit.desk.kit()
    with visit.desk.log() as log:
        wanted = _planned_change(log, kit, asked)
        found = planned(log, kit.load, asked.run, wanted, roles=roles_of(kit.config))
    told = plan_object(found)
    items = told.pop("items")
    assert isinstance(items, list), "a plan has items"
    return {**told, **page_of(items, asked.start, asked.limit)}  # pyright: ignore[reportUnknownArgumentType]


_READ = {"retry": {"step"}, "accept": {"changed_code"}}


def _refuse_unread(asked: Plan) -> None:
    """Refuse what would be left unread: a plan must not look like one of what was asked for."""
    otherwise = {*Otherwise.__struct_fields__} - {"run"}
    read, nothing = _READ.get(asked.action, otherwise), Plan(run=asked.run)
    for name in sorted({*otherwise, "step"} - read):
        if getattr(asked, name) != getattr(nothing, name):
            problem = f"{name} has no meaning with action {asked.action!r}"
            raise BadArguments("plan", problem, f"run, {', '.join(sorted(read))} with that action")
    if asked.action == "rewind" and asked.at is None:
        raise BadArguments("plan", "it does not say how far to go back", "run, at with rewind")


def _planned_change(log: Log, kit: Kit, asked: Plan) -> Change:
    match asked.action:
        case "retry":
            return retry_change(log, asked.run, asked.step)
        case "accept":
            return Change("accept", changed_code=asked.changed_code)
        case action:
            return _change(log, kit, action, asked)


def _change(log: Log, kit: Kit, reason: Literal["fork", "rewind"], asked: Otherwise) -> Change:
    edits: list[Edit] = []
    for what, values in (
        ("result", asked.results),
        ("agent", asked.agents),
        ("model", asked.models),
        ("prompt", asked.prompts),
    ):
        for key, value in values.items():
            edits.append(Edit(what, msgspec.Raw(msgspec.msgpack.encode(value)), key))
    if asked.workflow is not None:
        kit.load(asked.workflow)  # refused here if there is none
    return Change(
        reason,
        int(asked.at) if isinstance(asked.at, str) and asked.at.isdecimal() else asked.at,
        edits,
        None if asked.input is None else merged_input(log, asked.run, asked.input),
        asked.workflow,
        asked.reuse,
        asked.allow_effects,
        changed_code=asked.changed_code,
    )


def _leave(
    visit: Visit, reason: Literal["fork", "rewind"], asked: Otherwise, resume: bool, name: str | None
) -> dict[str, Any]:  # fmt: skip
    with visit.desk.log() as log:
        wanted = _change(log, visit.desk.kit(), reason, asked)
        return _make(visit, log, asked.run, wanted, resume=resume, name=name)


def _make(
    visit: Visit, log: Log, run: str, wanted: Change, *, resume: bool, name: str | None
) -> dict[str, Any]:
    branch = log.branch_of(run)
    refuse_release(log, run, wanted, visit.env)
    load = visit.desk.kit().load
    made, offset = leave(log, load, run, wanted, actor=visit.place.actor, id=name)
    parent = parent_name(run, made, branch)
    return {**done(visit, log, made, resume=resume), "parent": parent, "left_at": offset}


TOOLS = [
    Tool("fork", Fork, shapes.Left, "adds", fork),
    Tool("rewind", Rewind, shapes.Left, "destroys", rewind),
    Tool("retry", Retry, shapes.Left, "adds", retry),
    Tool("plan", Plan, shapes.Plan, "reads", plan),
]
