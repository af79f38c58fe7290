"""The scripted agent of acp_agent.py as a test has it: told what to do, and asked what it was told."""

import json
import shlex
import sys
from pathlib import Path
from typing import Any

from holdfast.plugins import AgentResult, AgentTask, Progress, WorkError
from holdfast.plugins.agents import KNOWN, Acp
from holdfast.plugins.testing import agent_task
from tests.support import acp_agent
from tests.support.acp_agent import SESSION, Json
from tests.support.replay import TRANSCRIPTS

HELLO: list[Json] = [{"reply": {"protocolVersion": 1, "agentCapabilities": {"loadSession": True}}}]
NEW: list[Json] = [{"reply": {"sessionId": SESSION}}]
Worked = tuple[AgentResult, list[Progress]]
END: Json = {"reply": {"stopReason": "end_turn"}}
DEFAULTS: dict[str, list[Json]] = {
    "initialize": HELLO,
    "session/new": NEW,
    "session/load": [{"reply": {}}],
    "session/resume": [{"reply": {}}],
    "session/fork": [{"reply": {"sessionId": "s-2"}}],
    "session/set_mode": [{"reply": {}}],
    "session/set_model": [{"reply": {}}],
    "session/set_config_option": [{"reply": {}}],
    "authenticate": [{"reply": {}}],
    "session/prompt": [{"say": "done"}, END],
}


class Scripted:
    """The agent for a test: `plays` says what it does, `told` is what it was told."""

    def __init__(self, folder: Path) -> None:
        self.repository = folder / "repository"
        self.repository.mkdir()
        self._script = folder / "script.json"
        self.plays()

    def plays(self, *prompt: Json, **others: list[Json]) -> None:
        """Set what happens in a turn, and for other methods: `session_new=[...]`."""
        script = {name.replace("session_", "session/"): steps for name, steps in others.items()}
        script |= {"session/prompt": list(prompt)} if prompt else {}
        self._script.write_text(json.dumps(DEFAULTS | script))
        self._script.with_suffix(".told").write_text("")

    def replays(self, transcript: str) -> None:
        """Do what a real agent once did: a line that begins with ">" is what it was told."""
        steps: dict[str, list[Json]] = {}
        method = ""
        text = (TRANSCRIPTS / transcript).read_text().replace("/repo", str(self.repository))
        for line in text.splitlines():
            message: Json = json.loads(line[2:])
            if line.startswith(">"):
                method = message["method"]
            elif "method" in message and "id" in message:
                ask = [message["method"], message["params"]]
                steps.setdefault(method, []).append({"ask": ask})
            else:
                said = {"reply": message["result"]} if "result" in message else {"send": message}
                steps.setdefault(method, []).append(said)
        self._script.write_text(json.dumps(DEFAULTS | steps))

    def named(self, name: str) -> dict[str, str]:
        """Return the environment in which a known agent is this one."""
        program = self._script.with_name("agent")
        words = [sys.executable, "-IS", acp_agent.__file__, str(self._script)]
        program.write_text(f"#!/bin/sh\nexec {shlex.join(words)}\n")
        program.chmod(0o755)
        known = KNOWN[name].program
        assert known is not None
        return {known.variable: str(program)}

    def task(self, prompt: str = "Do it.", **fields: Any) -> AgentTask:
        # As a file, and not as a module: it starts as fast as Python does.
        command = [sys.executable, "-IS", acp_agent.__file__, str(self._script)]
        options = {"command": command, **fields.pop("options", {})}
        return agent_task(self.repository, prompt, options=options, **fields)

    async def work(self, agent: Acp | None = None, **fields: Any) -> Worked:
        shown: list[Progress] = []
        return await (agent or Acp()).run(self.task(**fields), shown.append), shown

    async def failure(self, **fields: Any) -> WorkError:
        try:
            result, _ = await self.work(**fields)
        except WorkError as error:
            return error
        raise AssertionError(f"it did not fail: {result}")

    @property
    def told(self) -> list[Json]:
        return [
            json.loads(line) for line in self._script.with_suffix(".told").read_text().splitlines()
        ]

    def told_by(self, method: str) -> Json:
        """Return the parameters of the last message of that method."""
        return [each["params"] for each in self.told if each.get("method") == method][-1]

    @property
    def methods(self) -> list[str]:
        return [each["method"] for each in self.told if "method" in each]

    @property
    def answers(self) -> list[Json]:
        """What the agent's own questions were answered."""
        return [each for each in self.told if "method" not in each]
