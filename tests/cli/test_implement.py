"""The shipped workflow `implement`, with scripted programs as its agent."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from holdfast.reducer.check import check
from holdfast.workflows import implement as module
from holdfast.workflows.common import FIND_TESTS
from tests.cli.conftest import Cli

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="it looks at differences")

AGENT = """
prompt=$(cat)
case "$prompt" in
  Review*) printf '%s' "$prompt" > .holdfast/review.txt; echo '{"approved": true}';;
  *"The tests fail"*"no good yet"*) echo good > state; echo mended;;
  *) echo bad > state; echo tried;;
esac
"""


@pytest.fixture
def repository(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A git repository whose test wants `good` in a file; returns an input for `implement`."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    for words in (
        ["init", "-q"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "0"],
    ):
        subprocess.run(["git", *words], cwd=cli.folder, check=True)
    (cli.folder / ".holdfast/agent.sh").write_text(AGENT)
    return {
        "goal": "be good",
        "test": "grep -q good state || { echo no good yet; exit 1; }",
        "agent": "command",
        "options": {"command": "sh .holdfast/agent.sh"},
    }


def test_it_goes_on_until_the_tests_are_green_and_the_review_approves(
    cli: Cli, repository: dict[str, Any]
) -> None:
    given = json.dumps({**repository, "approve": False})

    ended = cli.json("run", "implement", "--input", given)

    assert ended["output"]["rounds"] == 2
    assert ended["output"]["summary"] == "mended"


def test_the_reviewer_sees_files_that_git_does_not_know_yet(
    cli: Cli, repository: dict[str, Any]
) -> None:
    cli("run", "implement", "--input", json.dumps({**repository, "approve": False}))

    seen = (cli.folder / ".holdfast/review.txt").read_text()

    assert "+good" in seen
    assert "agent.sh" not in seen


def test_it_stops_when_somebody_denies_the_change(cli: Cli, repository: dict[str, Any]) -> None:
    given = json.dumps(repository)
    waiting = cli("run", "implement", "--input", given, "--id", "r", status=3)
    assert "be good" in waiting.out

    cli("deny", "r", "--note", "not like this")

    assert "not like this" in cli("resume", "r", status=1).err


def test_it_gives_up_after_so_many_rounds(cli: Cli, repository: dict[str, Any]) -> None:
    given = json.dumps({**repository, "max_rounds": 1})

    assert cli.json("run", "implement", "--input", given, status=4)["error"]["code"] == (
        "loop_exhausted"
    )


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({"Cargo.toml": ""}, "cargo test"),
        ({"go.mod": ""}, "go test ./..."),
        ({"package.json": "{}"}, "npm test"),
        ({"pyproject.toml": ""}, "python -m pytest -q"),
        ({"Makefile": "all:\ntest:\n"}, "make test"),
    ],
)
def test_it_finds_out_how_a_project_is_tested(
    tmp_path: Path, files: dict[str, str], command: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    found = subprocess.run(
        FIND_TESTS, shell=True, cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert found.stdout.strip() == command


def test_a_project_without_tests_is_told_what_to_say(cli: Cli, repository: dict[str, Any]) -> None:
    given = json.dumps({**repository, "test": ""})

    assert (
        'say how to run them with the input "test"'
        in cli("run", "implement", "--input", given, status=1).err
    )


def test_it_is_a_durable_workflow() -> None:
    source = Path(module.__file__).read_text()

    assert check(source, "implement.py") == []
