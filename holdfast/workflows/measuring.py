"""What `improve-coverage` reads: coverage in what a command printed, and tests in what git says was changed. Pure."""

import re
from fnmatch import fnmatchcase

import msgspec
from msgspec import Struct

from holdfast import HoldfastError, ShellResult

TOTAL = r"(?im)^(?:total|all files|coverage)\b.*?(\d+(?:\.\d+)?)\s*[%|]"
ROW = re.compile(r"^(\S+)[ \t]+\d.*?(\d+(?:\.\d+)?)%", re.MULTILINE)
ALL = "the whole project"


class Measured(Struct):
    """What was measured, in percent; of ALL where the command told of no files."""

    total: float
    files: dict[str, float]


class Summary(Struct):
    """A part of the JSON that coverage.py writes."""

    percent_covered: float


class File(Struct):
    """A part of the JSON that coverage.py writes."""

    summary: Summary


class Json(Struct):
    """What is read of the JSON that coverage.py writes."""

    totals: Summary
    files: dict[str, File] = {}


class CoverageUnreadable(HoldfastError):
    """The command that measures printed no coverage that could be found."""

    code = "coverage_unreadable"

    def __init__(self, measure: str, printed: str) -> None:
        super().__init__(
            f"no coverage was found in what {measure!r} printed. Let it print the JSON of coverage.py, "
            f'or give a regular expression with the input "pattern". It ended in: {printed[-300:]!r}'
        )
        self.measure, self.printed = measure, printed


def coverage(result: ShellResult, measure: str, pattern: str) -> Measured:
    """Return what a command measured: from the JSON of coverage.py, else from the lines of a table."""
    try:
        told = msgspec.json.decode(result.stdout, type=Json)
        files = {path: each.summary.percent_covered for path, each in told.files.items()}
        return Measured(told.totals.percent_covered, files)
    except msgspec.DecodeError:
        totals = re.findall(pattern, result.stdout)
    if not totals:
        raise CoverageUnreadable(measure, result.stdout)
    files = {path: float(percent) for path, percent in ROW.findall(result.stdout)}
    files = {path: percent for path, percent in files.items() if not re.match(TOTAL, f"{path} 0%")}
    return Measured(float(totals[-1]), files or {ALL: float(totals[-1])})


def least_covered(now: Measured, target: float, tests: list[str], refused: set[str]) -> list[str]:
    """Return the files below the target that are no tests and were not refused, the worst first."""
    below = [
        path
        for path, percent in now.files.items()
        if percent < target and path not in refused and not is_test(path, tests)
    ]
    return sorted(below, key=lambda path: (now.files[path], path))


def wrong_paths(changed: str, tests: list[str]) -> str:
    """Return what is wrong with the paths that git says were changed: fields ended by NUL."""
    fields = changed.split("\0")[:-1]
    paths = dict(zip(fields[1::2], fields[::2], strict=True))
    if not paths:
        return "No test was written."
    outside = [path for path in paths if not is_test(path, tests)]
    if outside:
        return f"These are no tests; put them back as they were: {', '.join(outside)}"
    gone = [path for path, status in paths.items() if status == "D"]
    return f"These tests were removed; put them back: {', '.join(gone)}" if gone else ""


def is_test(path: str, tests: list[str]) -> bool:
    """Whether a path is that of a test; a `*` stands for folders as well."""
    return any(fnmatchcase(path, pattern) for pattern in tests)
