"""JSON-RPC over the two pipes of a program: a JSON object a line, questions from both sides.

Not the protocol's own Python package: that is built on asyncio, which does not run under trio, and
drags in a second to import.
"""

import json
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any, cast

import trio

from ...errors import Crashed
from ...process import LINE_BYTES
from ..cli import Json

METHOD_NOT_FOUND = -32601
GONE_S = 2.0  # how long a program that does not listen any more may take to end


class RpcError(Exception):
    """What one side answers instead of a result."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.code, self.message, self.data = code, message, data

    @property
    def said(self) -> str:
        """The message, with what is told beside it."""
        match self.data:
            case {"details": str(more)} | {"message": str(more)} | str(more):
                pass
            case data:
                more = json.dumps(data) if data else ""
        return ": ".join(dict.fromkeys(filter(None, [self.message, more])))


Answer = Callable[[str, Json], Awaitable[Any]]
Notice = Callable[[str, Json], None]
OnResult = Callable[[Json], None]


class Peer:
    """Our end of the conversation. `feed` takes what the program prints, in any task, at once.

    Notices are handed over as they come. Questions of the program are answered, one after another,
    while we wait for an answer of ours; `strays` gets every line that is no message.
    """

    def __init__(self, *, answer: Answer, notice: Notice, stray: Callable[[str], None]) -> None:
        self._answer, self._notice, self._stray = answer, notice, stray
        self._arrive, self._arrived = trio.open_memory_channel[Json](float("inf"))
        self._open: dict[int, OnResult] = {}
        self._ids = count(1)
        self._stream: trio.abc.SendStream | None = None
        self._is_amid_a_line = False

    def opens(self, stream: trio.abc.SendStream) -> None:
        """What we say goes there."""
        self._stream = stream

    def feed(self, line: str) -> None:
        """Take one line."""
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            message = None
        match message:
            case {"method": str(), "id": _}:
                self._arrive.send_nowait(cast(Json, message))
            case {"method": str(method)}:
                self._notice(method, _params(cast(Json, message)))
            case {"id": None, "error": {}}:
                self._reply(cast(Json, message), max(self._open, default=0))
            case {"id": int(id)} if id in self._open:
                self._reply(cast(Json, message), id)
            case _:
                self._strayed(line)

    def _reply(self, message: Json, id: int) -> None:
        on_result = self._open.pop(id, None)
        if on_result is not None and isinstance(message.get("result"), dict):
            on_result(message["result"])  # here, so that what comes after it is known to do so
        self._arrive.send_nowait({**message, "id": id})

    def _strayed(self, line: str) -> None:
        if len(line.encode(errors="replace")) >= LINE_BYTES:
            raise Crashed(
                f"it sent a message of more than {LINE_BYTES} bytes and was ended: nobody can "
                "answer what is not read to its end. Let it handle large files by itself."
            )
        if line.strip():
            self._stray(line)

    async def request(
        self, method: str, params: Json, *, on_result: OnResult = lambda _: None
    ) -> Json:
        """Ask the program, and answer it meanwhile; raise RpcError where it declines."""
        id = next(self._ids)
        self._open[id] = on_result
        await self._say({"id": id, "method": method, "params": params})
        return await self.reply(id)

    async def reply(self, id: int) -> Json:
        """Wait for the answer to a question of ours."""
        async for message in self._arrived:
            if "method" in message:
                await self._respond(message)
            elif message["id"] == id:
                return _result(message)
        raise AssertionError("the channel has no end")

    async def notify_last(self, method: str, params: Json, *, wait_s: float) -> None:
        """Tell the program to stop what was asked last, and wait for that answer, but not for long."""
        if self._is_amid_a_line or not self._open:
            return
        with trio.move_on_after(wait_s, shield=True):
            try:
                assert self._stream is not None
                await self._stream.send_all(_line({"method": method, "params": params}))
                await self.reply(max(self._open))
            except (trio.BrokenResourceError, RpcError):
                return  # it has ended, or says in its own way that it has stopped

    async def _respond(self, message: Json) -> None:
        try:
            said: Json = {"result": await self._answer(message["method"], _params(message))}
        except RpcError as error:
            told = {"code": error.code, "message": error.message}
            said = {"error": told if error.data is None else {**told, "data": error.data}}
        await self._say({"id": message["id"], **said})

    async def _say(self, message: Json) -> None:
        assert self._stream is not None
        self._is_amid_a_line = True
        try:
            await self._stream.send_all(_line(message))
        except trio.BrokenResourceError:
            await trio.sleep(GONE_S)  # it is probably ending, and how it ends says more
            raise Crashed(
                "it closed its standard input and goes on: nobody can talk to it"
            ) from None
        self._is_amid_a_line = False


def _line(message: Json) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n"


def _params(message: Json) -> Json:
    params = message.get("params")
    return cast(Json, params) if isinstance(params, dict) else {}


def _result(message: Json) -> Json:
    error = message.get("error")
    if isinstance(error, dict):
        told = cast(Json, error)
        code = told.get("code")
        raise RpcError(
            code if isinstance(code, int) else 0,
            str(told.get("message") or "no reason"),
            told.get("data"),
        )
    result = message.get("result")
    return cast(Json, result) if isinstance(result, dict) else {}
