"""The observer that hands spans to OpenTelemetry's SDK, which sends them from a thread of its own."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from holdfast.eventlog import Record
from holdfast.reducer import State

from ..hooks import hookimpl
from .spans import Load, Spans

if TYPE_CHECKING:
    from .sdk import Sender


class OpenTelemetry:
    """Configured by the usual OTEL_* variables. The SDK is imported with the first span.

    Where that fails, it is reported once, and nothing is sent.
    """

    def __init__(self, environ: Mapping[str, str], sender: "Sender | None" = None) -> None:
        self._environ = environ
        self._spans = Spans()
        self._sender = sender
        self._failed = False

    @hookimpl
    def holdfast_event(self, record: Record, state: State, load: Load) -> None:
        """Send the spans of what has ended."""
        for span in self._spans.of(record, state, load):
            if not self._failed:
                self._make_sender().send(span)

    def _make_sender(self) -> "Sender":
        if self._sender is None:
            self._failed = True  # unless what follows works out
            from .sdk import sender_for

            self._sender = sender_for(self._environ)
            self._failed = False
        return self._sender
