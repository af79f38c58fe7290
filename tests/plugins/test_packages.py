"""Packages of strangers: built, installed, and used by a real run; and those that we write for them."""

import json
from pathlib import Path

import pytest

from holdfast.scaffold import KINDS
from tests.support.venv import ROOT, Venv

pytestmark = pytest.mark.soak
PACKAGES = ROOT / "tests/packages"

WORKFLOW = '''
from holdfast import Run, workflow
from msgspec import Struct


class Said(Struct):
    said: str


@workflow
async def talk(run: Run) -> list[str]:
    """Let both speak."""
    heard = await run.model("hear", "two words", model="echo/small")
    data = await run.model("data", "as data", model="echo/small", output=Said)
    noted = await run.agent("note", heard, agent="scribe", permissions="edit")
    return [heard, data.said, noted]
'''


@pytest.fixture
def venv(tmp_path: Path) -> Venv:
    return Venv(tmp_path / "venv")


def test_packages_of_strangers_are_installed_listed_and_used(venv: Venv, tmp_path: Path) -> None:
    (tmp_path / "talk.py").write_text(WORKFLOW)
    (tmp_path / "work").mkdir()

    venv.install(PACKAGES / "echoes", PACKAGES / "scribe", work=tmp_path / "work")

    rows = {row["plugin"]: row for row in json.loads(venv.ok("holdfast plugins --json", tmp_path))}
    assert rows["echoes"]["offers"] == ["model echo/"]
    assert (rows["scribe"]["distribution"], rows["scribe"]["version"]) == (
        "scribe-for-holdfast",
        "0.3",
    )
    ran = json.loads(venv.ok("holdfast run talk.py --id t --json", tmp_path))
    assert ran["output"] == ["two words", "as data", "two words1"]
    assert (tmp_path / "notes.txt").read_text() == "two words\n"
    shown = json.loads(venv.ok("holdfast show t --json", tmp_path))
    assert shown["usage"]["cost_usd"] == 0.5
    check = "import echoes, scribe; from holdfast.plugins.testing import check_plugin as c"
    venv.ok(f'python -c "{check}; c(echoes); c(scribe.Plugin())"', tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_package_is_installed_listed_and_passes_its_own_tests(
    kind: str, venv: Venv, tmp_path: Path
) -> None:
    told = venv.ok(f"holdfast plugins new my-{kind} --kind {kind}", tmp_path)
    assert f"cd holdfast-my-{kind}\n" in told
    assert "pip install -e '.[test]'\n" in told

    venv.ok(f"pip install ./holdfast-my-{kind}", tmp_path)

    rows = {row["plugin"]: row for row in json.loads(venv.ok("holdfast plugins --json", tmp_path))}
    row = rows[f"my-{kind}"]
    assert (row["distribution"], row["broken"]) == (f"holdfast-my-{kind}", "")
    tested = venv.ok(f"pytest -q -W error -p no:cacheprovider holdfast-my-{kind}/tests", tmp_path)
    assert " passed" in tested


def test_a_new_package_of_each_kind_has_types_that_hold(venv: Venv, tmp_path: Path) -> None:
    for kind in KINDS:
        venv.ok(f"holdfast plugins new my-{kind} --kind {kind}", tmp_path)
    venv.ok("pip install ./holdfast-my-*", tmp_path)

    # What it finds out about our own modules is kept for the next time.
    mypy = f"mypy --strict --cache-dir '{ROOT}/.mypy_cache/packages'"
    assert "no issues" in venv.ok(f"{mypy} holdfast-my-*/src holdfast-my-*/tests", tmp_path)
