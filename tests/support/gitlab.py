"""A lab whose runs work in a real git repository."""

from pathlib import Path
from typing import Any

from holdfast.eventlog import Edit
from holdfast.execution import Outcome
from holdfast.reducer import Workflow
from holdfast.travel import Change, fork, retry_change
from tests.support.lab import Crash, CrashingEngine, Lab
from tests.support.repos import Repo

BASE = {"a.txt": "one\n", ".gitignore": "*.log\n"}


class GitLab(Lab):
    """The user's checkout is `repo`; the log lies where a project's does."""

    def __init__(self, folder: Path, *plugins: object) -> None:
        self.repo = Repo.make(folder / "repo", BASE)
        home = self.repo.root / ".holdfast"
        home.mkdir()
        (home / ".gitignore").write_text("*\n")
        super().__init__(home, *plugins)

    async def go(
        self, workflow: Workflow, input: dict[str, Any] | None = None, run: str = "r"
    ) -> Outcome:
        """Create a run in the checkout and execute it."""
        self.workflows[workflow.reference] = workflow
        async with self.engine() as engine:
            engine.create(workflow, input or {}, run=run, folder=str(self.repo.root))
            return await engine.execute(run)

    async def go_on(self, run: str = "r", **options: Any) -> Outcome:
        async with self.engine() as engine:
            return await engine.execute(run, **options)

    async def die(self, workflow: Workflow, *, at: int, after: bool, run: str = "r") -> bool:
        """Execute a new run and die at commit `at`; return whether that came."""
        self.workflows[workflow.reference] = workflow
        async with self.engine() as engine:
            engine.create(workflow, {}, run=run, folder=str(self.repo.root))
        return await self.die_again(at=at, after=after, run=run)

    async def die_again(self, *, at: int, after: bool, run: str = "r") -> bool:
        crashed = False
        try:
            async with self.engine(kind=CrashingEngine) as engine:
                assert isinstance(engine, CrashingEngine)
                engine.at, engine.after = at, after
                await engine.execute(run)
        except* Crash:
            crashed = True
        return crashed

    def leave(
        self, reason: str, at: int | str | None, run: str = "r", edits: list[Edit] | None = None
    ) -> str:
        """Fork or rewind a run, and return the name of what goes on."""
        change = Change(reason, at, edits or [])  # type: ignore[arg-type]
        return fork(self.log, self.load, run, change, actor="cli:anna")[0]

    def retry(self, run: str = "r") -> None:
        fork(self.log, self.load, run, retry_change(self.log, run), actor="cli:anna")

    def files(self) -> dict[str, str]:
        """Return the files of the checkout that are not ignored."""
        return texts(self.repo.root)


def texts(root: Path) -> dict[str, str]:
    """Return the files below a folder that are not ignored, but for .gitignore."""
    found = Repo(root).on_disk()
    return {
        name: data.decode()
        for name, (_, data) in found.items()
        if not name.endswith((".gitignore", ".log"))
    }
