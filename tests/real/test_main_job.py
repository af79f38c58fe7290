"""The main job on real input: the real Claude Code works through `implement` and is killed on the way.

    pytest -m real_agents tests/real

The program is HOLDFAST_CLAUDE, or claude in the PATH; tests/support/install_agents.sh installs one. The
model behind it is scripted; everything else - the agent, its tools, git, the tests - is real.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdfast.plugins import MARK, marks
from tests.support.model_server import ModelServer

CLAUDE = os.environ.get("HOLDFAST_CLAUDE") or shutil.which("claude")

pytestmark = [
    pytest.mark.real_agents,
    pytest.mark.skipif(CLAUDE is None, reason="there is no claude here"),
]

WRONG = "def add(a, b):\n    return a - b\n"
RIGHT = "def add(a, b):\n    return a + b\n"
TEST = """import unittest
from calc import add
class Adds(unittest.TestCase):
    def test_it_adds(self):
        self.assertEqual(add(2, 3), 5)
"""
GOAL = "Make add() in calc.py add its two arguments."


class Place:
    """A git repository with a failing test, and the command line as a user would call it there."""

    def __init__(self, folder: Path, server: ModelServer) -> None:
        self.repository = folder / "repository"
        self.repository.mkdir()
        (folder / "home").mkdir()
        (self.repository / "calc.py").write_text(WRONG)
        (self.repository / "test_calc.py").write_text(TEST)
        self.env = {
            **{name: value for name, value in os.environ.items() if name != MARK},
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "HOME": str(folder / "home"),
            "CLAUDE_CODE_EXECUTABLE": CLAUDE or "",
            "ANTHROPIC_BASE_URL": server.url,
            "ANTHROPIC_API_KEY": "any",
            "OPENAI_API_KEY": "any",
            "OPENAI_BASE_URL": f"{server.url}/v1",
            "GIT_CONFIG_GLOBAL": str(folder / "gitconfig"),
        }
        (folder / "gitconfig").write_text("[user]\nname = A\nemail = a@example.org\n")
        for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "Begin"]):
            subprocess.run(["git", *words], cwd=self.repository, env=self.env, check=True)

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "holdfast", *words],
            cwd=self.repository,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def holdfast(self, *words: str, status: int) -> Any:
        """Run a command to its end, and return the object that it prints."""
        process = self.start(*words, "--json")
        out, err = process.communicate(timeout=120)
        assert process.returncode == status, (out, err)
        return json.loads(out)

    def implement(self, **given: Any) -> list[str]:
        test = f"{sys.executable} -m unittest -q"
        given = {"goal": GOAL, "test": test, "model": "claude-sonnet-4-5", **given}
        return ["run", "implement", "--id", "job", "--input", json.dumps(given)]

    def agents(self) -> list[int]:
        """Every process that a step of a run in this place has started."""
        log = str(self.repository)
        return [p.pid for p in marks.living() if p.mark and _works_in(p.pid, log)]


def _works_in(pid: int, folder: str) -> bool:
    try:
        return os.readlink(f"/proc/{pid}/cwd").startswith(folder)
    except OSError:
        return False


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, "it did not come true within a minute"
        time.sleep(0.02)


CODE = {"when": {"user": "Do not weaken tests"}}
WRITE = {"bash": "sed -i 's/a - b/a + b/' calc.py"}
APPROVAL = {"json": {"approved": True, "comments": ["Right."]}}


def test_a_real_agent_that_is_killed_at_work_is_resumed_approved_and_ends(tmp_path: Path) -> None:
    scenario = {
        "rules": [
            {**CODE, "turns": [WRITE, {"text": "Added instead of subtracted.", "hold": "end"}]}
        ],
        "turns": [APPROVAL],
    }
    with ModelServer(scenario) as server:
        place = Place(tmp_path, server)

        running = place.start(*place.implement())
        server.wait_for(lambda requests: any(r.turn == 1 for r in requests), timeout_s=60)
        assert place.agents(), "the agent is at work"
        os.kill(running.pid, signal.SIGKILL)
        running.communicate()
        server.release("end")
        waiting = place.holdfast("resume", "job", status=3)
        left = place.agents()
        shown = place.holdfast("show", "job", status=0)
        place.holdfast("approve", "job", "--by", "anna", "--note", "ship it", status=0)
        done = place.holdfast("resume", "job", status=0)

    assert (waiting["status"], left) == ("waiting", [])
    assert [gate["key"] for gate in shown["gates"]] == ["accept the change"]
    assert done["status"] == "succeeded"
    assert done["output"]["rounds"] == 1
    assert done["output"]["comments"] == ["Right."]
    assert (place.repository / "calc.py").read_text() == RIGHT
    events = [
        json.loads(line)
        for line in place.start("log", "job", "--json").communicate()[0].splitlines()
    ]
    succeeded = [event["key"] for event in events if event["type"] == "step.succeeded"]
    assert len(succeeded) == len(set(succeeded))
    started = [event["key"] for event in events if event["type"] == "step.started"]
    assert started.count("round[1]/code") == 2


def test_a_review_by_a_model_whose_first_answer_does_not_fit_is_asked_again(tmp_path: Path) -> None:
    review = {
        "when": {"user": "Review this change|does not fit"},
        "turns": [{"attempts": [{"text": '{"approved": "perhaps"}'}, APPROVAL]}],
    }
    scenario = {"rules": [review], "turns": [WRITE, {"text": "Done."}]}
    with ModelServer(scenario) as server:
        place = Place(tmp_path, server)

        waiting = place.holdfast(*place.implement(review_model="openai/gpt-5-mini"), status=3)
        place.holdfast("approve", "job", status=0)
        done = place.holdfast("resume", "job", status=0)

    assert waiting["status"] == "waiting"
    assert done["output"]["comments"] == ["Right."]
    asked = [r for r in server.requests if r.api != "messages"]
    assert len(asked) == 2
    assert "does not fit" in asked[1].user
