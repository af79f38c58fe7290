"""What stands for the files of a workspace, so that two moments can be told to have the same ones.

Where steps record snapshots, that is the newest one: a git tree. Where they do not, it is a mark of all
that may have touched the files: the exclusive or of one digest for each such step, of its key, what it
read and when its newest attempt ended. Steps that ended in another order have the same mark. A mark
is shorter than any git tree.
"""

import hashlib

import msgspec

from .state import Child, State, Step

EMPTY = b""
MARK_BYTES = 16


def is_tree(tree: bytes) -> bool:
    """Tell whether it is a git tree, so that the files are known exactly."""
    return len(tree) > MARK_BYTES


def known_as(of: State | Step) -> bytes:
    """Return what stood for the files before they were looked at: two histories share that."""
    return of.tree if of.unseen is None else of.unseen


def same_files(one: Step, other: State | Step) -> bool:
    """Tell whether a step found the same files, as they were seen or as they came to be."""
    return one.tree == other.tree or known_as(one) == known_as(other)


def touched(state: State, before: Step, after: Step, snapshot: bytes = b"") -> State:
    """Return the state with what stands for the files once an attempt at a step has ended."""
    if not after.files:
        return state
    if snapshot:
        return msgspec.structs.replace(state, tree=snapshot, unseen=None, snapshot=snapshot)
    return _marked(state, _both(_mark_of(before), _mark_of(after)))


def untouched(state: State, step: Step) -> tuple[bytes, bytes | None]:
    """Return what stands for the files but for what the step itself did to them, seen and unseen."""
    if not (step.ended and step.files):
        return state.tree, state.unseen
    if is_tree(state.tree):
        own = state.tree in (step.snapshot, step.tree)
        return (step.tree, step.unseen) if own else (state.tree, state.unseen)
    mark = _mark_of(step)
    unseen = None if state.unseen is None else _both(_as_mark(state.unseen), mark)
    return _both(state.tree, mark), unseen


def touched_by_child(state: State, child: Child) -> State:
    """Return the state with what stands for the files once a child run has ended."""
    return _marked(state, _digest(child.key, child.fingerprint, child.run))


def seen(state: State, tree: bytes) -> State:
    """Return the state once the files were found to be a git tree."""
    unseen = state.unseen if tree == state.tree else known_as(state)
    return msgspec.structs.replace(state, tree=tree, unseen=unseen, snapshot=tree)


def _marked(state: State, mark: bytes) -> State:
    tree = _both(_as_mark(state.tree), mark)
    if state.unseen is None:
        return msgspec.structs.replace(state, tree=tree)
    unseen = _both(_as_mark(state.unseen), mark)
    return msgspec.structs.replace(state, tree=tree, unseen=unseen)


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
