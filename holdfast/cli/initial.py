"""What `holdfast init` would do to a project's files, looked up, shown and agreed upon."""

import difflib
import os
import shutil
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import click

from holdfast.onboarding import (
    CLIENTS,
    Client,
    NoClients,
    NotConfirmed,
    Plan,
    Undo,
    UnknownClient,
    Wanted,
    make_plan,
    make_undo,
    skill,
    starter_roles,
)

from .place import Place
from .words import printable


class Told(NamedTuple):
    """Changes (path, action, what, diff), and what is worth knowing about the rest."""

    changes: list[dict[str, Any]]
    notes: list[str]


def planned(place: Place, names: Sequence[str]) -> Plan:
    """Return what init would write for these agents, or for those that are found."""
    clients = _named(names) if names else _found(place)
    project = place.project()
    agents = [client.name for client in clients if client.is_plugin]
    roles = starter_roles(agents, os.environ) if agents else ""
    command = _command(place)
    plan = make_plan(project.root, project.home, Wanted(clients, command, skill(), roles))
    if command[0] != "holdfast" and any(step.written.pieces for step in plan.steps):
        plan.notes.append(
            "holdfast is not in the PATH, so agents are told where it is here: other machines need "
            "other words there. Put it in the PATH before init to have files that can be shared"
        )
    return plan


def undone(place: Place) -> Undo:
    """Return what of the files that init wrote can be taken back."""
    project = place.project()
    return make_undo(project.root, project.home)


def _named(names: Sequence[str]) -> list[Client]:
    for name in names:
        if name not in CLIENTS:
            raise UnknownClient(name, CLIENTS)
    return [client for client in CLIENTS.values() if client.name in names]


def _found(place: Place) -> list[Client]:
    """Return the agents that can work on this machine, as `holdfast agents` finds them."""
    from holdfast import pack
    from holdfast.plugins import Plugins

    from .agents import probe

    offered = Plugins.load(pack).agents()
    ready = probe({name: agent for name, agent in offered.items() if name in CLIENTS})
    found = [
        client
        for client in CLIENTS.values()
        if any(map(shutil.which, client.programs))
        or (client.name in ready and ready[client.name].ready)
    ]
    if not found:
        raise NoClients(CLIENTS)
    return found


def _command(place: Place) -> list[str]:
    """Return how an agent starts the server: by name where there is one, so that files can be shared."""
    program = ["holdfast"] if shutil.which("holdfast") else [sys.executable, "-m", "holdfast"]
    home = ["--home", os.path.abspath(place.home)] if place.home else []
    return [*program, *home, "mcp"]


def told(found: Plan | Undo) -> Told:
    """Say what would become of which file."""
    if isinstance(found, Plan):
        changes = [
            {
                "path": step.path,
                "action": "make" if step.change.before is None else "change",
                "what": step.what,
                "diff": _diff(step.path, step.change.before, step.change.after),
            }
            for step in found.steps
        ]
        return Told(changes, found.notes)
    changes = [
        {
            "path": path,
            "action": "remove" if change.after is None else "change",
            "what": "as it was before" if change.after is None else "without what init put in",
            "diff": _diff(path, change.before, change.after),
        }
        for path, change in found.changes
    ]
    return Told(changes, [f"{path} is left as it is: {reason}" for path, reason in found.left])


def _diff(path: str, before: bytes | None, after: bytes | None) -> str:
    old, new = ((text or b"").decode().splitlines() for text in (before, after))
    return "\n".join(difflib.unified_diff(old, new, path, path, lineterm=""))


COLOURS = {"+": "green", "-": "red"}


def show(told: Told) -> None:
    """Show changes to a person: new files by name, others line by line."""
    for change in told.changes:
        click.echo(printable(f"{change['action']:<7} {change['path']}  ({change['what']})"))
        diff: str = change["diff"] if change["action"] == "change" else ""
        for line in diff.splitlines()[2:]:
            click.echo("    " + click.style(printable(line), fg=COLOURS.get(line[:1])))
    for note in told.notes:
        click.echo(printable(f"note: {note}"), err=True)
    if not told.changes:
        click.echo("nothing to do", err=True)


def agreed(place: Place, undo: bool, agents: Sequence[str]) -> bool:
    """Ask whether to go on. Raises NotConfirmed where nobody can be asked."""
    if not sys.stdin.isatty():
        words = ["--undo"] if undo else [word for name in agents for word in ("--agent", name)]
        raise NotConfirmed(place.command("init", *words, "--yes"))
    yes = click.confirm("Take this back?" if undo else "Write this?", default=True, err=True)
    if not yes:
        click.echo("nothing was written", err=True)
    return yes


def show_end(undo: bool) -> None:
    """Say that it is done, and what to do with it."""
    if undo:
        click.echo("taken back", err=True)
        return
    click.echo(
        "done. Start your coding agent here anew and tell it what you want, for instance: "
        '"use holdfast to implement ... and ask me before it is final". '
        "To take it back: holdfast init --undo",
        err=True,
    )
