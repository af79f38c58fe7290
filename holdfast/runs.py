"""What can be done to a run without executing it: read it, decide its gates, signal, cancel.

Nothing here needs an event loop, so these commands start fast. Each writes one event and rings the
bell of whoever executes the run.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from holdfast.eventlog import (
    NONE,
    ApprovalDecided,
    BranchMoved,
    CancelRequested,
    Event,
    Log,
    Role,
    RunClaimed,
    RunRow,
    SignalReceived,
    Value,
    pack,
    ring,
)
from holdfast.reducer import ENDED, Gate, State, replay

from .errors import AlreadyDecided, GateAmbiguous, NoSuchGate, NotAllowed, RunEnded
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
            state = replay(log.records(branch, state.offset), state)
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
    kind: str = "",
) -> Gate:
    """Approve or deny an open gate; without a name, the only one (of that `kind`). Returns it as it was.

    Raises NoSuchGate, GateAmbiguous, NotAllowed, AlreadyDecided, RunEnded.
    """
    chosen: list[Gate] = []
    blobs: dict[bytes, bytes] = {}
    redactor = _redactor()

    def decide(state: State) -> list[Event]:
        found = _open_gate(state, gate, kind, approved=approved)
        if found.by and by not in found.by:
            raise NotAllowed(found.key, by, found.by)
        chosen[:] = [found]
        if any(vote.by == by for vote in found.votes):
            if not approved:
                raise AlreadyDecided(run, found.key, by)
            return []
        hidden = pack(redactor.value(bytes(edits)), blobs)
        words = redactor.text(note)
        return [ApprovalDecided(found.key, approved, by, words, hidden, found.digest)]

    append_to(log, run, decide, actor, blobs=blobs)
    return chosen[0]


def _open_gate(state: State, name: str | None, kind: str, *, approved: bool) -> Gate:
    if state.status in ENDED:
        raise RunEnded(state.run, state.status, "approved" if approved else "denied")
    gates = [gate for gate in state.open_gates if kind in ("", gate.kind)]
    keys = [gate.key for gate in gates]
    if name is None:
        if len(gates) > 1:
            raise GateAmbiguous(state.run, keys)
        named = gates
    else:
        named = [gate for gate in gates if gate.key == name]
        if not named:  # a name without its scope will do, where only one gate has it
            named = [gate for gate in gates if gate.key.rpartition("/")[2] == name]
        if not named and name == "budget":
            named = [gate for gate in gates if gate.kind == "budget"]
        if len(named) > 1:
            raise GateAmbiguous(state.run, [gate.key for gate in named])
    if not named:
        raise NoSuchGate(state.run, name, keys)
    return named[0]


def send_signal(log: Log, run: str, signal: str, payload: object, actor: str) -> None:
    """Send a signal; it is kept when nobody awaits it yet. Raises RunEnded."""
    blobs: dict[bytes, bytes] = {}
    raw = pack(_redactor().value(msgspec.msgpack.encode(payload)), blobs)

    def decide(state: State) -> list[Event]:
        if state.status in ENDED:
            raise RunEnded(run, state.status, "signalled")
        return [SignalReceived(signal, raw)]

    append_to(log, run, decide, actor, blobs=blobs)


def request_cancel(log: Log, run: str, actor: str, reason: str = "", *, now: int = 0) -> None:
    """Ask for a run to be cancelled; once is enough. Raises RunEnded."""

    def decide(state: State) -> list[Event]:
        if state.status in ENDED:
            raise RunEnded(run, state.status, "cancelled")
        return [] if state.cancelling is not None else [CancelRequested(_redactor().text(reason))]

    append_to(log, run, decide, actor, now=now)
