"""The observer that notes down what people are to be told, and hands it to those who send."""

import atexit
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from holdfast.eventlog import Record
from holdfast.reducer import State

from ..hooks import hookimpl
from ..loading import OWN_DISTRIBUTION, BrokenPlugin, Source, own_source
from .messages import Load, message_of
from .outbox import Outbox
from .sender import Sender
from .targets import Target, fault_of

NAME = "notifications"
FOLDER = "notify"
FLUSH_S = 5.0
"""How long the end of a process waits for what it has not tried yet."""


class Notifications:
    """Sends to the targets. What it notes down is on disk before the run goes on, and sent afterwards."""

    def __init__(
        self,
        targets: Sequence[Target],
        folder: Path,
        environ: Mapping[str, str],
        program: Sequence[str] = ("holdfast",),
        now: Callable[[], float] = time.time,
        *,
        threads: bool = True,
    ) -> None:
        outbox = Outbox(folder)
        self.senders = [Sender(target, outbox, environ, now) for target in targets]
        self._program = program
        self._threads = threads
        self._begun = False

    @hookimpl
    def holdfast_event(self, record: Record, state: State, load: Load) -> None:
        """Note down what is to be sent. Raises OSError where that cannot be written."""
        self.begin()
        message = message_of(record, state, load, self._program)
        if message is not None:
            for sender in self.senders:
                if message.on in sender.target.on:
                    sender.put(message)

    def begin(self) -> None:
        """Begin to send, with what processes left that are gone."""
        if self._begun:
            return
        self._begun = True
        for sender in self.senders:
            sender.take_over()
            if self._threads:
                sender.start()
        if self._threads:
            atexit.register(self._end)

    def _end(self) -> None:
        until = time.monotonic() + FLUSH_S
        for sender in self.senders:
            sender.wait_tried(max(0.0, until - time.monotonic()))


class Chosen(NamedTuple):
    """The plugin, where there is anything to send to, and what is to be loaded or reported."""

    plugin: Notifications | None
    sources: list[Source | BrokenPlugin]


def notifications(
    targets: Sequence[Target],
    home: Path,
    environ: Mapping[str, str],
    program: Sequence[str] = ("holdfast",),
) -> Chosen:
    """Return the plugin for a project's targets. One that cannot be used is broken, by itself."""
    good: list[Target] = []
    sources: list[Source | BrokenPlugin] = []
    for target in targets:
        if fault := fault_of(target, environ):
            reason = f"nothing is sent to {target}: {fault}"
            sources.append(BrokenPlugin(NAME, OWN_DISTRIBUTION, reason))
        else:
            good.append(target)
    if not good:
        return Chosen(None, sources)
    plugin = Notifications(good, home / FOLDER, environ, program)
    version = own_source().version
    return Chosen(plugin, [*sources, Source(NAME, OWN_DISTRIBUTION, version, lambda: plugin)])
