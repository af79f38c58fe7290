"""The project that the README's conversation is about, and the agents in it, which do what stands here.

Run as a program it executes a run in a process of its own, where Codex comes to no end in the second
round: there somebody kills it. Whoever goes on with the run has a Codex that works.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import trio

from holdfast import pack
from holdfast.cli.demo_agent import DOCUMENTED, FULL, HALF
from holdfast.cli.demo_project import make as make_demo
from holdfast.config import read_config
from holdfast.engine import Engine
from holdfast.eventlog import Log, Usage
from holdfast.loading import Loader
from holdfast.mcp.desk import Kit
from holdfast.plugins import AgentResult, AgentTask, Emit, Plugins, Readiness, hookimpl
from holdfast.plugins.loading import extra_sources

FILE = "slugs.py"
HANGS = "round[2]/code"
SHORT = '''import re


def slugify(title):
    """Return the title in small letters and digits, joined by hyphens."""
    return "-".join(re.findall("[a-z0-9]+", title.lower()))
'''
LONGEST = '''import re


def shortened(slug):
    """Return at most 40 characters, and whole words."""
    return slug if len(slug) <= 40 else slug[:40].rpartition("-")[0]
'''
TICKETS = {"umlauts": "Spell out umlauts", "shorten": "Shorten slugs to 40 characters"}


class Scripted(NamedTuple):
    """An agent that knows the prompts of the conversation: it edits the file, or reviews it."""

    usage: Usage
    documented: str
    hangs: bool = False

    async def run(self, task: AgentTask, emit: Emit) -> AgentResult:
        file = task.folder / FILE
        text = file.read_text()
        if task.schema:
            return AgentResult(text="", output=review(text), usage=self.usage)
        if self.hangs and "tests fail" in task.prompt:
            await trio.sleep_forever()
        file.write_text(self.edited(task.prompt, text))
        return AgentResult(text="Edited slugs.py.", usage=self.usage)

    def edited(self, prompt: str, text: str) -> str:
        if TICKETS["umlauts"] in prompt:
            return text.replace("title.lower()", 'title.lower().replace("ä", "ae")')
        if TICKETS["shorten"] in prompt:
            return text.replace("import re\n", LONGEST, 1)
        if "reviewer asks" in prompt:
            return self.documented
        return FULL if "tests fail" in prompt else HALF

    def readiness(self) -> Readiness:
        return Readiness(True, "scripted")


def review(text: str) -> dict[str, Any]:
    missing = [] if '"""' in text else ["slugify needs a docstring"]
    return {"approved": not missing, "comments": missing}


class Both:
    """Offers two agents by the names of real ones."""

    def __init__(self, *, hangs: bool) -> None:
        self._hangs = hangs

    @hookimpl
    def holdfast_agents(self) -> dict[str, Any]:
        return {
            "codex": Scripted(Usage(9_000, 700, 0, 0.04), DOCUMENTED, self._hangs),
            "claude-code": Scripted(Usage(4_000, 150, 0, 0.02), SHORT),
        }


def make(folder: Path) -> None:
    """Make the repository: a function, tests that fail, and two tickets."""
    make_demo(str(folder))
    (folder / "tickets").mkdir()
    for name, title in TICKETS.items():
        (folder / "tickets" / f"{name}.md").write_text(f"# {title}\n")
    for words in (
        "config user.name Ann",
        "config user.email ann@example.org",
        "config commit.gpgsign false",
        "branch -M main",
        "add tickets",
        "commit -qm Tickets",
    ):
        subprocess.run(["git", *words.split()], cwd=folder, check=True)


def kit(folder: Path, *, hangs: bool = False) -> Kit:
    """Return what executes runs there: these two agents, without the real ones, and the shipped workflows."""
    plugins = Plugins(extra_sources([Both(hangs=hangs)]))
    workflows = Plugins(extra_sources([pack])).workflows()
    return Kit(plugins, Loader(workflows, folder / ".holdfast" / "workflows"), read_config(folder))


async def execute(folder: Path, run: str) -> None:
    plugins, load, config = kit(folder, hangs=True)
    with Log.open(folder / ".holdfast" / "log") as log:
        async with Engine(log, plugins, load, config=config) as engine:
            await engine.execute(run)


if __name__ == "__main__":
    trio.run(execute, Path.cwd(), sys.argv[1])
