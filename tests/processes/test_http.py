"""`holdfast serve --http` as a process: its runs are its own, its token is nobody's, its end is in good order."""

import http.client
import json
import signal
import stat
from pathlib import Path
from typing import Any

from holdfast.eventlog import RunClaimed
from tests.support.site import Site

WORK = """
    from holdfast import Run, workflow


    @workflow
    async def works(run: Run) -> None:
        await run.shell("work", "while true; do sleep 0.02; done")
"""


def test_a_served_run_is_watched_to_the_end_of_the_server_and_the_token_is_told_to_nobody(
    site: Site,
) -> None:
    site.write("work.py", WORK)
    server = site.start("serve", "--http", "0", "--json")
    out = server.popen.stdout
    assert out is not None
    told = [json.loads(out.readline()) for _ in range(3)]
    url, _, path = told[1]["detail"].partition(", token in ")
    token = Path(path).read_text().strip()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    client = http.client.HTTPConnection(url.removeprefix("http://"))

    client.request("POST", "/api/v1/runs", json.dumps({"workflow": "work.py", "id": "r"}), headers)
    begun = json.loads(client.getresponse().read())
    client.request("GET", told[2]["detail"].removeprefix(url))
    shown = client.getresponse().read()
    client.request("GET", "/api/v1/events?run=r", headers=headers)
    stream = client.getresponse()
    events: list[dict[str, Any]] = []
    for line in stream:
        if line.startswith(b"data: "):
            events.append(json.loads(line[6:]))
            if events[-1]["type"] == "step.started":
                server.send(signal.SIGTERM)

    client.close()
    ended = server.ended()
    assert (ended.status, ended.err) == (0, "")
    assert begun["run"] == "r"
    assert [event["type"] for event in events][-2:] == ["step.started", "run.released"]
    assert [claim.pid for claim in site.events("r", RunClaimed)] == [server.pid]
    assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600
    assert token not in str(told) + ended.out
    assert [line["what"] for line in told] == ["serving", "http", "web"]
    assert shown.startswith(b"<!doctype html>")
