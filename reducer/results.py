"""What durable calls answer with."""

from typing import Any

import msgspec


class ShellResult(msgspec.Struct, frozen=True):
    """How a command ended. Output that is no UTF-8 has its bad bytes replaced."""

    code: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def ok(self) -> bool:
        return self.code == 0


class Decision(msgspec.Struct, frozen=True):
    """What a person said at a gate. `edits` is plain data, None without edits."""

    approved: bool
    by: str
    note: str = ""
    edits: Any = None

    def __bool__(self) -> bool:
        return self.approved
