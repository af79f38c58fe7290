"""A dry run: plays a workflow with one kind of samples after the other, until it comes to its end."""

import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from holdfast.eventlog import Role
from holdfast.reducer import Workflow

from .errors import CannotSample
from .given import Given
from .judging import ANY, PermissionsOf, Problem
from .nodes import Node
from .playing import Played, Setting, play
from .sampling import NoSample, Taste, sample

MOST_STEPS = 200
TASTES = (
    Taste(),
    Taste(everywhere=True),
    Taste(booleans=False),
    Taste(booleans=False, everywhere=True, items=0),
    Taste(high=True),
    Taste(items=0),
    Taste(prints=False),
    Taste(marked=False),
    Taste(fails=True),
    Taste(fails=True, marked=False, everywhere=True),
)

Status = Literal["succeeded", "failed", "continued", "cut"]


class DryRun(msgspec.Struct):
    """What a run would do with samples for results. `sampled` are the inputs that were made up.

    `samples` says which samples were chosen. `status` "cut" is a workflow that goes on without an end,
    or for longer than was looked at. `where` is the line of the workflow that raised `error`.
    """

    workflow: str
    status: Status
    input: dict[str, Any]
    sampled: list[str]
    samples: str
    steps: int
    tree: Node
    output: Any = None
    error: Problem | None = None
    where: str = ""
    problems: list[Problem] = []
    unused: list[str] = []

    @property
    def ok(self) -> bool:
        """Whether nothing was found that a run would fail at."""
        return self.error is None and not self.problems


def dry_run(
    workflow: Workflow,
    given_input: Mapping[str, Any],
    load: Callable[[str], Workflow],
    *,
    samples: Mapping[str, Any] = {},
    roles: Sequence[Role] = (),
    knows_agent: Callable[[str], bool] = lambda _: True,
    permissions: PermissionsOf = lambda _, __: ANY,
) -> DryRun:
    """Play a workflow without calling or writing anything. Raises CannotSample and InputInvalid.

    Results are made of their types. Where a loop does not end with one kind of samples, others are
    tried, and the first ones that bring the workflow to its end are shown.
    """
    input, sampled = with_samples(workflow, given_input)
    tried: list[tuple[Played, Setting]] = []
    for taste in TASTES:
        setting = Setting(load, Given(samples), taste, MOST_STEPS, roles, knows_agent, permissions)
        played = play(workflow, input, setting)
        tried.append((played, setting))
        if played.error is None and not setting.is_cut and not _reached_ceiling(played.root):
            break
        if not _may_be_otherwise(played, setting):
            break
    played, setting = min(tried, key=_merit)
    return _told(workflow, input, sampled, played, setting)


def with_samples(workflow: Workflow, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the checked input, and which fields of it were made up because they were missing."""
    whole, made = dict(given), list[str]()
    for field in msgspec.structs.fields(workflow.input_type):
        if field.required and field.encode_name not in whole:
            name = field.encode_name
            try:
                whole[name] = msgspec.to_builtins(sample(field.type, name, TASTES[0]))
            except NoSample as error:
                raise CannotSample(f"input {name!r}", str(error), f"-i {name}=VALUE") from error
            made.append(name)
    return workflow.check(whole), made


def _reached_ceiling(node: Node) -> bool:
    exhausted = node.kind == "loop" and bool(node.notes)
    return exhausted or any(_reached_ceiling(child) for child in node.children)


def _may_be_otherwise(played: Played, setting: Setting) -> bool:
    """Tell whether other samples could lead elsewhere: not where the code itself is wrong."""
    return setting.is_cut or played.ended is not None


def _merit(tried: tuple[Played, Setting]) -> int:
    """Return how much is wrong with a try; of equal ones the first is shown."""
    played, setting = tried
    if played.error is not None:
        return 3
    return 2 if setting.is_cut else 1 if _reached_ceiling(played.root) else 0


def _told(
    workflow: Workflow, input: dict[str, Any], sampled: list[str], played: Played, setting: Setting
) -> DryRun:
    error, ended = played.error, played.ended
    status: Status = "failed" if error else "cut"
    if error is None and ended is not None:
        status = "continued" if ended.status == "continued" else "succeeded"
    result = DryRun(
        workflow.name, status, input, sampled, setting.taste.told(), setting.steps, played.root,
        problems=setting.problems, unused=setting.given.unused,
    )  # fmt: skip
    if error is not None:
        message = str(error) or type(error).__name__
        if not hasattr(error, "code"):
            message = traceback.format_exception_only(error)[-1].strip()
        key = getattr(error, "key", "")
        result.error = Problem(key, getattr(error, "code", "exception"), message)
        result.where = _where(error, workflow)
    elif ended is not None:
        result.output = msgspec.to_builtins(ended.value, enc_hook=repr)
    return result


def _where(error: BaseException, workflow: Workflow) -> str:
    """Return the last line of the workflow's own file on the way to an error; empty if there is none."""
    own = workflow.function.__code__.co_filename
    frames = traceback.extract_tb(error.__traceback__)
    mine = [frame for frame in frames if frame.filename == own]
    return f"{mine[-1].filename}:{mine[-1].lineno}" if mine else ""
