"""What stands for the files of a workspace, so that two moments can be told to have the same ones.

Where steps record snapshots, that is the newest one: a git tree. Where they do not, it is a mark of all
that may have touched the files: the exclusive or of one digest for each such step, of its key, what it
read and when its newest attempt ended. Steps that ended in another order have the same mark. A mark
is shorter than any git tree.
"""

import hashlib
from typing import Any

from msgspec.structs import replace

from .state import Child, State, Step, WorkspaceFiles

EMPTY = b""
MARK_BYTES = 16
UNMARKED = ("workspace", "close")
"""The kinds of steps that leave the files of the workspace that they work in as they are."""


def is_tree(tree: bytes) -> bool:
    """Tell whether it is a git tree, so that the files are known exactly."""
    return len(tree) > MARK_BYTES


def known_as(of: State | WorkspaceFiles | Step) -> bytes:
    """Return what stood for the files before they were looked at: two histories share that."""
    return of.tree if of.unseen is None else of.unseen


def same_files(one: Step, other: State | WorkspaceFiles | Step) -> bool:
    """Tell whether a step found the same files, as they were seen or as they came to be."""
    return one.tree == other.tree or known_as(one) == known_as(other)


def touched(
    state: State, before: Step, after: Step, snapshot: bytes = b"", head: bytes = b""
) -> State:
    """Return the state with what stands for the files once an attempt at a step has ended."""
    if not after.files:
        return state
    if after.kind in UNMARKED:
        is_open = after.kind == "workspace" and after.status == "succeeded"
        return _opened(state, after, snapshot, head) if is_open else state
    where = after.workspace
    if snapshot:
        state = with_files(state, where, tree=snapshot, unseen=None, snapshot=snapshot)
        return with_files(state, where, head=head) if head else state
    return _marked(state, where, _both(_mark_of(before), _mark_of(after)))


def with_files(state: State, workspace: str, **changes: Any) -> State:
    """Return the state with something else known of the files of a workspace."""
    if not workspace:
        return replace(state, **changes)
    old = state.workspaces.get(workspace)
    if old is None:
        return state
    return replace(state, workspaces=state.workspaces.set(workspace, replace(old, **changes)))


def _opened(state: State, step: Step, snapshot: bytes, head: bytes) -> State:
    made = WorkspaceFiles(
        step.key,
        step.workspace,
        snapshot or _mark_of(step),
        snapshot=snapshot,
        head=head,
        looked=state.offset,
    )
    return replace(state, workspaces=state.workspaces.set(step.key, made))


def untouched(state: State, step: Step) -> tuple[bytes, bytes | None]:
    """Return what stands for the files but for what the step itself did to them, seen and unseen."""
    now = state.files_in(step.workspace)
    if not (step.ended and step.files) or step.kind in UNMARKED:
        return now.tree, now.unseen
    if is_tree(now.tree):
        own = now.tree in (step.snapshot, step.tree)
        return (step.tree, step.unseen) if own else (now.tree, now.unseen)
    mark = _mark_of(step)
    unseen = None if now.unseen is None else _both(_as_mark(now.unseen), mark)
    return _both(now.tree, mark), unseen


def touched_by_child(state: State, child: Child) -> State:
    """Return the state with what stands for the files once a child run has ended."""
    return _marked(state, child.workspace, _digest(child.key, child.fingerprint, child.run))


def seen(state: State, workspace: str, tree: bytes) -> State:
    """Return the state once the files of a workspace were found to be a git tree."""
    old = state.files_in(workspace)
    unseen = old.unseen if tree == old.tree else known_as(old)
    return with_files(state, workspace, tree=tree, unseen=unseen, snapshot=tree)


def _marked(state: State, workspace: str, mark: bytes) -> State:
    old = state.files_in(workspace)
    tree = _both(_as_mark(old.tree), mark)
    unseen = None if old.unseen is None else _both(_as_mark(old.unseen), mark)
    return with_files(state, workspace, tree=tree, unseen=unseen)


def _as_mark(tree: bytes) -> bytes:
    return hashlib.blake2b(tree, digest_size=MARK_BYTES).digest() if is_tree(tree) else tree


def _mark_of(step: Step) -> bytes:
    return _digest(step.key, step.fingerprint, str(step.ended)) if step.ended else EMPTY


def _digest(key: str, fingerprint: bytes, moment: str) -> bytes:
    data = f"{key}\0{moment}\0".encode() + fingerprint
    return hashlib.blake2b(data, digest_size=MARK_BYTES).digest()


def _both(one: bytes, other: bytes) -> bytes:
    both = int.from_bytes(one) ^ int.from_bytes(other)
    return both.to_bytes(max(len(one), len(other))) if both else b""
