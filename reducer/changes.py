"""What differs between two things of one name: two steps, two gates, two child runs, two runs."""

from collections.abc import Callable, Iterator

import msgspec

from holdfast.eventlog import LoopExhausted, Noted, Usage, Value

from .differences import changed_fields
from .state import Child, Gate, State, Step

Load = Callable[[Value], bytes]
"""Reads the MessagePack bytes of a value."""


class Change(msgspec.Struct, frozen=True):
    """One thing that differs, as it is in A and in B; values are as they were recorded."""

    what: str
    a: object = None
    b: object = None
    matters: bool = True


def named(change: Change, load: Load) -> list[Change]:
    """Tell a change of what a step reads by its fields: its prompt, its command, its model."""
    if change.what != "reads" or not isinstance(change.a, msgspec.Raw):
        return [change]
    assert isinstance(change.b, msgspec.Raw)
    fields = changed_fields(load(change.a), load(change.b))
    if not fields:
        return [Change("type of the output")]
    return [Change(name, before, after) for name, before, after in fields]


def changed(what: str, a: object, b: object, *, matters: bool = True) -> Iterator[Change]:
    """Yield a change where two values differ."""
    if a != b:
        yield Change(what, a, b, matters)


def of_steps(a: Step, b: Step, load: Load) -> Iterator[Change]:
    """Yield what two steps of one key did otherwise."""
    if a.kind != b.kind:
        yield Change("kind", a.kind, b.kind)
    if a.fingerprint != b.fingerprint:
        yield Change("reads", a.reads, b.reads)
    if a.code != b.code:
        yield Change("code", a.code.hex(), b.code.hex())
    if a.status != b.status:
        yield Change("status", a.status, b.status)
    if a.error != b.error:
        yield Change("error", a.error, b.error)
    if a.result != b.result:
        yield from _of_results(a, b, load)
    if a.snapshot != b.snapshot:
        yield Change("files", a.snapshot.hex() or None, b.snapshot.hex() or None)
    if a.attempt != b.attempt:
        yield Change("attempts", a.attempt, b.attempt, matters=False)
    if a.by != b.by:
        yield Change("done by", a.by or None, b.by or None, matters=False)
    if a.seconds != b.seconds:
        yield Change("seconds", a.seconds, b.seconds, matters=False)
    if a.usage != b.usage:
        yield from _of_usage(a.usage or Usage(), b.usage or Usage())


def _of_results(a: Step, b: Step, load: Load) -> Iterator[Change]:
    """Yield how results differ; of a command's, which holds the time that it took, field by field."""
    if not (a.kind == b.kind == "shell" and a.status == b.status == "succeeded"):
        yield Change("result", a.result, b.result)
        return
    for name, before, after in changed_fields(load(a.result), load(b.result)):
        if name != "seconds":
            yield Change("exit status" if name == "code" else name, before, after)


def _of_usage(a: Usage, b: Usage) -> Iterator[Change]:
    for name in Usage.__struct_fields__:
        yield from changed(name, getattr(a, name), getattr(b, name), matters=False)


def of_gates(a: Gate | None, b: Gate | None) -> Iterator[Change]:
    """Yield what was asked or decided otherwise."""
    if a is None or b is None:
        yield Change("gate", a and a.kind, b and b.kind)
        return
    yield from changed("gate", a.kind, b.kind)
    if a.digest != b.digest or (not a.digest and a.subject != b.subject):
        yield Change("subject", a.subject, b.subject)
    yield from changed("for", a.by, b.by)
    yield from changed("count", a.count, b.count)
    yield from changed("decision", _decision(a), _decision(b))
    yield from changed("decided by", [v.by for v in a.votes], [v.by for v in b.votes])
    yield from changed("note", [v.note for v in a.votes], [v.note for v in b.votes])
    said = "answer" if a.kind == b.kind == "question" else "edits"
    yield from changed(said, [v.edits for v in a.votes], [v.edits for v in b.votes])


def _decision(gate: Gate) -> str:
    if gate.decision is None:
        return "open"
    if gate.expired:
        return "expired"
    if gate.kind == "question":
        return "answered"
    return "approved" if gate.decision.approved else "denied"


def of_children(a: Child | None, b: Child | None) -> Iterator[Change]:
    """Yield what two child runs of one key came to."""
    if a is None or b is None:
        yield Change("child", a and a.run, b and b.run)
        return
    yield from changed("asks", a.fingerprint.hex(), b.fingerprint.hex())
    yield from changed("status", a.status, b.status)
    yield from changed("error", a.error, b.error)
    yield from changed("output", a.output, b.output)


def of_marks(a: Noted | LoopExhausted | None, b: Noted | LoopExhausted | None) -> Iterator[Change]:
    """Yield how two notes or ceilings differ."""
    match a, b:
        case Noted(), Noted():
            yield from changed("text", a.text, b.text)
            yield from changed("data", a.data, b.data)
        case LoopExhausted(), LoopExhausted():
            yield from changed("ceiling", a.max, b.max)
        case _:
            yield Change("mark", word_for(a), word_for(b))


def word_for(mark: Noted | LoopExhausted | None) -> str | None:
    """Return what a mark is, in a word."""
    return None if mark is None else "note" if isinstance(mark, Noted) else "ceiling"


def of_run(a: State, b: State) -> Iterator[Change]:
    """Yield what differs of two runs as a whole."""
    yield from changed("workflow", a.workflow, b.workflow)
    yield from changed("code", a.code.hex(), b.code.hex())
    yield from changed("input", a.input, b.input)
    yield from changed("status", a.status, b.status)
    yield from changed("error", a.error, b.error)
    yield from changed("output", a.output, b.output)
    yield from changed("cancelling", a.cancelling, b.cancelling)
    yield from changed("signals", _signals(a), _signals(b))


def _signals(state: State) -> dict[str, list[tuple[str, Value]]]:
    """Return what nobody awaited yet, by signal, each with its key."""
    return {
        name: [(each.correlation, each.payload) for each in queued]
        for name, queued in state.signals.items()
        if queued
    }
