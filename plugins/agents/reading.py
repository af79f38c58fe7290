"""What every harness's run comes to: progress while it goes on, a result or an error at its end.

A harness's own class reads its events and calls these methods. Exit codes lie (0 after a failure or
a signal), so a run has ended well only when the harness has said so in its own words.
"""

import time
from abc import ABC, abstractmethod
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
    attempts: ClassVar[int] = 6
    no_session: ClassVar[tuple[str, ...]] = ()  # how it says that it does not know a session

    def __init__(self, task: AgentTask, emit: Emit) -> None:
        self.task, self.emit = task, emit
        self.session = ""
        self.usage: Usage | None = None
        self.ended_well = False
        self.cause = ""  # why it would be, were it to end now
        self.output: Any = None  # what the harness itself took for the structured answer
        self._says: list[str] = []
        self._speaking, self._line = False, ""  # of a text that comes in pieces
        self._changes: dict[object, str] = {}  # the files that calls under way would change
        self._retries = 0  # since anything else happened
        self._failure: str | None = None
        self.status: int | None = None  # of the server's answer that ended the run

    def feed_error(self, line: str) -> None:
        """Take one line of standard error and show it."""
        self.emit(Progress("raw", line, {"stream": "stderr"}))

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
        self._retries = 0
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
        self._retries = 0

    def forget(self) -> None:
        """What was said so far was not the agent's last word."""
        self.flush()
        self._says.clear()

    def think(self, text: str) -> None:
        self.flush()
        self.emit(Progress("thinking", text))

    def call(self, name: str, given: Any, id: object = None, *, changes: object = None) -> None:
        """The agent calls a tool, which may change a file: it has not said its last word."""
        self.forget()
        self.emit(Progress("tool", name, {"name": name, "input": given, "id": id}))
        if isinstance(changes, str):
            self._changes[id] = changes

    def answer(self, text: str, *, id: object = None, failed: bool = False) -> None:
        """A tool has answered."""
        self.flush()
        self.emit(Progress("tool_result", text, {"id": id, "failed": failed}))
        path = self._changes.pop(id, None)
        if path is not None and not failed:
            self.change(path)

    def change(self, path: str) -> None:
        """A file has changed."""
        self.emit(Progress("file", path, {"path": path}))

    def retry(self, said: str, *, status: int | None = None, delay_s: float | None = None) -> None:
        """The harness tries again by itself.

        Sent away for long, or for a time that it does not tell, it is ended instead (see PATIENCE_S),
        and also when it has got nowhere in `attempts`: minutes of that are better spent by the engine.
        """
        if delay_s is None and (until := _reset(said)):
            delay_s = until / 1e9 - time.time()
        self.emit(Progress("retry", said, {"status": status, "delay_s": delay_s}))
        self._retries += 1
        patient = delay_s is not None and delay_s <= PATIENCE_S
        if not patient and kind_of(said, status, resets=delay_s is not None) is RateLimited:
            message = f"{self.name} is sent away: {said}"
            raise self.error(message, RateLimited, delay_s=delay_s or 0.0)
        if self._retries >= self.attempts:
            self.fail(said, status)
            raise self.failure(f"{said} (tried {self._retries} times)", status)

    def raw(self, event: Json, text: str = "") -> None:
        """Something that is nothing of the above."""
        self.emit(Progress("raw", text, event))

    def fail(self, said: str, status: int | None = None) -> None:
        """The run has failed, so the harness says. It may still end well, after trying again."""
        self._failure, self.status = said, status

    def spend(self, counts: Usage) -> None:
        """The run has used this much more."""
        used = self.usage or Usage()
        self.usage = Usage(
            used.input_tokens + counts.input_tokens,
            used.output_tokens + counts.output_tokens,
            used.cached_tokens + counts.cached_tokens,
            used.cost_usd + counts.cost_usd,
        )

    def recover(self) -> None:
        """What failed was tried again and went well."""
        self._failure = None

    @property
    def way_in(self) -> str:
        """What to do when it is not logged in."""
        return self.login

    # --- its end -------------------------------------------------------------------------------

    @property
    def text(self) -> str:
        """What the agent said last."""
        return "\n".join(self._says)

    def result(self, ending: Ending) -> AgentResult:
        """Return what came of the run, or raise what went wrong."""
        self.flush()
        if self._failure is not None:
            raise self.failure(self._failure, self.status, detail=ending.stderr)
        if not self.ended_well:
            said = f"{self.cause}; {ending}" if self.cause else str(ending)
            raise self.failure(said, self.status, detail=ending.stderr)
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
        hint = f". {self.way_in}" if kind is NotLoggedIn else ""
        how = "ended with" if kind is Crashed and self._failure is None else "failed:"
        return self.error(f"{self.name} {how} {said}{hint}", kind, detail=detail)

    def error(
        self, message: str, kind: type[WorkError], *, detail: str = "", delay_s: float = 0.0
    ) -> WorkError:
        """Return an error that knows what the run cost and which session it was."""
        known: Json = {"detail": detail, "usage": self.usage, "session": self.session}
        if kind is RateLimited:
            until = time.time_ns() + int(delay_s * 1e9) if delay_s else _reset(message)
            return RateLimited(message, until=until, **known)
        return kind(message, **known)


class EventReading(Reading, ABC):
    """The run of a harness that prints events, one JSON object a line."""

    @abstractmethod
    def feed(self, event: Json) -> None:
        """Take one event and show what it says."""


async def follow(
    reading: EventReading, argv: Sequence[str], *, env: Mapping[str, str], stdin: str
) -> AgentResult:
    """Run the harness, read what it prints, and return what came of it."""
    task, emit = reading.task, reading.emit
    ending = await run_jsonl(
        argv,
        task,
        emit,
        env=env,
        stdin=stdin,
        on_event=reading.feed,
        on_error=reading.feed_error,
    )
    return reading.result(ending)


def _reset(said: str) -> int:
    return reset_time(said, now=datetime.now().astimezone())
