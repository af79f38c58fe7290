"""The demo runs the shipped workflow on a real repository; only its agent is scripted."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="the demo needs git")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the user's own git settings out of it."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")


@pytest.mark.usefixtures("quick")
def test_the_demo_mends_its_project_and_tells_where_to_look(cli: Cli) -> None:
    root = cli.folder / "new demo"

    told = cli("demo", "--folder", str(root), "--yes")

    assert "approves by itself" in told.out
    assert "demo succeeded" in told.err
    home = str(root / ".holdfast")
    shown = cli.json("--home", home, "show", "demo")
    assert shown["output"]["rounds"] == 3
    assert [step["key"] for step in shown["steps"]] == [
        "base", "round[1]/code", "round[1]/test",
        "round[2]/code", "round[2]/test", "round[2]/diff", "round[2]/review",
        "round[3]/code", "round[3]/test", "round[3]/diff", "round[3]/review",
        "changes", "where",
    ]  # fmt: skip
    assert shown["steps"][2]["result"]["code"] == 1
    assert cli.json("--home", home, "audit", "verify")["ok"]
    diff = subprocess.run(["git", "-C", root, "diff"], capture_output=True, text=True, check=True)
    assert "Return the title as a part of a URL" in diff.stdout


def test_the_demo_refuses_a_folder_with_something_in_it(cli: Cli) -> None:
    told = cli("demo", "--folder", str(cli.folder), status=2)

    assert "is not empty" in told.err
