"""The scripted model that other tests talk to: four protocols, one scenario."""

import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.model_script import Scenario
from tests.support.model_server import ModelServer

Serve = Callable[[Scenario], ModelServer]
ASK = {"role": "user", "content": "go"}
WRITE = {"type": "object", "properties": {"file_path": {}, "content": {}}, "required": []}
CLAUDE_TOOL = {"name": "Write", "input_schema": WRITE}
CHAT_TOOL = {"type": "function", "function": {"name": "Write", "parameters": WRITE}}
GEMINI_TOOL = {"functionDeclarations": [{"name": "write_file", "parametersJsonSchema": WRITE}]}
CODEX_TOOL = {"type": "function", "name": "exec_command", "parameters": {"properties": {"cmd": {}}}}


def post(url: str, body: dict[str, Any], *, key: str = "k") -> str:
    headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(answer.read().decode())


def events(stream: str) -> list[dict[str, Any]]:
    lines = [line[6:] for line in stream.splitlines() if line.startswith("data: {")]
    return [json.loads(line) for line in lines]


def said(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """What the assistant said, as messages or items that go back into the conversation."""
    if "choices" in answer:
        return [answer["choices"][0]["message"]]
    if "candidates" in answer:
        return [answer["candidates"][0]["content"]]
    return answer.get("output") or [{"role": "assistant", "content": answer["content"]}]


@pytest.mark.parametrize(
    ("path", "field", "tool", "result"),
    [
        (
            "/v1/messages",
            "messages",
            CLAUDE_TOOL,
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "turn0x0"}]},
        ),
        ("/v1/chat/completions", "messages", CHAT_TOOL, {"role": "tool", "content": "done"}),
        ("/v1/responses", "input", CODEX_TOOL, {"type": "function_call_output", "call_id": "x"}),
        (
            "/v1beta/models/m:generateContent",
            "contents",
            GEMINI_TOOL,
            {"role": "user", "parts": [{"functionResponse": {"id": "turn0x0"}}]},
        ),
    ],
)
def test_the_turn_follows_from_the_conversation(
    model_server: Serve, path: str, field: str, tool: dict[str, Any], result: dict[str, Any]
) -> None:
    server = model_server([{"write_file": {"path": "a.txt", "content": "A"}}, {"text": "written"}])
    first: dict[str, Any] = {"model": "m", field: [ASK], "tools": [tool]}

    asked = [json.loads(post(server.url + path, first)) for _ in range(2)]
    second = first | {field: [ASK, *said(asked[0]), result]}
    answer = json.loads(post(server.url + path, second))

    assert asked[0] == asked[1]
    assert "a.txt" in json.dumps(asked[0])
    assert "written" in json.dumps(said(answer))
    assert [request.turn for request in server.requests] == [0, 0, 1]


def test_a_stream_says_what_the_body_says(model_server: Serve) -> None:
    text = "a text of more than one piece, so that it streams"
    server = model_server([{"text": text}])
    body = {"model": "m", "messages": [ASK], "input": "go", "stream": True}

    claude = events(post(server.url + "/v1/messages", body))
    chat = events(post(server.url + "/v1/chat/completions", body))
    codex = events(post(server.url + "/v1/responses", body))
    gemini = events(
        post(server.url + "/v1beta/models/m:streamGenerateContent", {"contents": [ASK]})
    )

    deltas = [event["delta"].get("text", "") for event in claude if "delta" in event]
    assert "".join(deltas) == text
    assert "".join(e["choices"][0]["delta"].get("content", "") for e in chat) == text
    parts = [part for e in gemini for part in e["candidates"][0]["content"]["parts"]]
    assert "".join(part["text"] for part in parts) == text
    assert "".join(e["delta"] for e in codex if "delta" in e) == text
    assert codex[-1]["response"]["output"][0]["content"][0]["text"] == text


def test_json_goes_to_the_tool_for_structured_output_where_there_is_one(
    model_server: Serve,
) -> None:
    server = model_server([{"json": {"ok": True}}])
    tool = {"name": "StructuredOutput", "input_schema": {}}
    body = {"model": "m", "messages": [ASK]}

    plain = json.loads(post(server.url + "/v1/messages", body))
    called = json.loads(post(server.url + "/v1/messages", body | {"tools": [tool]}))

    assert json.loads(plain["content"][0]["text"]) == {"ok": True}
    assert called["content"][0]["input"] == {"ok": True}


def test_paths_are_put_into_the_folder_that_the_client_works_in(model_server: Serve) -> None:
    server = model_server([{"write_file": {"path": "a.txt", "content": "A"}}])
    body = {
        "model": "m",
        "system": "Primary working directory: /repo\nPlatform: linux",
        "messages": [ASK],
        "tools": [CLAUDE_TOOL],
    }

    answer = json.loads(post(server.url + "/v1/messages", body))

    assert answer["content"][0]["input"]["file_path"] == "/repo/a.txt"


def test_attempts_differ_and_an_error_has_its_headers(model_server: Serve) -> None:
    limited = {"status": 429, "message": "slow down", "headers": {"retry-after": "7"}}
    server = model_server([{"attempts": [limited, {"text": "fine"}]}])
    body = {"model": "m", "messages": [ASK]}

    with pytest.raises(urllib.error.HTTPError) as caught:
        post(server.url + "/v1/chat/completions", body)
    with caught.value as error:
        assert (error.code, error.headers["retry-after"]) == (429, "7")

    assert "fine" in post(server.url + "/v1/chat/completions", body)


def test_rules_choose_by_what_was_asked_and_a_wrong_key_is_told(model_server: Serve) -> None:
    rule = {"when": {"user": "plan"}, "turns": [{"text": "the plan"}]}
    server = model_server({"key": "good", "rules": [rule], "turns": [{"text": "other"}]})
    plan = {"model": "m", "messages": [{"role": "user", "content": "make a plan"}]}

    with pytest.raises(urllib.error.HTTPError) as caught:
        post(server.url + "/v1/chat/completions", plan, key="bad")
    with caught.value as error:
        assert error.code == 401

    assert "the plan" in post(server.url + "/v1/chat/completions", plan, key="good")
    other = plan | {"messages": [ASK]}
    assert "other" in post(server.url + "/v1/chat/completions", other, key="good")


def test_a_held_answer_notices_that_the_client_hung_up(model_server: Serve) -> None:
    server = model_server([{"text": "late", "hold": "gate"}])
    body = json.dumps({"model": "m", "messages": [ASK]}).encode()
    head = f"POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"

    with socket.create_connection(("127.0.0.1", server.server_port)) as client:
        client.sendall(head.encode() + body)
        server.wait_for(lambda requests: len(requests) == 1)
    server.wait_for(lambda requests: requests[0].hung_up)
    server.release("gate")

    assert "late" in post(server.url + "/v1/messages", json.loads(body))


def test_as_a_program_it_survives_the_death_of_its_clients_and_keeps_step(tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.json"
    scenario.write_text(json.dumps([{"text": "one"}, {"text": "two"}]))
    program = Path(__file__).parent / "support" / "model_server.py"
    command = [sys.executable, str(program), "--scenario", str(scenario)]
    body = {"model": "m", "messages": [ASK, {"role": "assistant", "content": "one"}]}

    for _ in range(2):
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=tmp_path) as process:
            assert process.stdout is not None
            url = json.loads(process.stdout.readline())["url"]
            answer = post(url + "/v1/chat/completions", body)
            process.kill()
        assert "two" in answer
