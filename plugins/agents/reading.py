"""What every harness's run comes to: progress while it goes on, a result or an error at its end.

A harness's own class reads its events and calls these methods. Exit codes lie (0 after a failure or
a signal), so a run has ended well only when the harness has said so in its own words.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from holdfast.eventlog import Usage

from ..errors import (
    Crashed,
    NoOutput,
    NotLoggedIn,
    OutputInvalid,
    RateLimited,
    SessionLost,
    WorkError,
)
from ..types import AgentResult, AgentTask, Emit, Progress
from .cli import Ending, Json, run_jsonl
from .failures import kind_of
from .resets import reset_time
from .structured import last_json

PATIENCE_S = 60  # a longer wait is the engine's: it costs nothing there and survives a restart


class Reading:
    """One run, as far as it has been read. `says` holds what the agent said since its last tool."""

    name: ClassVar[str]
    login: ClassVar[str]  # what to do when it is not logged in
    no_session: ClassVar[tuple[str, ...]] = ()  # how it says that it does not know a session

    def __init__(self, task: AgentTask, emit: Emit) -> None:
        self.task, self.emit = task, emit
        self.session = ""
        self.usage: Usage | None = None
        self.ended_well = False
        self.output: Any = None  # what the harness itself took for the structured answer
        self._says: list[str] = []
        self._speaking, self._line = False, ""  # of a text that comes in pieces
        self._failure: tuple[str, int | None] | None = None

    def feed(self, event: Json) -> None:
        """Take one event and show what it says."""
        raise NotImplementedError

    # --- what a harness's class calls ----------------------------------------------------------

    def open(self, session: str, **known: Any) -> None:
        """The session has this id."""
        if session != self.session:
            self.session = session
            self.emit(Progress("session", session, known))

    def say(self, text: str) -> None:
        """The agent said something, all of it."""
        self.flush()
        if text:
            self._says.append(text)
            self.emit(Progress("text", text))

    def add(self, piece: str) -> None:
        """The agent goes on speaking; whole lines are shown."""
        if not self._speaking:
            self._says.append("")
            self._speaking = True
        self._says[-1] += piece
        whole, newline, self._line = (self._line + piece).rpartition("\n")
        if newline:
            self.emit(Progress("text", whole))

    def flush(self) -> None:
        """What comes next does not belong to the text before."""
        if self._line:
            self.emit(Progress("text", self._line))
        self._speaking, self._line = False, ""

    def forget(self) -> None:
        """What was said so far was not the agent's last word."""
        self._says.clear()

    def think(self, text: str) -> None:
        self.flush()
        self.emit(Progress("thinking", text))

    def call(self, name: str, given: Any, id: object = None) -> None:
        """The agent calls a tool: it has not said its last word."""
        self.flush()
        self.forget()
        self.emit(Progress("tool", name, {"name": name, "input": given, "id": id}))

    def answer(self, text: str, *, id: object = None, failed: bool = False) -> None:
        """A tool has answered."""
        self.flush()
        self.emit(Progress("tool_result", text, {"id": id, "failed": failed}))

    def change(self, path: str) -> None:
        """A file has changed."""
        self.emit(Progress("file", path, {"path": path}))

    def retry(self, said: str, *, status: int | None = None, delay_s: float = 0.0) -> None:
        """The harness tries again by itself; a wait that is long and not its own fault ends the run."""
        self.emit(Progress("retry", said, {"status": status, "delay_s": delay_s}))
        if delay_s > PATIENCE_S and kind_of(said, status) is RateLimited:
            raise self.error(f"{self.name} would wait for {delay_s:.0f} s: {said}", RateLimited)

    def raw(self, event: Json, text: str = "") -> None:
        """Something that is nothing of the above."""
        self.emit(Progress("raw", text, event))

    def fail(self, said: str, status: int | None = None) -> None:
        """The run has failed, so the harness says. It may still end well, after trying again."""
        self._failure = (said, status)

    def recover(self) -> None:
        """What failed was tried again and went well."""
        self._failure = None

    # --- its end -------------------------------------------------------------------------------

    @property
    def text(self) -> str:
        """What the agent said last."""
        return "\n".join(self._says)

    def result(self, ending: Ending) -> AgentResult:
        """Return what came of the run, or raise what went wrong."""
        self.flush()
        if self._failure is not None:
            raise self.failure(*self._failure, detail=ending.stderr)
        if not self.ended_well:
            raise self.failure(str(ending), detail=ending.stderr)
        output = self._output()
        if not self.text.strip() and output is None:
            raise self.error(f"{self.name} ended well and said nothing", NoOutput)
        return AgentResult(text=self.text, output=output, usage=self.usage, session=self.session)

    def _output(self) -> Any:
        if self.task.schema is None or self.output is not None:
            return self.output
        try:
            return last_json(self.text)
        except OutputInvalid as invalid:
            raise self.error(str(invalid), OutputInvalid, detail=invalid.detail) from None

    def failure(self, said: str, status: int | None = None, *, detail: str = "") -> WorkError:
        """Return the error that the words of a failure stand for."""
        resumed = self.task.session
        if resumed is not None and any(words in said for words in self.no_session):
            return SessionLost(f"{self.name} does not know the session {resumed!r}: {said}")
        kind = kind_of(said, status, resets=bool(_reset(said)))
        hint = f". {self.login}" if kind is NotLoggedIn else ""
        how = "ended with" if kind is Crashed and self._failure is None else "failed:"
        return self.error(f"{self.name} {how} {said}{hint}", kind, detail=detail)

    def error(self, message: str, kind: type[WorkError], *, detail: str = "") -> WorkError:
        """Return an error that knows what the run cost and which session it was."""
        known: Json = {"detail": detail, "usage": self.usage, "session": self.session}
        if kind is RateLimited:
            return RateLimited(message, until=_reset(message), **known)
        return kind(message, **known)


async def follow(
    reading: Reading, argv: Sequence[str], *, env: Mapping[str, str], stdin: str
) -> AgentResult:
    """Run the harness, read what it prints, and return what came of it."""
    task, emit = reading.task, reading.emit
    ending = await run_jsonl(argv, task, emit, env=env, stdin=stdin, on_event=reading.feed)
    return reading.result(ending)


def _reset(said: str) -> int:
    return reset_time(said, now=datetime.now().astimezone())
