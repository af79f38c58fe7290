"""Tools that read a history: its events, its steps, its files, and how two of them differ."""

from functools import partial
from itertools import islice
from typing import Annotated, Any, Literal

from msgspec import Meta

from holdfast.cli.changed import change_object, read_changes
from holdfast.cli.commands.files import file_object, read_files
from holdfast.cli.family import Families
from holdfast.cli.familyview import member_object
from holdfast.cli.frames import check_frame
from holdfast.cli.recorded import with_repository
from holdfast.cli.shapes import step_object
from holdfast.cli.sides import compared, diff_object
from holdfast.cli.sides import read as read_side
from holdfast.cli.values import decoded, encoded, record
from holdfast.errors import NoFiles, NoSuchStep
from holdfast.eventlog import Log, RunRow, Value
from holdfast.frames import near
from holdfast.recorded import step_files, tree_at
from holdfast.reducer import Step

from . import shapes
from .arguments import Characters, Frame, Limit, Run, Start
from .bounds import page, page_of, text_page
from .desk import Visit
from .standing import read
from .tool import Asked, Tool


class Timeline(Asked, frozen=True):
    run: Run
    start: Annotated[int, Meta(ge=0, description="The offset of the first event to tell.")] = 0
    limit: Limit = 50


def timeline(visit: Visit, asked: Timeline) -> dict[str, Any]:
    """Tell what happened in a run, event by event, each with its offset, time, actor and fields."""
    with visit.desk.log() as log:
        branch = log.branch_of(asked.run)
        records = log.records(branch, asked.start, asked.start + asked.limit + 1)
        found = page((record(log, one) for one in records), asked.start, asked.limit)
        return {**found._asdict(), "total": log.head(branch)}


Part = Literal["prompt", "result", "transcript", "patch"]


class GetStep(Asked, frozen=True):
    run: Run
    step: Annotated[str, Meta(description="The step's key, such as ticket-7/fix[2]/test.")]
    part: Annotated[
        Part | None,
        Meta(
            description="Which text to give, in pages: all that the step read, what it returned, what its "
            "agent said, or its difference of the files. Without one: the step and the texts' sizes."
        ),
    ] = None
    start: Start = 0
    limit: Characters = 8000


def get_step(visit: Visit, asked: GetStep) -> dict[str, Any]:
    """Tell of one step: how it stands, the files it changed; and its prompt, result or transcript."""
    with visit.desk.log() as log:
        row, state = read(log, asked.run)
        step = state.steps.get(asked.step)
        if step is None:
            keys = list(state.steps)
            raise NoSuchStep(asked.run, asked.step, near(asked.step, keys) or keys[-3:])
        changed, patch = _files(log, row, step, asked.part == "patch")
        texts = _texts(log, step)
    answer: dict[str, Any] = {
        **step_object(log, step),
        "files": [change_object(change) for change in changed],
        "parts": {name: len(text) for name, text in texts.items()},
    }
    if asked.part is None:
        return answer
    text = patch if asked.part == "patch" else texts.get(asked.part, "")
    return {**answer, "part": asked.part, **text_page(text, asked.start, asked.limit)}


def _texts(log: Log, step: Step) -> dict[str, str]:
    asked = {"prompt": step.reads, "result": step.result, "transcript": step.transcript}
    return {name: text for name, value in asked.items() if (text := _text(log, value))}


def _text(log: Log, value: Value) -> str:
    """Return a value as text: a text as it is, and what else there may be as JSON."""
    found = decoded(log, value)
    if found is None:
        return ""
    return found if isinstance(found, str) else encoded(found).decode(errors="replace")


def _files(log: Log, row: RunRow, step: Step, whole: bool) -> tuple[list[Any], str]:
    """Return what a step changed in the files; nothing where they were not recorded."""
    try:
        found = step_files(log, row, step.key)
    except NoFiles:
        return [], ""
    changed, patch = with_repository(log, row, partial(read_changes, found, whole))
    return changed, patch.encode(errors="surrogateescape").decode(errors="replace")


class FilesAt(Asked, frozen=True):
    run: Run
    at: Frame = None
    path: Annotated[
        str, Meta(description="A file, to read it; or a folder, to list what is below.")
    ] = ""
    workspace: Annotated[str, Meta(description="The key of a workspace that the run opened.")] = ""
    start: Start = 0
    limit: Characters = 8000


def files_at(visit: Visit, asked: FilesAt) -> dict[str, Any]:
    """List the recorded files of a run at any frame, or give what is in one of them, in pages."""
    with visit.desk.log() as log:
        row = log.run(asked.run)
        at = check_frame(asked.run, asked.at, row.head)
        tree = tree_at(log, row, at, asked.workspace)
        found, content = with_repository(log, row, partial(read_files, tree, asked.path))
    head = {"run": asked.run, "at": at, "path": asked.path}
    if content is None:
        objects = [file_object(file) for file in found]
        return {**head, **page_of(objects, asked.start, min(asked.limit, 200))}
    text = content.decode(errors="replace")
    items = [file_object(file) for file in found]
    return {**head, "items": items, **text_page(text, asked.start, asked.limit)}


class Diff(Asked, frozen=True):
    a: Run
    b: Run
    at_a: Frame = None
    at_b: Frame = None
    start: Start = 0
    limit: Limit = 20


def diff(visit: Visit, asked: Diff) -> dict[str, Any]:
    """Compare two runs, or one at two frames: where they part, then key by key what differs."""
    with visit.desk.log() as log:
        one, other = read_side(log, asked.a, asked.at_a), read_side(log, asked.b, asked.at_b)
        told = diff_object(log, one, other, compared(log, one, other))
    items = told.pop("differences")
    return {**told, **page_of(items, asked.start, asked.limit)}


class Tree(Asked, frozen=True):
    run: Annotated[str | None, Meta(description="Its family; by default all that have forks.")] = (
        None
    )
    start: Start = 0
    limit: Limit = 30


def tree(visit: Visit, asked: Tree) -> dict[str, Any]:
    """List runs with their forks and the histories they left, each after the one that it came from."""
    with visit.desk.log() as log:
        families = Families(log)
        roots = families.roots() if asked.run is None else [families.root(log.branch_of(asked.run))]
        members = ((root, member) for root in roots for member in families.members(root))
        found = (
            member_object(log, member, log.name_of(root), children=True)
            for root, member in islice(members, asked.start, None)
        )
        return page(found, asked.start, asked.limit)._asdict()


TOOLS = [
    Tool("timeline", Timeline, shapes.Counted, "reads", timeline),
    Tool("get_step", GetStep, shapes.Step, "reads", get_step),
    Tool("files_at", FilesAt, shapes.Files, "reads", files_at),
    Tool("diff", Diff, shapes.Diff, "reads", diff),
    Tool("tree", Tree, shapes.Items, "reads", tree),
]
