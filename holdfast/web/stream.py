"""Events as they happen, as server-sent events. Each one's id is its `seq`; Last-Event-ID goes on after it."""

from typing import Any

import trio
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from holdfast.cli.values import encoded
from holdfast.cli.values import record as record_object
from holdfast.eventlog import Log, Record

from .answers import HEADERS
from .api import query
from .following import EVENTS_TOOL, Events, Follower
from .surface import Surface

HEARTBEAT_S = 15.0  # of silence, after which a comment tells the client that somebody is there
RETRY = b"retry: 1000\n\n"
HEARTBEAT = b":\n\n"


async def follow(surface: Surface, request: Request) -> Response:
    """Answer with the events that a call asks for. Raises NoSuchRun, BadArguments."""
    given = query(EVENTS_TOOL, request)
    if seen := request.headers.get("last-event-id"):
        given["after"] = seen
    asked = EVENTS_TOOL.arguments(given)
    assert isinstance(asked, Events), "a tool makes its own arguments"
    with surface.desk.log() as log:
        follower = await trio.to_thread.run_sync(Follower, log, asked)
        return EventStream(surface, log, follower)


class EventStream(Response):
    """The answer that goes on until the client leaves or the server stops."""

    media_type = "text/event-stream"

    def __init__(self, surface: Surface, log: Log, follower: Follower) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self._surface, self._log, self._follower = surface, log, follower

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_until_gone, receive, nursery.cancel_scope)
            await self._tell(send)
            nursery.cancel_scope.cancel()
        await send({"type": "http.response.body", "body": b""})

    async def _tell(self, send: Send) -> None:
        """Tell what there is, until the server is to end and all was told."""
        stopping = self._surface.stopping
        await _send(send, RETRY)
        while True:
            # Asked before looking, so that nothing is missed in between.
            news, is_last = self._surface.news(), stopping.is_set()
            if page := await trio.to_thread.run_sync(self._read):
                await _send(send, page)
            elif is_last:
                return
            else:
                with trio.move_on_after(HEARTBEAT_S) as silence:
                    await _first_of(news, stopping)
                if silence.cancelled_caught:
                    await _send(send, HEARTBEAT)

    def _read(self) -> bytes:
        return b"".join(_message(self._log, record) for record in self._follower.read())


def event_object(log: Log, record: Record) -> dict[str, Any]:
    """Return an event as `holdfast log --json` has it, with its run and branch."""
    run = log.branch(record.branch).run
    return {"run": run, "branch": record.branch, **record_object(log, record)}


def _message(log: Log, record: Record) -> bytes:
    return b"id: %d\ndata: %b\n\n" % (record.seq, encoded(event_object(log, record)))


async def _send(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _until_gone(receive: Receive, scope: trio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


async def _first_of(*events: trio.Event) -> None:
    async with trio.open_nursery() as nursery:
        for event in events:
            nursery.start_soon(_until_set, event, nursery.cancel_scope)


async def _until_set(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()
