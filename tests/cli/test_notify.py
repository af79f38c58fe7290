"""Notifications of real processes, and what `doctor` says of them."""

import json
import os
from pathlib import Path

import pytest

from holdfast.plugins.notifications import Message, Outbox, Target

from .conftest import Cli


def test_a_process_sends_what_happens_in_it_and_what_another_left(holdfast: Cli) -> None:
    told = holdfast.folder / "told"
    command = f"cat >> {told}"
    (holdfast.folder / "holdfast.toml").write_text(f"[[notify]]\ncommand = '{command}'\n")
    about = {"run": "r", "workflow": "w"}
    left = Message("msg_1", "done", "run.succeeded", 9 * 10**9, "r succeeded", "look", about)
    outbox = Outbox(holdfast.folder / ".holdfast/notify")
    outbox.put(left, Target(("done",), command=command), os.stat(holdfast.folder).st_mtime).let_go()

    holdfast("run", "w.py:greet", "-i", "name=Al", "--id", "g", status=3)

    first, second = [
        json.loads(part) for part in told.read_text().replace("}{", "}\n{").split("\n")
    ]
    assert first["data"]["run"] == "r"
    home = holdfast.folder / ".holdfast"
    assert second["data"]["command"] == f"holdfast --home {home} approve g 'send it'"
    assert not list((home / "notify").glob("*.json"))


def test_doctor_says_where_notifications_go_and_which_never_came(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cli.folder / "holdfast.toml").write_text(
        "[[notify]]\ncommand = 'true'\non = ['failed']\n"
        "[[notify]]\nwebhook = 'https://example.org/x'\nsecret_env = 'HOOK_SECRET'\n"
    )
    monkeypatch.delenv("HOOK_SECRET", raising=False)
    about = {"run": "r", "workflow": "w"}
    message = Message("msg_1", "done", "run.succeeded", 9 * 10**9, "r succeeded", "look", about)
    held = Outbox(Path(".holdfast/notify")).put(message, Target(("done",), command="x"), 0.0)
    held.job.why = "it answered 400"
    held.give_up()

    found = {row["what"]: row for row in cli.json("doctor", status=1)}

    assert found["notify 'true'"] == {
        "what": "notify 'true'", "status": "ok", "detail": "is told of: failed"
    }  # fmt: skip
    assert found["notify 'https://example.org/x'"]["detail"].startswith("the environment has no")
    assert found["notifications"]["status"] == "broken"
    assert "1 could not be delivered" in found["notifications"]["detail"]
    assert "r succeeded: it answered 400" in found["notifications"]["detail"]
