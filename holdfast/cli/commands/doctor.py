"""`holdfast doctor`."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..options import json_option
from ..place import Place

if TYPE_CHECKING:
    from holdfast.config import Config
    from holdfast.plugins import Plugins

KEYS = (
    "ANTHROPIC_API_KEY",
    "OPENAI_API_KEY",
    "GEMINI_API_KEY",
    "OPENROUTER_API_KEY",
    "MISTRAL_API_KEY",
    "DEEPSEEK_API_KEY",
    "GROQ_API_KEY",
    "XAI_API_KEY",
)
OK, MISSING, BROKEN = "ok", "missing", "broken"
Finding = tuple[str, str, str]  # what, how it is, in words
COLOURS = {OK: "green", MISSING: "yellow", BROKEN: "red"}


@click.command()
@json_option
@click.pass_obj
def doctor(place: Place, as_json: bool) -> int:
    """Find out whether everything needed is here. Exits with 1 when something is broken.

    What is only missing may not be needed: one agent or one key is enough.
    """
    from holdfast import pack
    from holdfast.plugins import Plugins

    from ..values import print_json
    from ..words import table

    plugins = Plugins.load(pack)
    found = [
        *_system(),
        *_settings(place, plugins),
        *_log(place),
        *_plugins(plugins),
        *_keys(),
    ]
    if as_json:
        print_json([{"what": what, "status": how, "detail": detail} for what, how, detail in found])
    else:
        cells = [[what, how, detail] for what, how, detail in found]
        click.echo(table(["WHAT", "STATUS", ""], cells))
    return 1 if any(how == BROKEN for _, how, _ in found) else 0


def _system() -> Iterator[Finding]:
    import lmdb

    from ..words import version

    yield "holdfast", OK, version()
    yield "python", OK, f"{sys.version.split()[0]} {sys.executable}"
    yield "lmdb", OK, f"{lmdb.__version__} (library {'.'.join(map(str, lmdb.version()))})"
    yield _git()


def _git() -> Finding:
    import trio

    from holdfast.workspaces import GitMissing, WorkspaceError, check_git

    try:
        version = trio.run(check_git)
    except GitMissing as error:
        return "git", MISSING, f"runs keep no record of files without it: {error}"
    except WorkspaceError as error:
        return "git", BROKEN, str(error)
    return "git", OK, ".".join(map(str, version))


def _log(place: Place) -> Iterator[Finding]:
    from holdfast.eventlog import HoldfastError

    project = place.project()
    yield "project", OK, str(project.home)
    if not project.exists():
        yield "log", MISSING, "made by the first run"
        return
    try:
        with place.log() as log:
            used = log.used_bytes() / 1e6
            yield "log", OK, f"{log.size()} records, {used:.1f} MB in use"
    except HoldfastError as error:
        yield "log", BROKEN, f"[{error.code}] {error}"
        return
    writable = os.access(project.log_folder, os.W_OK)
    yield "log is writable", OK if writable else BROKEN, str(project.log_folder)
    yield _server(project.log_folder)


def _server(log_folder: Path) -> Finding:
    from holdfast.servers import server_of

    if process := server_of(log_folder):
        return "serve", OK, f"process {process} goes on with the runs"
    return "serve", MISSING, "runs that wait need holdfast resume, or: holdfast serve"


def _settings(place: Place, plugins: "Plugins") -> Iterator[Finding]:
    from holdfast.config import NAME, read_config
    from holdfast.errors import ConfigInvalid
    from holdfast.settings import unknown_agents

    path = place.project().root / NAME
    try:
        config = read_config(path.parent)
    except ConfigInvalid as error:
        yield NAME, BROKEN, str(error)
        return
    unknown = unknown_agents(config, plugins.agents())
    for role, agent in unknown:
        yield NAME, BROKEN, f"[roles.{role}] names the agent {agent!r}, which is not there"
    if not unknown:
        yield NAME, OK, str(path) if path.exists() else "not there, and not needed"
    yield from _telemetry(config.telemetry.opentelemetry)
    yield from _notifications(place, config)


def _plugins(plugins: "Plugins") -> Iterator[Finding]:
    from holdfast.plugins import ready

    from ..agents import probe

    for name, found in probe(plugins.agents()).items():
        yield f"agent {name}", OK if found.ready else MISSING, found.detail
    for prefix, model in plugins.models().items():
        found = ready(model)
        name = f"models {prefix}*" if prefix else "models"
        yield name, OK if found.ready else MISSING, found.detail
    for name, sandbox in plugins.sandboxes().items():
        found = ready(sandbox)
        yield f"sandbox {name}", OK if found.ready else MISSING, found.detail
    for broken in plugins.broken:
        yield f"plugin {broken.name}", BROKEN, str(broken)


def _telemetry(setting: bool | None) -> Iterator[Finding]:
    from holdfast.plugins.telemetry import is_wanted, lacking

    if is_wanted(setting, os.environ):
        if missing := lacking():
            yield "opentelemetry", BROKEN if setting else MISSING, missing
        else:
            yield "opentelemetry", OK, "spans are sent"


def _notifications(place: Place, config: "Config") -> Iterator[Finding]:
    from holdfast.plugins.notifications import FOLDER, fault_of, undelivered

    from ..tools import targets
    from ..words import one_line

    project = place.project()
    for target in targets(config, project):
        fault = fault_of(target, os.environ)
        told = ", ".join(target.on)
        yield f"notify {target}", BROKEN if fault else OK, fault or f"is told of: {told}"
    if lost := undelivered(project.home / FOLDER):
        last = one_line(f"{lost[-1].message.text}: {lost[-1].why}", 200)
        folder = project.home / FOLDER / "failed"
        yield "notifications", BROKEN, f"{len(lost)} could not be delivered, see {folder}. {last}"


def _keys() -> Iterator[Finding]:
    for name in KEYS:
        there = bool(os.environ.get(name))
        yield name, OK if there else MISSING, "is set" if there else ""
