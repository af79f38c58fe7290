"""Who works inside a run is known by the process at the other end, also where it hides its mark."""

import os
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from holdfast.plugins.marks import MARK
from holdfast.web.callers import Caller
from holdfast.web.errors import CallerGone, CallerHides
from tests.web.conftest import Site

CONNECT = "import socket, sys; s = socket.create_connection((sys.argv[1], int(sys.argv[2]))); sys.stdin.read()"
HIDDEN = 'env -i "$0" -c "$1" "$2" "$3"; true'


@contextmanager
def called(
    command: list[str], env: dict[str, str], host: str = "127.0.0.1", *, own: int = 0
) -> Generator[Caller]:
    """Have a process connect to a socket of ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as server:
        arguments = [sys.executable, CONNECT, host, str(server.getsockname()[1])]
        argv = [*command, *(arguments if command else [arguments[0], "-c", *arguments[1:]])]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, env=env) as process:
            connection, client = server.accept()
            with connection:
                yield Caller(client[:2], connection.getsockname()[:2], own=own)
                assert process.stdin is not None
                process.stdin.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_mark_of_a_caller_is_seen(host: str) -> None:
    with called([], {MARK: "ab/1/2/3"}, host) as caller:
        assert dict(caller) == {MARK: "ab/1/2/3"}


def test_the_mark_of_the_process_that_started_a_caller_is_seen_as_well() -> None:
    with called(["sh", "-c", HIDDEN], {MARK: "ab/1/2/3", "PATH": "/usr/bin:/bin"}) as caller:
        assert caller[MARK] == "ab/1/2/3"


def test_a_caller_that_works_in_no_run_has_no_mark() -> None:
    with called([], {}) as caller:
        assert len(caller) == 0


def test_a_caller_that_this_process_started_and_that_has_no_mark_is_refused() -> None:
    with (
        called(["sh", "-c", HIDDEN], {"PATH": "/usr/bin:/bin"}, own=os.getpid()) as caller,
        pytest.raises(CallerHides, match="hides of which run"),
    ):
        dict(caller)


def test_a_call_of_our_own_is_ours_also_while_a_process_that_we_start_has_its_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ends = server.getsockname()
        with (
            socket.create_connection(ends) as client,
            subprocess.Popen(["cat"], stdin=subprocess.PIPE, env={}, pass_fds=[client.fileno()]),
        ):
            assert dict(Caller(client.getsockname(), ends, own=os.getpid())) == {}


def test_a_caller_that_has_hung_up_is_not_heard() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        end = client.getsockname()
        client.close()
        with pytest.raises(CallerGone, match="has hung up"):
            dict(Caller(end, server.getsockname()))


def test_where_the_system_shows_no_sockets_nothing_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("holdfast.web.callers.PROC", "/nowhere")
    assert dict(Caller(("127.0.0.1", 1), ("127.0.0.1", 2))) == {}


DECIDES_ITSELF = '''
import os
import sys
from holdfast import Run, workflow

CALL = """
import http.client, json, sys
to, run, token = sys.argv[1:]
client = http.client.HTTPConnection(to)
head = {"Authorization": "Bearer " + open(token).read().strip(), "Content-Type": "application/json"}
client.request("POST", "/api/v1/runs/%s/%s", %r, head)
print(json.loads(client.getresponse().read())["error"]["code"])
"""
DECIDE = CALL % ("r", "decide", '{"decision": "approve", "by": "ann"}')
FORK = CALL % ("r", "fork", '{"at": 1, "allow_effects": true}')


@workflow
async def sly(run: Run, to: str, token: str) -> list[str]:
    said = []
    for call in (DECIDE, FORK):
        for hiding in ([], ["env", "-u", "HOLDFAST_STEP"]):
            command = [*hiding, sys.executable, "-c", call, to, "r", token]
            said.append((await run.shell("call", command)).stdout.strip())
    return said
'''


async def test_a_step_that_reads_the_token_decides_nothing_of_its_own_run(
    site: Site, folder: Path
) -> None:
    (folder / "sly.py").write_text(DECIDES_ITSELF)
    given = {"to": site.hosting.address.names[0], "token": str(folder / ".holdfast/http-token")}
    await site("POST", "/runs", workflow="sly.py", input=given, id="r")

    done = await site("GET", "/runs/r/wait")
    assert done["error"] is None, done["error"]["message"]
    assert done["output"] == ["inside_run", "caller_hides"] * 2
