"""Edits that a person asks for: refused before anything is written where they cannot be."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from holdfast.eventlog import (
    ApprovalRequested,
    ChildStarted,
    Edit,
    Log,
    NoSuchRun,
    QuestionAsked,
    Record,
    RunRow,
)
from holdfast.reducer import Driver, StepRequest, Workflow, follow, names, within

from .errors import ResultInvalid
from .frames import begun_by
from .redact import Redactor


def refuse_edits(
    log: Log, load: Callable[[str], Workflow], row: RunRow, edits: Sequence[Edit]
) -> None:
    """Raise InputHasSecret for an edit with a secret, ResultInvalid for a result that does not fit.

    A result is held against the types of the steps that it names, as far as the run has asked for them.
    """
    redactor = Redactor(os.environ)  # by the built-in rules: the plugins are not loaded for a fork
    for edit in edits:
        redactor.refuse(row.workflow, f"{edit.what} of {edit.key}", bytes(edit.value))
    results = [edit for edit in edits if edit.what == "result"]
    if results:
        for key, output in _asked(log, load(row.source), row, results).items():
            for edit in results:
                if names(edit, key):
                    _check(row.run, key, edit, output)


def refuse_gates(log: Log, run: str, edits: Sequence[Edit]) -> None:
    """Raise ResultInvalid for a result of what people decide, in a run or its children.

    It would be left unread, and look like their word.
    """
    wanted = {edit.key for edit in edits if edit.what == "result"}
    for record in log.records(log.branch_of(run)) if wanted else ():
        match record.event:
            case ApprovalRequested(key=key) | QuestionAsked(key=key) if key in wanted:
                raise ResultInvalid(run, key, "people decide it, so a fork asks them")
            case ChildStarted(key=key, run=child) if inner := within(edits, key):
                with suppress(NoSuchRun):  # it was asked for, and never made
                    refuse_gates(log, child, inner)
            case _:
                pass


def _asked(log: Log, workflow: Workflow, row: RunRow, edits: Sequence[Edit]) -> dict[str, Any]:
    """Return the output types of the steps that the edits name, by key."""
    driver = Driver(workflow, log.load)
    types: dict[str, Any] = {}

    def note(key: str | None) -> None:
        future = driver.pending.get(key or "")
        request = None if future is None else future.request
        if isinstance(request, StepRequest) and any(names(edit, request.key) for edit in edits):
            types[request.key] = request.output

    def watched() -> Iterator[Record]:
        for record in log.records(row.branch):
            note(begun_by(record.event))  # asked for by now, and not answered yet
            yield record

    try:
        follow(driver, watched())
        for key in driver.pending:
            note(key)
    finally:
        driver.close()
    return types


def _check(run: str, key: str, edit: Edit, output: Any) -> None:
    try:
        msgspec.msgpack.decode(edit.value, type=output)
    except msgspec.ValidationError as error:
        raise ResultInvalid(run, key, str(error)) from error
    except TypeError:
        return  # a type that msgspec does not know takes anything
