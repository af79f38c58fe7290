"""OpenTelemetry's SDK, set up so that it can neither slow a run down nor break it or its output."""

import atexit
import logging
import threading
from collections.abc import Iterable, Mapping
from importlib import metadata

from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from ..errors import PluginError
from .spans import Ids, Span

FLUSH_S = 3.0  # how long the end of a process waits for an endpoint that does not answer
GROUP = "opentelemetry_traces_exporter"
PROTOCOLS = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}


class ExporterMissing(PluginError):
    code = "exporter_missing"

    def __init__(self, name: str, package: str) -> None:
        super().__init__(
            f"no exporter of OpenTelemetry is called {name!r}. Install it with: {package}; or "
            "choose another with OTEL_TRACES_EXPORTER"
        )
        self.name = name


class GivenIds(IdGenerator):
    """Hands out the ids of the span that is sent next."""

    next: Ids = (1, 1)

    def generate_trace_id(self) -> int:
        return self.next[0]

    def generate_span_id(self) -> int:
        return self.next[1]

    def is_trace_id_random(self) -> bool:
        return True  # each is a digest of a random seed: samplers may take its last bits


class Sender:
    """Sends spans that have already ended."""

    def __init__(self, processors: Iterable[SpanProcessor], environ: Mapping[str, str]) -> None:
        self._ids = GivenIds()
        self._provider = TracerProvider(
            resource=_resource(environ), id_generator=self._ids, shutdown_on_exit=False
        )
        for processor in processors:
            self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("holdfast")

    def send(self, span: Span) -> None:
        """Hand a span over; it is sent later, by a thread."""
        self._ids.next = (span.trace, span.id)
        made = self._tracer.start_span(
            span.name,
            context=self._parent(span),
            kind=SpanKind.CLIENT if span.is_client else SpanKind.INTERNAL,
            attributes=span.attributes,
            links=[Link(_context(*span.link))] if span.link else [],
            start_time=span.start,
        )
        for moment in span.moments:
            made.add_event(moment.name, moment.attributes, moment.time)
        if span.error:
            made.set_status(Status(StatusCode.ERROR, span.error))
        made.end(span.end)

    def _parent(self, span: Span) -> Context:
        if not span.parent:
            return Context()
        # The root is sent last; whether it will be is known from its trace's id.
        found = self._provider.sampler.should_sample(None, span.trace, span.name).decision
        sampled = found is Decision.RECORD_AND_SAMPLE
        parent = _context(span.trace, span.parent, is_sampled=sampled)
        return set_span_in_context(NonRecordingSpan(parent), Context())

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()


def _context(trace: int, span: int, *, is_sampled: bool = True) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if is_sampled else TraceFlags.DEFAULT)
    return SpanContext(trace, span, is_remote=True, trace_flags=flags)


def _resource(environ: Mapping[str, str]) -> Resource:
    named = environ.get("OTEL_SERVICE_NAME") or "service.name=" in environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    return Resource.create({} if named else {SERVICE_NAME: "holdfast"})


def sender_for(environ: Mapping[str, str]) -> Sender:
    """Return a sender with the exporters that the environment names. Raises ExporterMissing."""
    logging.getLogger("opentelemetry").addHandler(logging.NullHandler())  # else it prints
    names = environ.get("OTEL_TRACES_EXPORTER", "otlp").split(",")
    wanted = [name.strip() for name in names if name.strip() not in ("", "none")]
    sender = Sender([BatchSpanProcessor(_exporter(name, environ)) for name in wanted], environ)
    _close_at_exit(sender)
    return sender


def _exporter(name: str, environ: Mapping[str, str]) -> SpanExporter:
    package = f"pip install opentelemetry-exporter-{name}"
    if name == "otlp":
        protocol = environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or environ.get(
            "OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"
        )
        name = PROTOCOLS.get(protocol, protocol)
        package = f"pip install opentelemetry-exporter-{name.replace('_', '-')}"
    for point in metadata.entry_points(group=GROUP, name=name):
        exporter: SpanExporter = point.load()()
        return exporter
    raise ExporterMissing(name, package)


def _close_at_exit(sender: Sender) -> None:
    """Send what is left when the process ends, for a few seconds at most."""
    ending = threading.Event()

    def close() -> None:
        ending.wait()
        sender.close()

    thread = threading.Thread(target=close, name="holdfast-opentelemetry", daemon=True)
    thread.start()  # now: at its end an interpreter starts no threads any more

    def end() -> None:
        ending.set()
        thread.join(FLUSH_S)

    atexit.register(end)
