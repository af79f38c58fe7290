"""What a step changed in the files, as `changes RUN STEP` and `diff RUN STEP` show it."""

from functools import partial

import click

from holdfast.eventlog import Log, RunRow
from holdfast.recorded import StepFiles, step_files
from holdfast.workspaces import Change, Repository, diff
from holdfast.workspaces import changes as changes_between

from .recorded import line_counts, with_repository
from .values import print_json
from .words import for_reader, table


def show_changes(log: Log, row: RunRow, step: str, *, whole: bool, as_json: bool) -> None:
    """Print what a step changed; `whole` as a patch. Raises NoSuchStep, NoFiles."""
    found = step_files(log, row, step)
    changed, patch = with_repository(log, row, partial(read_changes, found, whole or as_json))
    if as_json:
        told = {"run": row.run, "step": step, "before": found.before, "after": found.after}
        print_json({**told, "files": [change_object(change) for change in changed], "patch": patch})
    elif whole:
        click.echo(for_reader(patch).encode(errors="surrogateescape"), nl=False)
    elif not changed:
        click.echo(f"step {step!r} changed no file", err=True)
    else:
        _print(changed)


async def read_changes(
    found: StepFiles, whole: bool, repository: Repository
) -> tuple[list[Change], str]:
    changed = await changes_between(repository, found.before, found.after)
    return changed, await diff(repository, found.before, found.after) if whole else ""


def change_object(change: Change) -> dict[str, object]:
    is_binary = change.lines_added < 0
    return {
        "path": change.path,
        "how": change.how,
        "was": change.was or None,
        "lines_added": None if is_binary else change.lines_added,
        "lines_deleted": None if is_binary else change.lines_deleted,
    }


def _print(changed: list[Change]) -> None:
    rows = [[change.how, line_counts(change), _path(change)] for change in changed]
    click.echo(table(["how", "lines", "file"], rows))


def _path(change: Change) -> str:
    return f"{change.was} -> {change.path}" if change.was else change.path
