"""Model calls through the real litellm, against a scripted model on loopback."""

import gc
import importlib.metadata
import json
import os
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any, TypeVar

import msgspec
import pytest
import trio

from holdfast.eventlog import HoldfastError, Usage
from holdfast.plugins.errors import (
    Crashed,
    NoOutput,
    NotLoggedIn,
    OutputInvalid,
    PluginError,
    RateLimited,
    Refused,
)
from holdfast.plugins.models import LitellmModel
from holdfast.plugins.models import litellm_backend as backend
from holdfast.plugins.testing import check_model
from holdfast.plugins.types import (
    Message,
    Model,
    ModelCall,
    ModelResult,
    Progress,
    ToolCall,
    ToolOffer,
)
from tests.support.model_script import Scenario
from tests.support.model_server import ModelServer

Serve = Callable[[Scenario], ModelServer]
E = TypeVar("E", bound=HoldfastError)
KEY = "top-secret-key-0123456789"
OPENAI, ANTHROPIC = "openai/gpt-4o-mini", "anthropic/claude-sonnet-4-5"
BOTH = pytest.mark.parametrize("model", [OPENAI, ANTHROPIC])


class Review(msgspec.Struct):
    approved: bool
    comments: list[str] = []


SCHEMA = msgspec.json.schema(Review)


def model_call(server: ModelServer, model: str = OPENAI, **more: Any) -> ModelCall:
    base = server.url if model.startswith("anthropic/") else server.url + "/v1"
    params = {"api_base": base, "api_key": KEY, "timeout": 20} | more.pop("params", {})
    return ModelCall(model=model, messages=[Message("user", "go")], params=params, **more)


async def ask(server: ModelServer, model: str = OPENAI, **more: Any) -> ModelResult:
    return await LitellmModel().call(model_call(server, model, **more), lambda progress: None)


async def failure(kind: type[E], server: ModelServer, model: str, **more: Any) -> E:
    with pytest.raises(kind) as caught:
        await ask(server, model, **more)
    return caught.value


@BOTH
async def test_a_text_comes_with_its_usage_and_price(model_server: Serve, model: str) -> None:
    server = model_server([{"text": "hello", "usage": {"input": 10, "output": 5}}])
    seen: list[Progress] = []

    result = await LitellmModel().call(model_call(server, model), seen.append)

    assert result.text == "hello"
    assert result.output is None
    assert result.usage is not None
    assert (result.usage.input_tokens, result.usage.output_tokens) == (10, 5)
    assert 0 < result.usage.cost_usd < 0.001
    assert seen == [Progress("text", "hello")]
    assert server.requests[0].key == KEY


async def test_a_model_without_a_price_costs_nothing(model_server: Serve) -> None:
    server = model_server([{"text": "hello"}])

    result = await ask(server, "openai/house-model")

    assert result.usage == Usage(input_tokens=100, output_tokens=20)


@BOTH
async def test_a_schema_is_sent_and_the_answer_is_data(model_server: Serve, model: str) -> None:
    server = model_server([{"json": {"approved": True, "comments": []}}])

    result = await ask(server, model, schema=SCHEMA)

    assert result.output == {"approved": True, "comments": []}
    assert server.requests[0].schema


async def test_a_model_that_knows_no_schemas_gets_a_tool_for_it(model_server: Serve) -> None:
    server = model_server([{"json": {"approved": True, "comments": []}}])

    result = await ask(server, "anthropic/claude-3-haiku-20240307", schema=SCHEMA)

    assert result.output == {"approved": True, "comments": []}
    assert server.requests[0].tools


async def test_a_list_is_asked_for_inside_an_object_and_taken_out_again(
    model_server: Serve,
) -> None:
    server = model_server([{"json": {"value": ["a", "b"]}}])

    result = await ask(server, schema=msgspec.json.schema(list[str]))

    assert result.output == ["a", "b"]


async def test_json_in_a_fenced_block_is_data(model_server: Serve) -> None:
    server = model_server([{"text": 'Here it is:\n```json\n{"approved": false}\n```\nDone.'}])

    result = await ask(server, schema=SCHEMA)

    assert result.output == {"approved": False}


async def test_an_answer_that_is_no_json_is_quoted(model_server: Serve) -> None:
    server = model_server([{"attempts": [{"text": "I like it."}, {"json": {"approved": True}}]}])

    error = await failure(OutputInvalid, server, OPENAI, schema=SCHEMA)
    again = await ask(server, schema=SCHEMA)

    assert "'I like it.'" in str(error)
    assert error.retryable
    assert error.usage is not None
    assert error.usage.output_tokens == 20
    assert again.output == {"approved": True}


async def test_json_that_was_cut_off_says_so(model_server: Serve) -> None:
    server = model_server([{"text": '{"approved": tr', "stop": "length"}])

    error = await failure(OutputInvalid, server, OPENAI, schema=SCHEMA)

    assert "max_tokens" in str(error)


@BOTH
async def test_an_empty_answer_is_no_output(model_server: Serve, model: str) -> None:
    error = await failure(NoOutput, model_server([{"text": ""}]), model)

    assert error.code == "no_output"


@BOTH
async def test_a_filtered_answer_is_refused(model_server: Serve, model: str) -> None:
    server = model_server([{"text": "not that", "stop": "refusal"}])

    error = await failure(Refused, server, model)

    assert "not that" in str(error)


@BOTH
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Refused),
        (401, NotLoggedIn),
        (403, NotLoggedIn),
        (404, Refused),
        (408, Crashed),
        (422, Refused),
        (429, RateLimited),
        (500, Crashed),
        (503, RateLimited),
        (529, RateLimited),
    ],
)
async def test_a_status_tells_what_to_do_and_is_asked_for_once(
    model_server: Serve, model: str, status: int, kind: type[HoldfastError]
) -> None:
    server = model_server([{"status": status, "message": f"because; your key is {KEY}"}])

    error = await failure(kind, server, model)

    assert "because" in str(error)
    assert model in str(error)
    assert "litellm" not in str(error)
    assert KEY not in f"{error!r} {vars(error)} {error.__cause__!r} {error.__context__!r}"
    assert len(server.requests) == 1


@BOTH
async def test_a_rate_limit_says_until_when(model_server: Serve, model: str) -> None:
    then = int(time.time()) + 90
    limited: dict[str, Any] = {"status": 429, "message": "slow down"}
    seconds, date, unsaid = (
        limited | {"headers": headers}
        for headers in ({"retry-after": "30"}, {"retry-after": formatdate(then, usegmt=True)}, {})
    )
    server = model_server([{"attempts": [seconds, date, unsaid]}])

    before = time.time_ns()
    in_seconds = await failure(RateLimited, server, model)
    at_a_date = await failure(RateLimited, server, model)
    not_said = await failure(RateLimited, server, model)

    assert before + 30 * 10**9 <= in_seconds.until <= time.time_ns() + 30 * 10**9
    assert at_a_date.until == then * 10**9
    assert not_said.until == 0


async def test_an_empty_purse_is_no_rate_limit(model_server: Serve) -> None:
    message = "You exceeded your current quota, please check your plan and billing details"

    await failure(Refused, model_server([{"status": 429, "message": message}]), OPENAI)


async def test_keys_in_the_environment_are_blotted_out(
    model_server: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_OTHER_TOKEN", "hunter2hunter2")
    server = model_server([{"status": 400, "message": "hunter2hunter2 and sk-abcdefgh1234"}])

    error = await failure(Refused, server, OPENAI)

    assert "[redacted:SOME_OTHER_TOKEN] and [redacted]" in str(error)


@pytest.mark.parametrize(("model", "name"), [(OPENAI, "OPENAI"), (ANTHROPIC, "ANTHROPIC")])
async def test_a_missing_key_is_named(
    model_server: Serve, monkeypatch: pytest.MonkeyPatch, model: str, name: str
) -> None:
    monkeypatch.delenv(f"{name}_API_KEY", raising=False)
    server = model_server([{"text": "hello"}])

    error = await failure(NotLoggedIn, server, model, params={"api_key": None})

    assert f"{name}_API_KEY" in str(error)
    assert not server.requests


async def test_a_name_without_a_provider_is_refused_with_advice(model_server: Serve) -> None:
    error = await failure(
        Refused, model_server([{"text": "hello"}]), "house-model", params={"api_base": None}
    )

    assert "provider/name" in str(error)


async def test_a_server_that_is_not_there_is_worth_another_try(model_server: Serve) -> None:
    error = await failure(
        Crashed, model_server([]), OPENAI, params={"api_base": "http://127.0.0.1:9/v1"}
    )

    assert error.retryable
    assert "api_base" in str(error)


@BOTH
async def test_a_connection_cut_before_the_answer_is_worth_another_try(
    model_server: Serve, model: str
) -> None:
    error = await failure(Crashed, model_server([{"text": "hello", "cut_after": 0}]), model)

    assert error.retryable


@BOTH
async def test_a_call_that_takes_too_long_is_worth_another_try(
    model_server: Serve, model: str
) -> None:
    server = model_server([{"text": "late", "hold": "for ever"}])

    error = await failure(Crashed, server, model, params={"timeout": 0.05})

    assert error.retryable


@BOTH
async def test_cancelling_hangs_up(model_server: Serve, model: str) -> None:
    server = model_server([{"text": "late", "hold": "for ever"}])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, server, model)
        await trio.to_thread.run_sync(server.wait_for, lambda requests: len(requests) == 1)
        nursery.cancel_scope.cancel()

    await trio.to_thread.run_sync(server.wait_for, lambda requests: requests[0].hung_up)
    assert len(server.requests) == 1, "and nothing was tried again"


async def test_fifty_calls_are_under_way_at_once(model_server: Serve) -> None:
    server = model_server([{"text": "at last", "hold": "all here"}])
    results: list[ModelResult] = []

    async def one(model: str) -> None:
        results.append(await ask(server, model))

    async with trio.open_nursery() as nursery:
        for place in range(50):
            nursery.start_soon(one, (OPENAI, ANTHROPIC)[place % 2])
        await trio.to_thread.run_sync(server.wait_for, lambda requests: len(requests) == 50, 60)
        server.release("all here")

    assert [result.text for result in results] == ["at last"] * 50


# --- tools and streams -----------------------------------------------------------------------------

READ = ToolOffer(
    "read", "Read a file", {"type": "object", "properties": {"path": {"type": "string"}}}
)
GEMINI, RESPONSES = "gemini/gemini-2.5-flash", "openai/responses/gpt-4o-mini"
ALL = pytest.mark.parametrize("model", [OPENAI, ANTHROPIC, GEMINI, RESPONSES])
WANTED: list[Any] = [{"tool": "read", "args": {"path": name}} for name in ("a", "b")]


@ALL
async def test_a_model_calls_tools_and_reads_what_they_said(
    model_server: Serve, model: str
) -> None:
    server = model_server([{"text": "I look.", "calls": WANTED}, {"text": "Seen."}])

    first = await ask(server, model, tools=[READ])
    results = [Message("tool", f"in {call.id}", call_id=call.id) for call in first.calls]
    said = Message("assistant", first.text, first.calls, extra=first.extra)
    messages = [Message("user", "go"), said, *results]
    call = msgspec.structs.replace(model_call(server, model, tools=[READ]), messages=messages)
    second = await LitellmModel().call(call, lambda progress: None)

    assert [(call.name, json.loads(call.arguments)) for call in first.calls] == [
        ("read", {"path": "a"}),
        ("read", {"path": "b"}),
    ]
    assert (first.text, first.stop) == ("I look.", "calls")
    assert (second.text, second.stop, second.calls) == ("Seen.", "end", [])
    assert first.usage is not None
    assert (first.usage.input_tokens, first.usage.output_tokens) == (100, 20)
    assert first.usage.cost_usd > 0
    assert "Read a file" in json.dumps(server.requests[0].body["tools"])
    assert server.requests[1].turn == 1, "the server knows the calls again"
    assert "in turn0x1" in json.dumps(server.requests[1].body)


async def test_a_conversation_with_tools_is_marked_for_the_cache_where_that_is_asked_for(
    model_server: Serve,
) -> None:
    server = model_server([{"text": "hello"}])

    await ask(server, ANTHROPIC, tools=[READ])
    await ask(server, ANTHROPIC, tools=[READ], params={"cache_control_injection_points": []})
    await ask(server, ANTHROPIC)
    await ask(server, OPENAI, tools=[READ])

    marked = ["cache_control" in json.dumps(request.body) for request in server.requests]
    assert marked == [True, False, False, False]


@ALL
async def test_calls_without_words_are_an_answer(model_server: Serve, model: str) -> None:
    result = await ask(model_server([{"calls": WANTED}]), model, tools=[READ])

    assert result.text == ""
    assert len(result.calls) == 2


@ALL
async def test_a_model_with_tools_is_asked_for_data_in_words_and_may_call_first(
    model_server: Serve, model: str
) -> None:
    turns: list[Any] = [{"calls": WANTED}, {"text": '{"approved": true}'}]
    server = model_server(turns)

    first = await ask(server, model, tools=[READ], schema=SCHEMA)
    said = Message("assistant", first.text, first.calls, extra=first.extra)
    results = [Message("tool", "seen", call_id=call.id) for call in first.calls]
    asked = model_call(server, model, tools=[READ], schema=SCHEMA)
    call = msgspec.structs.replace(asked, messages=[*asked.messages, said, *results])
    second = await LitellmModel().call(call, lambda progress: None)

    assert (len(first.calls), first.output) == (2, None)
    assert (second.calls, second.output) == ([], {"approved": True})
    bodies = [json.dumps(request.body) for request in server.requests]
    assert all("Answer with one JSON document" in body for body in bodies)
    assert not any("json_tool_call" in body or "json_schema" in body for body in bodies)


@BOTH
async def test_arguments_that_are_no_json_may_be_sent_back(model_server: Serve, model: str) -> None:
    server = model_server([{"text": "Sorry."}])
    broken = Message("assistant", "", [ToolCall("c1", "read", '{"path": "a')])
    messages = [Message("user", "go"), broken, Message("tool", "error", call_id="c1")]
    call = msgspec.structs.replace(model_call(server, model, tools=[READ]), messages=messages)

    result = await LitellmModel().call(call, lambda progress: None)

    assert result.text == "Sorry."


@pytest.mark.parametrize("model", [OPENAI, ANTHROPIC, GEMINI])
async def test_words_are_shown_as_they_come(model_server: Serve, model: str) -> None:
    text = "".join(f"line {n} of a long answer\n" for n in range(8)) + "and its end"
    server = model_server([{"text": text, "hold": "the rest", "hold_after": 5}])
    seen: list[str] = []
    early: list[str] = []

    def emit(progress: Progress) -> None:
        if not early:
            early.append(progress.text)
            server.release("the rest")
        seen.append(progress.text)

    result = await LitellmModel().call(model_call(server, model), emit)

    assert early[0].startswith("line 0")
    assert len(early[0]) < len(text), "before all of it was there"
    assert "".join(seen) == text == result.text


async def test_an_answer_comes_whole_where_the_params_say_so(model_server: Serve) -> None:
    server = model_server([{"text": "one\ntwo"}])
    seen: list[Progress] = []

    await LitellmModel().call(model_call(server, params={"stream": False}), seen.append)

    assert seen == [Progress("text", "one\ntwo")]
    assert not server.requests[0].body.get("stream")


@pytest.mark.parametrize("model", [OPENAI, ANTHROPIC, GEMINI])
async def test_a_stream_that_is_cut_is_worth_another_try(model_server: Serve, model: str) -> None:
    server = model_server([{"text": "a long answer that goes on and on, " * 9, "cut_after": 4}])

    error = await failure(Crashed, server, model)

    assert error.retryable
    assert len(server.requests) == 1


@pytest.mark.parametrize("model", [OPENAI, ANTHROPIC, GEMINI])
async def test_streams_leave_no_connection_open(model_server: Serve, model: str) -> None:
    server = model_server([{"text": "hello", "calls": WANTED}])
    await ask(server, model, tools=[READ])
    before = len(os.listdir("/proc/self/fd"))

    for _ in range(20):
        await ask(server, model, tools=[READ])
    gc.collect()  # a loop's last answer may be garbage that nobody has looked for yet

    # A leak is one for each call. The server's own ends are counted too: its threads close them in their time.
    assert len(os.listdir("/proc/self/fd")) < before + 10


async def test_nothing_is_printed(model_server: Serve, capfd: pytest.CaptureFixture[str]) -> None:
    server = model_server([{"attempts": [{"status": 500}, {"json": {"approved": True}}]}])

    await failure(Crashed, server, ANTHROPIC)
    await ask(server, "openai/house-model", schema=SCHEMA)

    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("package", ["litellm", "mcp"])
async def test_a_missing_package_is_named_with_the_command_that_installs_it(
    model_server: Serve, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    def version(name: str) -> str:
        if name == package:
            raise importlib.metadata.PackageNotFoundError(name)
        return "1"

    monkeypatch.setattr(importlib.metadata, "version", version)
    backend.load.cache_clear()

    error = await failure(PluginError, model_server([]), OPENAI)

    assert "pip install 'litellm[mcp]'" in str(error)
    assert LitellmModel().readiness().detail == str(error)
    assert not LitellmModel().readiness().ready


def test_it_is_a_model_and_tells_its_version() -> None:
    model = LitellmModel()

    assert isinstance(model, Model)
    assert model.readiness().ready
    assert model.readiness().detail.startswith("litellm 1.")


def test_it_conforms(model_server: Serve) -> None:
    scenarios: dict[str, Any] = {
        "works": {"text": "hello"},
        "schema": {"json": {"approved": True}},
        "tools": {"calls": WANTED},
        "hangs": {"text": "late", "hold": "for ever"},
        "limited": {"status": 429, "message": "slow down"},
        "empty": {"text": ""},
        "fails": {"status": 500},
    }
    cases = {name: model_call(model_server([turn])) for name, turn in scenarios.items()}
    cases["schema"] = model_call(model_server([scenarios["schema"]]), schema=SCHEMA)

    cases["tools"] = model_call(model_server([scenarios["tools"]]), tools=[READ])

    check_model(LitellmModel, **cases)
