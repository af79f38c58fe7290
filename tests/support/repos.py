"""Real git repositories for tests, and all that a user would see of one."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

SETTINGS = """
[user]
    name = Ada
    email = ada@example.org
[commit]
    gpgSign = false
[protocol "file"]
    allow = always
"""
SEEN = {
    "index": ("ls-files", "-s", "-t", "-u", "-v"),
    "unstaged": ("diff",),
    "staged": ("diff", "--cached"),
    "stash": ("stash", "list"),
    "status": ("status", "--porcelain=v2", "--branch", "--untracked-files=all"),
    "reflog": ("reflog", "--all", "--format=%gD %H %gs"),
    "branches": (
        "for-each-ref",
        "--format=%(refname) %(objectname) %(HEAD)",
        "refs/heads",
        "refs/tags",
    ),
    "head": ("rev-parse", "-q", "--verify", "HEAD"),
}


class Repo:
    """A repository in a folder, driven like a user does."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def make(cls, root: Path, files: Mapping[str, str] | None = None, *arguments: str) -> "Repo":
        root.mkdir(parents=True, exist_ok=True)
        repo = cls(root)
        repo.git("init", "-q", "-b", "main", *arguments)
        if files is not None:
            repo.write(files)
            repo.commit("base")
        return repo

    def git(self, *arguments: str, ok: bool = True) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.root,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        assert not ok or done.returncode == 0, done.stderr
        return done.stdout.rstrip("\n")

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def commit(self, message: str = "work") -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.head

    @property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    def seen(self) -> dict[str, str]:
        """Return everything about the checkout that must never change behind the user's back."""
        seen = {what: self.git(*command, ok=False) for what, command in SEEN.items()}
        return {what: "\n".join(filter(is_theirs, text.split("\n"))) for what, text in seen.items()}

    def on_disk(self) -> dict[str, tuple[str, bytes]]:
        """Return every file but git's and ours, with its kind and bytes."""
        return contents(self.root)


def is_theirs(line: str) -> bool:
    """Whether a line is about the user's refs, and not about worktrees of ours."""
    return not line.startswith(("refs/heads/holdfast", "worktrees/"))


def contents(root: Path) -> dict[str, tuple[str, bytes]]:
    """Return the files below a folder, with kind and bytes, links not followed."""
    found: dict[str, tuple[str, bytes]] = {}
    for where, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in (".git", ".holdfast")]
        links = [name for name in folders if os.path.islink(os.path.join(where, name))]
        for name in [*files, *links]:
            path = Path(where) / name
            if name != ".git":
                found[str(path.relative_to(root))] = _kind(path)
    return found


def _kind(path: Path) -> tuple[str, bytes]:
    if path.is_symlink():
        return "link", os.fsencode(path.readlink())
    return "executable" if os.access(path, os.X_OK) else "file", path.read_bytes()
