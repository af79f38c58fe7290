"""Whatever became of the log's files: right data, or one line that says what is wrong. Never a crash."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import lmdb
import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from holdfast.eventlog import Log, Noted, RunStarted, TimerSet, pack
from tests.cli.conftest import ROOT, WORKFLOWS

PAGE = 4096
READS = [["ps", "--all"], ["show", "waits"], ["log", "r0"], ["log", "forked"]]
WRITES = [["resume", "waits"], ["approve", "waits"], ["signal", "waits", "x"], ["cancel", "waits"]]


class Told(NamedTuple):
    status: int
    out: str
    err: str


class Hurt:
    """A project whose log can be hurt, and a process that forks a command for each question."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / ".holdfast" / "log"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.forker"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "USER": "ann"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        (folder / "w.py").write_text(WORKFLOWS)
        assert self.ask("run", "w.py:wait", "--id", "waits").status == 3
        fill(self.log)
        self.data = (self.log / "data.mdb").read_bytes()
        with lmdb.Environment(str(self.log), max_dbs=20) as env:
            self.pages = env.info()["last_pgno"] + 1
        self.right = {tuple(args): self.ask(*args, "--json") for args in READS}

    def ask(self, *args: str) -> Told:
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps(args), file=self._process.stdin, flush=True)
        return Told(*json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        self._process.communicate("", timeout=10)


def fill(path: Path) -> None:
    """Write enough for every table to have several pages."""
    with Log.open(path) as log:
        blobs: dict[bytes, bytes] = {}
        runs = [
            log.create_run(f"r{n}", [RunStarted(f"r{n}", "w")], actor="e", time=1)
            for n in range(20)
        ]
        for turn in range(30):
            for branch in runs[:8]:
                value = pack(msgspec.msgpack.encode(f"{branch} {turn}" + "big" * 1000), blobs)
                events = [Noted("n", str(turn) * 20, value), TimerSet(f"k{turn}", turn)]
                head = log.head(branch)
                log.append(branch, events, expected=head, actor="e", time=turn + 2, blobs=blobs)
        log.create_run("forked", [Noted("n", "x")], actor="e", time=3, parent=runs[0], offset=20)


@pytest.fixture(scope="module")
def hurt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hurt]:
    project = tmp_path_factory.mktemp("project")
    (project / ".holdfast").mkdir()
    made = Hurt(project)
    yield made
    made.close()


def zeroed(data: bytearray, at: int, chance: random.Random) -> None:
    data[at : at + PAGE] = bytes(PAGE)


def scribbled(data: bytearray, at: int, chance: random.Random) -> None:
    data[at : at + PAGE] = chance.randbytes(PAGE)


def speckled(data: bytearray, at: int, chance: random.Random) -> None:
    for _ in range(chance.choice([1, 20])):
        data[at + chance.randrange(chance.choice([64, PAGE]))] ^= 1 << chance.randrange(8)


def replaced(data: bytearray, at: int, chance: random.Random) -> None:
    """Put another page's content in a page, which is as sound as it was, only elsewhere."""
    other = chance.randrange(len(data) // PAGE) * PAGE
    data[at + 8 : at + PAGE] = data[other + 8 : other + PAGE]


def cut(data: bytearray, at: int, chance: random.Random) -> None:
    del data[at + chance.randrange(PAGE) :]


DAMAGES: list[Callable[[bytearray, int, random.Random], None]] = [
    zeroed,
    scribbled,
    speckled,
    replaced,
    cut,
]


def is_told(told: Told, *, as_json: bool) -> bool:
    """Tell whether a command ended as documented: with a result, or with an error that has a code."""
    assert 0 <= told.status <= 4, f"ended by {told}"
    assert "Traceback" not in told.err, told.err
    assert "error[internal]" not in told.err, told.err
    assert '"internal"' not in told.out, told.out
    return told.status in (0, 3) or "error[" in told.err or (as_json and '"error"' in told.out)


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(DAMAGES), st.floats(0, 1, exclude_max=True), st.integers(0, 10**6))
@example(zeroed, 0.98, 0)
@example(zeroed, 0.45, 0)
def test_a_hurt_log_is_told_and_never_verified_when_its_answers_are_wrong(
    hurt: Hurt, damage: Any, place: float, seed: int
) -> None:
    chance = random.Random(seed)
    data = bytearray(hurt.data)
    damage(data, int(place * hurt.pages) * PAGE, chance)

    def ask(*args: str) -> Told:
        (hurt.log / "data.mdb").write_bytes(data)
        return hurt.ask(*args, "--json")

    verdict = ask("audit", "verify")
    assert is_told(verdict, as_json=True) or not json.loads(verdict.out)["ok"]
    for args in [chance.choice(READS), chance.choice(READS), chance.choice(WRITES)]:
        told = ask(*args)
        assert is_told(told, as_json=True), told
        if verdict.status == 0 and tuple(args) in hurt.right:
            assert told == hurt.right[tuple(args)]


def empty_file(log: Path) -> None:
    (log / "data.mdb").write_bytes(b"")


def no_lmdb_file(log: Path) -> None:
    (log / "data.mdb").write_text("SQLite format 3" * 1000)


def folder_for_a_file(log: Path) -> None:
    (log / "data.mdb").unlink()
    (log / "data.mdb").mkdir()


def pipe_for_a_file(log: Path) -> None:
    (log / "data.mdb").unlink()
    os.mkfifo(log / "data.mdb")


def link_to_itself(log: Path) -> None:
    (log / "data.mdb").unlink()
    (log / "data.mdb").symlink_to(log / "data.mdb")


def folder_for_the_lock(log: Path) -> None:
    (log / "lock.mdb").unlink(missing_ok=True)
    (log / "lock.mdb").mkdir()


def file_for_the_log(log: Path) -> None:
    log.rename(log.with_name("old"))
    log.write_text("")


def nothing(log: Path) -> None:
    (log / "data.mdb").unlink()


@pytest.mark.parametrize(
    "spoil",
    [
        empty_file,
        no_lmdb_file,
        folder_for_a_file,
        pipe_for_a_file,
        link_to_itself,
        folder_for_the_lock,
        file_for_the_log,
        nothing,
    ],
)
def test_a_log_that_is_no_log_is_told_by_every_command(
    hurt: Hurt, spoil: Callable[[Path], None]
) -> None:
    project = hurt.log.parents[1] / spoil.__name__
    log = project / ".holdfast" / "log"
    log.mkdir(parents=True)
    (log / "data.mdb").write_bytes(hurt.data)
    spoil(log)

    for args in [["audit", "verify"], ["ps"], ["log", "r0"], ["approve", "waits"]]:
        told = hurt.ask("--home", str(project / ".holdfast"), *args)
        assert (told.status, told.out) == (1, ""), told
        assert is_told(told, as_json=False)
    found = hurt.ask("--home", str(project / ".holdfast"), "doctor")
    assert found.status == 1
    assert "broken" in found.out


def test_a_file_that_shrinks_under_a_reader_is_told_in_words(hurt: Hurt, tmp_path: Path) -> None:
    """The kernel ends such a reader by SIGBUS, which no `except` sees."""
    script = """
import os, sys
from holdfast.cli import last_words
from holdfast.eventlog import Log
folder = sys.argv[1]
last_words.prepare(folder, as_json=sys.argv[2] == "json")
with Log.open(folder) as log:
    os.truncate(folder + "/data.mdb", 8192)
    list(log.scan())
"""
    ends: list[Told] = []
    for form in ("text", "json"):
        (tmp_path / form).mkdir()
        (tmp_path / form / "data.mdb").write_bytes(hurt.data)
        done = subprocess.run(
            [sys.executable, "-c", script, tmp_path / form, form],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        ends.append(Told(done.returncode, done.stdout, done.stderr))

    as_text, as_json = ends
    assert (as_text.status, as_text.out) == (1, "")
    assert as_text.err.startswith("error[log_damaged]: the log in ")
    assert "SIGBUS" in as_text.err
    assert "put a backup in its place" in as_text.err
    assert as_json.status == 1
    assert json.loads(as_json.out)["error"]["code"] == "log_damaged"
