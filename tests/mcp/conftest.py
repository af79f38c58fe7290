"""The server with the official client, in this process and as a real one."""

import json
import os
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters

from holdfast.cli.place import Place
from holdfast.mcp import Desk, make_server
from tests.cli.conftest import WORKFLOWS

ROOT = Path(__file__).parents[2]
CLIENT = types.Implementation(name="probe", version="1")


class Tools:
    """`await tools("get_run", run="r")` calls a tool, and checks whether it went well."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def __call__(self, name: str, /, **arguments: Any) -> dict[str, Any]:
        found = await self.client.call_tool(name, arguments)
        assert not found.is_error, found.content
        return found.structured_content

    async def refused(self, name: str, /, **arguments: Any) -> dict[str, Any]:
        """Call a tool that refuses, and return the error."""
        found = await self.client.call_tool(name, arguments)
        assert found.is_error, found.structured_content
        assert found.structured_content is None, "some clients hold it against the answer's schema"
        (text,) = found.content
        assert isinstance(text, types.TextContent)
        return json.loads(text.text.removeprefix("error: "))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder, which is the working directory; its workflows are in `w.py`."""
    (tmp_path / "w.py").write_text(WORKFLOWS)
    (tmp_path / ".holdfast" / "workflows").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("USER", "ann")
    for name in ("HOLDFAST_HOME", "HOLDFAST_DEBUG", "HOLDFAST_STEP"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@asynccontextmanager
async def in_memory(env: Mapping[str, str] = {}, mode: str = "auto") -> AsyncGenerator[Tools]:
    """Serve the project in the working directory within this process."""
    server = make_server(Desk(Place(), env))
    async with Client(server, client_info=CLIENT, mode=mode) as client:
        yield Tools(client)


@asynccontextmanager
async def as_process(folder: Path, env: Mapping[str, str] = {}) -> AsyncGenerator[Tools]:
    """Serve a project in a process of its own."""
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "holdfast", "mcp"],
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
        cwd=folder,
    )
    async with Client(command, client_info=CLIENT) as client:
        yield Tools(client)
