"""The conversation at the beginning of the README: every call in it is made, every answer comes like that."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from mcp import Client

import holdfast.cli.detach
from holdfast.cli.place import Place
from holdfast.engine import Engine
from holdfast.eventlog import Log
from holdfast.mcp import Desk, make_server
from holdfast.runs import read_state
from tests.mcp.conftest import CLIENT, ROOT, Tools
from tests.support import conversation, talking
from tests.support.site import until

README = (ROOT / "README.md").read_text()
SAID = README.partition("```text\n")[2].partition("```")[0]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project, which is the working directory."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv(
        "PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    )
    for name in ("HOLDFAST_HOME", "HOLDFAST_STEP"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "shop"
    talking.make(folder)
    monkeypatch.chdir(folder)
    return folder


class Stage:
    """The project at work. The first run has a process of its own, to be killed; this one has the others."""

    def __init__(self, log: Log, engine: Engine, nursery: trio.Nursery) -> None:
        self.log, self.engine, self.nursery = log, engine, nursery
        self.process: subprocess.Popen[bytes] | None = None
        self.numbers: dict[str, str] = {}

    def detach(self, place: Place, log: Log, run: str, *, takeover: bool = False) -> None:
        """Let somebody execute a run, and return when it is claimed. Called in another thread."""
        branch = log.branch_of(run)
        head = log.head(branch)
        if self.process is None:
            command = [sys.executable, "-m", talking.__name__, run]
            self.process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)})
        else:
            trio.from_thread.run_sync(self.begin, run)
        until(lambda: log.head(branch) != head, f"{run} is claimed")

    def begin(self, run: str) -> None:
        self.nursery.start_soon(self.engine.execute, run)

    async def command(self, line: str) -> None:
        """Do what is typed; `kill -9` of a number is for the process, when its agent is at work."""
        if number := line.removeprefix("kill -9 ") if line.startswith("kill") else "":
            assert self.process is not None, "there is a process to kill"
            await trio.to_thread.run_sync(until, self.is_hanging, "the agent is at work")
            self.process.kill()
            assert self.process.wait() == -signal.SIGKILL
            self.numbers[number] = str(self.process.pid)
        else:
            await trio.run_process(line, shell=True)

    def is_hanging(self) -> bool:
        (row,) = self.log.runs()
        return talking.HANGS in read_state(self.log, row.branch).steps

    def told(self, text: str) -> dict[str, Any]:
        """Return what the README shows of an answer, with the numbers of this time."""
        for shown, real in self.numbers.items():
            text = re.sub(rf"\b{shown}\b", real, text)
        return conversation.values(text)


@asynccontextmanager
async def on_stage(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[tuple[Stage, Tools]]:
    kit = talking.kit(shop)
    with Place().log(create=True) as log:
        engine = Engine(log, kit.plugins, kit.load, config=kit.config, linger_s=0)
        async with engine, trio.open_nursery() as nursery:
            stage = Stage(log, engine, nursery)
            monkeypatch.setattr(holdfast.cli.detach, "detach", stage.detach)
            server = make_server(Desk(Place(), {}, log=log, kit=kit, news=engine.news))
            try:
                async with Client(server, client_info=CLIENT) as client:
                    yield stage, Tools(client)
            finally:
                if stage.process is not None:
                    stage.process.kill()
                    stage.process.wait()


async def test_every_line_of_it_is_so(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer: dict[str, Any] = {}
    async with on_stage(shop, monkeypatch) as (stage, tools):
        for line in conversation.read(SAID):
            match line.kind:
                case "command":
                    await stage.command(line.text)
                case "call":
                    tool, arguments = conversation.call(line.text)
                    answer = await tools(tool, **arguments)
                case "answer":
                    for name, shown in stage.told(line.text).items():
                        assert conversation.fits(shown, answer[name]), (line.text, answer[name])


def test_it_has_each_of_the_six_ideas() -> None:
    table = README.partition("## The six ideas\n")[2].partition("\n## ")[0]
    ideas = re.findall(r"^\| ([A-Z][\w, ]+) \|", table, re.MULTILINE)

    assert len(ideas) == 6
    assert sorted(re.findall(r"^--- (.+)$", SAID, re.MULTILINE)) == sorted(map(str.lower, ideas))


@pytest.mark.parametrize(
    ("shown", "real", "is_so"),
    [
        ('a="x"', {"a": "x"}, True),
        ('a="x"', {"a": "y"}, False),
        ('a="is...here"', {"a": "is\nreally here"}, True),
        ('a="is here"', {"a": "is here, too"}, False),
        ("a={'b': 1}", {"a": {"b": 1, "c": 2}}, True),
        ("a={'b': 1}", {"a": {"c": 1}}, False),
        ("a=[1, ...]", {"a": [1, 2]}, True),
        ("a=[1]", {"a": [1, 2]}, False),
        ("a=[1, 2]", {"a": [1]}, False),
    ],
)
def test_what_is_not_so_is_noticed(shown: str, real: dict[str, Any], is_so: bool) -> None:
    ((name, value),) = conversation.values(shown).items()

    assert conversation.fits(value, real[name]) == is_so
