"""Where a command works and in whose name. Nothing is imported before it is needed."""

import os
import sys
from typing import TYPE_CHECKING

from .words import printable

if TYPE_CHECKING:
    from holdfast.eventlog import Log
    from holdfast.project import Project


class Place:
    """What the global options say, and whether this process is the command's own."""

    def __init__(
        self, home: str | None = None, *, as_json: bool = False, owns_process: bool = False
    ) -> None:
        self.home = home
        self.as_json = as_json
        self.owns_process = owns_process

    def project(self) -> "Project":
        from holdfast.project import Project

        return Project.find(self.home)

    def log(self, *, create: bool = False) -> "Log":
        """Open the project's log; to be closed again by `with`."""
        project = self.project()
        if self.owns_process:
            from .last_words import prepare

            prepare(str(project.log_folder), as_json=self.as_json)
        return project.open_log(create=create)

    @property
    def actor(self) -> str:
        """Who appends: what the log has as an event's actor."""
        return f"cli:{user()}"

    def command(self, *words: str) -> str:
        """Return a command line that works on this place, ready to be copied."""
        import shlex

        home = ["--home", self.home] if self.home else []
        return printable(shlex.join([_program(), *home, *words]), keep="")


def _program() -> str:
    """Return how to call this program: by its path where its folder is not in the PATH."""
    import shutil

    path = sys.argv[0]
    if os.path.basename(path) != "holdfast" or shutil.which("holdfast"):
        return "holdfast"
    return path


def user() -> str:
    """Return the name of the person at the keyboard."""
    name = os.environ.get("USER") or os.environ.get("LOGNAME")
    if name:
        return name
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
