"""A whole journey through the tools: a run is started, waited for, approved, forked, told of."""

from pathlib import Path

from tests.mcp.conftest import Tools, as_process, in_memory


async def test_an_agent_runs_waits_has_it_approved_forks_and_reports(folder: Path) -> None:
    async with as_process(folder) as tools:
        await journey(tools)


async def journey(tools: Tools) -> None:
    begun = await tools("run_workflow", workflow="w.py:greet", input={"name": "Bo"}, id="r")
    assert begun["next"] == {"tool": "wait_for_run", "arguments": {"run": "r"}, "fill_in": []}

    waiting = await tools("wait_for_run", run="r", timeout_seconds=30)
    assert waiting["status"] == "waiting"
    assert waiting["gates"][0]["subject"] == "hello Bo "
    assert waiting["next"] == {
        "tool": "decide",
        "arguments": {"run": "r", "gate": "send it", "decision": "approve"},
        "fill_in": ["by"],
    }

    decided = await tools("decide", **waiting["next"]["arguments"], by="ann")
    assert decided["missing"] == 0
    done = await tools("wait_for_run", run="r", timeout_seconds=30)
    assert (done["status"], done["output"]) == ("succeeded", "hello Bo")

    told = await tools("plan", run="r", input={"name": "Al"})
    assert {item["key"]: item["action"] for item in told["items"]}["say"] == "runs"
    forked = await tools("fork", run="r", input={"name": "Al"}, id="f", resume=True)
    assert forked["parent"] == "r"
    await tools("wait_for_run", run="f", timeout_seconds=30)
    difference = await tools("diff", a="r", b="f")
    assert not difference["equal"]

    events = (await tools("timeline", run="r"))["items"]
    assert events[0]["actor"] == "mcp:probe"
    assert [e["by"] for e in events if e["type"] == "approval.decided"] == ["ann"]
    assert (await tools("cost", run="r"))["items"][0]["key"] == "say"
    step = await tools("get_step", run="r", step="say", part="result")
    assert "hello Bo" in step["text"]
    assert [run["run"] for run in (await tools("list_runs"))["items"]] == ["f", "r"]
    assert [waiting["run"] for waiting in (await tools("inbox"))["items"]] == ["f"]


async def test_the_same_journey_goes_in_memory(folder: Path) -> None:
    async with in_memory() as tools:
        await journey(tools)
