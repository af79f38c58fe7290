"""`holdfast workspaces`."""

import time
from typing import TYPE_CHECKING, Any

import click

from ..options import json_option
from ..place import Place

if TYPE_CHECKING:
    from holdfast.eventlog import Log
    from holdfast.workspaces import Status


@click.command()
@json_option
@click.pass_obj
def workspaces(place: Place, as_json: bool) -> None:
    """List the git worktrees that Holdfast made here, with what is in them and nowhere else.

    Of the commits, those count that no branch or tag of yours has. With --json one array.
    """
    import trio

    from holdfast.cleaning import workspaces as found_in

    from ..values import print_json

    with place.log() as log:
        found = trio.run(found_in, log, place.project().root)
        if as_json:
            print_json([_object(log, status) for status in found])
        elif found:
            _print(place, log, found)
        else:
            click.echo("Holdfast has made no worktree here: forks get one each", err=True)


def _print(place: Place, log: "Log", found: "list[Status]") -> None:
    from ..words import table

    heading = ["RUN", "NAME", "RUN IS", "SIZE", "TOUCHED", "NOT MERGED", "FOLDER"]
    click.echo(table(heading, [_cells(log, status) for status in found]))
    with_work = next((status for status in found if status.work), None)
    if with_work is not None:
        for line in _by_hand(with_work):
            click.echo(line, err=True)
    click.echo(f"remove those that nobody needs: {place.command('gc', '--dry-run')}", err=True)


def _cells(log: "Log", status: "Status") -> list[str]:
    from ..words import duration, one_line, size

    worktree = status.worktree
    ago = f"{duration(max(0, time.time_ns() - status.touched_ns) / 1e9)} ago"
    return [
        worktree.run,
        worktree.name,
        _run_status(log, status) or "unknown",
        size(status.size_bytes),
        ago,
        one_line(_state(status), 60),
        worktree.path,
    ]


def _state(status: "Status") -> str:
    """Return in words what keeps a worktree from being removed."""
    if status.trouble:
        return status.trouble
    if status.is_missing:
        return "its folder is gone"
    if status.worktree.is_going:
        return "nothing: its removal was begun"
    inner = f"repositories in it: {', '.join(status.holds)}" if status.holds else ""
    return ", ".join(filter(None, (status.work, inner))) or "nothing"


def _by_hand(status: "Status") -> list[str]:
    """Return how to merge a worktree and to remove it without Holdfast."""
    from ..words import shell

    worktree = status.worktree
    commit = shell("git", "-C", worktree.path, "commit", "-m", "MESSAGE")
    add = f"{shell('git', '-C', worktree.path, 'add', '-A')} && {commit}"
    merge = shell("git", "merge", worktree.branch)
    return [
        f"merge by hand:  {f'{add} && ' if status.dirty else ''}{merge}",
        f"remove by hand: {shell('git', 'worktree', 'remove', '--force', worktree.path)}",
    ]


def _run_status(log: "Log", status: "Status") -> str | None:
    from holdfast.cleaning import row_of, status_of

    row = row_of(log, status.worktree.run)
    return None if row is None else status_of(log, row)


def _object(log: "Log", status: "Status") -> dict[str, Any]:
    from holdfast.reducer import ENDED

    from ..words import rfc3339

    worktree, run_status = status.worktree, _run_status(log, status)
    return {
        "run": worktree.run,
        "name": worktree.name,
        "run_status": run_status,
        "run_ended": None if run_status is None else run_status in ENDED,
        "folder": worktree.path,
        "branch": worktree.branch,
        "target": worktree.target or None,
        "base": worktree.base,
        "head": status.head or None,
        "size_bytes": status.size_bytes,
        "created": rfc3339(worktree.created_ns),
        "touched": rfc3339(status.touched_ns),
        "merged": status.is_merged,
        "unmerged_commits": status.unmerged,
        "uncommitted": list(status.dirty),
        "repositories": list(status.holds),
        "missing": status.is_missing,
        "port_base": worktree.port_base,
        "trouble": status.trouble or None,
    }
