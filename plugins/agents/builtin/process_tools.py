"""Tools that start a program: commands, and searches that can be ended."""

import json
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import msgspec
import trio

from ...errors import ToolFailed
from ...process import run_process
from ...types import ToolSetting
from . import search
from .bounded import Output, cut
from .confined import parts_of

SEARCH_S = 60.0
GRACE_S = 2.0
LONGEST_SEARCH = 60_000  # characters

_Folder = Annotated[str, msgspec.Meta(description="the folder to look in")]
_Offset = Annotated[int, msgspec.Meta(ge=1, description="the first result to show")]
_Glob = Annotated[str, msgspec.Meta(description="such as **/*.py or src/*.md")]


class Shell(msgspec.Struct, forbid_unknown_fields=True):
    command: Annotated[str, msgspec.Meta(min_length=1, description="for /bin/sh")]
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 120.0


class Grep(msgspec.Struct, forbid_unknown_fields=True):
    pattern: Annotated[str, msgspec.Meta(description="a regular expression, as Python has them")]
    path: _Folder = "."
    glob: Annotated[str, msgspec.Meta(description="only in files that fit, such as *.py")] = ""
    ignore_case: bool = False
    offset: _Offset = 1


class Glob(msgspec.Struct, forbid_unknown_fields=True):
    pattern: _Glob
    path: _Folder = "."
    offset: _Offset = 1


async def shell(arguments: Shell, setting: ToolSetting) -> str:
    """Run a command and return its exit status and what it printed."""
    output = Output()
    command = f"exec 2>&1\n{arguments.command}"  # in the order in which it was printed
    code = await _run(command, setting, output, b"", arguments.timeout_s)
    if code is None:
        raise ToolFailed(
            f"the command was ended after {arguments.timeout_s:g} s, with all that it had started. Its "
            f"output until then:\n{output.text}"
        )
    how = f"ended by signal {-code}" if code < 0 else f"exit status {code}"
    return f"{how}\n{output.text}"


async def grep(arguments: Grep, setting: ToolSetting) -> str:
    """Find lines."""
    asked = arguments
    about = {"pattern": asked.pattern, "glob": asked.glob, "ignore_case": asked.ignore_case}
    return await _search(asked.path, {**about, "offset": asked.offset}, setting)


async def glob(arguments: Glob, setting: ToolSetting) -> str:
    """Find files."""
    about = {"pattern": None, "glob": arguments.pattern, "offset": arguments.offset}
    return await _search(arguments.path, about, setting)


async def _search(path: str, query: dict[str, Any], setting: ToolSetting) -> str:
    asked = json.dumps(query | {"parts": parts_of(path)}).encode()
    output = Output(4 * LONGEST_SEARCH, 0)
    command = [sys.executable, "-I", "-c", _search_program()]
    code = await _run(command, setting, output, asked, SEARCH_S)
    if code is None:
        raise ToolFailed(f"the search took more than {SEARCH_S:g} s. Ask for less at once.")
    text = cut(output.text.strip("\n"), LONGEST_SEARCH)
    if code:
        raise ToolFailed(f"cannot search in {path!r}: {text}")
    return text


@cache
def _search_program() -> str:
    """Return the program itself: in a sandbox its file may not be there."""
    return Path(search.__file__).read_text()


async def _run(
    command: str | Sequence[str],
    setting: ToolSetting,
    output: Output,
    stdin: bytes,
    timeout_s: float,
) -> int | None:
    """Return the exit status; None where the time was up."""
    with trio.move_on_after(timeout_s):
        return await run_process(
            command,
            folder=setting.folder,
            env=setting.env,
            stdin=stdin,
            on_stdout=output.add,
            on_stderr=output.add,
            grace_s=GRACE_S,
        )
    return None
