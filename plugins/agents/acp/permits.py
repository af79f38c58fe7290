"""What an agent that asks is allowed: by the step's permissions, the kind of the call and its files."""

from pathlib import Path
from typing import Final

from ...types import Permissions
from ..cli import Json, parts
from .files import inside

LOOKING: Final = {"read", "search", "think"}
CHANGING: Final = {"edit", "delete", "move"}
ALLOWED: Final[dict[Permissions, set[str]]] = {"read": LOOKING, "edit": LOOKING | CHANGING}
CANCELLED: Final[Json] = {"outcome": {"outcome": "cancelled"}}


def is_allowed(permissions: Permissions, kind: str, paths: list[str], folder: Path) -> bool:
    """Tell whether a call may go on. A kind that is not told is none that is known to be harmless."""
    if permissions == "full":
        return True
    return kind in ALLOWED[permissions] and all(inside(folder, path) for path in paths)


def answer(asked: Json, *, allow: bool) -> Json:
    """Choose among what is offered, for this once where that can be: the mode is not the agent's."""
    word = "allow" if allow else "reject"
    for kind in (f"{word}_once", f"{word}_always"):
        for option in parts(asked, "options"):
            if option.get("kind") == kind:
                return {"outcome": {"outcome": "selected", "optionId": option.get("optionId")}}
    return CANCELLED
