"""Logs that were written once must be readable for ever, and stay writable."""

import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdfast.eventlog import Log, Noted, verify

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="module")
def describe() -> Callable[[Log], dict[str, Any]]:
    spec = importlib.util.spec_from_file_location("golden_make", GOLDEN / "make.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Callable[[Log], dict[str, Any]] = module.describe
    return found


@pytest.mark.parametrize("name", sorted(path.parent.name for path in GOLDEN.glob("*/data.mdb")))
def test_a_log_of_an_earlier_time_tells_what_it_always_told(
    name: str, tmp_path: Path, describe: Callable[[Log], dict[str, Any]]
) -> None:
    shutil.copy(GOLDEN / name / "data.mdb", tmp_path)
    expected = json.loads((GOLDEN / name / "expected.json").read_text())

    with Log.open(tmp_path, create=False) as log:
        assert known(describe(log), expected) == expected
        assert verify(log, root=(log.size(), bytes.fromhex(expected["root"]))).ok
        log.rebuild()
        assert known(describe(log), expected) == expected
        branch = log.branch_of("one")
        log.append(branch, [Noted("n", "more")], expected=log.head(branch), actor="e", time=1)
        assert verify(log).ok


def known(told: Any, expected: Any) -> Any:
    """What is told, without the fields that events and rows have got since."""
    if isinstance(told, dict) and isinstance(expected, dict):
        return {name: known(told.get(name), value) for name, value in expected.items()}
    if isinstance(told, list) and isinstance(expected, list) and len(told) == len(expected):
        return [known(one, other) for one, other in zip(told, expected, strict=True)]
    return told


def test_there_is_a_golden_log() -> None:
    assert (GOLDEN / "log-1" / "data.mdb").stat().st_size < 200_000
