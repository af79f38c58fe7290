"""One conversation with an agent: say hello, open a session, give it the task, hear it out."""

from importlib.metadata import PackageNotFoundError, version
from typing import Any

import trio

from ...errors import BadOptions, Crashed, SessionLost, WorkError
from ...types import AgentTask, Progress
from ..cli import Json, arguments_for, part, parts
from ..structured import prompt_of
from . import choices
from .answers import Answers
from .known import Known, Start
from .options import Options
from .reading import AUTH_REQUIRED, AcpReading
from .rpc import Peer, RpcError

PROTOCOL = 1
ANSWER_S = 60.0  # how long it may take to start, and to open a session; a turn may take days
CANCEL_S = 2.0  # how long it may take to stop its turn when asked, before its processes are ended
QUIET_S = 0.25  # a session's past has been told again when nothing came for so long


class Conversation:
    """What is said over the pipes of one agent, and how its questions are answered."""

    def __init__(
        self, task: AgentTask, options: Options, known: Known, start: Start, reading: AcpReading
    ) -> None:
        self._task, self._options, self._known, self._start = task, options, known, start
        self._reading = reading
        self._folder = task.folder.absolute()
        self._session = ""
        self._updates = 0
        self._answers = Answers(task.permissions, self._folder, reading)
        self.peer = Peer(answer=self._answers.to, notice=self._notice, stray=self._stray)

    async def talk(self, stream: trio.abc.SendStream) -> None:
        """Speak first, to the end of the turn. What goes wrong is with the reading, or raised."""
        self.peer.opens(stream)
        try:
            await self._begin()
            await self._prompt()
        except RpcError as error:
            self._reading.declined(error)

    # --- asking --------------------------------------------------------------------------------

    async def _begin(self) -> None:
        capabilities = await self._hello()
        if self._options.auth is not None:
            await self._ask("authenticate", {"methodId": self._options.auth})
        session = await self._open(capabilities)
        self._session = str(session.get("sessionId") or self._task.session or "")
        if not self._session:
            raise Crashed(f"{self._reading.name} opened a session and did not say which")
        if self._way_on(capabilities, fork=False):
            self._reading.open(self._session)
        for choice, value in self._chosen(session):
            if value != choice.current:
                await self._ask(
                    choice.method, {"sessionId": self._session, **choice.request(value)}
                )

    async def _hello(self) -> Json:
        serves = self._known.serves_files if self._options.files is None else self._options.files
        said = await self._ask(
            "initialize",
            {
                "protocolVersion": PROTOCOL,
                "clientCapabilities": {
                    "fs": {"readTextFile": serves, "writeTextFile": serves},
                    "terminal": False,
                },
                "clientInfo": {"name": "holdfast", "title": "Holdfast", "version": _version()},
            },
        )
        if said.get("protocolVersion") != PROTOCOL:
            raise BadOptions(
                f"{self._reading.name} speaks version {said.get('protocolVersion')!r} of the Agent "
                f"Client Protocol, and Holdfast version {PROTOCOL}: install one that speaks that."
            )
        ways = [f"{each.get('id')} ({each.get('name')})" for each in parts(said, "authMethods")]
        self._reading.ways_in = ways
        return part(said, "agentCapabilities")

    async def _open(self, capabilities: Json) -> Json:
        common: Json = {"cwd": str(self._folder), "mcpServers": []}
        if self._start.meta:
            common["_meta"] = self._start.meta
        if self._task.session is None:
            return await self._ask("session/new", common)
        method = self._way_on(capabilities, fork=self._task.fork)
        if not method:
            raise self._no_way_on()
        try:
            session = await self._ask(method, {"sessionId": self._task.session, **common})
        except RpcError as error:
            if error.code == AUTH_REQUIRED:
                raise
            lost = f"{self._reading.name} does not know the session {self._task.session!r}"
            raise SessionLost(f"{lost}: {error.said}") from error
        if method == "session/load":
            await self._hear_the_past()
        return session

    def _way_on(self, capabilities: Json, *, fork: bool) -> str:
        """Return the request by which a session goes on, or nothing where there is none."""
        sessions = part(capabilities, "sessionCapabilities")
        if fork:
            return "session/fork" if sessions.get("fork") is not None else ""
        if not self._reading.remembers:
            return ""
        if sessions.get("resume") is not None:
            return "session/resume"  # which does not tell the past again
        return "session/load" if capabilities.get("loadSession") else ""

    def _no_way_on(self) -> WorkError:
        if self._task.fork:
            return BadOptions(
                f"{self._reading.name} cannot go on in a copy of a session. Go on in the session "
                "itself, or begin anew."
            )
        return SessionLost(
            f"{self._reading.name} cannot go on with sessions, as with {self._task.session!r}"
        )

    async def _hear_the_past(self) -> None:
        """Wait until the session's history has been told: some answer first and tell it then."""
        heard = -1
        while heard != self._updates:
            heard = self._updates
            await trio.sleep(QUIET_S)

    def _chosen(self, session: Json) -> list[tuple[choices.Choice, Any]]:
        """Return what is to be set: the mode, the model, and what the step's options name."""
        wanted: list[tuple[choices.Choice | None, Any, str]] = []
        if (mode := self._mode(session)) is not None:
            wanted.append((choices.mode(session), mode, "a mode"))
        if self._task.model is not None and not self._known.model_at_start:
            wanted.append((choices.model(session), self._task.model, "the model"))
        for id, value in self._options.config.items():
            wanted.append((choices.option(session, id=id), value, f"the setting {id!r}"))
        picked: list[tuple[choices.Choice, Any]] = []
        for choice, value, what in wanted:
            meant = choices.pick(choice, value, what)
            assert choice is not None  # or it would have been refused
            picked.append((choice, meant))
        return picked

    def _mode(self, session: Json) -> str | None:
        """Return the mode in which the agent keeps to the step's permissions, where that needs one."""
        if self._options.mode is not None:
            return self._options.mode
        offered = choices.mode(session)
        modes = arguments_for(self._task, self._reading.name, self._known.modes)
        if not modes or (offered is None and self._known.program is None):
            return None  # it asks, and is answered; what it does without asking ends it
        found = [mode for mode in modes if offered is not None and mode in offered.values]
        if found:
            return found[0]
        values = list(offered.values) if offered is not None else []
        raise BadOptions(
            f"it is not known in which mode {self._reading.name} keeps to "
            f"permissions={self._task.permissions!r}; it offers: {', '.join(map(repr, values))}. "
            'Name one in which it asks: options={"mode": ...}, or give the step permissions="full".'
        )

    async def _prompt(self) -> None:
        prompt = [{"type": "text", "text": prompt_of(self._task)}]
        self._reading.asked = True
        try:
            await self.peer.request(
                "session/prompt",
                {"sessionId": self._session, "prompt": prompt},
                on_result=self._reading.turn_ended,
            )
        except trio.Cancelled:
            self._answers.is_cancelled = True
            session = {"sessionId": self._session}
            await self.peer.notify_last("session/cancel", session, wait_s=CANCEL_S)
            raise

    async def _ask(self, method: str, params: Json) -> Json:
        with trio.move_on_after(ANSWER_S):
            return await self.peer.request(method, params)
        raise Crashed(
            f"{self._reading.name} did not answer {method!r} within {ANSWER_S:g} s. Does it speak "
            "the Agent Client Protocol on its standard input, and does it wait for a login?"
        )

    def _notice(self, method: str, params: Json) -> None:
        if method == "session/update":
            self._updates += 1
            self._reading.update(part(params, "update"))

    def _stray(self, line: str) -> None:
        self._reading.emit(Progress("raw", line))


def _version() -> str:
    try:
        return version("holdfast")
    except PackageNotFoundError:
        return "0"  # run from a checkout
