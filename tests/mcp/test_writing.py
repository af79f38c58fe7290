"""Tools that write workflows and show what one would do."""

from pathlib import Path

import pytest

from tests.mcp.conftest import in_memory

GOOD = '''
from msgspec import Struct
from holdfast import Run, workflow

class Review(Struct):
    approved: bool

@workflow
async def tidy(run: Run, goal: str, times: int = 2) -> str:
    """Tidy up."""
    async for _ in run.loop("round", max=3):
        said = await run.agent("tidy", goal, agent="codex")
        review = await run.agent("review", said, output=Review)
        if review.approved:
            break
    await run.approve("accept", said)
    return said
'''


def stored(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / ".holdfast" / "workflows").iterdir())


async def test_a_good_workflow_is_stored_shown_and_can_be_started(folder: Path) -> None:
    async with in_memory() as tools:
        made = await tools("create_workflow", name="tidy-up", source=GOOD)
        listed = await tools("list_workflows")
        shown = await tools("dry_run", workflow="tidy-up", input={"goal": "this"})

    assert made["stored"]
    assert Path(made["path"]).read_text() == GOOD
    assert made["dry_run"]["sampled"] == ["goal"]
    assert made["dry_run"]["tree"][0] == "├─ round  loop, up to 3 times; 1 here"
    assert made["next"] == {
        "tool": "run_workflow",
        "arguments": {"workflow": "tidy-up", "input": {"times": 2}},
        "fill_in": ["goal"],
    }
    assert "tidy-up" in [row["name"] for row in listed["items"]]
    assert (shown["ok"], shown["output"], shown["next"]["fill_in"]) == (True, "<tidy>", [])
    assert not (folder / ".holdfast" / "log").exists()


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("await run.approve", "run.approve", "not-awaited"),
        ('agent="codex"', 'agent="codx"', "unknown-agent"),
        ("async def tidy", "async def (", "syntax"),
        ("import Struct", "import Struct\nimport nobody_has_this", "import"),
        ("import Struct", "import Struct\nraise ValueError('no')", "not_a_workflow"),
        ("import Struct", "import Struct\nwhile True: pass", "unending"),
        (
            "class Review",
            "@workflow\nasync def two(run: Run): pass\nclass Review",
            "not_a_workflow",
        ),
    ],
)
async def test_of_a_wrong_one_nothing_is_stored(
    folder: Path, old: str, new: str, code: str
) -> None:
    async with in_memory() as tools:
        made = await tools("create_workflow", name="tidy", source=GOOD.replace(old, new))

    assert not made["stored"]
    assert [problem["code"] for problem in made["problems"]] == [code]
    assert made["problems"][0]["instead"]
    assert made["next"]["tool"] == "create_workflow"
    assert stored(folder) == []


async def test_a_persons_file_is_replaced_only_when_that_is_said(folder: Path) -> None:
    path = folder / ".holdfast" / "workflows" / "tidy.py"
    path.write_text("mine")
    async with in_memory() as tools:
        error = await tools.refused("create_workflow", name="tidy", source=GOOD)
        assert (error["code"], path.read_text()) == ("workflow_exists", "mine")
        assert "replace=true" in error["message"]
        broken = await tools("create_workflow", name="tidy", source="x =", replace=True)
        assert (broken["stored"], path.read_text()) == (False, "mine")
        made = await tools("create_workflow", name="tidy", source=GOOD, replace=True)

    assert (made["stored"], path.read_text()) == (True, GOOD)
    assert stored(folder) == ["tidy.py"]


@pytest.mark.parametrize("name", ["../tidy", "a/b", "/tmp/x", ".hidden", "Tidy", "x.py", ""])
async def test_no_name_leads_out_of_the_folder(folder: Path, name: str) -> None:
    async with in_memory() as tools:
        error = await tools.refused("create_workflow", name=name, source=GOOD)

    assert error["code"] == "bad_workflow_name"
    assert stored(folder) == []


async def test_what_the_samples_break_is_stored_and_told(folder: Path) -> None:
    source = GOOD.replace("return said", "return str(int(said))")
    async with in_memory() as tools:
        made = await tools("create_workflow", name="tidy", source=source)
        other = await tools("dry_run", workflow="tidy", samples={"tidy": "7"})

    assert made["stored"]
    assert made["dry_run"]["where"].endswith("tidy.py:17")
    assert made["next"]["tool"] == "dry_run"
    assert (other["ok"], other["output"]) == (True, "7")


async def test_an_input_that_does_not_fit_stores_nothing(folder: Path) -> None:
    async with in_memory() as tools:
        error = await tools.refused(
            "create_workflow", name="tidy", source=GOOD, input={"times": "many"}
        )

    assert error["code"] == "input_invalid"
    assert stored(folder) == []


async def test_long_dry_runs_are_bounded(folder: Path) -> None:
    source = GOOD.replace(
        "async for", "for n in range(180): await run.shell(f's{n}', 'x')\n    async for"
    )
    async with in_memory() as tools:
        made = await tools("create_workflow", name="tidy", source=source)

    assert made["dry_run"]["tree"][-1].endswith("lines more")
