"""OpenTelemetry: the spans of real runs, sent through the real SDK to an exporter in memory."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast import Run, workflow
from holdfast.eventlog import Usage
from holdfast.plugins import (
    Crashed,
    Emit,
    Model,
    ModelCall,
    ModelResult,
    Plugins,
    RateLimited,
    Readiness,
    hookimpl,
)
from holdfast.plugins.telemetry import is_wanted, lacking, run_ids, telemetry
from holdfast.plugins.telemetry.observer import OpenTelemetry
from tests.cli.conftest import ROOT, Cli, cli, folder, popen
from tests.support.lab import Lab

__all__ = ["cli", "folder"]

pytest.importorskip("opentelemetry.sdk")
FIND = "holdfast.plugins.telemetry.choose.find_spec"
LONG = "a long question " * 200


class Clumsy:
    """Answers at the third try: the first is too early, the second fails."""

    tries = 0

    async def call(self, call: ModelCall, emit: Emit) -> ModelResult:
        self.tries += 1
        if self.tries == 1:
            raise RateLimited("slow down", usage=Usage(1))
        if self.tries == 2:
            raise Crashed("out of order", usage=Usage(10, 1, 0, 0.5))
        return ModelResult(text="fine", usage=Usage(100, 20, 5, 1.5))

    def readiness(self) -> Readiness:
        return Readiness(True, "always")


class Plugin:
    def __init__(self) -> None:
        self.model: Model = Clumsy()

    @hookimpl
    def holdfast_models(self) -> dict[str, Model]:
        return {"acme/": self.model}


class Spy:
    """What was sent, by the name of the span."""

    def __init__(self) -> None:
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        self._exporter = InMemorySpanExporter()
        self._processor = SimpleSpanProcessor(self._exporter)

    def observer(self, **environ: str) -> OpenTelemetry:
        from holdfast.plugins.telemetry.sdk import Sender

        return OpenTelemetry(environ, Sender([self._processor], environ))

    @property
    def spans(self) -> dict[str, Any]:
        return {span.name: span for span in self._exporter.get_finished_spans()}


@pytest.fixture
def spy() -> Spy:
    return Spy()


@pytest.fixture
def lab(tmp_path: Path, spy: Spy) -> Iterator[Lab]:
    made = Lab(tmp_path, spy.observer(), Plugin())
    yield made
    made.log.close()


@workflow
async def asks(run: Run) -> str:
    await run.step("before", len, "abc")
    await run.approve("go")
    return await run.model("ask", LONG, model="acme/large", retries=2)


@workflow
async def fails(run: Run) -> None:
    await run.step("it", int, "x", retries=0)


@workflow
async def works(run: Run) -> None:
    await run.step("one", len, "abc")
    await run.step("two", len, "abc")


async def test_a_run_and_each_of_its_steps_is_a_span(
    lab: Lab, spy: Spy, autojump_clock: object
) -> None:
    await lab.run(asks)
    lab.approve("go")
    await lab.resume()

    spans = spy.spans
    assert set(spans) == {"step before", "approval go", "chat acme/large", "invoke_workflow asks"}
    root, asked = spans["invoke_workflow asks"], spans["chat acme/large"]
    assert root.parent is None
    assert {span.context.trace_id for span in spans.values()} == {root.context.trace_id}
    assert all(s.parent.span_id == root.context.span_id for s in spans.values() if s.parent)
    assert (root.context.trace_id, root.context.span_id) == run_ids(lab.state().seed, 1)
    step = lab.state().steps["ask"]
    assert (asked.start_time, asked.end_time) == (step.started, step.finished)
    assert spans["approval go"].attributes["holdfast.approval.approved"] is True


async def test_a_model_call_has_the_attributes_of_the_genai_conventions(
    lab: Lab, spy: Spy, autojump_clock: object
) -> None:
    await lab.run(asks)
    lab.approve("go")
    await lab.resume()

    asked = spy.spans["chat acme/large"]
    assert asked.kind.name == "CLIENT"
    assert dict(asked.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "acme",
        "gen_ai.request.model": "acme/large",
        "gen_ai.usage.input_tokens": 111,  # that of the attempt that was deferred as well
        "gen_ai.usage.output_tokens": 21,
        "gen_ai.usage.cache_read.input_tokens": 5,
        "holdfast.usage.cost_usd": 2.0,
        "holdfast.run": "r",
        "holdfast.step.key": "ask",
        "holdfast.step.kind": "model",
        "holdfast.step.status": "succeeded",
        "holdfast.step.attempts": 3,
    }
    assert [(each.name, each.attributes["attempt"]) for each in asked.events] == [
        ("attempt.deferred", 1),
        ("attempt.failed", 2),
    ]
    assert asked.events[1].attributes["error.type"] == "crashed"
    assert LONG[:20] not in asked.to_json()


async def test_a_failure_is_the_spans_status(lab: Lab, spy: Spy, autojump_clock: object) -> None:
    await lab.run(fails)

    for name in ("step it", "invoke_workflow fails"):
        span = spy.spans[name]
        assert span.status.status_code.name == "ERROR"
        assert "invalid literal" in span.status.description
    assert spy.spans["step it"].attributes["error.type"] == "exception"


async def test_another_process_goes_on_with_the_same_trace(
    tmp_path: Path, autojump_clock: object
) -> None:
    first, second = Spy(), Spy()
    lab = Lab(tmp_path, first.observer(), Plugin())
    assert await lab.crash(works, {}, at=3, after=False)
    lab.plugins = Plugins.load(second.observer(), Plugin(), installed=False)

    await lab.resume()

    assert set(first.spans) == {"step one"}
    assert set(second.spans) == {"step two", "invoke_workflow works"}
    root = second.spans["invoke_workflow works"]
    everything = [*first.spans.values(), *second.spans.values()]
    assert {span.context.trace_id for span in everything} == {root.context.trace_id}
    parents = {span.parent.span_id for span in everything if span.parent}
    assert parents == {root.context.span_id}
    lab.log.close()


async def test_a_fork_is_a_trace_of_its_own_with_a_link_to_the_first(
    lab: Lab, spy: Spy, autojump_clock: object
) -> None:
    from holdfast.eventlog import RunForked
    from holdfast.plugins.telemetry import Spans
    from holdfast.plugins.testing import sample_records
    from holdfast.reducer import State

    (ended,) = (r for r in sample_records() if type(r.event).__name__ == "RunSucceeded")
    forked = RunForked("r", "fork", "r", 7, 3, 9)

    (span,) = Spans().of(ended, State(run="f", seed=b"s" * 16, forked=forked), bytes)

    assert span.link == run_ids(b"s" * 16, 7)
    assert (span.trace, span.id) == run_ids(b"s" * 16, ended.branch)


async def test_the_usual_variables_name_the_service_and_choose_what_is_sampled(
    tmp_path: Path, spy: Spy, monkeypatch: pytest.MonkeyPatch, autojump_clock: object
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    lab = Lab(tmp_path, spy.observer(), Plugin())
    await lab.run(fails, run="unseen")
    assert spy.spans == {}

    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_on")
    lab.plugins = Plugins.load(spy.observer(), installed=False)
    await lab.run(fails, run="seen")

    assert spy.spans["step it"].resource.attributes["service.name"] == "holdfast"
    monkeypatch.setenv("OTEL_SERVICE_NAME", "mine")
    lab.plugins = Plugins.load(spy.observer(OTEL_SERVICE_NAME="mine"), installed=False)
    await lab.run(fails, run="named")
    assert spy.spans["step it"].resource.attributes["service.name"] == "mine"
    lab.log.close()


@pytest.mark.parametrize(
    ("setting", "environ", "wanted"),
    [
        (None, {}, False),
        (True, {}, True),
        (None, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, True),
        (None, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x"}, True),
        (False, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, False),
        (True, {"OTEL_SDK_DISABLED": "true"}, False),
        (None, {"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
    ],
)
def test_spans_are_off_unless_they_are_wanted(
    setting: bool | None, environ: dict[str, str], wanted: bool
) -> None:
    assert is_wanted(setting, environ) is wanted
    assert [each[0] for each in telemetry(setting, environ)] == ["opentelemetry"] * wanted  # type: ignore[index]


def test_a_missing_extra_says_how_to_install_it(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FIND, lambda _name: None)
    (cli.folder / "holdfast.toml").write_text("[telemetry]\nopentelemetry = true\n")

    (row,) = (row for row in cli.json("plugins", status=1) if row["plugin"] == "opentelemetry")

    assert row["broken"] == lacking()
    assert "pip install 'holdfast[otel]'" in lacking()
    assert "pip install 'holdfast[otel]'" in cli("doctor", status=1).out
    assert cli.json("run", "w.py:ask_somebody")["status"] == "succeeded"


def test_an_environment_for_others_is_no_reason_to_complain(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FIND, lambda _name: None)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:1")

    assert "opentelemetry" not in {row["plugin"] for row in cli.json("plugins")}


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"OTEL_TRACES_EXPORTER": "smoke"}, "pip install opentelemetry-exporter-smoke"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpcc"}, "opentelemetry-exporter-grpcc"),
    ],
)
async def test_an_exporter_that_is_not_there_is_reported_once_and_stops_nothing(
    environ: dict[str, str], words: str, tmp_path: Path, autojump_clock: object
) -> None:
    lab = Lab(tmp_path, OpenTelemetry(environ))

    outcome = await lab.run(fails)

    assert outcome.status == "failed"
    (broken,) = lab.plugins.broken
    assert words in broken.reason
    lab.log.close()


async def test_nothing_is_sent_where_the_environment_says_so(
    tmp_path: Path, autojump_clock: object
) -> None:
    lab = Lab(tmp_path, OpenTelemetry({"OTEL_TRACES_EXPORTER": "none"}))

    await lab.run(fails)

    assert lab.plugins.broken == []
    lab.log.close()


def test_an_endpoint_that_is_not_there_changes_neither_output_nor_status(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:1")

    with popen(cli.folder, "run", "w.py:ask_somebody", "--json") as process:
        out, err = process.communicate(timeout=60)

    assert (process.returncode, json.loads(out)["output"], err) == (0, "one\ntwo", "")


def test_unless_spans_are_wanted_nothing_of_it_is_imported(cli: Cli) -> None:
    code = (
        "import sys; from holdfast.cli.app import invoke; "
        "status = invoke(['run', 'w.py:fail', '--json']); "
        "print([n for n in sys.modules if n.startswith('opentelemetry')], file=sys.stderr)"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=cli.folder,
        env={**_without_otel(), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stderr.splitlines()[-1] == "[]"


def _without_otel() -> dict[str, str]:
    import os

    return {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
