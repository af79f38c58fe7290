"""Serving in the foreground, what it prints, and what the other commands say about who serves."""

import os
import sys
import time
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
import trio

from holdfast.engine import Engine
from holdfast.eventlog import Log
from holdfast.servers import only_server
from holdfast.serving import LINGER_S, Happening, Server

from .execute import STOPPING, kill_steps
from .failures import INTERRUPTED
from .place import Place
from .tools import Loaded
from .values import print_json
from .words import clock, one_line, rfc3339

if TYPE_CHECKING:
    from holdfast.web import Address
    from holdfast.web.hosting import Hosting

STOP_S = 30.0
"""How long what is at work may take to end when the process is asked to."""


class Teller:
    """Prints one line for each thing that happens, as JSON or for people."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json

    def __call__(self, happening: Happening) -> None:
        self.tell(happening.what, happening.run, happening.detail, happening.code)

    def tell(self, what: str, run: str = "", detail: str = "", code: str = "") -> None:
        now = time.time_ns()
        if self._as_json:
            told = {"time": rfc3339(now), "what": what, "run": run or None}
            print_json({**told, "detail": detail, "code": code or None})
        else:
            why = f"[{code}] {detail}" if code else detail
            line = " ".join(word for word in (run, what) if word)
            click.echo(f"{clock(now)} {line}{': ' if why else ''}{one_line(why, 500)}")
        sys.stdout.flush()


def serve(
    place: Place, log: Log, tools: Loaded, teller: Teller, http: "Address | None" = None
) -> None:
    """Serve the project until a signal says to stop; over HTTP as well, where there is an address.

    Raises AlreadyServed, AddressTaken, TokenUnsafe.
    """
    with only_server(log.path):
        web = _hosting(http, log.path.parent) if http else None
        trio.run(partial(_serve, place, log, tools, teller, web))


def _hosting(address: "Address", home: Path) -> "Hosting":
    from holdfast.web.hosting import Hosting

    return Hosting.open(address, home)


async def _serve(
    place: Place, log: Log, tools: Loaded, teller: Teller, web: "Hosting | None"
) -> None:
    engine = Engine(
        log, tools.plugins, tools.load, config=tools.config, linger_s=LINGER_S, serves=True
    )
    problem: Exception | None = None
    async with engine, trio.open_nursery() as nursery:
        scope = trio.CancelScope()
        await nursery.start(_stop_on_signal, scope, engine, teller)
        with scope:
            teller.tell("serving", detail=f"process {os.getpid()}, {log.path.parent}")
            try:
                async with AsyncExitStack() as stack:
                    if web is not None:
                        serving = web.serving(engine, place, tools, nursery)
                        await stack.enter_async_context(serving)
                        assert web.token is not None, "it was opened with one"
                        teller.tell("http", detail=f"{web.address.url}, token in {web.token.path}")
                        teller.tell("web", detail=web.pages_url)
                    await Server(engine, teller).run()
            except Exception as error:  # noqa: BLE001 - raised below, outside the group
                problem = error
        nursery.cancel_scope.cancel()
    if problem is not None:
        raise problem
    teller.tell("stopped")


async def _stop_on_signal(
    scope: trio.CancelScope,
    engine: Engine,
    teller: Teller,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Let all runs go at the first signal; kill their steps at the second, or when that takes too long."""
    with trio.open_signal_receiver(*STOPPING) as signals:
        task_status.started()
        await anext(signals)
        scope.cancel()
        teller.tell("stopping", detail="what runs is being ended. Once more kills it at once")
        with trio.move_on_after(STOP_S):
            await anext(signals)
        kill_steps(engine)
        os._exit(INTERRUPTED)


def unit(place: Place, http: str | None = None) -> str:
    """Return a systemd user unit that serves this project."""
    project = place.project()
    words = [*_program(), "--home", str(project.home), "serve"]
    words += [] if http is None else ["--http", http]
    return UNIT.format(
        root=_escaped(str(project.root)),
        command=" ".join(_quoted(word).replace("$", "$$") for word in words),
        path=_quoted(f"PATH={os.environ.get('PATH', os.defpath)}"),
        environment=_escaped(str(project.home / "serve.env")),
        stop_s=int(STOP_S) + 15,
    )


UNIT = """\
# Keep it as ~/.config/systemd/user/holdfast.service, then:
#   systemctl --user daemon-reload && systemctl --user enable --now holdfast
# Keys of models and agents go, as NAME=value lines, into the EnvironmentFile.
[Unit]
Description=Holdfast: goes on with the runs of {root}

[Service]
ExecStart={command}
WorkingDirectory={root}
Environment={path}
EnvironmentFile=-{environment}
Restart=on-failure
RestartSec=5
KillMode=mixed
TimeoutStopSec={stop_s}

[Install]
WantedBy=default.target
"""


def _program() -> list[str]:
    """Return how to start this program where nobody knows of a PATH."""
    program = Path(sys.argv[0])
    if program.name == "holdfast" and program.exists():
        return [str(program.absolute())]
    return [sys.executable, "-m", "holdfast"]


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _quoted(word: str) -> str:
    """Return a word as systemd reads it, whatever is in it."""
    escaped = _escaped(word).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
