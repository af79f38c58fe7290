"""A scripted model on loopback: the same conversation always gets the same answer.

It speaks Anthropic Messages (with count_tokens), OpenAI Chat Completions, OpenAI Responses and Gemini's
generateContent (with countTokens), each as JSON and as SSE. Base URLs: `server.url` for clients of
Anthropic and Gemini, `server.url + "/v1"` for others.

A scenario is a list of turns, or `{"key": ..., "rules": [{"when": {...}, "turns": [...]}], "turns":
[...]}`. The first rule whose `when` fits answers, else `turns` do. `when` holds regular expressions for
`user` (the last thing a person said), `model`, `system`, and `tools`: true or false. `key` makes any other
API key a 401. Which turn answers is read off the request: the assistant's turns since the last thing that
a person said. So a retried request, a restarted client and a restarted server stay in step. Past the end,
the last turn's text is said again.

A turn is an object with one of

    text          what to say
    json          structured output: calls the offered tool for it, or says it as JSON
    write_file    {"path": ..., "content": ...}, with whatever tool can do it; relative to the client's folder
    bash          a command, likewise
    tool, args    a call of the tool of this name
    mcp, args     a call of the tool that an MCP server has under this name
    search        a call of the client's own tool that finds tools it keeps back
    calls         a list of the six above, in one turn
    status        an HTTP error, with `message` and `headers`
    attempts      a list of turns: one for each time that this turn is asked for; the last is kept

and any of `text` (said before calls), `usage` ({"input", "output", "cached"}), `stop` ("length" or
"refusal"), `delay_s`, `hold` (a name: silent until `release(name)`, or the client hangs up), `hold_after`
(how many streamed events go out before that) and `cut_after` (hang up after so many).

In process, a scenario may also be a function that takes the request and returns the turn, for answers
that need what tools gave (`request.results`); an error in it is answered with 400.

In process: `with ModelServer(scenario) as server`. As a program, which prints one line of JSON:

    python tests/support/model_server.py --scenario FILE --port 0

    GET /_control/requests    PUT /_control/scenario    POST /_control/release/NAME
"""

import argparse
import contextlib
import json
import select
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

if not __package__:  # run as a program: the folder of `tests` is not on the path
    sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.support.model_request import Json, Request, understand
from tests.support.model_script import Scenario, Script, reply_to
from tests.support.model_wires import WIRES, Wire


class ModelServer(ThreadingHTTPServer):
    """The server itself: a context manager that runs it in threads and ends them all."""

    daemon_threads = False  # closing joins them, so that no socket outlives a test
    request_queue_size = 256

    def __init__(self, scenario: Scenario, port: int = 0) -> None:
        self.script = Script(scenario)
        self.requests: list[Request] = []
        self.changed = threading.Condition()
        self._released: set[str] = set()
        self._connections: set[socket.socket] = set()
        self._closing = False
        super().__init__(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def play(self, scenario: Scenario) -> None:
        """Answer from another scenario from now on."""
        self.script = Script(scenario)

    def release(self, name: str) -> None:
        """Let the turns held under this name answer, now and later."""
        with self.changed:
            self._released.add(name)
            self.changed.notify_all()

    def wait_for(self, true: Callable[[list[Request]], bool], timeout_s: float = 10) -> None:
        """Block until something holds of the requests; call it in a thread under trio."""
        with self.changed:
            if not self.changed.wait_for(lambda: true(self.requests), timeout_s):
                raise TimeoutError(f"not true of {len(self.requests)} requests in {timeout_s} s")

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), name="models")
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.shutdown()
        self._thread.join()
        with self.changed:
            self._closing = True
            self.changed.notify_all()
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self.changed:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self.changed:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients may hang up at any moment; everything else is a defect of the test."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def hold(self, name: str, connection: socket.socket) -> bool:
        """Wait until released. False when the client hung up meanwhile."""
        while True:
            with self.changed:
                if name in self._released or self._closing:
                    return not self._closing
                self.changed.wait(0.01)
            if select.select([connection], [], [], 0)[0] and not peek(connection):
                return False


def peek(connection: socket.socket) -> bytes:
    try:
        return connection.recv(1, socket.MSG_PEEK)
    except OSError:
        return b""


class Handler(BaseHTTPRequestHandler):
    # narrower than the base class says, which nobody here goes by
    server: ModelServer  # pyright: ignore[reportIncompatibleVariableOverride]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Stay quiet: tests look at `requests`."""

    def do_HEAD(self) -> None:
        self._send(200, {})

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/_control/requests":
            self._send(200, [asdict(request) for request in self.server.requests])
        elif path.endswith("/models"):
            self._send(200, {"object": "list", "data": [], "models": [], "has_more": False})
        else:  # 426 sends Codex, which tries a WebSocket first, to plain HTTP
            self._send(426 if path.endswith("/responses") else 404, {})

    def do_PUT(self) -> None:
        self.server.play(json.loads(self._read()))
        self._send(200, {})

    def do_POST(self) -> None:
        data = self._read()
        path = self.path.partition("?")[0]
        name = path.rpartition("/")[2]
        model, colon, action = name.partition(":")
        name = action or name
        if path.startswith("/_control/release/"):
            self.server.release(name)
            self._send(200, {})
        elif name == "count_tokens":
            self._send(200, {"input_tokens": len(data) // 4})
        elif name == "countTokens":
            self._send(200, {"totalTokens": len(data) // 4})
        elif wire := WIRES.get(name):
            body = json.loads(data)
            if colon:
                body |= {"model": model, "stream": name.startswith("stream")}
            self._answer(wire, understand(name, path, self._key(), body))
        else:
            self._send(404, {"error": {"message": f"nothing here: {path}"}})

    def _key(self) -> str:
        names = ("x-api-key", "x-goog-api-key", "authorization")
        key = next((self.headers[name] for name in names if self.headers[name]), "")
        return key.removeprefix("Bearer ")

    def _answer(self, wire: Wire, request: Request) -> None:
        with self.server.changed:
            turn = self._turn(request)
            self.server.requests.append(request)
            self.server.changed.notify_all()
        time.sleep(turn.get("delay_s", 0))
        try:
            done = self._speak(wire, request, turn)
        except OSError:
            done = False
        except LookupError as missing:
            self._send(400, wire.error(400, f"the scenario does not suit the client: {missing}"))
            done = True
        self.close_connection |= not done
        with self.server.changed:
            request.answered, request.hung_up = done, not done
            self.server.changed.notify_all()

    def _turn(self, request: Request) -> Json:
        try:
            return self.server.script.turn(request)
        except (AssertionError, LookupError, ValueError) as wrong:
            return {"status": 400, "message": f"the scenario's function: {wrong!r}"}

    def _speak(self, wire: Wire, request: Request, turn: Json) -> bool:
        if "status" in turn:
            error = wire.error(turn["status"], turn.get("message", "scripted error"))
            self._send(turn["status"], error, turn.get("headers", {}))
            return True
        reply = reply_to(request, turn)
        if request.body.get("stream"):
            return self._stream(wire.events(request, reply), turn)
        if "hold" in turn and not self.server.hold(turn["hold"], self.connection):
            return False
        if "cut_after" in turn:
            self.close_connection = True
            return True
        self._send(200, wire.body(request, reply))
        return True

    def _stream(self, events: Iterator[bytes], turn: Json) -> bool:
        for place, event in enumerate(events):
            if place == turn.get("cut_after"):
                self.close_connection = True
                return True
            held = "hold" in turn and place == turn.get("hold_after", 0)
            if held and not self.server.hold(turn["hold"], self.connection):
                return False
            if place == 0:
                self._head(
                    200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"}
                )
            self.wfile.write(b"%x\r\n%b\r\n" % (len(event), event))
        self.wfile.write(b"0\r\n\r\n")
        return True

    def _read(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, status: int, payload: object, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(payload).encode()
        kinds = {"content-type": "application/json", "content-length": str(len(data))}
        self._head(status, kinds | (headers or {}))
        if self.command != "HEAD":
            self.wfile.write(data)


def main() -> None:
    parser = argparse.ArgumentParser(description="A scripted model on loopback, for tests.")
    parser.add_argument("--scenario", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    server = ModelServer(json.loads(options.scenario.read_text()), options.port)
    print(json.dumps({"url": server.url}), flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()


if __name__ == "__main__":
    main()
