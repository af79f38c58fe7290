"""An answer that is shown while it comes, and counted when it is whole."""

from collections.abc import Callable
from typing import Any

import trio

from ..types import Emit, Progress

Say = Callable[[str], None]


class Lines:
    """Emits a text that comes in pieces line by line, from another thread than trio's.

    The texts emitted are together what was said.
    """

    def __init__(self, emit: Emit) -> None:
        self._emit, self._token = emit, trio.lowlevel.current_trio_token()
        self._rest = ""
        self._is_open = True

    def say(self, piece: str) -> None:
        """Take a piece; called under asyncio."""
        done, end, rest = (self._rest + piece).rpartition("\n")
        self._rest = rest
        if end:
            self._token.run_sync_soon(self._show, done + end)

    def _show(self, text: str) -> None:
        if self._is_open:
            self._emit(Progress("text", text))

    def close(self) -> None:
        """Emit what is left, under trio; what comes later is for nobody."""
        if self._rest:
            self._show(self._rest)
        self._is_open = False


async def gather(litellm: Any, arguments: dict[str, Any], say: Say) -> Any:
    """Ask for a stream, tell the pieces of its text, and return the whole answer; under asyncio.

    The stream is closed at its end: of Anthropic's and Gemini's the connections would stay open.
    """
    stream = await litellm.acompletion(**arguments)
    pieces: list[Any] = []
    try:
        async for piece in stream:
            pieces.append(piece)
            if piece.choices and (text := piece.choices[0].delta.content):
                say(text)
    finally:
        await stream.aclose()
    return litellm.stream_chunk_builder(pieces, messages=arguments["messages"])
