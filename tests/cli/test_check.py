"""`holdfast check`: what it says, of which files, in which shape."""

import pytest

from tests.cli.conftest import Cli

GOOD = "from holdfast import Run, workflow\n\n@workflow\nasync def good(run: Run) -> None:\n"


def test_findings_are_lines_for_people_and_objects_for_programs(cli: Cli) -> None:
    (cli.folder / "a.py").write_text(f"{GOOD}    await run.agnet('a', 'b')\n    print(1)\n")

    told = cli("check", "a.py", status=1).out
    first, second = cli.json("check", "a.py", status=1)

    assert told.splitlines()[0] == (
        "a.py:5:11 no-such-call `run.agnet(...)` is nothing that a run can do -> run.agent(...)"
    )
    assert first == {
        "file": "a.py", "line": 5, "column": 11, "code": "no-such-call", "note": False,
        "found": "`run.agnet(...)` is nothing that a run can do", "instead": "run.agent(...)",
    }  # fmt: skip
    assert second["note"]


@pytest.mark.parametrize(
    ("line", "found", "instead"),
    [
        ("import nobody_has_this", "no module `nobody_has_this`", "pip install"),
        ("from .near import x", "a relative import", "absolute"),
        ("from holdfast import Struct", "holdfast has no `Struct`", "from msgspec import Struct"),
        ("from holdfast import Workspce", "holdfast has no `Workspce`", "import Workspace"),
    ],
)
def test_imports_that_cannot_work_are_found(cli: Cli, line: str, found: str, instead: str) -> None:
    (cli.folder / "a.py").write_text(f"{line}\n{GOOD}    pass\n")

    [finding] = cli.json("check", "a.py", status=1)

    assert (finding["code"], finding["line"]) == ("import", 1)
    assert found in finding["found"]
    assert instead in finding["instead"]


def test_imports_that_may_fail_or_are_there_are_left_alone(cli: Cli) -> None:
    (cli.folder / "near.py").write_text("x = 1\n")
    source = "import near, os.path, msgspec\nfrom holdfast.workflows.tickets import waves\n"
    tried = "try:\n    import nobody_has_this\nexcept ImportError:\n    pass\n"
    (cli.folder / "a.py").write_text(f"{source}{tried}{GOOD}    pass\n")

    assert cli("check", "a.py").err == "nothing found in a.py\n"


def test_the_project_says_which_names_there_are(cli: Cli) -> None:
    (cli.folder / "holdfast.toml").write_text('[roles.coder]\nagent = "codex"\n')
    calls = (
        "    await run.agent('a', 'b', role='coder')\n    await run.agent('c', 'd', role='codr')\n"
    )
    (cli.folder / "a.py").write_text(GOOD + calls)

    [finding] = cli.json("check", "a.py", status=1)

    assert (finding["code"], finding["instead"]) == ("unknown-role", "role='coder'")


def test_a_workflow_is_checked_by_its_name_also_where_it_cannot_be_loaded(cli: Cli) -> None:
    folder = cli.folder / ".holdfast" / "workflows"
    folder.mkdir()
    (folder / "broken.py").write_text("def (:\n")

    [finding] = cli.json("check", "broken", status=1)

    assert (finding["code"], finding["line"]) == ("syntax", 1)
    assert "cannot be read" in cli("check", "nobody", status=2).err


def test_shipped_workflows_have_no_findings(cli: Cli) -> None:
    names = [row["name"] for row in cli.json("workflows")]

    assert [found for found in cli.json("check", *names) if not found["note"]] == []
