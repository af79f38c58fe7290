"""The tools that come with Holdfast, offered through the same hook as anybody's."""

from collections.abc import Mapping

from ...types import Tool
from . import file_tools as files
from . import process_tools as processes
from .arguments import tool

TOOLS: Mapping[str, Tool] = {
    "read": tool(
        "Read a text file. Lines are numbered; the number and the tab are not part of the file.",
        files.Read,
        files.read,
        needs="read",
        effect=False,
    ),
    "list": tool(
        "List a folder. Folders end with a slash, links show where they lead.",
        files.List,
        files.list_folder,
        needs="read",
        effect=False,
    ),
    "glob": tool(
        "Find files by their path. Folders of dependencies and caches are left out.",
        processes.Glob,
        processes.glob,
        needs="read",
        effect=False,
    ),
    "grep": tool(
        "Find lines in files. Folders of dependencies and caches, and binary files, are left out.",
        processes.Grep,
        processes.grep,
        needs="read",
        effect=False,
    ),
    "write": tool(
        "Create a file, or replace all of one. To change a part of a file use edit.",
        files.Write,
        files.write,
        needs="edit",
        effect=True,
    ),
    "edit": tool(
        "Replace a piece of a text file. Read the file first.",
        files.Edit,
        files.edit,
        needs="edit",
        effect=True,
    ),
    "shell": tool(
        "Run a command in the working folder. What it leaves in the background is ended with it. "
        "Nobody can type anything: it has no terminal.",
        processes.Shell,
        processes.shell,
        needs="full",
        effect=True,
    ),
}
