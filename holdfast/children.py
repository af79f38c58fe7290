"""Child runs: their names, and what becomes of them when their parent leaves its history."""

import hashlib
from contextlib import suppress

from msgspec.structs import replace

from holdfast.eventlog import (
    RUN_NAME_BYTES,
    Budget,
    Event,
    Log,
    NewRun,
    NoSuchRun,
    RunRow,
    RunStarted,
)
from holdfast.reducer import ChildRequest, Pool, State, fingerprint, known_as, replay, within

from .frames import cut, edited_frame, late_keys, one
from .travel import Change, Load, depart, retry_change


def child_name(state: State, key: str, branch: int) -> str:
    """Return the id for a child run of a run on a branch; no child of an earlier branch has it."""
    took_over = bool(state.continues)
    took_over |= state.forked is not None and state.forked.reason != "fork"
    return child_run(state.run, f"{key}~{branch}" if took_over else key)


def child_run(parent: str, key: str) -> str:
    """Return the id for a child run: it says whose it is, as far as ids may be long."""
    run = f"{parent}/{key}"
    raw = run.encode()
    if len(raw) <= RUN_NAME_BYTES:
        return run
    digest = hashlib.sha256(raw).hexdigest()[:16]
    return f"{raw[: RUN_NAME_BYTES - 17].decode(errors='ignore')}~{digest}"


def budget_of_child(parent: State, request: ChildRequest) -> Budget | None:
    """Return the budget of a new child run: its own, or what its parent set aside for it."""
    own, aside = request.budget or Budget(), parent.purse.reserved.get(request.key)
    usd = own.usd or (aside.usd if aside else 0.0)
    tokens = own.tokens or (aside.tokens if aside else 0)
    if not usd and not tokens:
        return None
    each = parent.purse.budget or own
    return Budget(usd, tokens, each.each_usd, each.each_tokens)


def origin_of_child(
    log: Log, state: State, pool: Pool | None, request: ChildRequest
) -> tuple[str, int]:
    """Return the run that a new child run is a fork of, and the frame; ("", 0) for one from the start.

    A child that was at work when its parent's history was left is left at the same moment. One of
    which only steps are edited is left before the first of these; any other from its beginning.
    """
    key, forked = request.key, state.forked
    child = state.children.get(key)
    if forked is None:
        return "", 0
    if child is not None and child.origin:
        row = _made(log, child.origin)
        if row is None:
            return child.before, child.at
        return child.origin, max(1, cut(log, forked.branch, forked.at, row.branch))
    kin = pool.kin.get(key) if pool is not None else None
    if kin is None:
        return "", 0
    old = kin.child
    row = _made(log, old.run, old.origin, old.before)
    if row is None:
        return "", 0
    if kin.at:
        return row.run, max(1, cut(log, kin.branch, kin.at, row.branch))
    edits = within(state.edits, key)
    same = old.fingerprint == fingerprint.child_fingerprint(request)
    files = state.files_in(request.workspace)
    same = same and old.tree in (files.tree, known_as(files))
    if edits and same and not old.edits and old.status == "succeeded":
        return row.run, edited_frame(log, row, edits)
    return row.run, 1


def _made(log: Log, *runs: str) -> RunRow | None:
    """Return the first of these runs that was made: its parent may have been killed before that."""
    for run in filter(None, runs):
        with suppress(NoSuchRun):
            return log.run(run)
    return None


def forked_child(
    log: Log, load: Load, parent: State, request: ChildRequest, folder: str, *, now: int
) -> NewRun:
    """Return the run that a child becomes which left its history together with its parent.

    It works in `folder`.

    One that is asked for otherwise, or finds other files, begins anew and takes over what still holds.
    """
    key, edits = request.key, within(parent.edits, request.key)
    child, forked = parent.children[key], parent.forked
    assert forked is not None, "only a fork's children are forks"
    first = one(log, log.branch_of(child.origin), 0).event
    assert isinstance(first, RunStarted), "the first event of every run"
    given = fingerprint.encode(load(request.workflow).check(dict(request.input)), "the input")
    anew = log.load(first.input) != given or first.source != request.workflow
    old = replay(log.records(log.branch_of(child.origin), 0, child.at)).edits
    anew = anew or first.tree != child.tree or any(edit not in edits for edit in old)
    late = late_keys(log, log.run(child.origin), edits, child.at)  # an earlier fork's, and done
    change = Change(
        forked.reason,  # type: ignore[arg-type]  # what was written is one of them
        child.at,
        [edit for edit in edits if edit.key not in late],
        request.input if anew else None,
        request.workflow if first.source != request.workflow else None,
        reuse=forked.until > forked.at,
    )
    if key in forked.retried:
        change = _retried(log, child.origin, change)
    departure = depart(log, load, child.origin, change, now=now)
    own = replace(
        departure.forked,
        run=child.run,
        edits=[*departure.forked.edits, *(edit for edit in edits if edit.key in late)],
        effects=parent.effects,
        shift=forked.shift,
        folder=folder if parent.checkout or request.workspace else "",
        left=forked.left if parent.is_astray and not request.workspace else b"",
        parent=parent.run,
        parent_key=key,
    )
    events: list[Event] = []
    for event in departure.events:
        if isinstance(event, RunStarted):
            events.append(replace(event, run=child.run, parent=parent.run, tree=child.tree))
        else:
            events.append(own if event is departure.forked else event)
    return NewRun(
        child.run, events, "", now, departure.blobs, departure.row.branch, departure.base,
        forked.reason,
    )  # fmt: skip


def _retried(log: Log, run: str, change: Change) -> Change:
    """Return the change that tries a failed child again; one that was cancelled just goes on."""
    row = log.run(run)
    if row.status == "cancelled":
        return replace(change, at=row.head)
    return retry_change(log, run)
