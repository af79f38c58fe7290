"""What people are asked at a gate of each kind, in words, and the commands that answer it. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from .place import Place
from .words import duration, moment


class Kind(NamedTuple):
    """What a gate waits for, what has to be known of it, and the commands that end the wait."""

    wanted: str
    about: str = ""
    verbs: tuple[str, ...] = ("approve", "deny")


KINDS = {
    "approval": Kind("approval"),
    "question": Kind("an answer", verbs=("answer",)),
    "doubt": Kind(
        "a decision", "this effect was started and its outcome is unknown. Approve to do it again"
    ),
    "effect": Kind(
        "a decision", "this effect is held, for the run is a fork. Approve to let it happen"
    ),
    "budget": Kind(
        "a decision", "the budget is reached. Approve to add as much again, or --add what you like"
    ),
}

AFTERWARDS = {
    "deny": "counts as denied after",
    "halt": "ends with an error after",
    "escalate": "passed on after",
    "remind": "called to mind again",
}


def kind_of(kind: str) -> Kind:
    """Return what is known of a kind of gate; one that nobody described is approved or denied."""
    return KINDS.get(kind, Kind("a decision"))


def commands(place: Place, run: str, kind: str, key: str) -> list[str]:
    """Return the command lines that decide a gate, the one that lets the run go on first."""
    return [place.command(verb, run, _short(kind, key)) for verb in kind_of(kind).verbs]


def _short(kind: str, key: str) -> str:
    """Name a gate as people would: that of a run's budget is called "budget"."""
    if kind != "budget":
        return key
    from holdfast.reducer import GATE

    return "budget" if key == GATE else key


def people(by: Sequence[str], also: Sequence[str] = ()) -> str:
    """Say who may decide."""
    return " or ".join([*by, *also]) or "anybody"


def expiry(expires_at: int, on_expire: str, now: int) -> str:
    """Say when a gate's time runs out, and what then."""
    if not expires_at:
        return ""
    if expires_at <= now and on_expire != "remind":
        return f"its time ran out {duration((now - expires_at) / 1e9)} ago"
    return f"{AFTERWARDS.get(on_expire, 'expires')} {moment(expires_at)}"
