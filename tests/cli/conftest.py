"""The command line in this process, and as a real one, both in a folder of their own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from holdfast.cli.app import invoke

ROOT = Path(__file__).parents[2]

WORKFLOWS = '''
from typing import Literal

from holdfast import Run, workflow
import msgspec
import trio


class Choice(msgspec.Struct):
    """Where to put it."""

    place: Literal["here", "there"]
    count: int = 1
    names: list[str] = []


@workflow
async def greet(run: Run, name: str, times: int = 1) -> str:
    """Greet somebody, when that was approved."""
    said = await run.shell("say", ["printf", f"hello {name} " * times])
    await run.approve("send it", subject=said.stdout)
    return said.stdout.strip()


@workflow
async def fail(run: Run) -> None:
    await run.shell("break", "echo no good >&2; exit 7")


@workflow
async def exhaust(run: Run) -> None:
    async for _ in run.loop("try", max=2):
        await run.step("work", len, "abc")


@workflow
async def wait(run: Run) -> dict[str, int]:
    got: dict[str, int] = await run.wait("news", output=dict[str, int])
    return got


@workflow
async def paid(run: Run) -> str:
    return str(await run.wait("paid", key="order 7"))


@workflow
async def clean_up(run: Run) -> None:
    try:
        await run.approve("first")
        await run.approve("second")
    finally:
        await run.shell("tidy", "echo tidy >> tidied")


@workflow
async def slow(run: Run) -> None:
    await run.shell("nap", "echo begun >> begun; exec sleep 60")


@workflow
async def stubborn(run: Run) -> None:
    await run.shell("nap", "trap '' TERM INT HUP; echo begun >> begun; sleep 60; sleep 60")


@workflow
async def family(run: Run) -> str:
    return await run.child("w.py:greet", {"name": "Al"}, name="kid")


@workflow
async def impure(run: Run) -> None:
    await trio.sleep(0)


@workflow
async def two_people(run: Run) -> None:
    await run.approve("both", count=2)


@workflow
async def edits(run: Run) -> str:
    decision = await run.approve("plan", {"place": "here"}, edits=Choice, by=["ann", "bo"])
    return f"{decision.by} {decision.edits}"


@workflow
async def question(run: Run, by: list[str] = []) -> str:
    return str(await run.ask("where", "Where shall it go?", output=Choice, by=by))


@workflow
async def hurry(run: Run, seconds: int = 1) -> str:
    return (await run.approve("now", expires=seconds, on_deny="return")).by


@workflow
async def ask_nobody(run: Run) -> None:
    await run.agent("code", "do it", agent="nobody", retries=0)


@workflow
async def ask_somebody(run: Run) -> str:
    return await run.agent(
        "code", "do it", agent="command", options={"command": ["printf", "one\\\\ntwo\\\\n"]}
    )


@workflow
async def huge(run: Run) -> int:
    out = await run.shell("print", "head -c 100000 /dev/zero | tr '\\\\\\\\0' x")
    return len(out.stdout)
'''


class Result(NamedTuple):
    out: str
    err: str


class Cli:
    """`cli("ps")` runs a command and checks its exit status."""

    def __init__(self, folder: Path, call: Callable[[list[str]], tuple[int, str, str]]) -> None:
        self.folder = folder
        self._call = call

    def __call__(self, *args: str, status: int = 0) -> Result:
        found, out, err = self._call(list(args))
        assert found == status, f"exit status {found} of {args}\n{out}\n{err}"
        return Result(out, err)

    def json(self, *args: str, status: int = 0) -> Any:
        return json.loads(self(*args, "--json", status=status).out)

    def lines(self, *args: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self(*args, "--json").out.splitlines()]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder, which is the working directory; its workflows are in `w.py`."""
    (tmp_path / "w.py").write_text(WORKFLOWS)
    (tmp_path / ".holdfast").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("USER", "ann")
    for name in ("HOLDFAST_HOME", "HOLDFAST_DEBUG", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def cli(folder: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    """The command line in this process."""

    def call(args: list[str]) -> tuple[int, str, str]:
        status = invoke(args)
        out, err = capsys.readouterr()
        return status, out, err

    return Cli(folder, call)


def popen(folder: Path, *args: str) -> "subprocess.Popen[str]":
    """Start `holdfast` as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "holdfast", *args],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def holdfast(folder: Path) -> Cli:
    """The command line as a real process."""

    def call(args: list[str]) -> tuple[int, str, str]:
        with popen(folder, *args) as process:
            out, err = process.communicate(timeout=30)
        return process.returncode, out, err

    return Cli(folder, call)
