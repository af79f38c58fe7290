"""MCP over streamable HTTP, with the official client."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.mcp.conftest import CLIENT, Tools
from tests.mcp.test_journey import journey
from tests.web.conftest import Site

# The SDK's client leaves generators behind where a stream of answers ends before it was read to its end.
pytestmark = pytest.mark.filterwarnings("ignore:Async generator 'http:ResourceWarning")


@asynccontextmanager
async def connected(site: Site, mode: str = "auto") -> AsyncGenerator[Tools]:
    headers = {"Authorization": f"Bearer {site.token}"}
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        transport = streamable_http_client(f"{site.url}/mcp", http_client=http)
        async with Client(transport, client_info=CLIENT, mode=mode) as client:
            yield Tools(client)


async def test_an_agent_goes_the_same_journey_as_over_standard_input(site: Site) -> None:
    async with connected(site) as tools:
        await journey(tools)


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_client_of_either_protocol_is_named_as_the_author(site: Site, mode: str) -> None:
    await site("POST", "/runs", workflow="w.py:wait", id="r")
    async with connected(site, mode) as tools:
        sent = await tools("signal", run="r", name="other", resume=False)
        found = await tools("timeline", run="r", start=sent["offset"] - 1, limit=1)
        error = await tools.refused("get_run", run="nope")

    assert found["items"][0]["actor"] == "mcp:probe"
    assert error["code"] == "no_such_run"


async def test_without_the_token_there_are_no_tools(site: Site) -> None:
    told = await site.client.post("/mcp", json={}, headers={"Authorization": "Bearer x"})

    assert (told.status_code, told.json()["error"]["code"]) == (401, "token_missing")
