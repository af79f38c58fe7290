"""The small repository that `holdfast demo` works on: one function, and tests that fail."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from . import demo_agent
from .errors import BadInput

GOAL = "Make slugify turn any title into a part of a URL"
SLUGS = """def slugify(title):
    return title
"""
TESTS = """import unittest

from slugs import slugify


class SlugifyTest(unittest.TestCase):
    def test_words_are_joined_by_hyphens(self):
        self.assertEqual(slugify("Hello World"), "hello-world")

    def test_punctuation_is_left_out(self):
        self.assertEqual(slugify("What, again?"), "what-again")


if __name__ == "__main__":
    unittest.main()
"""


def make(folder: str | None) -> Path:
    """Make the repository, in a new temporary folder unless one is given, and return where."""
    git = shutil.which("git")
    if git is None:
        raise BadInput("the demo makes a git repository, and there is no git. Install git first")
    root = Path(folder).resolve() if folder else Path(tempfile.mkdtemp(prefix="holdfast-demo-"))
    try:
        root.mkdir(parents=True, exist_ok=True)
        if any(root.iterdir()):
            raise BadInput(f"the folder {str(root)!r} is not empty. Name a new one with --folder")
        (root / "slugs.py").write_text(SLUGS)
        (root / "test_slugs.py").write_text(TESTS)
        (root / ".gitignore").write_text("__pycache__/\n.holdfast/\n")
        (root / ".holdfast").mkdir()
        shutil.copyfile(demo_agent.__file__, root / ".holdfast" / "agent.py")
    except OSError as error:
        reason = error.strerror
        raise BadInput(f"the folder {str(root)!r} cannot be written: {reason}") from error
    _git(git, root, "init", "--quiet")
    _git(git, root, "add", "--all")
    _git(git, root, "commit", "--quiet", "--message", "Begin", "--no-gpg-sign")
    return root


def _git(git: str, root: Path, *words: str) -> None:
    who = ["-c", "user.name=Holdfast demo", "-c", "user.email=demo@localhost"]
    subprocess.run(
        [git, *who, "-c", "core.hooksPath=/dev/null", *words],
        cwd=root, check=True, capture_output=True,
    )  # fmt: skip


def workflow_input(root: Path) -> dict[str, object]:
    """Return the input for the workflow `implement`."""
    import shlex

    return {
        "goal": GOAL,
        "test": shlex.join([sys.executable, "-m", "unittest", "-q"]),
        "agent": "command",
        "options": {"command": [sys.executable, str(root / ".holdfast" / "agent.py")]},
    }
