"""Whatever is typed or recorded: a documented exit status, one printable error, nothing half written."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.cli.words import printable
from holdfast.eventlog import Log, Noted, RunStarted, verify
from tests.cli.conftest import Cli
from tests.support.any_event import EVENTS

ANY_LOG = ".holdfast/log"
HOSTILE = [
    "\0",
    "a\0b",
    "..",
    "../../etc/passwd",
    "/",
    "a\nb",
    "\x1b[2J\x1b]0;title\x07",
    "\u202egnp.exe",
    "\u2028",
    "\x85",
    "\udcff",
    "\ud800",
    "x" * 10_000,
    "x" * 300 + ".py",
    "x/" * 3000 + "a.py",
    "\0.py",
    "\udcff.py",
    "w.py:\0",
    "os.path:join",
    "-x",
    "=",
    "@\0",
    "@/",
    "@" + "x" * 5000,
    "9" * 5000,
    "\u0661\u0662x",
    "NaN",
    "Infinity",
    "1e999",
    '"\\ud800"',
    "[" * 100_000,
    '{"a":' * 50_000,
    "[" * 500 + "]" * 500,
]
"""Words that no command takes in the places where they are put below."""

X = object()
PLACES: list[list[Any]] = [
    ["run", X],
    ["run", X, "--json"],
    ["run", "w.py:greet", "--input", X],
    ["run", "w.py:greet", "-i", "name=a", X],
    ["show", X],
    ["show", "r", "--at", X],
    ["log", X],
    ["resume", X],
    ["approve", X],
    ["approve", "r", X],
    ["deny", "r", X, "--note", X],
    ["signal", X, "news"],
    ["signal", "r", "news", X],
    ["cancel", X],
    ["watch", X],
    ["check", X],
    ["ps", "--status", X],
    ["--home", X, "ps"],
    [X],
    ["audit", X],
    ["doctor", X],
]


@pytest.fixture
def waiting(cli: Cli) -> Cli:
    """The command line in a project with a run at a gate."""
    cli("run", "w.py:greet", "-i", "name=Bo", "--id", "r", status=3)
    return cli


def size_of(cli: Cli) -> int:
    with Log.open(cli.folder / ANY_LOG) as log:
        return log.size()


def is_clean(text: str) -> bool:
    return printable(text) == text


@pytest.mark.parametrize("place", PLACES, ids=lambda p: " ".join("X" if w is X else w for w in p))
def test_hostile_words_are_refused_and_change_nothing(waiting: Cli, place: list[Any]) -> None:
    before = size_of(waiting)
    for hostile in HOSTILE:
        args = [hostile if word is X else word for word in place]
        status, out, err = waiting._call(args)

        what = ascii(args)[:200]
        assert status in (1, 2), what
        assert "error[" in err or json.loads(out)["error"]["code"], what
        assert "internal" not in err + out, f"{what}: {err or out}"
        assert "Traceback" not in err, what
        assert is_clean(out), what
        assert is_clean(err), what
        assert len(err) < 8000, what
    assert size_of(waiting) == before


@pytest.mark.parametrize(
    "args", [["signal", "r", "\udcff"], ["approve", "r", "--by", "\udcff"]], ids=ascii
)
def test_a_text_that_is_no_unicode_is_refused_whole(waiting: Cli, args: list[str]) -> None:
    before = size_of(waiting)

    assert waiting(*args, status=2).err.startswith("error[not_text]: '\\udcff' cannot be recorded")
    assert size_of(waiting) == before


def test_a_signal_that_is_nested_too_deeply_is_refused_and_the_run_stays_readable(
    waiting: Cli,
) -> None:
    told = waiting("signal", "r", "news", "[" * 130 + "]" * 130, status=2)

    assert "PAYLOAD is nested too deeply" in told.err
    assert '{"answer": 42}' in told.err
    waiting("signal", "r", "news", "[" * 128 + "]" * 128)
    waiting("show", "r")
    waiting("resume", "r", status=3)


def test_a_large_signal_is_kept_outside_of_its_event(waiting: Cli) -> None:
    waiting("signal", "r", "news", json.dumps("x" * 5000))

    assert set(waiting.lines("log", "r")[-1]["payload"]) == {"blob", "size"}


def test_a_home_that_can_be_no_folder_is_told(cli: Cli) -> None:
    for home in ("\0", "x" * 10_000):
        told = cli("--home", home, "ps", status=2)
        assert told.err.startswith("error[project]: ")
        assert "cannot be a project's folder" in told.err


@pytest.mark.parametrize("words", [("run", "w.py:hello"), ("ps",), ("gc",), ("show", "r")])
def test_a_project_in_a_folder_whose_name_is_no_text_is_refused_before_anything_is_made(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    folder = cli.folder / "caf\udce9/shop"  # as Latin-1 has it
    (folder / ".holdfast").mkdir(parents=True)
    monkeypatch.chdir(folder)

    told = cli(*words, status=2)

    assert told.err.startswith("error[folder_not_utf8]: the project's folder '")
    assert "caf\\udce9/shop' has a name that is not UTF-8" in told.err
    assert "Rename that part of it with mv" in told.err
    assert list((folder / ".holdfast").iterdir()) == []


def test_an_error_of_any_length_keeps_its_beginning_and_its_end(cli: Cli) -> None:
    told = cli("x" * 100_000, status=2)

    assert told.err.startswith("error[usage]: there is no command 'xxx")
    assert told.err.endswith("List them with: holdfast --help\n")
    assert "characters more" in told.err


def test_what_is_recorded_never_steers_the_terminal(cli: Cli) -> None:
    evil = "\x1b[2J\x1b]0;t\x07\u202e"
    (cli.folder / "evil.py").write_text(f"""
from holdfast import Run, workflow
@workflow
async def bad(run: Run) -> None:
    await run.note({evil!r})
    raise ValueError({evil!r})
@workflow
async def waits(run: Run) -> None:
    await run.approve("ok", subject={{{evil!r}: [{evil!r}]}}, by=[{evil!r}])
""")
    told = [
        cli("run", "evil.py:bad", "--id", "b", status=1),
        cli("run", "evil.py:waits", "--id", "w", status=3),
        *(cli(command, run) for command in ("show", "log") for run in ("b", "w")),
        cli("ps"),
    ]

    for result in told:
        assert is_clean(result.out), ascii(result.out)
        assert is_clean(result.err), ascii(result.err)


NUMBERS = itertools.count()


@pytest.fixture
def folder_of_any(cli: Cli) -> Path:
    cli("run", "w.py:fail", status=1)
    return cli.folder


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(EVENTS, min_size=1, max_size=8), st.sampled_from([0, 1, 10**18, 2**64 - 1]))
def test_any_history_can_be_looked_at(
    cli: Cli, folder_of_any: Path, events: list[Any], time: int
) -> None:
    run = f"r{next(NUMBERS)}"
    with Log.open(folder_of_any / ANY_LOG) as log:
        history = [RunStarted(run, "w"), *events, Noted("n", "end")]
        log.create_run(run, history, actor="e", time=time)
        assert verify(log).ok

    for args in (["show", run], ["log", run], ["ps", "--limit", "1"]):
        assert is_clean(cli(*args).out)
        cli(*args, "--json")
