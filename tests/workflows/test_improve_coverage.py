"""The shipped workflow `improve-coverage`: what work is taken, and when it ends."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from holdfast import ShellResult
from holdfast.workflows.improve_coverage import FIND_MEASURE, TESTS, improve_coverage
from holdfast.workflows.measuring import (
    TOTAL,
    CoverageUnreadable,
    coverage,
    least_covered,
    wrong_paths,
)
from tests.support.hands import Hands

# Stands for a coverage tool: each line of a test covers 10% of the file that it is for.
MEASURE = """
sum=0
for name in a b; do
    covered=$(cat tests/test_$name* 2>/dev/null | wc -l); sum=$((sum + covered * 5))
    echo "src/$name.py   10   1   $((covered * 10))%"
done
echo "TOTAL   20   2   $sum%"
touch litter.txt
! grep -rqs broken tests || { echo FAILED; exit 1; }
"""
GIVEN: dict[str, Any] = {"measure": MEASURE, "target": 40}


def write(folder: Path, name: str, *lines: str) -> str:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    return "written"


def subject(prompt: str) -> str:
    """Return the file that a task is about: a or b."""
    return "a" if "src/a.py" in prompt.splitlines()[0] else "b"


async def test_tests_are_written_side_by_side_until_the_target_is_reached(lab: Hands) -> None:
    def act(prompt: str, folder: Path) -> str:
        name = subject(prompt)
        there = len(list((folder / "tests").glob(f"test_{name}*")))
        return write(folder, f"tests/test_{name}{there}.py", "one", "two")

    lab.act = act
    found = await lab.report(improve_coverage, **GIVEN)

    assert (found.before, found.after) == (0, 40)
    assert [piece.path for piece in found.pieces] == ["src/a.py", "src/b.py"] * 2
    assert found.markdown.startswith("# Coverage is 40% in main, 0% before\n")
    assert "| src/a.py | 20% | 40% | merged |" in found.markdown
    assert found.left == []
    assert "litter.txt" not in lab.repo.git("ls-files")
    assert lab.repo.git("ls-files", "tests").count("\n") == 3
    assert lab.branches() == ["main"]
    assert lab.replays()


async def test_work_that_touches_the_product_fails_or_covers_nothing_is_not_taken(
    lab: Hands,
) -> None:
    def act(prompt: str, folder: Path) -> str:
        if subject(prompt) == "b":
            return write(folder, "tests/other.py", "covers nothing")
        if "refused" not in prompt:
            return write(folder, "tests/test_a.py", "broken")
        write(folder, "a.txt", "made easy to test")
        return write(folder, "tests/test_a.py", "good")

    lab.act = act
    found = await lab.report(improve_coverage, **GIVEN)

    assert found.after == 0
    assert "FAILED" in lab.prompts[-1] + lab.prompts[-2]
    assert "put them back as they were: a.txt" in found.pieces[0].why
    assert "did not rise" in found.pieces[1].why
    assert "The target is 40%: the last round made no progress" in found.left
    assert lab.files() == {"a.txt": "one\n"}
    assert lab.repo.git("show", f"{found.pieces[0].branch}:tests/test_a.py") == "good"


async def test_the_ceiling_ends_it_with_what_was_reached(lab: Hands) -> None:
    lab.act = lambda prompt, folder: write(folder, f"tests/test_{subject(prompt)}.py", "one")

    found = await lab.report(improve_coverage, **GIVEN, max_rounds=1)

    assert found.after == 10
    assert found.left == ["The target is 40%: the ceiling of 1 rounds is reached"]
    assert "tests/test_a.py" in lab.files()


def test_coverage_is_read_from_json_a_table_or_by_a_pattern() -> None:
    def read(text: str, pattern: str = TOTAL) -> tuple[float, dict[str, float]]:
        found = coverage(ShellResult(0, text, "", 0), "measure", pattern)
        return found.total, found.files

    told = {"percent_covered": 50.5}
    assert read(json.dumps({"totals": told, "files": {"a b.py": {"summary": told}}})) == (
        50.5,
        {"a b.py": 50.5},
    )
    assert read("x.py  10  2  80.00%  3-4\nTOTAL  10  2  80.00%\n") == (80, {"x.py": 80})
    assert read("All files |   85.71 |  100 |\n")[0] == 85.71
    assert read("coverage: 12.5% of statements\n") == (12.5, {"the whole project": 12.5})
    assert read("so much: 7\n", r"much: (\d+)")[0] == 7
    with pytest.raises(CoverageUnreadable, match='the input "pattern"'):
        read("nothing")


def test_the_worst_files_come_first_and_tests_are_none_of_them() -> None:
    found = coverage(
        ShellResult(0, "b.py 1 0 9%\na.py 1 0 5%\ntests/x.py 1 0 1%\nTOTAL 3 0 5%", "", 0),
        "",
        TOTAL,
    )

    assert least_covered(found, 80, TESTS, set()) == ["a.py", "b.py"]
    assert least_covered(found, 80, TESTS, {"a.py"}) == ["b.py"]
    assert least_covered(found, 8, TESTS, set()) == ["a.py"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ("", "No test was written"),
        ("A\0tests/x.py\0M\0src/test_y.py\0", ""),
        ("A\0tests/x.py\0M\0src/y.py\0", "put them back as they were: src/y.py"),
        ("D\0tests/x.py\0", "These tests were removed; put them back: tests/x.py"),
    ],
)
def test_paths_are_judged_by_what_git_says(changed: str, words: str) -> None:
    said = wrong_paths(changed, TESTS)

    assert words in said
    assert bool(words) == bool(said)


def test_the_command_that_is_found_measures_a_python_project(tmp_path: Path) -> None:
    write(tmp_path, "code.py", "def one():", "    return 1", "def two():", "    return 2")
    write(tmp_path, "test_code.py", "import code", "def test_one(): assert code.one() == 1")
    write(tmp_path, "pytest.ini", "[pytest]")
    bin = Path(sys.executable).parent

    def sh(command: str) -> str:
        path = {"PATH": f"{bin}:/usr/bin:/bin"}
        done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, env=path, check=False)  # fmt: skip
        assert done.returncode == 0, done
        return done.stdout

    found = coverage(ShellResult(0, sh(sh(FIND_MEASURE)), "", 0), "", TOTAL)

    assert found.files["code.py"] == 75
    assert sorted(path.name for path in tmp_path.iterdir()) == ["code.py", "pytest.ini", "test_code.py"]  # fmt: skip
