"""What an agent tells of its work, and what the end of its turn comes to."""

from typing import ClassVar, Final

from holdfast.eventlog import Usage

from ...errors import BadOptions, Refused
from ...types import AgentResult, AgentTask, Emit, Progress
from ..cli import Ending, Json, part, parts
from ..reading import Reading
from .calls import Call
from .permits import CHANGING, is_allowed
from .rpc import RpcError
from .usage import counted

ACTING: Final = CHANGING | {"execute"}
AUTH_REQUIRED: Final = -32000
ASIDE: Final = {
    "available_commands_update",
    "config_option_update",
    "current_mode_update",
    "session_info_update",
    "user_message_chunk",
}


class AcpReading(Reading):
    """Takes the updates of one session. Those from before its `asked` are of earlier turns."""

    name: ClassVar[str] = "acp"
    login: ClassVar[str] = "Log in with the agent's own command."
    counts_turns: ClassVar[bool] = True  # and not only the last of its requests to the model
    remembers: ClassVar[bool] = True  # its sessions, where it says so
    unasked: ClassVar[set[str]] = (
        set()
    )  # kinds of calls that may go on without asking, known harmless

    def __init__(self, task: AgentTask, emit: Emit) -> None:
        super().__init__(task, emit)
        self.asked = self.answered = False
        self.ways_in: list[str] = []  # how it can be logged in to, in its own words
        self._calls: dict[str, Call] = {}
        self._thought, self._message = "", ""
        self._while_working: list[str] = []
        self._written: set[str] = set()
        self._spent = Usage()  # by what single messages tell of themselves
        self._cost_before: float | None = 0.0 if task.session is None else None
        self._cost: float | None = None
        self._counts: Usage | None = None

    # --- updates -------------------------------------------------------------------------------

    def update(self, update: Json) -> None:
        """Take one update of the session."""
        kind = update.get("sessionUpdate")
        if kind == "usage_update":
            self._priced(update)
        elif not self.asked or kind in ASIDE:
            return  # of the session's past, or of no use without a person
        elif kind == "agent_message_chunk":
            self._piece(update)
        elif self.answered:
            self.raw(update)  # too late to be of the turn that has ended
        else:
            self._work(kind, update)

    def _work(self, kind: object, update: Json) -> None:
        match update:
            case {"content": {"text": str(piece)}} if kind == "agent_thought_chunk":
                self._retries = 0
                self._thought += piece
            case {"toolCallId": str(id)} if kind in ("tool_call", "tool_call_update"):
                self.tool(id, update)
            case {"entries": [*_]} if kind == "plan":
                self.flush()
                self.raw(update, _plan(update))
            case _:
                self.raw(update)

    def _piece(self, update: Json) -> None:
        self._end_thought()
        used = part(part(update, "_meta"), "usage")
        if used:
            self._spent = _sum(self._spent, counted(used))
        message = str(update.get("messageId") or "")
        if message != self._message:
            self.flush()
        self._message = message
        match update.get("content"):
            case {"type": "text", "text": str(piece)} if piece:
                self.add(piece)
            case {"type": "text"}:
                pass
            case _:
                self.raw(update)

    def tool(self, id: str, update: Json) -> Call:
        """Take what is told of a call of a tool."""
        new = id not in self._calls
        call = self._calls.setdefault(id, Call())
        if call.ended:
            return call
        if new:
            self.forget()  # it has not said its last word
            self._while_working.clear()
            self._written.clear()
        call.take(update)
        call.ended = call.status in ("completed", "failed")
        if not call.shown and (call.is_ready or call.ended):
            self.show(id, call)
        if call.ended:
            self._tool_ended(id, call)
        return call

    def show(self, id: str, call: Call) -> None:
        """The call is known well enough to be shown."""
        if not call.shown:
            call.shown = True
            self.flush()
            self.emit(
                Progress("tool", call.name, {"name": call.name, "input": call.given, "id": id})
            )

    def _tool_ended(self, id: str, call: Call) -> None:
        if self._says:  # said while it worked: not the last word, unless no other comes
            self._while_working += self._says
            self.forget()
        self.answer(call.answer, id=id, failed=call.status == "failed")
        if call.status == "failed":
            return
        if call.kind in CHANGING:
            for path in call.paths:
                self.wrote(path)
        if call.kind in ACTING - self.unasked and not call.allowed:
            self._check(call)

    def _check(self, call: Call) -> None:
        """End an agent that did without asking what the step's permissions do not allow."""
        permissions = self.task.permissions
        if not is_allowed(permissions, call.kind, call.paths, self.task.folder):
            raise self.error(
                f"{self.name} cannot be held to permissions={permissions!r}: without asking it did "
                f"{call.kind!r} ({', '.join([call.name, *call.paths])}). Its own settings allow it "
                "to. Give the step other permissions, or another agent.",
                BadOptions,
            )

    def wrote(self, path: str) -> None:
        """A file was changed, which may be told both by the tool and by who wrote it."""
        if path not in self._written:
            self.change(path)
        self._written.add(path)

    def _end_thought(self) -> None:
        thought, self._thought = self._thought, ""
        if thought.strip():
            self.emit(Progress("thinking", thought))

    def flush(self) -> None:
        self._end_thought()
        super().flush()

    def _priced(self, update: Json) -> None:
        amount = part(update, "cost").get("amount")
        if isinstance(amount, int | float):
            if not self.asked:
                self._cost_before = float(amount)
            self._cost = float(amount)

    # --- its end -------------------------------------------------------------------------------

    def turn_ended(self, result: Json) -> None:
        """The agent says that its turn is over, and why."""
        self.answered = True
        reason = str(result.get("stopReason"))
        self.ended_well = reason == "end_turn"
        self.cause = f"the turn ended with {reason!r}"
        used = part(result, "usage") or part(part(part(result, "_meta"), "quota"), "token_count")
        self._counts = counted(used) if used and self.counts_turns else None

    @property
    def text(self) -> str:
        return super().text or "\n".join(self._while_working)

    def result(self, ending: Ending) -> AgentResult:
        self.usage = self._used()
        if self.cause.endswith("'refusal'"):
            raise self.error(f"{self.name} declined to go on: {self.text}".strip(": "), Refused)
        return super().result(ending)

    def declined(self, error: RpcError) -> None:
        """A request was answered with an error: the run is over."""
        status = error.code if 400 <= error.code < 600 else None
        said = error.said
        if error.code == AUTH_REQUIRED and "auth" in said.lower():
            status = 401
        self.fail(said, status)

    @property
    def way_in(self) -> str:
        known = f" It knows: {', '.join(self.ways_in)}." if self.ways_in else ""
        return self.login + known

    def _used(self) -> Usage | None:
        counts = self._counts or (self._spent if self._spent != Usage() else None)
        if self._cost is None or self._cost_before is None:
            return counts
        known = counts or Usage()
        cost = max(0.0, self._cost - self._cost_before)
        return Usage(known.input_tokens, known.output_tokens, known.cached_tokens, cost)


def _sum(one: Usage, other: Usage) -> Usage:
    return Usage(
        one.input_tokens + other.input_tokens,
        one.output_tokens + other.output_tokens,
        one.cached_tokens + other.cached_tokens,
    )


def _plan(update: Json) -> str:
    done = {"completed": "x", "in_progress": ">"}
    rows = [
        (done.get(str(each.get("status")), " "), each.get("content"))
        for each in parts(update, "entries")
    ]
    return "\n".join(f"[{mark}] {what}" for mark, what in rows)
