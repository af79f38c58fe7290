"""The log can be used alone: it needs LMDB and msgspec, and nothing that runs workflows."""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").partition(".")[0])
    return found


def test_the_log_needs_lmdb_and_msgspec_and_no_more() -> None:
    needs = set[str]().union(*map(imported, (ROOT / "eventlog").glob("*.py")))

    assert needs - set(sys.stdlib_module_names) == {"lmdb", "msgspec"}
