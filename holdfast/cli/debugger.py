"""Serving the debugger's pages in the foreground, which executes no run, and opening a browser for it."""

import os
import sys
from collections.abc import AsyncIterator, Generator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from subprocess import DEVNULL, run
from typing import TYPE_CHECKING

import click
import trio

from holdfast.eventlog import Log

from .execute import STOPPING
from .failures import INTERRUPTED
from .place import Place
from .values import print_json

if TYPE_CHECKING:
    from holdfast.web import Address
    from holdfast.web.hosting import Hosting

# A browser that descended from this process would be taken for the work of a step, which hides that, and could
# decide nothing. So the one that starts it is gone at once.
_OPEN = """
import subprocess, sys
nowhere = {name: subprocess.DEVNULL for name in ("stdin", "stdout", "stderr")}
argv = [sys.executable, "-P", "-m", "webbrowser", sys.argv[1]]
subprocess.Popen(argv, start_new_session=True, **nowhere)
"""


def show(place: Place, log: Log, address: "Address", *, browser: bool) -> None:
    """Serve the pages of a project until a signal says to stop. Raises AddressTaken."""
    from holdfast.web.hosting import Hosting

    hosting = Hosting.for_pages(address)
    if place.as_json:
        print_json({"url": hosting.pages_url})
    else:
        click.echo(hosting.pages_url)
    sys.stdout.flush()
    with opened(hosting.pages_url, log.path.parent) if browser else nullcontext():
        trio.run(_show, place, log, hosting)


async def _show(place: Place, log: Log, hosting: "Hosting") -> None:
    from holdfast.mcp import Desk
    from holdfast.web.bell import Bell

    bell = Bell()
    with trio.open_signal_receiver(*STOPPING) as signals:
        async with trio.open_nursery() as nursery:
            await nursery.start(bell.listen, log.path)
            async with hosting.showing(Desk(place, log=log, news=bell.news), bell.news, nursery):
                await anext(signals)
                nursery.start_soon(_kill, signals)
            nursery.cancel_scope.cancel()


async def _kill(signals: AsyncIterator[int]) -> None:
    await anext(signals)
    os._exit(INTERRUPTED)


def can_open(environ: Mapping[str, str]) -> bool:
    """Tell whether somebody sits here who would see a browser."""
    has_display = sys.platform == "darwin" or any(map(environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))
    return sys.stdout.isatty() and has_display


@contextmanager
def opened(url: str, folder: Path) -> Generator[None]:
    """Open a browser; the address reaches it through a file, for all users see what is in a command line."""
    path = folder / f"open-{os.getpid()}.html"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "w") as file:
            file.write(f'<!doctype html><meta http-equiv="refresh" content="0; url={url}">\n')
        argv = [sys.executable, "-P", "-c", _OPEN, path.absolute().as_uri()]
        run(argv, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, check=False)
        yield
    finally:
        path.unlink(missing_ok=True)
