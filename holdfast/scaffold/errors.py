"""Errors of writing a new plugin package.

HoldfastError
  ScaffoldError
    BadPluginName        it could not be the name of a package, or is taken
    FolderExists         something is there already
    ScaffoldUnwritable   the folder cannot be written
    BadWorkflowName      it could not be the name of a workflow
    WorkflowExists       a workflow of this name is there already
"""

import shlex
from pathlib import Path

from holdfast.eventlog import HoldfastError


class ScaffoldError(HoldfastError):
    code = "scaffold"
    exit_status = 2


class BadPluginName(ScaffoldError):
    code = "bad_plugin_name"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name!r} cannot be the plugin's name: {reason}")
        self.name = name


class FolderExists(ScaffoldError):
    code = "folder_exists"

    def __init__(self, folder: Path, name: str) -> None:
        super().__init__(
            f"{str(folder)!r} exists, and nothing in it was changed. Choose another with: "
            f"holdfast plugins new {shlex.quote(name)} --folder FOLDER"
        )
        self.folder = folder


class ScaffoldUnwritable(ScaffoldError):
    code = "scaffold_unwritable"
    exit_status = 1

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(
            f"the package cannot be written to {str(folder)!r}: {reason}. Make room or give write "
            "access, or choose another place with --folder"
        )
        self.folder = folder


class BadWorkflowName(ScaffoldError):
    code = "bad_workflow_name"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name!r} cannot be the workflow's name: {reason}")
        self.name = name


class WorkflowExists(ScaffoldError):
    code = "workflow_exists"

    def __init__(self, name: str, path: Path, how: str) -> None:
        super().__init__(
            f"there is a workflow {name!r} already, in {str(path)!r}, and it was not changed. Choose "
            f"another name, or {how}"
        )
        self.name, self.path = name, path
