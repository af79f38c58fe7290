"""Files and differences through the tools, in a real git repository."""

from pathlib import Path

import pytest

from holdfast.cli.app import invoke
from tests.cli.test_files import WORKFLOW
from tests.mcp.conftest import in_memory
from tests.support.repos import Repo


@pytest.fixture
def repo(folder: Path) -> Path:
    """A run `m` in a git repository, whose steps write, change and break files."""
    (folder / "w.py").write_text(WORKFLOW)
    Repo.make(folder, {".gitignore": "*.log\n"})
    assert invoke(["run", "w.py", "--id", "m", "--json"]) == 0
    return folder


async def test_a_step_tells_the_files_it_changed_and_gives_the_patch(repo: Path) -> None:
    async with in_memory() as tools:
        step = await tools("get_step", run="m", step="change", part="patch")
        start = await tools("get_step", run="m", step="change", part="patch", limit=10)
        rest = await tools("get_step", run="m", step="change", part="patch", start=10)

    assert [(file["how"], file["path"]) for file in step["files"]] == [
        ("changed", "a.txt"), ("added", "d/x.txt")
    ]  # fmt: skip
    assert "+three" in step["text"]
    assert start["next"] == 10
    assert start["text"] + rest["text"] == step["text"]


async def test_files_of_any_frame_are_listed_and_read(repo: Path) -> None:
    async with in_memory() as tools:
        ended = await tools("get_step", run="m", step="change")
        now = await tools("files_at", run="m", limit=2)
        rest = await tools("files_at", run="m", start=now["next"])
        then = await tools("files_at", run="m", at=ended["offset"] + 2)
        text = await tools("files_at", run="m", path="a.txt")
        binary = await tools("files_at", run="m", path="blob.bin")
        none = await tools.refused("files_at", run="m", path="nope.txt")
        late = await tools.refused("files_at", run="m", at=9999)
        place = await tools.refused("files_at", run="m", workspace="nope")

    listed = [file["path"] for file in [*now["items"], *rest["items"]]]
    assert listed == [".gitignore", "a.txt", "blob.bin", "w.py"]
    assert "d/x.txt" in [file["path"] for file in then["items"]]
    assert (text["text"], text["total"]) == ("one\ntwo\nthree\n", 14)
    assert binary["text"] == "\0"
    assert [e["code"] for e in (none, late, place)] == [
        "no_such_file",
        "no_such_frame",
        "no_such_step",
    ]


async def test_two_frames_of_a_run_differ_by_the_steps_between(repo: Path) -> None:
    async with in_memory() as tools:
        whole = await tools("diff", a="m", b="m", at_a=1)
        first = await tools("diff", a="m", b="m", at_a=1, limit=1)
        second = await tools("diff", a="m", b="m", at_a=1, limit=1, start=first["next"])
        same = await tools("diff", a="m", b="m")

    assert [item["key"] for item in whole["items"]] == ["write", "change", "break", "rest"]
    assert (first["total"], [*first["items"], *second["items"]]) == (4, whole["items"][:2])
    assert (same["equal"], same["items"]) == (True, [])
