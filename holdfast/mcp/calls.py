"""What to do next, as a call of one of our tools instead of a command line. Pure but for the project."""

import re
import shlex
from collections.abc import Sequence
from typing import Any

import msgspec

from holdfast.cli.place import Place
from holdfast.cli.words import one_line, shell

_COMMAND = re.compile(r"\bholdfast ([a-z]+(?: [^\n;()]+)?)")
_BLANK = re.compile(r"[A-Z|]+")  # GATE, STEP: to be filled in by whoever reads it
NAME_LENGTH = 80


class ToolPlace(Place):
    """The project as the tools of one client see it: its commands are calls, encoded as JSON."""

    def __init__(self, home: str | None, client: str) -> None:
        super().__init__(home)
        self.client = one_line(client, NAME_LENGTH) or "unknown"

    @property
    def actor(self) -> str:
        """Who appends: what the log has as an event's actor."""
        return f"mcp:{self.client}"

    def command(self, *words: str) -> str:
        """Return the call that does what a command line does."""
        return msgspec.json.encode(next_call(words)).decode()


def decoded_call(command: str) -> dict[str, Any]:
    """Return a call that a ToolPlace gave where a command was asked for."""
    call: dict[str, Any] = msgspec.json.decode(command)
    return call


def next_call(words: Sequence[str]) -> dict[str, Any]:
    """Return the tool and its arguments for a command line; the command itself where no tool does it.

    `fill_in` names the arguments that the caller has to add.
    """
    match [*words]:
        case ["approve" | "deny" as verb, run, gate]:
            return _call("decide", ["by"], run=run, gate=gate, decision=verb)
        case ["answer", run, gate]:
            return _call("decide", ["by", "answer"], run=run, gate=gate, decision="answer")
        case ["signal", run, name]:
            return _call("signal", ["payload"], run=run, name=name)
        case ["signal", run, name, "--key", key]:
            return _call("signal", ["payload"], run=run, name=name, key=key)
        case ["rewind", run, "--to", at]:
            return _call("rewind", run=run, at=at)
        case ["fork", run]:
            return _call("fork", ["at"], run=run)
        case ["retry", run, step]:
            return _call("retry", run=run, step=step)
        case ["schedule", "remove", name]:
            return _call("change_schedule", schedule=name, to="removed")
        case ["schedule", "list"]:
            return _call("list_schedules")
        case [verb, run] if verb in _OF_A_RUN:
            return _call(_OF_A_RUN[verb], run=run)
        case [verb] if verb in _OF_A_PROJECT:
            return _call(_OF_A_PROJECT[verb])
        case _:
            return {"tool": None, "command": shell("holdfast", *words)}


_OF_A_RUN = {
    "watch": "wait_for_run",
    "show": "get_run",
    "why": "why",
    "resume": "resume",
    "retry": "retry",
    "cancel": "cancel",
    "pause": "pause",
    "unpause": "unpause",
    "tree": "tree",
    "log": "timeline",
}
_OF_A_PROJECT = {"ps": "list_runs", "inbox": "inbox", "workflows": "list_workflows"}


def _call(tool: str, fill_in: Sequence[str] = (), /, **arguments: str) -> dict[str, Any]:
    return {"tool": tool, "arguments": arguments, "fill_in": [*fill_in]}


def call_in(message: str) -> dict[str, Any] | None:
    """Return the call for the command that an error's message ends with, where a tool does that."""
    for command in reversed(_COMMAND.findall(message)):
        try:
            words = shlex.split(command)
        except ValueError:  # a quote that the message has around something else
            continue
        call = next_call(words)
        if call["tool"] and not any(_BLANK.fullmatch(word) for word in words):
            return call
    return None
