"""A run that goes on in a fresh history: the old one ends and the new one begins in one commit."""

import secrets
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from holdfast.eventlog import (
    AnyEvent,
    Event,
    NewRun,
    RunClaimed,
    RunContinued,
    RunPaused,
    RunStarted,
    SignalReceived,
    Value,
)
from holdfast.reducer import State, carried_on, fingerprint

if TYPE_CHECKING:
    from .history import History


def next_input(given: Mapping[str, Any], history: "History") -> Value:
    """Return the input of the next history, as it is recorded. Raises InputHasSecret, NotRecordable."""
    for field, value in given.items():
        raw = fingerprint.encode(value, f"the input {field!r}")
        history.redactor.refuse(history.workflow.name, field, raw)
    return history.pack(fingerprint.encode(dict(given), "the input"))


def is_continuation(events: Sequence[AnyEvent]) -> bool:
    """Tell whether these events end a history for another one to begin."""
    return bool(events) and isinstance(events[-1], RunContinued)


def successor(
    history: "History", actor: str, claim: RunClaimed, blobs: Mapping[bytes, bytes]
) -> NewRun:
    """Return the run's next history, claimed; with it the old one ends with what is not committed yet.

    What a fork does otherwise, but for held effects, ends with the history that it was a fork of.
    """
    state = history.state
    started = RunStarted(
        state.run,
        state.workflow,
        state.source,
        history.code,
        state.output,
        secrets.token_bytes(16),
        state.folder,
        state.parent,
        state.parent_key,
        state.effects if state.effects == "hold" else "",
        continues=history.branch,
        budget=carried_on(state),
    )
    events: list[Event] = [started, *_moved(state), claim]
    return NewRun(
        state.run, events, actor, history.now, blobs, reason="continue", replaces=True,
        expected=history.committed, closing=history.uncommitted,
    )  # fmt: skip


def _moved(state: State) -> list[Event]:
    """Return what the next history begins with: that it is paused, and signals that nobody took."""
    paused = [RunPaused(state.paused.reason)] if state.paused else []
    signals = [
        SignalReceived(name, queued.payload, queued.correlation)
        for name, kept in state.signals.items()
        for queued in kept
    ]
    return [*paused, *signals]
