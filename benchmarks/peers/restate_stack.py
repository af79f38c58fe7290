"""A Restate server and the service that it calls, both on this machine and in one folder."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from ..sample import ROOT
from . import crash, work
from .systems import path_of

LIMIT_S = 120.0
NEVER = -1


def binary() -> str:
    """Return the server itself: what npm puts on the PATH is a script that starts it."""
    found = path_of("restate-server")
    if found is None:
        raise FileNotFoundError("no restate-server on the PATH")
    packages = Path(found).resolve().parents[2]
    return next(map(str, packages.glob("restate-server-*/bin/restate-server")), found)


class Stack:
    """Both processes, and what is asked of the server. Its ports are kept in the folder."""

    def __init__(self, folder: Path, stuck: int = NEVER) -> None:
        self.told = folder / f"told-{stuck}"
        self.store = folder / "restate"
        self._folder, self._stuck = folder, stuck
        ports = folder / "ports"
        self._is_new = not ports.exists()
        if self._is_new:
            ports.write_text(json.dumps(_free_ports(4)))
        self._ingress, self._admin, self._node, self._port = json.loads(ports.read_text())
        self.client = httpx.Client(timeout=LIMIT_S)

    def start(self) -> None:
        """Start both, and make the service known to the server once."""
        self.server = self._start_server()
        self.service = self.start_service()
        self._await(self.server, lambda: self._is_well(self._admin, "/health"))
        self._await(self.server, lambda: self._is_well(self._ingress, "/restate/health"))
        if self._is_new:
            uri = f"http://127.0.0.1:{self._port}"
            self.admin("POST", "/deployments", json={"uri": uri, "use_http_11": False})

    def stop(self) -> None:
        """End both: the server in good order, the service, which keeps nothing, at once."""
        self.client.close()
        self.service.kill()
        self.service.wait()
        self.server.terminate()
        self.server.wait(LIMIT_S)

    def start_service(self) -> "subprocess.Popen[bytes]":
        """Start the service and return it when it listens."""
        arguments = [str(self._port), str(self._stuck), str(self.told)]
        command = [sys.executable, "-m", "benchmarks.peers.restate_service", *arguments]
        service = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        self._await(service, self._listens)
        return service

    def call(self, handler: str, steps: int) -> None:
        """Invoke a handler and wait for its end."""
        answer = self.client.post(self._url(self._ingress, f"/bench/{handler}"), json=steps)
        answer.raise_for_status()
        assert answer.json() == steps, answer.text

    def send(self, handler: str, steps: int) -> str:
        """Invoke a handler, and return the name of the invocation at once."""
        answer = self.client.post(self._url(self._ingress, f"/bench/{handler}/send"), json=steps)
        answer.raise_for_status()
        return str(answer.json()["invocationId"])

    def attach(self, invocation: str) -> None:
        """Wait for the end of an invocation."""
        path = f"/restate/invocation/{invocation}/attach"
        self.client.get(self._url(self._ingress, path)).raise_for_status()

    def admin(self, method: str, path: str, **about: Any) -> Any:
        """Ask the admin API, and return its answer."""
        answer = self.client.request(method, self._url(self._admin, path), **about)
        if answer.is_error:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json()

    def first_step(self, *, executed: int) -> float:
        """Wait for the stuck step, and return when it began; `executed` steps were before it."""
        crash.await_file(self.told, self.service)
        moment, before = self.told.read_text().split()
        assert int(before) == executed, f"{before} steps were executed first, not {executed}"
        return float(moment)

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Return the rows of a query."""
        headers = {"accept": "application/json"}
        rows = self.admin("POST", "/query", json={"query": sql}, headers=headers)["rows"]
        return list(rows)

    def size_bytes(self) -> int:
        """Return the length of what the server keeps."""
        return work.folder_bytes(self.store)

    def _start_server(self) -> "subprocess.Popen[bytes]":
        env = {
            "RESTATE_BASE_DIR": str(self.store),
            "RESTATE_NODE_NAME": "bench",
            "RESTATE_LISTEN_MODE": "tcp",
            "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{self._ingress}",
            "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{self._admin}",
            "RESTATE_BIND_ADDRESS": f"127.0.0.1:{self._node}",
            "RESTATE_ADVERTISED_ADDRESS": f"http://127.0.0.1:{self._node}/",
            "RESTATE_DISABLE_TELEMETRY": "true",
            "RESTATE_LOG_FILTER": "error",
        }
        with open(self._folder / "server.txt", "ab") as output:
            return subprocess.Popen(
                [binary(), "--no-logo"], env=os.environ | env, stdout=output, stderr=output
            )

    def _await(self, process: "subprocess.Popen[bytes]", is_up: Callable[[], bool]) -> None:
        end = time.monotonic() + LIMIT_S
        while not is_up():
            if process.poll() is not None or time.monotonic() > end:
                output = (self._folder / "server.txt").read_text()[-2000:]
                raise RuntimeError(f"{process.args!r} does not answer: {output}")
            time.sleep(0.01)

    def _is_well(self, port: int, path: str) -> bool:
        try:
            return bool(self.client.get(self._url(port, path)).is_success)
        except httpx.TransportError:
            return False

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0

    def _url(self, port: int, path: str) -> str:
        return f"http://127.0.0.1:{port}{path}"


@contextmanager
def started(folder: Path, *, stuck: int = NEVER) -> Generator[Stack]:
    """Start a server and its service on a folder, and let them execute something short."""
    stack = Stack(folder, stuck)
    stack.start()
    try:
        stack.call("one_by_one", work.WARM)
        yield stack
    finally:
        stack.stop()


def _free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()
