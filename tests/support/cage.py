"""A project with secrets around it, and programs confined to a worktree of it by the real bwrap."""

import os
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path

import pytest

from holdfast.plugins import MARK, Confinement
from holdfast.plugins.confining import Confined, confined
from holdfast.plugins.process import run_process
from holdfast.plugins.sandboxes import Bubblewrap
from tests.support.repos import Repo

SANDBOX = Bubblewrap()
READY = SANDBOX.readiness()
needs_bubblewrap = pytest.mark.skipif(not READY.ready, reason=READY.detail)


class Told:
    """How a confined program ended, and what it said."""

    def __init__(self, code: int, out: bytes, err: bytes) -> None:
        self.code, self.out, self.err = code, out.decode().strip(), err.decode().strip()

    def __repr__(self) -> str:
        return f"status {self.code}\n{self.out}\n{self.err}"


class Cage:
    """`await cage("ls")` runs a command in the project's worktree, confined."""

    def __init__(self, base: Path) -> None:
        self.base = base.resolve()
        self.home = self.base / "home"
        (self.home / ".ssh").mkdir(parents=True)
        (self.home / ".ssh" / "id").write_text("private key")
        self.repo = Repo.make(self.base / "repository", {"code.py": "1\n"})
        self.holdfast = self.repo.root / ".holdfast"
        (self.holdfast / "log").mkdir(parents=True)
        (self.holdfast / "log" / "data.mdb").write_text("all that happened")
        self.worktree = self.holdfast / "worktrees" / "one"
        self.repo.git("worktree", "add", "-q", str(self.worktree))
        self.git_dir = self.repo.root / ".git"
        self.own_git_dir = self.git_dir / "worktrees" / "one"
        self.mark = f"cage-{uuid.uuid4()}"
        who = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@localhost"}
        who |= {"GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@localhost"}
        self.env = {"PATH": os.environ["PATH"], "HOME": str(self.home), MARK: self.mark, **who}

    def confinement(self, folder: Path | None = None, **more: object) -> Confinement:
        python = (Path(sys.prefix), Path(sys.base_prefix))
        fields = {"folder": folder or self.worktree, "hidden": (self.holdfast,), "read": python}
        return Confinement(**{**fields, **more})  # type: ignore[arg-type]

    async def __call__(
        self,
        command: str | Sequence[str],
        *,
        folder: Path | None = None,
        stdin: bytes = b"",
        **more: object,
    ) -> Told:
        within = self.confinement(folder, **more)
        out, err = bytearray(), bytearray()
        with confined(Confined(SANDBOX, within)):
            code = await run_process(
                command,
                folder=within.folder,
                env=self.env,
                stdin=stdin,
                on_stdout=out.extend,
                on_stderr=err.extend,
                grace_s=1,
            )
        return Told(code, bytes(out), bytes(err))

    async def python(self, script: str, **more: object) -> Told:
        return await self([sys.executable, "-c", script], **more)  # type: ignore[arg-type]

    def git_outside(self, *arguments: str) -> str:
        """Run git in the worktree as its owner would, who trusts what is there."""
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.worktree,
            env={**os.environ, **self.env},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr
