"""Coding agents that are not there: a program that prints what a real one once printed."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from holdfast.plugins import Agent, AgentResult, AgentTask, Progress, WorkError
from holdfast.plugins.testing import agent_task

TRANSCRIPTS = Path(__file__).parents[1] / "transcripts"

# Writes down how it was called, prints what it is told to, and may then wait to be ended.
REPLAY = f"""#!{sys.executable}
import json, os, pathlib, sys, time
folder = pathlib.Path(__file__).parent
if "--version" in sys.argv[1:]:
    sys.exit(print((folder / "version").read_text()))
aside = folder / f"aside-{{sys.argv[1]}}"
if aside.exists():
    sys.exit(print(aside.read_text()))
called = {{"argv": sys.argv[1:], "stdin": sys.stdin.read(), "env": dict(os.environ), "files": {{}}}}
for word in [*sys.argv[1:], *os.environ.values()]:
    if "/holdfast-" in word and os.path.isfile(word):
        called["files"][os.path.basename(word)] = pathlib.Path(word).read_text()
(folder / "called.json").write_text(json.dumps(called))
sys.stderr.write((folder / "stderr").read_text())
sys.stdout.write((folder / "stdout").read_text())
sys.stdout.flush()
if (folder / "hang").exists():
    time.sleep(600)
sys.exit(int((folder / "code").read_text()))
"""


class Replay:
    """A program of our own in a folder of its own, found through the agent's variable."""

    def __init__(self, folder: Path, variable: str, agent: Agent, version: str = "1.2.3") -> None:
        self.agent, self.variable = agent, variable
        self.bin = folder / "bin"
        self.repository = folder / "repository"
        self.home = folder / "home"
        for each in (self.bin, self.repository, self.home):
            each.mkdir(parents=True)
        self.program = self.bin / "agent"
        self.program.write_text(REPLAY)
        self.program.chmod(0o755)
        (self.bin / "version").write_text(version)
        self.says("")

    def says(self, *lines: str | dict[str, Any], code: int = 0, stderr: str = "") -> None:
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        (self.bin / "stdout").write_text("\n".join(texts))
        (self.bin / "stderr").write_text(stderr)
        (self.bin / "code").write_text(str(code))

    def replays(self, transcript: str, *, code: int = 0, stderr: str = "") -> None:
        self.says((TRANSCRIPTS / transcript).read_text(), code=code, stderr=stderr)

    def says_aside(self, command: str, said: str) -> None:
        """Answer another command of the program: its first word."""
        (self.bin / f"aside-{command}").write_text(said)

    def stops_halfway(self, transcript: str) -> None:
        """Say what was said in the first half of a run, and nothing more."""
        lines = (TRANSCRIPTS / transcript).read_text().splitlines()
        self.says(*lines[: len(lines) // 2], "")
        self.hangs()

    def hangs(self) -> None:
        (self.bin / "hang").touch()

    def task(self, prompt: str = "Do it.", **fields: Any) -> AgentTask:
        env = {self.variable: str(self.program), "HOME": str(self.home), **fields.pop("env", {})}
        return agent_task(self.repository, prompt, env=env, **fields)

    async def work(self, **fields: Any) -> tuple[AgentResult, list[Progress]]:
        shown: list[Progress] = []
        return await self.agent.run(self.task(**fields), shown.append), shown

    async def failure(self, **fields: Any) -> WorkError:
        with pytest.raises(WorkError) as caught:
            await self.work(**fields)
        return caught.value

    def called(self) -> Any:
        return json.loads((self.bin / "called.json").read_text())

    @property
    def argv(self) -> list[str]:
        return self.called()["argv"]

    def after(self, name: str) -> str:
        return self.argv[self.argv.index(name) + 1]
