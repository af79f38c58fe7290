"""What `gc` did, as text and as data; and how far it is, on a terminal."""

import sys
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import click

from .words import size, table

if TYPE_CHECKING:
    from holdfast.cleaning import Forgotten
    from holdfast.workspaces import Swept

    from .commands.gc import Outcome


class Meter:
    """A line on the terminal that says what is being done; elsewhere nothing is shown."""

    def __init__(self) -> None:
        self._is_shown = sys.stderr.isatty()

    def tell(self, what: str, done: int, total: int) -> None:
        """Show how far it is."""
        if self._is_shown:
            part = f" {100 * done // total} %" if done and total else ""
            click.echo(f"\r\033[K{what}{part} ...", err=True, nl=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._is_shown:
            click.echo("\r\033[K", err=True, nl=False)


def lines(done: "Outcome") -> Iterator[str]:
    """Yield what a person reads."""
    gone = "would go" if done.dry_run else "removed"
    rows = [
        *(_worktree_row(swept, gone) for swept in done.cleaned.worktrees),
        *(_snapshot_row(forgotten, gone) for forgotten in done.cleaned.snapshots),
        *_log_rows(done, gone),
    ]
    yield table(["", "WHAT", "", "SIZE", "WHY"], rows)


def notes(done: "Outcome", list_them: str) -> Iterator[str]:
    """Yield what else a person wants to know."""
    if any(f.is_removed for f in done.cleaned.snapshots):
        freed = size(done.cleaned.snapshot_bytes)
        yield f"git gives the {freed} of the snapshots back, once its own gc finds them old enough"
    if any(not swept.is_removed for swept in done.cleaned.worktrees):
        yield f"see what is in the worktrees that stay: {list_them}"


def _worktree_row(swept: "Swept", gone: str) -> list[str]:
    name = f"{swept.worktree.run}/{swept.worktree.name}"
    how = gone if swept.is_removed else "kept"
    return [how, "worktree", name, size(swept.size_bytes), swept.reason]


def _snapshot_row(forgotten: "Forgotten", gone: str) -> list[str]:
    name = forgotten.orphan.ref.removeprefix("refs/holdfast/")
    return [gone if forgotten.is_removed else "kept", "snapshots", name, "", forgotten.reason]


def _log_rows(done: "Outcome", gone: str) -> Iterator[list[str]]:
    spare = done.spare
    how = "kept" if done.error else gone
    if spare.blobs:
        yield [how, "blobs", str(spare.blobs), size(spare.blob_bytes), "no event leads to them"]
    if spare.states:
        yield [how, "states", str(spare.states), size(spare.state_bytes), "a cache"]
    if done.compacted is not None:
        after = done.compacted
        why = f"{after.records} records as they were, root {after.root.hex()[:16]}"
        sizes = f"{size(spare.file_bytes)} -> {size(after.file_bytes)}"
        yield ["compacted", "log", sizes, size(after.freed_bytes), why]
    elif done.error is None and not spare.is_worthwhile:
        why = f"nothing to gain: {size(spare.free_bytes)} are free in it"
        yield ["kept", "log", "", size(spare.file_bytes), why]
    else:
        why = f"{size(spare.free_bytes)} are free in it"
        how = "kept" if done.error else "would be compacted"
        yield [how, "log", "", size(spare.file_bytes), why]


def outcome_object(done: "Outcome") -> dict[str, Any]:
    """Return what `gc --json` prints."""
    return {
        "dry_run": done.dry_run,
        "worktrees": [_worktree_object(swept) for swept in done.cleaned.worktrees],
        "snapshots": [_snapshot_object(forgotten) for forgotten in done.cleaned.snapshots],
        "snapshot_bytes": done.cleaned.snapshot_bytes,
        "log": _log_object(done),
    }


def _worktree_object(swept: "Swept") -> dict[str, Any]:
    return {
        "run": swept.worktree.run,
        "name": swept.worktree.name,
        "folder": swept.worktree.path,
        "removed": swept.is_removed,
        "size_bytes": swept.size_bytes,
        "reason": swept.reason,
    }


def _snapshot_object(forgotten: "Forgotten") -> dict[str, Any]:
    return {
        "ref": forgotten.orphan.ref,
        "commit": forgotten.orphan.commit,
        "removed": forgotten.is_removed,
        "reason": forgotten.reason,
    }


def _log_object(done: "Outcome") -> dict[str, Any]:
    spare, after, error = done.spare, done.compacted, done.error
    return {
        "compacted": after is not None,
        "worthwhile": spare.is_worthwhile,
        "bytes_before": spare.file_bytes,
        "bytes_after": after.file_bytes if after else None,
        "free_bytes": spare.free_bytes,
        "blobs": spare.blobs,
        "blob_bytes": spare.blob_bytes,
        "states": spare.states,
        "state_bytes": spare.state_bytes,
        "records": after.records if after else None,
        "root": after.root.hex() if after else None,
        "error": {"code": error.code, "message": str(error)} if error else None,
    }
