"""What can be done to a run without executing it: read it, decide its gates, signal, cancel.

Nothing here needs an event loop, so these commands start fast. Each writes one event and rings the
bell of whoever executes the run.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from holdfast.eventlog import (
    NONE,
    ApprovalDecided,
    BranchMoved,
    CancelRequested,
    Event,
    Log,
    QuestionAnswered,
    Role,
    RunClaimed,
    RunRow,
    SignalReceived,
    Value,
    pack,
    ring,
)
from holdfast.reducer import ENDED, Gate, State, replay

from .errors import AlreadyDecided, AnswerInvalid, EditsInvalid, RunEnded, SubjectChanged
from .forms import problems
from .people import open_gate
from .redact import Redactor


def _redactor() -> Redactor:
    """Make what takes secrets out of people's words: by the built-in rules, for no plugin is loaded."""
    return Redactor(os.environ)


def read_state(log: Log, branch: int, at: int | None = None) -> State:
    """Return the state of a branch after its first `at` events; of all of them by default."""
    return replay(log.records(branch, 0, at))


def roles_of_run(log: Log, row: RunRow) -> list[Role]:
    """Return the roles with which a run was claimed last."""
    roles: list[Role] = []
    for record in log.turns(row.branch, 0, row.head):
        if isinstance(record.event, RunClaimed):
            roles = record.event.roles
    return roles


def append_to(
    log: Log,
    run: str,
    decide: Callable[[State], Sequence[Event]],
    actor: str,
    *,
    now: int = 0,
    blobs: Mapping[bytes, bytes] = {},
) -> State:
    """Append what `decide` makes of the newest state, and return the state that it saw.

    `decide` is asked again when somebody else appended in between; it refuses by raising.
    """
    branch = log.branch_of(run)
    state = read_state(log, branch)
    while True:
        events = decide(state)
        if not events:
            return state
        try:
            log.append(
                branch,
                events,
                expected=state.offset,
                actor=actor,
                time=now or time.time_ns(),
                blobs=blobs,
            )
        except BranchMoved:
            newest = log.branch_of(run)
            if newest == branch:
                state = replay(log.records(branch, state.offset), state)
            else:  # it went on in another history
                branch, state = newest, read_state(log, newest)
            continue
        ring(log.path)
        return state


def decide_gate(
    log: Log,
    run: str,
    gate: str | None,
    *,
    approved: bool,
    by: str,
    actor: str,
    note: str = "",
    edits: Value = NONE,
    digest: str = "",
    now: int = 0,
    kind: str = "",
) -> Gate:
    """Approve or deny an open gate; without a name, the only one (of that `kind`). Returns it as it was.

    `digest` is of the subject that was seen, or how it begins, in hex; `now` is the time in ns.
    Raises what `open_gate` does, and AlreadyDecided, EditsInvalid, SubjectChanged.
    """
    chosen: list[Gate] = []
    blobs: dict[bytes, bytes] = {}
    redactor = _redactor()
    moment = now or time.time_ns()

    def decide(state: State) -> list[Event]:
        done = "approved" if approved else "denied"
        found, before = open_gate(state, gate, by, done, moment, kind)
        if not found.digest.hex().startswith(digest.lower()):
            raise SubjectChanged(run, found.key, found.digest.hex())
        chosen[:] = [found]
        if any(vote.by == by for vote in found.votes):
            if not approved:
                raise AlreadyDecided(run, found.key, by)
            return []
        _check_edits(log, run, found, edits)
        hidden = pack(redactor.value(bytes(edits)), blobs)
        words = redactor.text(note)
        return [*before, ApprovalDecided(found.key, approved, by, words, hidden, found.digest)]

    append_to(log, run, decide, actor, now=now, blobs=blobs)
    return chosen[0]


def answer_question(
    log: Log,
    run: str,
    gate: str | None,
    answer: object,
    *,
    by: str,
    actor: str,
    note: str = "",
    now: int = 0,
) -> Gate:
    """Answer an open question with plain data; without a name, the only one. Returns it as it was.

    Raises what `open_gate` does, and AnswerInvalid.
    """
    chosen: list[Gate] = []
    blobs: dict[bytes, bytes] = {}
    redactor = _redactor()
    moment = now or time.time_ns()

    def decide(state: State) -> list[Event]:
        found, before = open_gate(state, gate, by, "answered", moment)
        if wrong := problems(answer, form_of(log, found)):
            raise AnswerInvalid(run, found.key, wrong)
        chosen[:] = [found]
        hidden = pack(redactor.value(msgspec.msgpack.encode(answer)), blobs)
        words = redactor.text(note)
        return [*before, QuestionAnswered(found.key, hidden, by, words, found.digest)]

    append_to(log, run, decide, actor, now=now, blobs=blobs)
    return chosen[0]


def form_of(log: Log, gate: Gate) -> dict[str, Any]:
    """Return the JSON Schema of what a person fills in at a gate; empty where that is anything."""
    return msgspec.msgpack.decode(log.load(gate.form)) or {}


def _check_edits(log: Log, run: str, gate: Gate, edits: Value) -> None:
    given = msgspec.msgpack.decode(edits)
    if given is not None and (wrong := problems(given, form_of(log, gate))):
        raise EditsInvalid(run, gate.key, wrong)


def send_signal(
    log: Log, run: str, signal: str, payload: object, actor: str, *, key: str = "", now: int = 0
) -> None:
    """Send a signal; it is kept when nobody awaits it yet. Raises RunEnded.

    With a `key` it is for whoever waits for this signal with the same key.
    """
    blobs: dict[bytes, bytes] = {}
    raw = pack(_redactor().value(msgspec.msgpack.encode(payload)), blobs)

    def decide(state: State) -> list[Event]:
        if state.status in ENDED:
            raise RunEnded(run, state.status, "signalled")
        return [SignalReceived(signal, raw, key)]

    append_to(log, run, decide, actor, now=now, blobs=blobs)


def request_cancel(log: Log, run: str, actor: str, reason: str = "", *, now: int = 0) -> None:
    """Ask for a run to be cancelled; once is enough. Raises RunEnded."""

    def decide(state: State) -> list[Event]:
        if state.status in ENDED:
            raise RunEnded(run, state.status, "cancelled")
        return [] if state.cancelling is not None else [CancelRequested(_redactor().text(reason))]

    append_to(log, run, decide, actor, now=now)
