"""The files that an agent reads and writes through us: those of its workspace, and no others.

A path is resolved and then walked without following a link, so that nothing which changes in between
leads out of the workspace. Also with full permissions: what lies elsewhere an agent's own tools reach.
"""

import os
import stat
from pathlib import Path
from typing import Final

from ..cli import Json
from ..guard import Guard, is_forbidden
from .rpc import RpcError

INVALID: Final = -32602
NOT_FOUND: Final = -32002
LARGEST_BYTES: Final = 16 * 1024 * 1024


def inside(folder: Path, path: str) -> bool:
    """Tell whether a path, all links followed, is in the folder and none of the guarded ones."""
    resolved = (folder / path).resolve()
    root = folder.resolve()
    if not resolved.is_relative_to(root):
        return False
    return not any(map(is_forbidden, resolved.relative_to(root).parts))


def read_text(folder: Path, params: Json) -> Json:
    """Answer `fs/read_text_file`, which may want only some lines."""
    with open(_open(folder, params, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        data = file.read(LARGEST_BYTES + 1)
    if len(data) > LARGEST_BYTES:
        raise RpcError(INVALID, f"{params['path']} has more than {LARGEST_BYTES} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise RpcError(INVALID, f"{params['path']} is no text in UTF-8: {error}") from error
    first, limit = params.get("line"), params.get("limit")
    lines = text.splitlines(keepends=True)[max(0, first - 1) if isinstance(first, int) else 0 :]
    return {"content": "".join(lines[:limit] if isinstance(limit, int) else lines)}


def write_text(folder: Path, params: Json) -> Json:
    """Answer `fs/write_text_file`; folders that are missing are made."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK
    with open(_open(folder, params, flags), "wb") as file:
        file.truncate()
        file.write(str(params.get("content", "")).encode(errors="replace"))
    return {}


def _open(folder: Path, params: Json, flags: int) -> int:
    path, root = str(params.get("path", "")), folder.resolve()
    guard = Guard(folder)
    try:
        resolved = (root / path).resolve()
        if not resolved.is_relative_to(root) or resolved == root:
            raise RpcError(INVALID, f"{path} is outside of the workspace {root}")
        parts = resolved.relative_to(root).parts
        if any(map(is_forbidden, parts)):
            raise RpcError(INVALID, f"{path} is not for agents to read or write")
        return _walk(guard, parts, flags)
    except FileNotFoundError as error:
        raise RpcError(NOT_FOUND, f"Resource not found: {path}", {"uri": path}) from error
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links; a zero byte
        raise RpcError(INVALID, f"cannot open {path}: {error}") from error


def _walk(guard: Guard, parts: tuple[str, ...], flags: int) -> int:
    """Open a file, step by step and following no link. It has to be a regular one, and admitted."""
    writing = bool(flags & os.O_CREAT)
    at = os.open(guard.root.resolve(), os.O_RDONLY | os.O_DIRECTORY)
    try:
        for name in (*guard.names, *parts[:-1]):
            deeper = _enter(at, name, make=writing)
            os.close(at)
            at = deeper
            guard.admit(os.fstat(at))
        file = os.open(parts[-1], flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666, dir_fd=at)
    finally:
        os.close(at)
    try:
        found = os.fstat(file)
        guard.admit(found, writing=writing)
        if not stat.S_ISREG(found.st_mode):
            raise OSError("it is no regular file")
    except OSError:
        os.close(file)
        raise
    return file


def _enter(at: int, name: str, *, make: bool) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    try:
        return os.open(name, flags, dir_fd=at)
    except FileNotFoundError:
        if not make:
            raise
        os.mkdir(name, dir_fd=at)
        return os.open(name, flags, dir_fd=at)
