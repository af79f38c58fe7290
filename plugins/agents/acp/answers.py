"""What an agent asks of us, and how it is answered: by the step's permissions, in its workspace."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import trio

from ...types import Permissions
from ..cli import Json, part
from . import files, permits
from .reading import AcpReading
from .rpc import METHOD_NOT_FOUND, RpcError


class Answers:
    """Answers one agent, and lets the reading know what was allowed and written."""

    def __init__(self, permissions: Permissions, folder: Path, reading: AcpReading) -> None:
        self.is_cancelled = False
        self._permissions: Permissions = permissions
        self._folder, self._reading = folder, reading

    async def to(self, method: str, params: Json) -> Any:
        """Answer a question, or raise the RpcError that is the answer."""
        match method:
            case "session/request_permission":
                return self._permit(params)
            case "fs/read_text_file":
                return await self._in_thread(files.read_text, params)
            case "fs/write_text_file":
                if self._permissions == "read":
                    raise RpcError(files.INVALID, "this session may not change files")
                said = await self._in_thread(files.write_text, params)
                self._reading.wrote(str(params.get("path")))
                return said
            case _:
                raise RpcError(METHOD_NOT_FOUND, f"Method not found: {method}", {"method": method})

    async def _in_thread(self, work: Callable[[Path, Json], Json], params: Json) -> Json:
        return await trio.to_thread.run_sync(partial(work, self._folder, params))

    def _permit(self, params: Json) -> Json:
        if self.is_cancelled:
            return permits.CANCELLED
        told = part(params, "toolCall")
        id = str(told.get("toolCallId"))
        call = self._reading.tool(id, told)
        self._reading.show(id, call)
        call.allowed = permits.is_allowed(self._permissions, call.kind, call.paths, self._folder)
        return permits.answer(params, allow=call.allowed)
