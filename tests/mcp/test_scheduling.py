"""An agent schedules runs, and says what becomes of them."""

from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from holdfast.cli.commands.schedule import schedule as command
from holdfast.mcp.scheduling import ScheduleWorkflow
from holdfast.project import Project
from holdfast.schedules import MISSED, OVERLAP
from tests.mcp.conftest import in_memory
from tests.web.conftest import Site, site

__all__ = ["site"]  # a fixture here as well

NINE = {"workflow": "w.py:greet", "cron": "0 9 * * 1-5", "zone": "Europe/Berlin"}


async def test_a_schedule_is_added_listed_paused_and_removed(folder: Path) -> None:
    async with in_memory() as tools:
        added = await tools("schedule_workflow", **NINE, input={"name": "Al"}, missed="all")
        (listed,) = (await tools("list_schedules"))["items"]
        paused = await tools("change_schedule", schedule="greet", to="paused")
        again = await tools("change_schedule", schedule="greet", to="unpaused")
        removed = await tools("change_schedule", schedule="greet", to="removed")
        left = await tools("list_schedules")

    assert (added["schedule"], added["input"]) == ("greet", {"name": "Al", "times": 1})
    assert added["due"].endswith(("T08:00:00.000000000Z", "T07:00:00.000000000Z"))
    assert (added["served_by"], added["next"]["command"]) == (None, "holdfast serve")
    assert (listed["due"], listed["added_by"]) == (added["due"], "mcp:probe")
    assert (listed["missed"], listed["overlap"]) == ("all", "skip")
    assert [told["status"] for told in (paused, again, removed)] == [
        "paused",
        "scheduled",
        "removed",
    ]
    assert again["due"] == added["due"]
    assert (left["items"], left["total"]) == ([], 0)


async def test_what_makes_no_schedule_is_refused_with_the_call_that_helps(folder: Path) -> None:
    async with in_memory() as tools:
        refused = [
            await tools.refused(
                "schedule_workflow", **{**NINE, "cron": "0 9 * * 1-8", "input": {"name": "Al"}}
            ),
            await tools.refused("schedule_workflow", **NINE),
            await tools.refused("schedule_workflow", **NINE, input={"name": "Al"}, id="@x"),
            await tools.refused("schedule_workflow", **NINE, overlap="stop"),
        ]
        assert not (folder / ".holdfast" / "log").exists()
        await tools("schedule_workflow", **NINE, input={"name": "Al"})
        taken = await tools.refused("schedule_workflow", **NINE, input={"name": "Bo"})
        unknown = await tools.refused("change_schedule", schedule="none", to="paused")
        await tools("change_schedule", schedule="greet", to="removed")
        gone = await tools.refused("change_schedule", schedule="greet", to="paused")

    codes = [error["code"] for error in refused]
    assert codes == ["schedule_invalid", "input_invalid", "schedule_invalid", "bad_arguments"]
    assert (taken["code"], taken["next"]["arguments"]) == (
        "schedule_exists",
        {"schedule": "greet", "to": "removed"},
    )
    assert {error["code"] for error in (unknown, gone)} == {"no_such_schedule"}
    assert unknown["next"]["tool"] == "list_schedules"
    with Project.find().open_log() as log:
        assert [record.actor for record in log.scan()] == ["mcp:probe"] * 2


async def test_over_http_who_serves_is_told_and_errors_have_their_status(site: Site) -> None:
    added = await site("POST", "/schedules", **NINE, input={"name": "Al"})
    (listed,) = (await site("GET", "/schedules"))["items"]
    changed = await site("POST", "/schedules/greet", to="removed")

    assert added["served_by"]
    assert added["next"]["tool"] == "list_schedules"
    assert listed["schedule"] == changed["schedule"] == "greet"
    assert await site.refused("POST", "/schedules/greet", to="paused") == (404, "no_such_schedule")
    await site("POST", "/schedules", **NINE, input={"name": "Al"})
    twice = await site.refused("POST", "/schedules", **NINE, input={"name": "Al"})
    assert twice == (409, "schedule_exists")


@pytest.mark.parametrize(("option", "words"), [("missed", MISSED), ("overlap", OVERLAP)])
def test_tool_and_command_take_the_same_words(option: str, words: tuple[str, ...]) -> None:
    (taken,) = [o for o in command.commands["add"].params if o.name == option]
    told = get_args(get_type_hints(ScheduleWorkflow)[option])

    assert set(taken.type.choices) == set(told) == set(words)  # type: ignore[attr-defined]
