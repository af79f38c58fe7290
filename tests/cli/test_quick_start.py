"""The quick commands import little: what they do not load cannot slow them down."""

import os
import subprocess
import sys

import pytest

from tests.cli.conftest import ROOT, Cli

HEAVY = {"trio", "rich", "litellm", "pluggy", "asyncio", "holdfast.engine", "holdfast.plugins"}
READING = {"lmdb", "msgspec", "holdfast.eventlog", "holdfast.reducer"}

PROBE = """
import sys
from holdfast.cli.app import invoke
status = invoke(sys.argv[1:])
sys.stdout.flush()
print("\\n" + " ".join(sys.modules), file=sys.stderr)
sys.exit(status)
"""


def loaded(*args: str) -> set[str]:
    """Return the modules that a command loads in a fresh process."""
    ended = subprocess.run(
        [sys.executable, "-c", PROBE, *args],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(ended.stderr.rpartition("\n")[0].rpartition("\n")[2].split())


@pytest.mark.parametrize("args", [("--help",), ("run", "--help"), ("approve", "--help")])
def test_help_loads_nothing_but_the_parser(cli: Cli, args: tuple[str, ...]) -> None:
    assert loaded(*args) & (HEAVY | READING) == set()


@pytest.mark.parametrize("args", [("ps",), ("ps", "--json"), ("log", "r")])
def test_listing_loads_the_log_and_not_what_it_means(cli: Cli, args: tuple[str, ...]) -> None:
    cli("run", "w.py:greet", "-i", "name=Bo", "--id", "r", status=3)

    found = loaded(*args)

    assert found & HEAVY == set()
    assert "holdfast.reducer" not in found
    assert "holdfast.eventlog" in found


@pytest.mark.parametrize(
    "args", [("show", "r"), ("approve", "r"), ("signal", "r", "x"), ("audit", "verify")]
)
def test_deciding_loads_no_engine(cli: Cli, args: tuple[str, ...]) -> None:
    cli("run", "w.py:greet", "-i", "name=Bo", "--id", "r", status=3)

    assert loaded(*args) & HEAVY == set()


def test_running_loads_nothing_that_it_does_not_need(cli: Cli) -> None:
    cli("run", "w.py:greet", "-i", "name=Bo", "--id", "r", status=3)
    cli("approve", "r")

    found = loaded("resume", "r")

    assert "holdfast.engine" in found
    assert found & {"pytest", "asyncio", "rich", "litellm", "mcp", "starlette", "httpx"} == set()
