"""Errors of the MCP server's own.

HoldfastError
  NoSuchTool      no tool is called that
  BadArguments    the arguments do not fit the tool
"""

from collections.abc import Sequence

from holdfast.eventlog import HoldfastError


class NoSuchTool(HoldfastError):
    code = "no_such_tool"
    exit_status = 2

    def __init__(self, tool: str, near: Sequence[str]) -> None:
        super().__init__(f"there is no tool {tool!r}. Call one of these: {', '.join(near)}")
        self.tool = tool


class BadArguments(HoldfastError):
    code = "bad_arguments"
    exit_status = 2

    def __init__(self, tool: str, problem: str, takes: str) -> None:
        super().__init__(
            f"the arguments do not fit {tool!r}: {problem}. Nothing was done. It takes: {takes}"
        )
        self.tool = tool
