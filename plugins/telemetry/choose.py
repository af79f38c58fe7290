"""Whether spans are wanted, and can be had."""

from collections.abc import Iterator, Mapping
from importlib.util import find_spec

from ..loading import OWN_DISTRIBUTION, BrokenPlugin, Source, own_source
from .observer import OpenTelemetry

NAME = "opentelemetry"
EXTRA = "pip install 'holdfast[otel]'"
ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def is_wanted(setting: bool | None, environ: Mapping[str, str]) -> bool:
    """Tell whether spans are wanted: as the project says, else where an endpoint is named."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or setting is False:
        return False
    return bool(setting) or any(environ.get(name) for name in ENDPOINTS)


def lacking() -> str:
    """Say how to install what is missing; nothing where all is there."""
    try:
        found = find_spec("opentelemetry.sdk")
    except ModuleNotFoundError:
        found = None
    return "" if found else f"OpenTelemetry's SDK is not installed. Install it with: {EXTRA}"


def telemetry(setting: bool | None, environ: Mapping[str, str]) -> Iterator[Source | BrokenPlugin]:
    """Yield the plugin, where it is wanted. Without the SDK it is broken where the project asks for
    it; an environment that is meant for other programs as well is no reason to complain."""
    if not is_wanted(setting, environ):
        return
    if not (missing := lacking()):
        version = own_source().version
        yield Source(NAME, OWN_DISTRIBUTION, version, lambda: OpenTelemetry(environ))
    elif setting:
        yield BrokenPlugin(NAME, OWN_DISTRIBUTION, missing)
