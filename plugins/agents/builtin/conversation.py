"""What an agent and its model have said and done so far, read from the journal: what comes next.

Pure. The journal's entries are the only memory: a conversation that goes on after a crash is the same.
"""

import json
from collections.abc import Iterable
from typing import Any

import msgspec

from holdfast.eventlog import Usage

from ...types import Entry, Message, ToolCall
from .bounded import brief, clean

FINAL = "final_answer"
INTERRUPTED = (
    "error: interrupted by a crash while this was at work; its outcome is unknown. It was not done again: "
    "look at what it has done before you decide how to go on."
)
CUT_OFF = "You were cut off at the limit of one answer. Go on from there, in smaller pieces."


class Asked(msgspec.Struct, frozen=True, tag="asked"):
    """Something was said to the model."""

    text: str


class Answered(msgspec.Struct, frozen=True, tag="answered"):
    """The model answered, perhaps with calls."""

    text: str
    calls: list[ToolCall] = []
    stop: str = "end"
    extra: dict[str, Any] = {}


class Began(msgspec.Struct, frozen=True, tag="began"):
    """A call that has an effect is about to be made: number `call` of the last answer."""

    call: int


class Finished(msgspec.Struct, frozen=True, tag="finished"):
    """What a call came to."""

    call: int
    result: str
    ok: bool = True


Said = Asked | Answered | Began | Finished


class Open(msgspec.Struct, frozen=True):
    """A call that is to be made next; `began` before a crash, perhaps."""

    number: int
    call: ToolCall
    began: bool


class Conversation:
    """The conversation, entry by entry. `messages` are what the model is shown next."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.messages: list[Message] = []
        self.turns = 0
        self.usage = Usage()
        self._answer: Answered | None = None  # the last thing said, with what came of its calls
        self._results: dict[int, Finished] = {}
        self._began: set[int] = set()
        for entry in entries:
            self.add(read(entry), entry.usage)

    def add(self, said: Said, usage: Usage | None = None) -> None:
        """Take in what was said or done."""
        self.usage = added(self.usage, usage)
        match said:
            case Asked(text=text):
                self._answer = None
                self.messages.append(Message("user", text))
            case Answered():
                self.turns += 1
                self._answer, self._results, self._began = said, {}, set()
                self.messages.append(Message("assistant", said.text, said.calls, extra=said.extra))
            case Began(call=number):
                self._began.add(number)
            case Finished(call=number, result=result):
                assert self._answer is not None, "a call is part of an answer"
                self._results[number] = said
                call_id = self._answer.calls[number].id
                self.messages.append(Message("tool", result, call_id=call_id))

    @property
    def open_call(self) -> Open | None:
        """The first call of the last answer that has no result."""
        for number, call in enumerate(self._answer.calls if self._answer else ()):
            if number not in self._results:
                return Open(number, call, number in self._began)
        return None

    @property
    def was_cut_off(self) -> bool:
        """Whether the last answer was, with nothing in it to be done."""
        answer = self._answer
        return answer is not None and answer.stop == "length" and not answer.calls

    @property
    def final(self) -> Answered | None:
        """The answer with which the model is done, if it is."""
        answer = self._answer
        if answer is None or self.open_call is not None:
            return None
        return answer if not answer.calls or self.final_call is not None else None

    @property
    def final_call(self) -> ToolCall | None:
        """The call by which the model handed over its answer as data."""
        for number, result in reversed(self._results.items()):
            call = self._answer.calls[number] if self._answer else None
            if call is not None and call.name == FINAL and result.ok:
                return call
        return None


def entry_of(said: Said, usage: Usage | None = None, *, text: str = "") -> Entry:
    """Return the journal's entry for it; `text` tells people."""
    data: dict[str, Any] = msgspec.to_builtins(said)
    return Entry(data.pop("type"), data, text, usage)


def read(entry: Entry) -> Said:
    """Return what an entry says."""
    said: Said = msgspec.convert({**entry.data, "type": entry.kind}, Said)
    return said


def told(call: ToolCall, result: str = "") -> str:
    """Return a call in one line: its tool, what it is about, and how its result begins."""
    about = brief(_subject(call.arguments))
    return f"[{call.name}] {about}{f': {brief(result)}' if result else ''}"


def _subject(arguments: str) -> str:
    """Return the argument that says most: the first one."""
    try:
        given = json.loads(arguments)
    except ValueError:
        return arguments
    match given:
        case {**named}:
            return str(next(iter(named.values()), ""))
        case _:
            return str(given)


def with_ids(calls: list[ToolCall], turn: int) -> list[ToolCall]:
    """Return the calls as they can be written down, each with an id of its own: some providers give
    none, or one twice."""
    seen: set[str] = set()
    found: list[ToolCall] = []
    for number, call in enumerate(calls):
        name, arguments = clean(call.name), clean(call.arguments)
        own = call.id if call.id and call.id not in seen else f"call_{turn}_{number}"
        call = msgspec.structs.replace(call, id=own, name=name, arguments=arguments)
        seen.add(call.id)
        found.append(call)
    return found


def added(one: Usage, other: Usage | None) -> Usage:
    """Return the sum of what was used."""
    if other is None:
        return one
    return Usage(
        one.input_tokens + other.input_tokens,
        one.output_tokens + other.output_tokens,
        one.cached_tokens + other.cached_tokens,
        one.cost_usd + other.cost_usd,
    )
