"""`holdfast new`: a workflow to begin with."""

from pathlib import Path

import pytest

from holdfast.scaffold import ScaffoldUnwritable, copied, store
from tests.cli.conftest import Cli


@pytest.mark.parametrize("name", ["nightly", "nightly-audit", "class", "run"])
def test_a_new_workflow_is_clean_plays_and_has_its_name(cli: Cli, name: str) -> None:
    told = cli("new", name).out

    path = cli.folder / ".holdfast" / "workflows" / f"{name}.py"
    assert told.splitlines()[0] == f"wrote {path}"
    assert f"  holdfast run --dry-run {name}\n" in told
    assert cli.json("check", name) == []
    assert cli.json("run", "--dry-run", name)["output"] == "<code>"
    assert name in [row["name"] for row in cli.json("workflows")]


def test_a_shipped_workflow_is_copied_under_its_new_name(cli: Cli) -> None:
    made = cli.json("new", "ours", "--from", "implement")
    told = cli("new", "implement", "--from", "implement").err

    assert "async def ours(" in (cli.folder / ".holdfast/workflows/ours.py").read_text()
    assert made["from"] == "implement"
    assert made["next"][-1] == "holdfast run ours -i goal=..."
    assert cli.json("run", "--dry-run", "ours")["workflow"] == "ours"
    assert "'implement' now means this file" in told


@pytest.mark.parametrize("name", ["Nightly", "a/b", "../a", "1a", "a--b", "a.py", "", "x" * 61])
def test_names_that_no_workflow_can_have_are_refused(cli: Cli, name: str) -> None:
    assert "error[bad_workflow_name]" in cli("new", "--", name, status=2).err
    assert not (cli.folder / ".holdfast" / "workflows").exists()


def test_nothing_is_ever_overwritten(cli: Cli) -> None:
    cli("new", "mine")
    path = cli.folder / ".holdfast/workflows/mine.py"
    path.write_text("mine")

    told = cli("new", "mine", "--from", "implement", status=2).err

    assert "error[workflow_exists]" in told
    assert "change that file" in told
    assert path.read_text() == "mine"
    assert [each.name for each in path.parent.iterdir()] == ["mine.py"]


def test_what_is_not_there_cannot_be_copied(cli: Cli) -> None:
    assert "no workflow is called 'nobody'" in cli("new", "a", "--from", "nobody", status=2).err


def test_a_folder_that_cannot_be_made_is_told(cli: Cli) -> None:
    (cli.folder / ".holdfast" / "workflows").write_text("in the way")

    assert "cannot be made" in cli("new", "a", status=2).err


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(ScaffoldUnwritable, match="No such file"):
        store(tmp_path / "absent", "a", "")


def test_a_copy_that_names_itself_keeps_its_name() -> None:
    source = "@workflow\nasync def a(run): await run.child(a)\n"

    assert copied(source, "b") == source
    assert copied("async def a(run): pass\n", "b") == "async def a(run): pass\n"
