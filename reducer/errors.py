"""Errors that a workflow or its author can meet.

HoldfastError
  WorkflowError           the workflow cannot be run as it is; the run itself is unharmed
    NotAWorkflow          the file or name has no workflow, or several
    InputInvalid          the input does not fit the workflow's signature
    InputHasSecret        the input holds what may not be written to the log
    BadName               a step's name cannot be part of a key
    NotRecordable         a value cannot be written to the log
    NotDurable            the workflow awaited something that is no durable step
    UnknownRole           no agent or model is known for a step
    WorkflowDiverged      the recorded history and the code disagree
  RunEnding               raised inside the workflow; uncaught, they end the run
    StepFailed            a step failed after all its attempts
    ApprovalDenied        somebody said no
      Skipped             and what asked is to be left out, which is no failure
    GateExpired           nobody decided or answered in time
    LoopExhausted         the ceiling was reached before the condition held
    ChildFailed           a child run failed or was cancelled
"""

import shlex
from collections.abc import Iterable
from typing import Any

from holdfast.eventlog import Failure, HoldfastError


class WorkflowError(HoldfastError):
    code = "workflow"


class NotAWorkflow(WorkflowError):
    code = "not_a_workflow"
    exit_status = 2


class InputInvalid(WorkflowError):
    code = "input_invalid"
    exit_status = 2

    def __init__(self, workflow: str, reason: str, wanted: str) -> None:
        super().__init__(
            f"the input does not fit workflow {workflow!r}: {reason}. It takes: {wanted}"
        )
        self.workflow, self.reason = workflow, reason


class InputHasSecret(WorkflowError):
    code = "input_has_secret"
    exit_status = 2

    def __init__(self, workflow: str, field: str, shown: str) -> None:
        super().__init__(
            f"the input {field!r} of workflow {workflow!r} holds a secret ({shown}), and an input is "
            "written to the log. Nothing was written. Put the secret into the environment, and let "
            "the step that needs it read it there."
        )
        self.workflow, self.field = workflow, field


class BadName(WorkflowError):
    code = "bad_name"

    def __init__(self, name: object) -> None:
        super().__init__(
            f"{name!r} cannot name a step: a name is 1 to 200 printable characters without "
            "'/', '[', ']' and '#'. Put what varies into the prompt or the arguments."
        )
        self.name = name


class NotRecordable(WorkflowError):
    code = "not_recordable"

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(
            f"{where} cannot be recorded: {reason}. Use plain data: str, int, float, bool, None, "
            "bytes, lists, dicts, dataclasses or msgspec Structs."
        )
        self.where, self.reason = where, reason


class NotDurable(WorkflowError):
    code = "not_durable"

    def __init__(self, awaited: str, where: str) -> None:
        super().__init__(
            f"the workflow awaited {awaited} at {where}, which is lost in a crash. Await only calls "
            "of the run: run.sleep() to wait, run.step() for a function of your own, run.shell() "
            "for a command. Find all such places with: holdfast check FILE"
        )
        self.awaited, self.where = awaited, where


class UnknownRole(WorkflowError):
    """A step names a role that the project does not have, or one without what the step needs."""

    code = "unknown_role"

    def __init__(self, key: str, why: str, known: Iterable[str]) -> None:
        self.key, self.known = key, sorted(known)
        named = ", ".join(map(repr, self.known)) or "none"
        super().__init__(
            f"nobody is there for step {key!r}: {why} in holdfast.toml, at the project's root. Roles there: "
            f"{named}. Add it there ([roles.NAME] with agent= or model=) and resume the run, or give the "
            "step agent= or model="
        )


class WorkflowDiverged(WorkflowError):
    code = "workflow_diverged"

    def __init__(self, run: str, key: str, difference: str, *, edited: bool) -> None:
        cause = (
            "The workflow's code was changed since"
            if edited
            else "The code is unchanged, so it reads something that is not recorded (a clock, a "
            "file, a random number): find it with holdfast check"
        )
        end = "\n" if "\n" in difference else ". "
        quoted = shlex.quote(run)
        super().__init__(
            f"run {run!r} cannot go on at step {key!r}: {difference}{end}{cause}. Nothing was "
            f"changed. See what going on from there would do with: holdfast plan resume {quoted}, then do "
            f"it with: holdfast resume {quoted} --accept"
        )
        self.run, self.key, self.difference, self.edited = run, key, difference, edited


class RunEnding(HoldfastError):
    code = "run_ending"


class StepFailed(RunEnding):
    """A step failed. `failure.code` tells why, `failure.message` says it."""

    code = "step_failed"

    def __init__(self, key: str, failure: Failure, result: Any = None) -> None:
        super().__init__(f"step {key!r} failed: {failure.message}")
        self.key, self.failure, self.result = key, failure, result


class ApprovalDenied(RunEnding):
    code = "approval_denied"

    def __init__(self, key: str, by: str, note: str) -> None:
        super().__init__(f"{by} denied {key!r}" + (f": {note}" if note else ""))
        self.key, self.by, self.note = key, by, note


class Skipped(ApprovalDenied):
    """Somebody said no to a gate with `on_deny="skip"`.

    Uncaught, it ends the branch of `run.map`, `run.parallel` or `run.race` that asked, or the workflow
    itself, with the result None.
    """

    code = "skipped"


class GateExpired(RunEnding):
    code = "gate_expired"

    def __init__(self, key: str) -> None:
        super().__init__(
            f"nobody decided {key!r} in time. Ask again with a longer expires=, or let it be passed on or "
            'called to mind: on_expire="escalate" or "remind"'
        )
        self.key = key


class LoopExhausted(RunEnding):
    """The loop `key` ran `max` times; `last` holds the results of the last time, by step name."""

    code = "loop_exhausted"
    exit_status = 4

    def __init__(self, key: str, max: int, last: dict[str, Any]) -> None:
        seen = "".join(f"\n  {name}: {_short(value)}" for name, value in last.items())
        super().__init__(
            f"loop {key!r} reached its ceiling of {max}; last results:{seen or ' none'}"
        )
        self.key, self.max, self.last = key, max, last


class ChildFailed(RunEnding):
    code = "child_failed"

    def __init__(self, key: str, run: str, status: str, failure: Failure | None) -> None:
        why = f": {failure.message}" if failure else ""
        super().__init__(f"child run {run!r} ({key!r}) {status}{why}")
        self.key, self.run, self.status, self.failure = key, run, status, failure


def _short(value: Any, width: int = 120) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= width else text[: width - 3] + "..."
