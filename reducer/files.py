"""What to do about the files that a step finds before it begins: pure decisions that the engine obeys.

"Found" is the git tree of the files as they are on disk; all else comes from the log.
"""

from collections.abc import Iterable
from typing import Literal

import msgspec

from .state import ENDED, Child, State, Step
from .tree import UNMARKED, is_tree

Edits = Literal["refuse", "discard", "keep"]
"""What becomes of files that somebody edited, where others are to be brought back."""

RECORDED_KINDS = ("agent", "shell", "workspace", "commit", "markers", "merge")
"""The kinds of steps after which the files are recorded."""


class Accept(msgspec.Struct, frozen=True):
    """Go on with the files as they are; `drifted` where that is not what the log has."""

    drifted: bool = False


class Restore(msgspec.Struct, frozen=True):
    """Bring the files back to a git tree first. `reason` is that of RestoreStarted."""

    tree: bytes
    reason: str


class Refuse(msgspec.Struct, frozen=True):
    """They are to be brought back to `tree`, and somebody has edited them meanwhile."""

    tree: bytes


FilesDecision = Accept | Restore | Refuse


def decide_files(
    state: State,
    found: bytes,
    *,
    first: bool,
    held: Iterable[str],
    workspace: str = "",
    edits: Edits = "refuse",
    is_ours: bool = False,
    alone: bool = True,
) -> FilesDecision:
    """Decide about the files of a workspace before the steps `held` begin there.

    `first`: it is the first look in this execution, so that what is recorded as running is dead.
    `is_ours`: nobody else works in that folder. `alone`: nothing else is at work there now.
    """
    now = state.files_in(workspace)
    if now.restoring and found != now.restoring:
        return Restore(now.restoring, "left")
    wanted = _wanted(state, workspace, found, first=first, held=held) if alone else None
    if wanted is None:
        is_known = is_tree(now.tree) and now.tree == now.snapshot and not now.restoring
        is_known = is_known and not _has_children(state, workspace)
        return Accept(drifted=is_known and found != now.tree)
    if wanted.tree == found:
        return Accept()
    if wanted.reason != "left" or edits == "discard" or is_ours:
        return wanted if edits != "keep" else Accept(drifted=True)
    return _with_care(state, found, wanted, edits)


def _with_care(state: State, found: bytes, wanted: Restore, edits: Edits) -> FilesDecision:
    """Decide about a checkout of the user's, where the run took another way."""
    assert state.forked is not None, "only then it was left"
    left = state.forked.left
    if not left or found == left:
        return wanted if edits != "keep" else Accept(drifted=True)
    if edits == "keep" or wanted.tree == left or state.forked.reason == "retry":
        return Accept(drifted=True)  # of a retry, that is the fix
    return Refuse(wanted.tree)


def _wanted(
    state: State, workspace: str, found: bytes, *, first: bool, held: Iterable[str]
) -> Restore | None:
    now = state.files_in(workspace)
    if first and state.is_astray_in(workspace) and now.snapshot:
        return Restore(now.snapshot, "left")
    if first and is_tree(now.tree) and not _has_children(state, workspace):
        dead = [step for step in at_work_in(state, workspace) if step.kind not in UNMARKED]
        if dead and not any(continues(step) for step in dead):
            return Restore(now.tree, "interrupted")
    steps = [step for key in held if (step := state.steps.get(key)) is not None]
    again = [step for step in steps if found == now.tree and is_to_begin_anew(state, step)]
    return Restore(again[0].tree, "retried") if again else None


def at_work_in(state: State, workspace: str) -> list[Step]:
    """Return the steps that are at work on the files of a workspace."""
    steps = (step for step in state.steps.values() if step.status == "running" and step.files)
    return [step for step in steps if step.workspace == workspace]


def is_to_begin_anew(state: State, step: Step) -> bool:
    """Whether a step that is tried again starts from the files that it first started from.

    Not when it goes on where it was, and not when somebody else has worked on them meanwhile.
    """
    if step.status not in ("retrying", "deferred") or step.kind not in RECORDED_KINDS:
        return False
    now = state.files_in(step.workspace)
    if not is_tree(step.tree) or step.tree == now.tree or step.snapshot != now.tree:
        return False
    return not continues(step) and not _has_company(state, step)


def continues(step: Step) -> bool:
    """Whether another try goes on with what the last one did, rather than from the start."""
    if step.kind == "merge":
        return True  # git finishes it
    invalid = step.error is not None and step.error.code == "output_invalid"
    return step.kind == "agent" and (
        invalid or bool(session_to_continue(step)) or has_journal(step)
    )


def session_to_continue(step: Step) -> str:
    """A session goes on after a crash of ours or an answer that did not fit, not after its own end."""
    return "" if _ended_badly(step) else step.session


def has_journal(step: Step) -> bool:
    """Whether another try goes on from the agent's journal: like a session, and after a crash of the
    try that began it."""
    return step.journal > 0 and (not _ended_badly(step) or step.journal_at > step.last)


def _ended_badly(step: Step) -> bool:
    return step.error is not None and step.error.code != "output_invalid"


def _has_children(state: State, workspace: str) -> bool:
    """Whether a child run is at the files: only its own history tells what they are."""
    return any(child.status not in ENDED for child in _children_in(state, workspace))


def _children_in(state: State, workspace: str) -> list[Child]:
    return [child for child in state.children.values() if child.workspace == workspace]


def _has_company(state: State, step: Step) -> bool:
    here = (s for s in state.steps.values() if s.files and s.workspace == step.workspace)
    others = (s for s in here if s.key != step.key and s.kind not in UNMARKED)
    if any(other.status == "running" or other.last > step.begun for other in others):
        return True
    ended = any(child.last > step.begun for child in _children_in(state, step.workspace))
    return ended or _has_children(state, step.workspace)


def left_behind(state: State) -> bytes:
    """Return the git tree that a run left in its folder; empty where the log does not know that."""
    if state.forked is not None and state.is_astray:
        return state.forked.left  # it has not done anything there yet
    if state.restoring:
        return b""
    return state.tree if is_tree(state.tree) and not at_work_in(state, "") else b""
