"""`holdfast web` as a process: it prints its address, executes nothing itself, and ends in good order."""

import json
import os
import signal
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from holdfast.cli.debugger import can_open, opened
from holdfast.eventlog import RunClaimed, RunSucceeded
from holdfast.plugins.marks import living
from tests.cli.conftest import Cli, cli
from tests.support.site import Site, until
from tests.web.conftest import folder
from tests.web.pages import Page

__all__ = ["cli", "folder"]  # fixtures here as well

WORK = """
    from holdfast import Run, workflow


    @workflow
    async def asks(run: Run) -> str:
        return (await run.approve("go", subject="all of it")).by
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path / "project")
    made.write("work.py", WORK)
    yield made
    made.close()


def page(url: str, body: bytes | None = None) -> Page:
    with urlopen(url, body) as told:
        return Page(told.read().decode())


def test_a_run_is_approved_in_a_browser_and_goes_on_in_a_process_of_its_own(site: Site) -> None:
    web = site.start("web", "--json")
    assert web.popen.stdout is not None
    url: str = json.loads(web.popen.stdout.readline())["url"]
    server = url.partition("/debug/")[0]

    with urlopen(f"{url}events?after=-1") as stream:  # hears of what another process does
        assert site.call("run", "work.py", "--id", "r").status == 3
        told = next(line for line in stream if line.startswith(b"data: "))
    (form,) = [f for f in page(f"{url}run?run=r").forms if "Approve" in f.buttons]
    page(f"{server}{form.action}", b"by=ben&decision=approve")
    until(lambda: site.events("r", RunSucceeded), "its end")
    with pytest.raises(HTTPError, match="404") as refused:
        urlopen(f"{server}/api/v1/runs")
    refused.value.close()
    web.send(signal.SIGINT)

    ended = web.ended()
    assert (ended.status, ended.out, ended.err) == (0, "", "")
    assert json.loads(told.removeprefix(b"data: "))["type"] == "run.started"
    assert len(site.events("r", RunClaimed)) == 2
    assert web.pid not in [claim.pid for claim in site.events("r", RunClaimed)]
    assert not (site.home / "http-token").exists()


def test_without_the_extra_it_says_how_to_install_it(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)

    told = cli("web", status=2)

    assert told.err.startswith("error[extra_missing]: HTTP needs 'jinja2'")
    assert [path.name for path in (cli.folder / ".holdfast").iterdir()] == ["workflows"]


def test_it_is_served_to_no_other_machine(cli: Cli) -> None:
    assert cli("web", "--http", "0.0.0.0:1", status=2).err.startswith("error[bad_address]")


def test_a_browser_is_opened_where_somebody_would_see_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    for is_terminal, environ, expected in (
        (True, {"DISPLAY": ":0"}, True),
        (True, {"WAYLAND_DISPLAY": "wayland-0"}, True),
        (True, {"DISPLAY": ""}, False),
        (False, {"DISPLAY": ":0"}, False),
    ):
        monkeypatch.setattr("sys.stdout.isatty", lambda is_terminal=is_terminal: is_terminal)
        assert can_open(environ) is expected


def test_the_browser_gets_the_address_in_a_file_of_its_users_own_and_descends_from_nobody_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, seen, end = tmp_path / "browser", tmp_path / "seen", tmp_path / "end"
    told = f'echo "$$ $1" > {seen}.new; mv {seen}.new {seen}'
    browser.write_text(f"#!/bin/sh\n{told}\nuntil [ -e {end} ]; do sleep 0.02; done\n")
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", str(browser))
    url = "http://127.0.0.1:1/debug/word/"

    with opened(url, tmp_path):
        until(seen.exists, "the browser")
        pid, path = seen.read_text().split()
        file = Path(urlsplit(path).path)
        assert url in file.read_text()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        until(lambda: os.getpid() not in ancestors(int(pid)), "it to be nobody's")
    end.touch()
    assert not file.exists()


def ancestors(pid: int) -> list[int]:
    parents = {process.pid: process.parent for process in living()}
    line = [pid]
    while line[-1] in parents:
        line.append(parents[line[-1]])
    return line
