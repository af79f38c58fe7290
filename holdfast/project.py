"""Where a project is: the folder with `.holdfast`, found upward from the working directory, like git."""

import os
from pathlib import Path

from holdfast.eventlog import Log

from .errors import FolderNotUtf8, InSandbox, ProjectError
from .places import repository_root

FOLDER = ".holdfast"
IGNORE = "*\n!.gitignore\n!workflows/\n!workflows/**\n"  # git has the workflows and nothing else
SANDBOX = "HOLDFAST_SANDBOX"  # in the environment of what is confined: the sandbox's name


class Project:
    """A project's places. `root` is the repository, `home` its `.holdfast` folder.

    `is_given` tells that somebody said where it is, so that it was not searched for.
    """

    def __init__(self, root: Path, home: Path, *, is_given: bool = False) -> None:
        for folder in (str(root), str(home)):
            if not _is_utf8(folder):
                raise FolderNotUtf8(folder)
        self.root = root
        self.home = home
        self.is_given = is_given

    @classmethod
    def find(cls, home: str | None = None, start: Path | None = None) -> "Project":
        """Find the project: `home`, else $HOLDFAST_HOME, else upward from `start`, else here.

        Without any `.holdfast` the git repository's root is the project, and without one `start`.
        Raises FolderNotUtf8 where a run could not say where it works.
        """
        given = home or os.environ.get("HOLDFAST_HOME")
        here = (start or Path.cwd()).resolve()
        if given:
            path = _resolved(given)
            root = path.parent if path.name == FOLDER else cls._root_above(here)
            return cls(root, path, is_given=True)
        root = cls._root_above(here)
        return cls(root, root / FOLDER)

    @staticmethod
    def _root_above(here: Path) -> Path:
        above = (folder for folder in (here, *here.parents) if (folder / FOLDER).exists())
        return next(above, None) or repository_root(str(here)) or here

    @property
    def log_folder(self) -> Path:
        return self.home / "log"

    @property
    def workflows(self) -> Path:
        """Where the project's own workflows are, to be run by name."""
        return self.home / "workflows"

    def exists(self) -> bool:
        return self.log_folder.exists()

    def open_log(self, *, create: bool = False) -> Log:
        """Open the project's log. Raises ProjectError where there is none, LogError otherwise.

        Raises InSandbox within one: there, another process may have this one's id, which the log's
        locks go by. What keeps the log from who does not ask is that the sandbox hides it.
        """
        if sandbox := os.environ.get(SANDBOX):
            raise InSandbox(sandbox)
        if not create and not self.exists():
            where = f"{str(self.home)!r}" if self.is_given else f"{str(self.root)!r} or above"
            raise ProjectError(
                f"there is no Holdfast project in {where}. Run a workflow to make one: "
                "holdfast run FILE (or see it at work: holdfast demo)"
            )
        if create:
            self._make_home()
        return Log.open(self.log_folder, create=create)

    def make_workflows(self) -> Path:
        """Make the folder of the project's own workflows, and return it. Raises ProjectError."""
        self._make_home()
        try:
            self.workflows.mkdir(exist_ok=True)
        except OSError as error:
            raise ProjectError(
                f"the folder {str(self.workflows)!r} cannot be made: {error.strerror}. Make room or "
                "give write access"
            ) from error
        return self.workflows

    def _make_home(self) -> None:
        """Make the folder, and keep git from listing what is in it."""
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            ignore = self.home / ".gitignore"
            if not ignore.exists():
                ignore.write_text(IGNORE)
        except OSError as error:
            raise ProjectError(
                f"the folder {str(self.home)!r} cannot be written: {error.strerror}. Make "
                "room or give write access, or choose another place with --home or HOLDFAST_HOME"
            ) from error


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # of a name whose bytes could not be decoded
        return False
    return True


def _resolved(given: str) -> Path:
    """Return the folder that somebody named; raise ProjectError where none can have such a name."""
    try:
        path = Path(given).resolve()
        path.exists()
    except (OSError, ValueError) as error:  # too long, a NUL within, a loop of links
        reason = getattr(error, "strerror", None) or error
        raise ProjectError(
            f"{given!r} cannot be a project's folder: {reason}. Choose another with --home or "
            "HOLDFAST_HOME"
        ) from error
    return path
