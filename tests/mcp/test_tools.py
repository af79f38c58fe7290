"""What every tool has in common: schemas, hints, errors, bounds."""

import json
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest
import trio

from holdfast.cli.tools import tools as project_tools
from holdfast.docs import read_topic
from holdfast.engine import Engine
from holdfast.eventlog import Log, Owner, RunClaimed, RunRow
from holdfast.mcp import looking, standing
from holdfast.mcp.bounds import ANSWER_BYTES
from holdfast.mcp.server import ALL
from holdfast.mcp.tool import schema
from holdfast.project import Project
from holdfast.runs import send_signal
from holdfast.servers import server_of
from tests.cli.conftest import popen
from tests.mcp.conftest import as_process, in_memory
from tests.support.site import until

OF_A_RUN: dict[str, dict[str, Any]] = {
    "get_run": {},
    "wait_for_run": {},
    "why": {},
    "cost": {},
    "timeline": {},
    "get_step": {"step": "say"},
    "files_at": {},
    "resume": {},
    "decide": {"decision": "approve", "by": "ann"},
    "signal": {"name": "news"},
    "cancel": {},
    "pause": {},
    "unpause": {},
    "tree": {},
    "fork": {"at": 1},
    "rewind": {"at": 1},
    "retry": {},
    "plan": {},
}
Begin = Callable[..., Awaitable[None]]


@pytest.fixture
def begun(folder: Path) -> Begin:
    """Execute a run until it ends or waits: `await begun("greet", "r", name="Bo")`."""

    async def begin(workflow: str, run: str, **given: Any) -> None:
        project = Project.find()
        kit = project_tools(project)
        with project.open_log(create=True) as log:
            async with Engine(log, kit.plugins, kit.load) as engine:
                found = kit.load(f"w.py:{workflow}")
                await engine.start(found, given, run=run, folder=str(project.root))

    return begin


async def test_every_tool_is_listed_with_schemas_and_what_it_does(folder: Path) -> None:
    async with in_memory() as tools:
        listed = {tool.name: tool for tool in (await tools.client.list_tools()).tools}

    assert listed.keys() == {*OF_A_RUN} | {
        "list_workflows", "describe_workflow", "run_workflow", "list_runs", "inbox", "diff", "docs",
        "dry_run", "create_workflow", "schedule_workflow", "list_schedules", "change_schedule",
    }  # fmt: skip
    for tool in listed.values():
        assert tool.description
        assert tool.input_schema["type"] == "object"
        assert tool.input_schema["additionalProperties"] is False
        assert (tool.output_schema or {})["type"] == "object"
    hints = {name: tool.annotations or types.ToolAnnotations() for name, tool in listed.items()}
    reading = {name for name, hint in hints.items() if hint.read_only_hint}
    assert listed.keys() - reading == {
        "run_workflow", "resume", "decide", "signal", "cancel", "pause", "unpause", "fork",
        "rewind", "retry", "create_workflow", "schedule_workflow", "change_schedule",
    }  # fmt: skip
    destroying = {name for name, hint in hints.items() if hint.destructive_hint}
    assert destroying == {"decide", "cancel", "rewind", "create_workflow", "change_schedule"}


def test_the_schemas_are_small_enough_for_every_conversation() -> None:
    told = [(tool.name, tool.description, schema(tool.asked)) for tool in ALL]

    assert len(json.dumps(told)) < 24_000


async def test_every_tool_of_a_run_refuses_one_that_is_not_there(begun: Begin) -> None:
    await begun("question", "r")
    async with in_memory() as tools:
        for name, arguments in OF_A_RUN.items():
            error = await tools.refused(name, run="nope", **arguments)
            assert error["code"] == "no_such_run", name
            assert "'nope'" in error["message"]
        error = await tools.refused("diff", a="r", b="nope")

    assert error["code"] == "no_such_run"
    assert error["next"]["tool"] == "list_runs"


async def test_without_a_project_what_reads_it_says_so_and_makes_none(folder: Path) -> None:
    async with in_memory() as tools:
        for name, arguments in OF_A_RUN.items():
            error = await tools.refused(name, run="r", **arguments)
            assert (error["code"], name) == ("project", name)
        assert (await tools.refused("list_runs"))["code"] == "project"
    assert not (folder / ".holdfast" / "log").exists()


async def test_arguments_that_do_not_fit_are_told_and_nothing_is_done(begun: Begin) -> None:
    await begun("greet", "r", name="Bo")
    async with in_memory() as tools:
        unknown = await tools.refused("get_run", run="r", colour="red")
        missing = await tools.refused("decide", run="r", decision="approve")
        wrong = await tools.refused("list_runs", limit=5000)
        nowhere = await tools.refused("rewind", run="r")
        nothing = await tools.refused("launch")
        mixed = [
            await tools.refused("decide", run="r", by="ann", **given)
            for given in (
                {"decision": "edit"},
                {"decision": "deny", "edits": {}},
                {"decision": "approve", "answer": 1},
                {"decision": "deny", "add_usd": 1},
                {"decision": "answer", "answer": 1, "digest": "ab"},
            )
        ]
        unread = [
            await tools.refused("plan", run="r", **given)
            for given in (
                {"step": "say"},
                {"action": "rewind", "at": 2, "step": "say"},
                {"action": "rewind"},
                {"action": "retry", "at": 2},
                {"action": "retry", "changed_code": "rerun"},
                {"action": "accept", "workflow": "w.py:wait"},
                {"action": "accept", "prompts": {"say": "hi"}},
                {"action": "accept", "allow_effects": True},
            )
        ]
        rerun = await tools("plan", run="r", action="accept", changed_code="rerun")
        assert (await tools("get_run", run="r"))["status"] == "waiting"

    for error in (unknown, missing, wrong, nowhere, *mixed, *unread):
        assert error["code"] == "bad_arguments"
        assert "It takes: " in error["message"]
    assert "colour" in unknown["message"]
    assert "prompts has no meaning with action 'accept'" in unread[-2]["message"]
    assert rerun["reason"] == "accept"
    assert "run, decision, by, gate?" in missing["message"]
    assert nothing["code"] == "no_such_tool"
    assert "run_workflow" in nothing["message"]


async def test_a_wrong_input_or_id_is_refused_before_there_is_a_run(folder: Path) -> None:
    async with in_memory() as tools:
        none = await tools.refused("run_workflow", workflow="w.py:greet")
        wrong = await tools.refused("run_workflow", workflow="w.py:greet", input={"nam": "Bo"})
        bad = await tools.refused("run_workflow", workflow="w.py:fail", id="../x")
        unknown = await tools.refused("run_workflow", workflow="nope")
        assert (await tools.refused("describe_workflow", workflow="nope"))["code"] == unknown[
            "code"
        ]
        if (folder / ".holdfast" / "log").exists():
            assert (await tools("list_runs"))["items"] == []

    assert (none["code"], wrong["code"]) == ("input_invalid", "input_invalid")
    assert (bad["code"], unknown["code"]) == ("bad_run_id", "not_a_workflow")


async def test_workflows_are_listed_and_described_also_beside_a_broken_one(folder: Path) -> None:
    own = folder / ".holdfast" / "workflows"
    (own / "broken.py").write_text("import nowhere")
    (own / "greet.py").write_text(
        "from typing import Annotated\nfrom msgspec import Meta\nfrom holdfast import Run, workflow\n\n"
        "@workflow\nasync def greet(run: Run, name: Annotated[str, Meta(description='Whom.')], "
        "times: int = 2) -> str:\n    '''Greet somebody.\n\n    More about it.\n    '''\n    return name\n"
    )
    async with in_memory() as tools:
        listed = {each["name"]: each for each in (await tools("list_workflows"))["items"]}
        told = await tools("describe_workflow", workflow="greet")

    assert listed["broken"]["error"]["code"] == "not_a_workflow"
    assert listed["greet"] == {
        "name": "greet", "description": "Greet somebody.", "required": ["name"]
    }  # fmt: skip
    assert told["documentation"] == "Greet somebody.\n\nMore about it."
    name, times = told["inputs"]
    assert (name["type"], name["required"], name["description"]) == ("str", True, "Whom.")
    assert (times["type"], times["required"], times["default"]) == ("int", False, 2)
    assert told["output"] == "str"


# --- deciding ------------------------------------------------------------------------------------


async def test_edits_answers_and_names_are_checked_before_anything_is_written(begun: Begin) -> None:
    await begun("edits", "e")
    await begun("question", "q")
    async with in_memory() as tools:
        word = {"run": "e", "resume": False}
        wrong = await tools.refused("decide", **word, decision="edit", by="ann", edits={"place": 1})
        eve = await tools.refused("decide", **word, decision="approve", by="eve")
        engine = await tools.refused("decide", **word, decision="approve", by="engine")
        stale = await tools.refused("decide", **word, decision="approve", by="ann", digest="00")
        closed = await tools.refused("decide", **word, decision="deny", by="ann", gate="x")
        question = await tools.refused("decide", run="q", decision="approve", by="ann")
        unfit = await tools.refused("decide", run="q", decision="answer", by="ann", answer=3)
        assert (await tools("why", run="e"))["reasons"][0]["kind"] == "approval"
        done = await tools("decide", **word, decision="edit", by="ann", edits={"place": "there"})
        answered = await tools(
            "decide", run="q", decision="answer", by="ann", answer={"place": "here"}, resume=False
        )

    errors = [wrong, eve, engine, stale, closed, question, unfit]
    assert [error["code"] for error in errors] == [
        "edits_invalid", "not_allowed", "name_reserved", "subject_changed", "no_such_gate",
        "not_an_approval" if question["code"] == "not_an_approval" else "not_a_question",
        "answer_invalid",
    ]  # fmt: skip
    assert (done["gate"], done["by"], done["owner_alive"]) == ("plan", "ann", False)
    assert done["next"]["tool"] == "resume"
    assert answered["gate"] == "where"


async def test_one_of_two_approvals_leaves_one_missing_and_starts_nobody(begun: Begin) -> None:
    await begun("two_people", "r")
    async with in_memory() as tools:
        first = await tools("decide", run="r", decision="approve", by="ann")

    assert (first["missing"], first["owner_alive"]) == (1, False)


async def test_a_decision_stands_where_the_run_cannot_go_on(begun: Begin, folder: Path) -> None:
    begun_with = (folder / "w.py").read_text()
    await begun("greet", "r", name="Bo")
    (folder / "w.py").write_text("import nowhere\n")
    async with in_memory() as tools:
        told = await tools("decide", run="r", decision="approve", by="ann")
        (folder / "w.py").write_text(begun_with)
        closed = await tools.refused("decide", run="r", gate="send it", decision="deny", by="bo")

    assert told["problem"]["code"] == "not_started"
    assert "nowhere" in told["problem"]["message"]
    assert (told["owner_alive"], told["next"]["tool"]) == (False, "why")
    assert closed["code"] == "gate_closed"


async def test_of_a_server_that_starts_and_a_decision_that_resumes_one_executes_the_run(
    begun: Begin, folder: Path
) -> None:
    await begun("greet", "r", name="Bo")
    log_folder = folder / ".holdfast" / "log"
    async with in_memory() as tools:
        with popen(folder, "serve", "--json") as server:
            try:
                told = await tools("decide", run="r", decision="approve", by="ben")
                done = await tools("wait_for_run", run="r", timeout_seconds=60)
                until(lambda: server_of(log_folder) == server.pid, "the server")
            finally:
                server.terminate()

    assert (told["problem"], told["next"]["tool"]) == (None, "wait_for_run")
    assert (done["status"], done["output"]) == ("succeeded", "hello Bo")
    with Log.open(log_folder) as log:
        events = [record.event for record in log.records(log.branch_of("r"))]
    assert sum(isinstance(event, RunClaimed) for event in events) == 2  # one of them to begin with


async def test_who_takes_a_run_up_before_the_process_that_a_decision_starts_is_no_problem(
    begun: Begin, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await begun("clean_up", "r")
    with Owner.acquire(folder / ".holdfast" / "log") as owner:

        def claimed(log: Log, row: RunRow) -> str:
            claim = RunClaimed(owner.token)
            log.append(row.branch, [claim], expected=row.head, actor="test", time=1)
            return row.run

        monkeypatch.setattr(standing, "root_of", claimed)  # after it was seen that nobody has it
        async with in_memory() as tools:
            told = await tools("decide", run="r", decision="approve", by="ann")

    assert (told["problem"], told["owner_alive"]) == (None, True)
    assert told["next"]["tool"] == "wait_for_run"


async def test_what_has_ended_is_not_decided_signalled_cancelled_or_resumed(begun: Begin) -> None:
    await begun("fail", "r")
    async with in_memory() as tools:
        for name in ("decide", "signal", "cancel", "resume"):
            assert (await tools.refused(name, run="r", **OF_A_RUN[name]))["code"] == "run_ended"
        told = await tools("why", run="r")
        planned = await tools("plan", run="r", action="retry")

    assert told["next"]["tool"] == "retry"
    assert {item["key"]: item["action"] for item in planned["items"]} == {"break": "runs"}


async def test_a_signal_and_a_rewind_name_their_author(begun: Begin) -> None:
    await begun("wait", "r")
    async with in_memory() as tools:
        asked = (await tools("why", run="r"))["next"]
        assert (asked["tool"], asked["fill_in"]) == ("signal", ["payload"])
        sent = await tools("signal", **asked["arguments"], payload={"a": 1}, resume=False)
        assert sent["next"]["tool"] == "resume"
        last = (await tools("timeline", run="r", start=sent["offset"] - 1))["items"]
        back = await tools("rewind", run="r", at="1")

    assert [(event["type"], event["actor"]) for event in last] == [("signal.received", "mcp:probe")]
    assert (back["run"], back["left_at"]) == ("r", 1)
    assert back["parent"].startswith("r@")


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_client_of_either_protocol_is_named_as_the_author(begun: Begin, mode: str) -> None:
    await begun("wait", "r")
    async with in_memory(mode=mode) as tools:
        sent = await tools("signal", run="r", name="other", resume=False)
        last = (await tools("timeline", run="r", start=sent["offset"] - 1))["items"]

    assert last[0]["actor"] == "mcp:probe"


# --- waiting -------------------------------------------------------------------------------------


@pytest.fixture
async def at_work(begun: Begin, folder: Path) -> AsyncGenerator[None]:
    """A run that this process owns, as if it was executed."""
    await begun("wait", "r")
    log_folder = folder / ".holdfast" / "log"
    with Owner.acquire(log_folder) as owner:
        with Log.open(log_folder) as log:
            branch = log.branch_of("r")
            claim = RunClaimed(owner.token)
            log.append(branch, [claim], expected=log.head(branch), actor="test", time=1)
        yield


async def test_waiting_ends_after_its_time_and_tells_how_the_run_stands(at_work: None) -> None:
    async with in_memory() as tools:
        told = await tools("wait_for_run", run="r", timeout_seconds=0)
        busy = await tools.refused("resume", run="r")
        taken = await tools.refused("rewind", run="r", at=1)

    assert (told["timed_out"], told["status"], told["owner_alive"]) == (True, "running", True)
    assert (busy["code"], taken["code"]) == ("run_busy", "run_busy")
    assert busy["next"]["tool"] == "wait_for_run"


async def test_waiting_ends_when_the_bell_rings_for_news(
    at_work: None, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "LOOK_AGAIN_S", 600)  # so that nothing but the bell can tell
    bells = folder / ".holdfast" / "log" / "bells"
    found: dict[str, Any] = {}
    async with in_memory() as tools, trio.open_nursery() as nursery:
        offset = (await tools("get_run", run="r"))["offset"]

        async def wait() -> None:
            found.update(
                await tools("wait_for_run", run="r", after_offset=offset, timeout_seconds=60)
            )

        nursery.start_soon(wait)
        while not (bells.is_dir() and any(bells.iterdir())):
            await trio.sleep(0.001)
        await tools("signal", run="r", name="other")

    assert found["offset"] == offset + 1
    assert found["timed_out"] is False


async def test_other_calls_are_served_while_one_waits(at_work: None) -> None:
    async with in_memory() as tools, trio.open_nursery() as nursery:
        nursery.start_soon(lambda: tools("wait_for_run", run="r", timeout_seconds=600))
        for _ in range(3):
            assert (await tools("get_run", run="r"))["status"] == "running"
        nursery.cancel_scope.cancel()


async def test_the_log_is_closed_when_no_call_needs_it(begun: Begin, folder: Path) -> None:
    await begun("wait", "r")
    async with in_memory() as tools:
        await tools("get_run", run="r")
        with Log.open(folder / ".holdfast" / "log") as log:  # a process opens it only once
            send_signal(log, "r", "other", 1, "test")


# --- paging and bounds ---------------------------------------------------------------------------


async def test_pages_together_are_the_whole(begun: Begin) -> None:
    for run in ("a", "b", "c"):
        await begun("wait", run)
    async with in_memory() as tools:
        whole = await tools("timeline", run="a", limit=100)
        events, start = list[Any](), 0
        while start is not None:
            page = await tools("timeline", run="a", start=start, limit=2)
            assert len(page["items"]) <= 2
            events += page["items"]
            start = page["next"]
        runs = [
            (await tools("list_runs", start=start, limit=1))["items"][0]["run"]
            for start in range(3)
        ]
        last = await tools("list_runs", start=2, limit=1)
        beyond = await tools("list_runs", start=99)
        waiting = await tools("list_runs", status=["waiting"])
        failed = await tools("list_runs", status=["failed"])

    assert events == whole["items"]
    assert len(events) == whole["total"]
    assert runs == ["c", "b", "a"]
    assert (last["next"], beyond["items"], beyond["next"]) == (None, [], None)
    assert (len(waiting["items"]), failed["items"]) == (3, [])


async def test_a_long_text_comes_in_pieces_that_are_the_whole(begun: Begin) -> None:
    await begun("huge", "r")
    async with in_memory() as tools:
        head = await tools("get_step", run="r", step="print")
        pieces, start, page = list[str](), 0, head
        while start is not None:
            page = await tools(
                "get_step", run="r", step="print", part="result", start=start, limit=20_000
            )
            assert len(page["text"]) <= 20_000
            pieces.append(page["text"])
            start = page["next"]
        nothing = await tools("get_step", run="r", step="print", part="transcript")
        typo = await tools.refused("get_step", run="r", step="prin")
        files = await tools.refused("files_at", run="r")

    whole = "".join(pieces)
    assert head["parts"]["result"] == len(whole) == page["total"]
    assert len(json.loads(whole)["stdout"]) == 100_000
    assert (nothing["text"], nothing["next"]) == ("", None)
    assert (typo["code"], "'print'" in typo["message"]) == ("no_such_step", True)
    assert files["code"] == "no_files"


WIDE = """
from holdfast import Run, workflow


@workflow
async def wide(run: Run) -> dict:
    await run.approve("look", subject={"lines": ["y" * 5000] * 500})
    return {}
"""


async def test_an_answer_is_bounded_and_says_what_it_left_out(folder: Path) -> None:
    (folder / "wide.py").write_text(WIDE)
    async with in_memory() as tools:
        await tools("run_workflow", workflow="wide.py", id="r")
        found = await tools("wait_for_run", run="r", timeout_seconds=60)
        waiting = await tools("inbox")

    for thread in threading.enumerate():
        if thread.name == "reaper of r":
            thread.join(30)
            assert not thread.is_alive(), "whoever was started is waited for"
    for answer in (found, waiting):
        assert len(json.dumps(answer)) < ANSWER_BYTES * 1.2
        assert answer["cut"]
    assert found["gates"][0]["key"] == "look"
    assert found["cut"][0].startswith("gates[0].subject.lines")
    assert waiting["cut"][0].startswith("items[0].subject.lines")


async def test_docs_has_the_pages_of_the_command_line(folder: Path) -> None:
    async with in_memory() as tools:
        listed = await tools("docs")
        begun = await tools("docs", topic="writing", limit=100)
        rest = await tools("docs", topic="writing", start=begun["next"])
        unknown = await tools.refused("docs", topic="writting")

    assert "writing: how to write a workflow" in listed["text"]
    assert begun["text"] + rest["text"] == read_topic("writing")
    assert (unknown["code"], "writing?" in unknown["message"]) == ("no_such_topic", True)


async def test_a_defect_ends_the_call_and_not_the_server(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.mcp.using.bounded", lambda answer: 1 / 0)
    async with in_memory() as tools:
        error = await tools.refused("list_workflows")
        assert (await tools.refused("list_workflows"))["code"] == "internal"

    assert "ZeroDivisionError" in error["message"]
    assert "report it" in error["message"]


async def test_the_process_ends_with_its_client_and_refuses_as_in_memory(folder: Path) -> None:
    with trio.fail_after(60):
        async with as_process(folder) as tools:
            assert (await tools.refused("get_run", run="r"))["code"] == "project"
            assert "greet" not in {w["name"] for w in (await tools("list_workflows"))["items"]}
