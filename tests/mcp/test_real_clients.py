"""The tools as real coding agents have them, each with a scripted model that knows only what they tell it.

    HOLDFAST_AGENTS=FOLDER pytest -m real_agents tests/mcp/test_real_clients.py

tests/support/install_agents.sh FOLDER installs the agents; one that is not there is left out.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from msgspec.structs import replace

from holdfast.cli.values import decoded, record
from holdfast.eventlog import Log
from holdfast.mcp.server import TOOLS
from holdfast.plugins import MARK, AgentResult
from holdfast.runs import read_state
from tests.support.model_request import Json, Request
from tests.support.model_script import is_tool
from tests.support.model_server import ModelServer
from tests.support.real_mcp import CLIENTS, Client

SHIP = '''
from holdfast import Run, workflow

RANDOM = "od -An -N8 -tx8 /dev/urandom | tr -d ' '"


@workflow
async def ship(run: Run, version: str) -> str:
    """Ship a version, when somebody approved its number."""
    number = await run.shell("number", RANDOM)
    await run.approve("publish", subject=f"{version} as {number.stdout.strip()}")
    stamp = await run.shell("stamp", RANDOM)
    return f"{version} {number.stdout.strip()} {stamp.stdout.strip()}"
'''
WORK = '''
from holdfast import Run, workflow


@workflow
async def work(run: Run, agent: str, model: str | None, options: dict[str, list[str]]) -> str:
    """Let an agent work, and a person look at it."""
    done = await run.agent("code", "Do it.", agent=agent, model=model, options=options)
    await run.approve("publish", subject=done)
    return done
'''
FOLDER = Path(".holdfast", "workflows")
LIMIT_S = 120

pytestmark = pytest.mark.real_agents


def assistant(request: Request) -> Json:
    """The model: it takes every id and every word from what the tools told it."""
    if not request.tools:
        return {"text": "A title"}
    if not any(is_tool(name, "wait_for_run") for name in request.tools):
        return {"search": "holdfast"}
    told = [json_in(text) for text in request.results if text]
    if "Ship" in request.user:
        return ship(told)
    return go_on(told, [json_in(text) for text in request.earlier if text])


def ship(told: list[Json]) -> Json:
    """Start a run and follow it to where it needs somebody; ask the person."""
    match told:
        case []:
            return call("list_workflows")
        case [listed]:
            named = [row["name"] for row in listed["items"] if row["required"] == ["version"]]
            return call("run_workflow", workflow=named[0], input={"version": "1.0"})
        case [*_, {"gates": [gate]}]:
            return {"text": f"Shall I publish {gate['subject']}?"}
        case _:
            return follow(told[-1])


def go_on(told: list[Json], before: list[Json]) -> Json:
    """Give the person's word, see the run to its end, take its last step another time, and compare."""
    match told:
        case []:
            return follow(before[-1], by="anna")
        case [decided]:
            return follow(decided)
        case [_, {"status": "succeeded", "run": run}]:
            return call("fork", run=run, at="stamp", resume=True)
        case [_, _, forked]:
            return follow(forked)
        case [_, done, _, {"status": "succeeded"} as other]:
            return call("diff", a=done["run"], b=other["run"])
        case [_, done, _, other, difference]:
            report = {name: [done[name], other[name]] for name in ("run", "status", "output")}
            keys = [item["key"] for item in difference["items"]]
            return {"text": json.dumps({**report, "differ": keys})}
        case _:
            raise LookupError(f"what to do after {told[-1]}")


def json_in(text: str) -> Json:
    """Return the object in a tool's result: clients put words before and after it."""
    if '"cut"' not in text:
        raise LookupError(f"no answer of a tool in {text}")
    return json.JSONDecoder().raw_decode(text, text.index("{"))[0]


def call(tool: str, /, **arguments: Any) -> Json:
    return {"mcp": tool, "args": arguments}


def follow(told: Json, **filled_in: Any) -> Json:
    """Do what an answer says is next."""
    assert set(told["next"]["fill_in"]) == set(filled_in), told
    return call(told["next"]["tool"], **told["next"]["arguments"], **filled_in)


class Desk:
    """A repository with a workflow, and an agent there that has Holdfast's tools as the README says."""

    def __init__(self, client: Client, folder: Path, server: ModelServer) -> None:
        self.client, self.server = client, server
        self.repository = folder / "repository"
        (self.repository / FOLDER).mkdir(parents=True)
        (self.repository / FOLDER / "ship.py").write_text(SHIP)
        (self.repository / FOLDER / "work.py").write_text(WORK)
        subprocess.run(["git", "init", "-q"], cwd=self.repository, check=True)
        self.task = client.task(folder, server.url)

    async def say(self, words: str, session: str | None = None) -> AgentResult:
        task = replace(self.task, prompt=words, session=session)
        with trio.fail_after(LIMIT_S):
            return await self.client.real.agent().run(task, lambda _: None)

    def offered(self) -> set[str]:
        """Which of our tools the model was offered, whatever the agent calls them."""
        names = {name for asked in self.server.requests for name in asked.tools}
        return {tool for tool in TOOLS if any(is_tool(name, tool) for name in names)}


@pytest.fixture(params=CLIENTS, ids=lambda client: client.name)
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    client: Client = request.param
    if client.real.locate() is None:
        pytest.skip(f"there is no {client.name} here")
    with ModelServer(assistant) as server:
        yield Desk(client, tmp_path, server)


async def test_it_starts_a_run_asks_a_person_goes_on_forks_and_reports(desk: Desk) -> None:
    asked = await desk.say("Ship version 1.0 with Holdfast.")
    told = await desk.say("Yes, says Anna.", session=asked.session)

    report = json.loads(told.text)
    run, fork = report["run"]
    with Log.open(desk.repository / ".holdfast" / "log") as log:
        rows = {row.run: row for row in log.runs()}
        events, others = (
            [record(log, each) for each in log.records(row.branch, 0, row.head)]
            for row in (rows[run], rows[fork])
        )
        parent = log.branch(rows[fork].branch).parent
        outputs = [read_state(log, rows[name].branch).output for name in (run, fork)]
        assert report["output"] == [decoded(log, output) for output in outputs]
    assert desk.offered() == set(TOOLS)
    assert set(rows) == {run, fork}
    assert parent == rows[run].branch
    assert report["status"] == ["succeeded", "succeeded"]
    assert report["differ"] == ["stamp"]
    assert asked.text == f"Shall I publish 1.0 as {report['output'][0].split()[1]}?"
    me = f"mcp:{desk.client.calls_itself}"
    assert actors(events) == {"run.started": me, "approval.decided": me}
    assert actors(others)["run.forked"] == me
    assert [each["by"] for each in events if each["type"] == "approval.decided"] == ["anna"]


async def test_in_a_step_it_decides_nothing_that_its_run_waits_for(desk: Desk) -> None:
    desk.server.play(insider)
    client = desk.client
    given = {"agent": client.name, "model": client.real.model, "options": client.options}
    command = [
        "holdfast",
        "run",
        "work",
        "--id",
        "r",
        "--json",
        "--input",
        json.dumps(given),
    ]

    with trio.fail_after(LIMIT_S):
        found = await trio.run_process(
            ["env", "-u", MARK, *command],
            cwd=desk.repository,
            env=dict(desk.task.env),
            capture_stdout=True,
            capture_stderr=True,
            check=False,
        )

    assert found.returncode == 3, (found.stdout, found.stderr)
    with Log.open(desk.repository / ".holdfast" / "log") as log:
        (gate,) = read_state(log, log.branch_of("r")).open_gates
        assert "inside_run" in decoded(log, gate.subject)


def insider(request: Request) -> Json:
    """The model: it tries to decide for itself, and says what came of it."""
    if not any(is_tool(name, "decide") for name in request.tools):
        return {"search": "holdfast"}
    if told := [text for text in request.results if text]:
        return {"text": told[-1]}
    return call("decide", run="r", decision="approve", by="anna")


def actors(events: list[Json]) -> Json:
    """Return who did what a client has to ask for."""
    return {event["type"]: event["actor"] for event in events if event["actor"].startswith("mcp:")}
