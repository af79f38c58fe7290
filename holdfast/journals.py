"""An agent's journal in the log: read back for another attempt, and made longer entry by entry."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import trio

from holdfast.eventlog import AttemptFailed, Journaled, Log, StepFailed, pack
from holdfast.plugins import Entry, Journal
from holdfast.reducer import Step, fingerprint

if TYPE_CHECKING:
    from .attempts import Attempt
    from .history import History


class Written(msgspec.Struct, frozen=True, eq=False):
    """An entry on its way to the log: `raw` is its data, `durable` is set once it is on disk."""

    attempt: "Attempt"
    entry: Entry
    raw: bytes
    durable: trio.Event


class LogJournal(Journal):
    """The journal of an attempt; `send` hands an entry to the executor, which records it."""

    def __init__(self, old: Journal, attempt: "Attempt", send: Callable[[Written], None]) -> None:
        super().__init__(old.entries, is_rejected=old.is_rejected)
        self._attempt, self._send = attempt, send

    async def append(self, entry: Entry) -> None:
        where = f"journal entry {len(self.entries) + 1} of step {self._attempt.request.key!r}"
        fingerprint.encode([entry.kind, entry.text], where)
        raw = fingerprint.encode(entry.data, where)
        pack(raw, {})  # what the log cannot hold is the agent's mistake, and is raised in its task
        written = Written(self._attempt, entry, raw, trio.Event())
        self._send(written)
        await written.durable.wait()
        await super().append(entry)


def read_journal(log: Log, branch: int, step: Step) -> Journal:
    """Return what the step's agent wrote down so far, if another attempt goes on from there."""
    entries: list[Entry] = []
    is_rejected = False
    records = log.records(branch, step.journal_at) if step.journal else ()
    for record in records:
        event = record.event
        if isinstance(event, Journaled) and event.key == step.key:
            data = msgspec.msgpack.decode(log.load(event.entry))
            entries.append(Entry(event.kind, data, event.text, event.usage))
            is_rejected = False
        elif isinstance(event, AttemptFailed | StepFailed) and event.key == step.key:
            is_rejected = True
    return Journal(entries, is_rejected=is_rejected)


def journaled(written: Written, history: "History") -> Journaled:
    """Return the event for an entry, without the secrets in it."""
    entry, attempt = written.entry, written.attempt
    text = history.redactor.text(entry.text)
    key, number = attempt.request.key, attempt.number
    return Journaled(key, entry.kind, history.pack(written.raw), text, number, entry.usage)
