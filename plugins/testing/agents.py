"""The rules for agents. A case is a task; a rule whose case is not given is left out."""

from collections.abc import Callable
from typing import Any, get_args

import msgspec
import trio

from .. import marks
from ..errors import BadOptions, MissingBinary, NoOutput, SessionLost, WorkError
from ..offers import permissions_told
from ..process import sweep
from ..types import Agent, AgentResult, AgentTask, Emit, Journal, Permissions, Progress
from .kit import (
    Rule,
    cancelled,
    check_data,
    check_protocol,
    check_readiness,
    check_result,
    check_text,
    expect,
    require,
    watched,
)

Make = Callable[[], Agent]
UNKNOWN_OPTION = "an option that no agent has"


def _protocol(make: Make) -> None:
    check_protocol(make(), "run")


def _readiness(make: Make) -> None:
    check_readiness(make())


def _afresh(task: AgentTask) -> AgentTask:
    """Return the task as one that nobody has begun: a journal goes on with what was done."""
    return msgspec.structs.replace(task, journal=Journal())


async def work(make: Make, task: AgentTask) -> tuple[AgentResult, list[Progress]]:
    """Return the result of a task and what was shown, both sound."""
    agent = make()

    async def run(emit: Emit) -> AgentResult:
        return await agent.run(_afresh(task), emit)

    result, shown = await watched(run)
    check_result(result, AgentResult)
    return result, shown


def _works(make: Make, task: AgentTask) -> AgentResult:
    result, _ = trio.run(work, make, task)
    (check_text if task.schema is None else check_data)(result)
    return result


def _shows(make: Make, task: AgentTask) -> None:
    _, shown = trio.run(work, make, task)
    require(bool(shown), "it worked and showed nothing: call emit(Progress(...)) as things happen")


def _ends_clean(make: Make, task: AgentTask) -> None:
    trio.run(work, make, task)
    _require_nothing_left(task, "the task ended well")


def _schema(make: Make, task: AgentTask) -> None:
    require(task.schema is not None, "the case 'schema' is a task without a schema")
    result, _ = trio.run(work, make, task)
    check_data(result)


def _session(make: Make, works: AgentTask, goes_on: AgentTask) -> None:
    """The first task tells the session in which the second one goes on."""
    first, shown = trio.run(work, make, works)
    require(bool(first.session), "the result has no session to go on with")
    told = [each.text for each in shown if each.kind == "session"]
    require(not told or told[-1] == first.session, f"it showed session {told[-1:]}, then another")
    second, _ = trio.run(work, make, msgspec.structs.replace(goes_on, session=first.session))
    require(bool(second.session), "the task that went on with a session has none")


def _permissions(make: Make, task: AgentTask) -> None:
    """Each permission is either kept to or refused, as it tells beforehand; a refusal names it."""
    taken: list[str] = []
    for permissions in get_args(Permissions):
        held = msgspec.structs.replace(task, permissions=permissions)
        try:
            trio.run(work, make, held)
        except WorkError as refusal:
            named = f"{permissions!r} is refused with {type(refusal).__name__}, not BadOptions"
            require(isinstance(refusal, BadOptions), named)
            require(permissions in str(refusal), f"{permissions!r} is refused without its name")
        else:
            taken.append(permissions)
    require(bool(taken), "it takes none of the permissions 'read', 'edit' and 'full'")
    told = permissions_told(make(), task.options)
    wrong = f"its permissions_with tells {sorted(told or ())}, and it takes {sorted(taken)}"
    require(told is None or told == {*taken}, wrong)


def _options(make: Make, task: AgentTask) -> None:
    options = {**task.options, UNKNOWN_OPTION: 1}
    strange = msgspec.structs.replace(task, options=options)
    trio.run(_expect, make, strange, BadOptions)


def _missing_folder(make: Make, task: AgentTask) -> None:
    nowhere = msgspec.structs.replace(task, folder=task.folder / "no-such-folder")
    trio.run(_expect, make, nowhere, WorkError)


async def _expect(make: Make, task: AgentTask, error: type[WorkError]) -> None:
    agent = make()
    await expect(error, lambda emit: agent.run(_afresh(task), emit))


def _fails_with(error: type[WorkError]) -> Callable[[Make, AgentTask], None]:
    def check(make: Make, task: AgentTask) -> None:
        trio.run(_expect, make, task, error)
        _require_nothing_left(task, "the task failed")

    return check


def _hangs(make: Make, task: AgentTask) -> None:
    trio.run(_cancel, make, task)


async def _cancel(make: Make, task: AgentTask) -> None:
    agent = make()
    try:
        await cancelled(lambda emit: agent.run(_afresh(task), emit))
        _require_nothing_left(task, "it was cancelled")
    finally:
        await sweep(task.env[marks.MARK])


def _require_nothing_left(task: AgentTask, when: str) -> None:
    if marks.can_see_marks():
        left: Any = marks.find(mark=task.env[marks.MARK])
        require(not left, f"processes {sorted(left)} are still alive after {when}")


AGENT_RULES = (
    Rule("has-its-methods", _protocol),
    Rule("tells-its-readiness", _readiness),
    Rule("works", _works, ("works",)),
    Rule("shows-what-it-does", _shows, ("works",)),
    Rule("leaves-nothing-running", _ends_clean, ("works",)),
    Rule("keeps-to-permissions-or-refuses", _permissions, ("works",)),
    Rule("refuses-unknown-options", _options, ("works",)),
    Rule("refuses-a-missing-folder", _missing_folder, ("works",)),
    Rule("answers-with-data", _schema, ("schema",)),
    Rule("goes-on-with-a-session", _session, ("works", "goes_on")),
    Rule("is-cancelled-clean", _hangs, ("hangs",)),
    Rule("names-a-missing-program", _fails_with(MissingBinary), ("missing",)),
    Rule("names-a-lost-session", _fails_with(SessionLost), ("lost",)),
    Rule("names-an-empty-answer", _fails_with(NoOutput), ("empty",)),
    Rule("names-a-failure", _fails_with(WorkError), ("fails",)),
)
"""In this order; each is one test."""
