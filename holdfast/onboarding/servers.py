"""Entering the server into an agent's settings for a project. Pure: text in, pieces of text out."""

import json
import tomllib
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from .clients import Style, entry
from .entries import Piece, put_in
from .errors import NotMergeable
from .jsonc import NotJson, get


class Insertion(NamedTuple):
    """What is put into a text, and in JSON what it means."""

    pieces: Sequence[Piece] = ()
    keys: Sequence[str] = ()
    value: Any = None


class There(NamedTuple):
    """An entry of that name is there already."""

    is_same: bool


def entered(path: str, content: bytes, style: Style, command: Sequence[str]) -> Insertion | There:
    """Return what the settings lack, or that they have it. Raises NotMergeable."""
    try:
        text = content.decode()
        return _in_toml(text, command) if style == "codex" else _in_json(text, style, command)
    except UnicodeDecodeError as error:
        raise NotMergeable(path, "it is no UTF-8 text", by_hand(style, command)) from error
    except (NotJson, tomllib.TOMLDecodeError) as error:
        raise NotMergeable(path, str(error), by_hand(style, command)) from error


def by_hand(style: Style, command: Sequence[str]) -> str:
    """Return what the settings need, as somebody would write it."""
    if style == "codex":
        return codex_block(command)
    keys, value = entry(style, command)
    return json.dumps({keys[0]: {keys[1]: value}}, indent=2) + "\n"


def codex_block(command: Sequence[str]) -> str:
    """Return what Codex is told: to wait for the server, and to ask at no call but for decisions."""
    program, *args = command
    return (
        f"[mcp_servers.holdfast]\ncommand = {json.dumps(program)}\nargs = {json.dumps(args)}\n"
        'required = true\ndefault_tools_approval_mode = "approve"\n\n'
        "# what a run waits for is yours to decide, so this one asks\n"
        '[mcp_servers.holdfast.tools.decide]\napproval_mode = "prompt"\n'
    )


def _in_toml(text: str, command: Sequence[str]) -> Insertion | There:
    block = codex_block(command)
    servers = tomllib.loads(text).get("mcp_servers")
    there = cast(dict[str, Any], servers).get("holdfast") if isinstance(servers, dict) else None
    if there is not None:
        return There(there == tomllib.loads(block)["mcp_servers"]["holdfast"])
    between = "" if not text else "\n" if text.endswith("\n") else "\n\n"
    piece = between + block
    piece = piece.replace("\n", "\r\n") if "\r\n" in text else piece
    tomllib.loads(text + piece)  # inline tables, for one, cannot be added to
    return Insertion([(len(text), piece)])


def _in_json(text: str, style: Style, command: Sequence[str]) -> Insertion | There:
    keys, value = entry(style, command)
    if not text.strip():
        return Insertion([(len(text), by_hand(style, command))], keys, value)
    there = get(text, keys)
    if there is not None:
        return There(there == value)
    return Insertion(put_in(text, keys, value), keys, value)
