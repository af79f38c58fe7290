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
from tests.support.desk import Desk
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


async def test_only_tests_that_raise_the_coverage_and_leave_the_product_alone_are_taken(
    lab: Hands,
) -> None:
    def act(prompt: str, folder: Path) -> str:
        if subject(prompt) == "b":
            write(folder, "a.txt", "made easy to test")
            return write(folder, "tests/test_b.py", "one")
        return write(folder, "tests/test_a.py", "good" if "FAILED" in prompt else "broken")

    lab.act = act
    found = await lab.report(improve_coverage, **GIVEN, max_rounds=1)

    assert (found.before, found.after) == (0, 5)
    assert found.markdown.startswith("# Coverage is 5% in main, 0% before\n")
    assert "| src/a.py | 0% | 10% | merged |" in found.markdown
    taken, refused = found.pieces
    assert taken.why == ""
    assert refused.why == "These are no tests; put them back as they were: a.txt"
    assert found.left[0] == "The target is 40%: the ceiling of 1 round is reached"
    assert lab.files() == {"a.txt": "one\n", "tests/test_a.py": "good\n"}
    assert lab.repo.git("show", f"{refused.branch}:tests/test_b.py") == "one"
    assert lab.replays()


async def test_what_is_in_conflict_with_your_branch_at_the_end_is_left_on_a_branch_that_is_named(
    lab: Hands,
) -> None:
    def act(prompt: str, folder: Path) -> str:
        write(lab.repo.root, "tests/test_a.py", "mine")  # meanwhile, in the checkout
        lab.repo.commit()
        return write(folder, "tests/test_a.py", "one", "two")

    lab.act = act
    found = await lab.report(improve_coverage, **GIVEN, limit=1, max_rounds=1)

    (piece,) = found.pieces
    assert "| src/a.py | 0% | 20% | left |" in found.markdown
    assert "in conflict with what was merged before: tests/test_a.py" in piece.why
    assert f"on the branch `{piece.branch}`" in found.left[1]
    assert lab.repo.git("show", f"{piece.branch}:tests/test_a.py") == "one\ntwo"
    assert lab.replays()


def at_desk(*percents: float, paths: str = "A\0tests/test_x.py\0", **given: Any) -> Desk:
    """Play it with what the measurements come to, one after another."""
    left = [*percents]

    def sh(key: str, _: str) -> str:
        if key.endswith("/changed"):
            return paths
        if "/measure" not in key:
            return ""
        if (percent := left.pop(0)) < 0:
            raise ValueError("FAILED")
        return f"src/a.py  10  1  {percent}%\nTOTAL  10  1  {percent}%\n"

    given = {"test": None, "measure": "measure", "target": 40, "max_tries": 1, **given}
    return Desk(improve_coverage, lambda _prompt: "written", sh, **given)


@pytest.mark.parametrize(
    ("percents", "after", "left"),
    [
        ((50,), 50, []),  # nothing to do
        ((0, 20, 20, 40, 40), 40, []),
        ((0, 0), 0, ["The target is 40%: the last round made no progress", "did not rise"]),
        ((0, -1), 0, ["The target is 40%: the last round made no progress", "FAILED"]),
        (
            (0, 20, -1),
            0,
            [
                "The target is 40%: the tests of the last round fail together",
                "src/a.py, on the branch ``: The tests of its round fail together.",
            ],
        ),
    ],
)
def test_it_goes_on_until_the_target_is_reached_or_a_round_brings_nothing(
    percents: tuple[float, ...], after: float, left: list[str]
) -> None:
    desk = at_desk(*percents)

    assert desk.output.after == after
    assert len(desk.output.left) == len(left)
    assert all(words in told for words, told in zip(left, desk.output.left, strict=True))
    desk.redriven()


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
