"""Child runs: their names, and what becomes of them when their parent leaves its history."""

import hashlib

from msgspec.structs import replace

from holdfast.eventlog import RUN_NAME_BYTES, Log, NewRun
from holdfast.reducer import ChildRequest, Pool, State, fingerprint, within

from .frames import cut, edited_frame
from .travel import Change, Load, depart, retry_change


def child_name(state: State, key: str, branch: int) -> str:
    """Return the id for a child run of a run on a branch; no child of an earlier branch has it."""
    took_over = state.forked is not None and state.forked.reason != "fork"
    return child_run(state.run, f"{key}~{branch}" if took_over else key)


def child_run(parent: str, key: str) -> str:
    """Return the id for a child run: it says whose it is, as far as ids may be long."""
    run = f"{parent}/{key}"
    raw = run.encode()
    if len(raw) <= RUN_NAME_BYTES:
        return run
    digest = hashlib.sha256(raw).hexdigest()[:16]
    return f"{raw[: RUN_NAME_BYTES - 17].decode(errors='ignore')}~{digest}"


def origin_of_child(
    log: Log, state: State, pool: Pool | None, request: ChildRequest
) -> tuple[str, int]:
    """Return the run that a new child run is a fork of, and the frame; ("", 0) for one from the start.

    A child that was at work when its parent's history was left is left at the same moment. One whose
    steps are edited is left before the first of these.
    """
    key, forked = request.key, state.forked
    child = state.children.get(key)
    if forked is None:
        return "", 0
    if child is not None and child.origin:
        row = log.run(child.origin)
        return child.origin, max(1, cut(log, forked.branch, forked.at, row.branch))
    old = pool.children.get(key) if pool is not None else None
    edits = within(state.edits, key)
    if old is None or old.fingerprint != fingerprint.child_fingerprint(request):
        return "", 0
    row = log.run(old.run)
    return old.run, edited_frame(log, row, edits) if edits else row.head


def forked_child(log: Log, load: Load, parent: State, key: str, *, now: int) -> NewRun:
    """Return the run that a child becomes which left its history together with its parent."""
    child, forked = parent.children[key], parent.forked
    assert forked is not None, "only a fork's children are forks"
    if key in forked.retried:
        change = retry_change(log, child.origin)
    else:
        edits = within(parent.edits, key)
        change = Change(forked.reason, child.at, edits, reuse=forked.until > forked.at)  # type: ignore[arg-type]  # what was written is one of them
    departure = depart(log, load, child.origin, change, now=now)
    own = replace(
        departure.forked,
        run=child.run,
        effects=parent.effects,
        shift=forked.shift,
        folder=parent.folder if parent.checkout else "",
        left=forked.left if parent.is_astray else b"",
        parent=parent.run,
        parent_key=key,
    )
    events = [own if event is departure.forked else event for event in departure.events]
    return NewRun(
        child.run, events, "", now, departure.blobs, departure.row.branch, departure.base,
        forked.reason,
    )  # fmt: skip
