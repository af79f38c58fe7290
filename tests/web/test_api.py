"""The verbs over HTTP: each call is answered by the tool of its name, in the process that serves."""

import os
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import trio

from holdfast.eventlog import HoldfastError, Record, RunClaimed
from holdfast.web import statuses
from holdfast.web.guard import MOST_BYTES
from holdfast.web.routes import VERBS
from tests.web.conftest import Site

BODIES: dict[str, dict[str, Any]] = {
    "decide": {"decision": "approve", "by": "ann"},
    "signal": {"name": "news"},
    "rewind": {"at": 1},
    "fork": {"at": 1},
}


def records(site: Site, run: str) -> list[Record]:
    return [*site.log.records(site.log.branch_of(run))]


async def test_a_run_is_started_approved_forked_and_told_of_in_the_serving_process(
    site: Site,
) -> None:
    begun = await site("POST", "/runs", workflow="w.py:greet", input={"name": "Bo"}, id="r")
    assert begun["next"]["tool"] == "wait_for_run"
    waiting = await site("GET", "/runs/r/wait")
    assert (waiting["status"], waiting["gates"][0]["subject"]) == ("waiting", "hello Bo ")
    assert [one["run"] for one in (await site("GET", "/inbox"))["items"]] == ["r"]

    decided = await site("POST", "/runs/r/decide", decision="approve", by="ben")
    assert (decided["gate"], decided["owner_alive"]) == ("send it", True)
    done = await site("GET", "/runs/r/wait")
    assert (done["status"], done["output"]) == ("succeeded", "hello Bo")

    planned = await site("POST", "/runs/r/plan", input={"name": "Al"})
    assert {item["key"]: item["action"] for item in planned["items"]}["say"] == "runs"
    await site("POST", "/runs/r/fork", input={"name": "Al"}, id="f", resume=True)
    assert (await site("GET", "/runs/f/wait"))["gates"][0]["subject"] == "hello Al "
    assert not (await site("GET", "/diff", a="r", b="f"))["equal"]
    for path in ("/runs/f/tree", "/tree"):
        family = (await site("GET", path))["items"]
        assert [member["run"] for member in family] == ["r", "f"]

    assert {r.event.pid for r in records(site, "f") if isinstance(r.event, RunClaimed)} == {
        os.getpid()
    }
    assert {r.actor for r in records(site, "r")} == {"web:ann", "engine"}
    events = (await site("GET", "/runs/r/timeline", limit=100))["items"]
    assert [e["by"] for e in events if e["type"] == "approval.decided"] == ["ben"]
    step = await site("GET", "/runs/r/steps/say", part="result")
    assert "hello Bo" in step["text"]
    assert (await site("GET", "/runs/r/cost"))["items"][0]["key"] == "say"
    assert (await site("GET", "/runs/r/why"))["reasons"][0]["kind"] == "succeeded"
    both = await site("GET", "/runs", status=["succeeded", "waiting"])
    assert [run["run"] for run in both["items"]] == ["f", "r"]


async def test_a_run_is_paused_signalled_rewound_and_cancelled(site: Site) -> None:
    await site("POST", "/runs", workflow="w.py:wait", id="r")
    await site("GET", "/runs/r/wait")
    await site("POST", "/runs/r/pause", reason="lunch")
    sent = await site("POST", "/runs/r/signal", name="news", payload={"a": 1})
    assert (await site("GET", "/runs/r"))["output"] is None
    assert sent["owner_alive"] is False
    await site("POST", "/runs/r/unpause")
    assert (await site("GET", "/runs/r/wait"))["output"] == {"a": 1}

    back = await site("POST", "/runs/r/rewind", at=2)
    assert back["next"]["tool"] == "resume"
    assert (await site("POST", "/runs/r/resume"))["owner_alive"]
    assert (await site("GET", "/runs/r/wait"))["status"] == "waiting"
    await site("POST", "/runs/r/cancel", reason="enough")
    while (await site("GET", "/runs/r/wait"))["status"] != "cancelled":
        pass
    await site("POST", "/runs", workflow="w.py:fail", id="f")
    await site("GET", "/runs/f/wait")
    assert (await site("POST", "/runs/f/retry", resume=False))["parent"].startswith("f")


async def test_a_childs_name_is_sent_with_its_slash_encoded(site: Site) -> None:
    await site("POST", "/runs", workflow="w.py:family", id="parent")
    await site("GET", "/runs/parent/wait")

    assert (await site("GET", "/runs/parent%2Fkid"))["run"] == "parent/kid"
    assert (await site("GET", "/runs/parent%2Fkid/timeline"))["total"] > 0
    assert (await site.refused("GET", "/runs/parent/kid"))[1] == "no_such_route"


async def test_workflows_are_listed_and_described_whatever_their_names(site: Site) -> None:
    assert (await site("GET", "/workflows"))["total"] >= 1
    assert (await site("GET", "/workflows/w.py:greet"))["name"] == "w.py:greet"
    deep = await site("GET", f"/workflows/{Path.cwd()}/w.py:greet")
    assert deep["description"] == "Greet somebody, when that was approved."


async def test_every_verb_of_a_run_refuses_one_that_is_not_there(site: Site) -> None:
    for verb in VERBS:
        if "run" not in verb.fields:
            continue
        path = verb.path.replace("{run}", "nope").replace("{step:path}", "a/b")
        body = BODIES.get(verb.tool.name, {})
        assert await site.refused(verb.method, path, **body) == (404, "no_such_run"), path


async def test_what_does_not_fit_is_refused_and_changes_nothing(site: Site) -> None:
    await site("POST", "/runs", workflow="w.py:greet", input={"name": "Bo"}, id="r")
    await site("GET", "/runs/r/wait")
    size = site.log.size()
    word = {"decision": "approve", "by": "ann"}

    refused = [
        await site.refused("POST", "/runs/r/decide", **word, colour="red"),
        await site.refused("POST", "/runs/r/decide", **word, run="r"),
        await site.refused("POST", "/runs/r/decide", decision="approve"),
        await site.refused("GET", "/runs", limit=5000),
        await site.refused("GET", "/runs/r", at=[1, 2]),
        await site.refused("POST", "/runs", workflow="w.py:greet", input={"nam": "Bo"}),
        await site.refused("POST", "/runs", workflow="w.py:greet", input={"name": "Bo"}, id="r"),
        await site.refused("GET", "/runs/r/files"),
        await site.refused("GET", "/nowhere"),
        await site.refused("POST", "/runs/r"),
        await site.refused("GET", "/runs/r/"),
    ]

    assert refused == [
        *[(400, "bad_arguments")] * 5,
        (400, "input_invalid"),
        (409, "run_exists"),
        (404, "no_files"),
        (404, "no_such_route"),
        (405, "no_such_route"),
        (404, "no_such_route"),
    ]
    assert site.log.size() == size


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{"),
        ("application/json", b"[1]"),
        ("application/json", b'{"by": "\xff"}'),
        ("application/json", b"[" * 100_000),
        ("text/plain", b"{}"),
        ("application/x-www-form-urlencoded", b"decision=approve"),
    ],
)
async def test_a_body_that_is_no_json_object_is_refused(site: Site, kind: str, body: bytes) -> None:
    headers = {"Content-Type": kind}
    told = await site.client.post("/api/v1/runs", content=body, headers=headers)

    assert (told.status_code, told.json()["error"]["code"]) == (400, "body_not_json")


@pytest.mark.parametrize("path", ["/api/v1/runs", "/mcp"])
@pytest.mark.parametrize("says_its_size", [True, False])
async def test_a_body_beyond_the_bound_is_refused_whether_or_not_it_says_its_size(
    site: Site, path: str, says_its_size: bool
) -> None:
    size = MOST_BYTES + 1
    head = f"POST {path} HTTP/1.1\r\nHost: {site.hosting.address.names[0]}\r\n"
    head += f"Authorization: Bearer {site.token}\r\nContent-Type: application/json\r\n"
    how = f"Content-Length: {size}" if says_its_size else "Transfer-Encoding: chunked"
    body = b"" if says_its_size else b"%x\r\n" % size + b" " * size + b"\r\n"

    async with await trio.open_tcp_stream(*site.hosting.address) as stream:
        await stream.send_all(f"{head}{how}\r\n\r\n".encode() + body)
        told = await stream.receive_some()

    assert told.startswith(b"HTTP/1.1 413 ")


async def test_a_defect_ends_one_call_and_is_told(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.mcp.using.bounded", lambda answer: 1 / 0)
    assert await site.refused("GET", "/runs") == (500, "internal")
    monkeypatch.undo()
    assert (await site.tell("GET", "/inbox")).status_code == 200


def test_every_code_that_has_a_status_is_that_of_an_error() -> None:
    for module in ("cli.app", "execution", "web.app", "workspaces"):
        import_module(f"holdfast.{module}")
    codes = set[str]()
    kinds: list[type[HoldfastError]] = [HoldfastError]
    while kinds:
        kind = kinds.pop()
        codes.add(kind.code)
        kinds += kind.__subclasses__()

    assert statuses.STATUS_OF.keys() <= codes
