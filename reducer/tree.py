"""What stands for the files of a workspace, so that two moments can be told to have the same ones.

Where steps record snapshots, that is the newest one: a git tree. Where they do not, it is a mark of all
that may have touched the files: the exclusive or of one digest for each such step, of its key, what it
read and when its newest attempt ended. Steps that ended in another order have the same mark.
"""

import hashlib

from .state import Child, State, Step

EMPTY = b""


def touched(tree: bytes, before: Step, after: Step) -> bytes:
    """Return what stands for the files once an attempt at a step has ended."""
    if not after.files:
        return tree
    if after.snapshot and after.snapshot != before.snapshot:
        return after.snapshot
    return _both(_both(tree, _mark_of(before)), _mark_of(after))


def untouched(tree: bytes, step: Step) -> bytes:
    """Return what stands for the files but for what the step itself did to them."""
    return _both(tree, _mark_of(step)) if step.ended and step.files else tree


def touched_by_child(state: State, child: Child) -> bytes:
    """Return what stands for the files once a child run has ended."""
    return _both(state.tree, _digest(child.key, child.fingerprint, child.run))


def _mark_of(step: Step) -> bytes:
    return _digest(step.key, step.fingerprint, str(step.ended)) if step.ended else EMPTY


def _digest(key: str, fingerprint: bytes, moment: str) -> bytes:
    data = f"{key}\0{moment}\0".encode() + fingerprint
    return hashlib.blake2b(data, digest_size=16).digest()


def _both(one: bytes, other: bytes) -> bytes:
    both = int.from_bytes(one) ^ int.from_bytes(other)
    return both.to_bytes(max(len(one), len(other))) if both else b""
