"""How two histories differ, key by key: what two runs did otherwise, or one run at two frames.

What a run is answerable for matters: what its steps read and came to, who decided what, its input and
its output. What it took, tries, money and time, is told as well and makes no difference.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

import msgspec

from holdfast.eventlog import (
    NONE,
    LoopExhausted,
    Noted,
    Record,
    SignalAwaited,
    TimerSet,
    Value,
)

from .changes import (
    Change,
    Load,
    changed,
    of_children,
    of_gates,
    of_marks,
    of_run,
    of_steps,
    word_for,
)
from .reduce import reduce
from .state import Child, Gate, State, Step

Where = Literal["both", "a", "b"]
LAST = 2**63


class Side(msgspec.Struct, frozen=True):
    """A history to compare: its state, and what a state does not keep of it.

    `asked` is where each timer was set and each signal awaited, `marks` the notes and the ceilings.
    """

    state: State
    asked: Mapping[str, int] = {}
    marks: Mapping[str, Noted | LoopExhausted] = {}


class Difference(msgspec.Struct, frozen=True):
    """One key that differs: `a` and `b` are the offsets where it began, None where it has none."""

    key: str
    kind: str
    where: Where
    a: int | None
    b: int | None
    changes: tuple[Change, ...] = ()

    @property
    def matters(self) -> bool:
        return self.where != "both" or any(change.matters for change in self.changes)


class Comparison(msgspec.Struct, frozen=True):
    """What differs between two histories, A and B.

    They begin with `shared` events in common; `run` is what differs of the runs as a whole, `items`
    the keys that differ, in the order of the program; of `same` keys nothing does.
    """

    shared: int
    run: tuple[Change, ...]
    items: tuple[Difference, ...]
    same: int

    @property
    def equal(self) -> bool:
        """Whether nothing differs that matters."""
        return self.first is None and not any(change.matters for change in self.run)

    @property
    def first(self) -> Difference | None:
        """Where the two part: the first key that differs in what matters."""
        return next((item for item in self.items if item.matters), None)


def side_of(records: Iterable[Record]) -> Side:
    """Fold records into what can be compared."""
    state = State()
    asked: dict[str, int] = {}
    marks: dict[str, Noted | LoopExhausted] = {}
    for record in records:
        event = record.event
        kind = type(event)
        if kind is SignalAwaited or kind is TimerSet:
            asked[event.key] = record.offset  # type: ignore[union-attr]
        elif isinstance(event, Noted | LoopExhausted):
            marks[event.key] = event
        state = reduce(state, event, record.time)
    return Side(state, asked, marks)


def compare(a: Side, b: Side, shared: int = 0, load: Load = bytes) -> Comparison:
    """Compare two histories that begin with `shared` events in common; `load` reads large values."""
    before, after = _things(a), _things(b)
    items = [_item(key, before.get(key), after.get(key), load) for key in _merged(before, after)]
    found = tuple(item for item in items if item.where != "both" or item.changes)
    return Comparison(shared, tuple(of_run(a.state, b.state)), found, len(items) - len(found))


class _Thing(msgspec.Struct):
    """All that a history knows by one key."""

    offset: int
    step: Step | None = None
    gate: Gate | None = None
    child: Child | None = None
    mark: Noted | LoopExhausted | None = None
    wait: str = ""  # "waiting" or "passed"
    signal: str = ""
    payload: Value = NONE

    @property
    def kind(self) -> str:
        if self.step is not None:
            return self.step.kind
        if self.gate is not None:
            return self.gate.kind
        if self.child is not None:
            return "child"
        if self.mark is not None:
            return word_for(self.mark) or ""
        return "wait"


def _things(side: Side) -> dict[str, _Thing]:
    """Return what each key of a history stands for, in the order in which they began."""
    state, found = side.state, dict[str, _Thing]()
    for step in state.steps.values():
        found[step.key] = _Thing(step.offset, step)
    for gate in state.gates.values():
        if gate.kind == "budget":  # money is told with the steps, and makes no difference
            continue
        _at(found, gate.key, gate.offset).gate = gate
    for child in state.children.values():
        _at(found, child.key, child.offset).child = child
    for key, mark in side.marks.items():
        if key in state.passed:
            _at(found, key, state.passed[key]).mark = mark
    for key, offset in state.passed.items():
        _at(found, key, side.asked.get(key, offset)).wait = "passed"
    for key in [*state.timers, *state.waits]:
        _at(found, key, side.asked.get(key, LAST)).wait = "waiting"
    for key, payload in state.received.items():
        thing = _at(found, key, side.asked.get(key, LAST))
        thing.wait, thing.payload = "passed", payload
    return dict(sorted(found.items(), key=lambda pair: pair[1].offset))


def _at(found: dict[str, _Thing], key: str, offset: int) -> _Thing:
    if key not in found:
        found[key] = _Thing(offset)
    return found[key]


def _merged(a: Mapping[str, object], b: Mapping[str, object]) -> Iterator[str]:
    """Yield the keys of both in an order that is that of each, as far as these agree."""
    one, other = [*a], [*b]
    done: set[str] = set()
    i = j = 0
    while i < len(one) or j < len(other):
        if i < len(one) and one[i] in done:
            i += 1
        elif j < len(other) and other[j] in done:
            j += 1
        else:
            key = _next(
                one[i] if i < len(one) else None, other[j] if j < len(other) else None, a, b
            )
            done.add(key)
            yield key


def _next(
    one: str | None, other: str | None, a: Mapping[str, object], b: Mapping[str, object]
) -> str:
    """Choose which of two keys comes first; swapping A and B changes nothing."""
    if one is None or other is None:
        key = one if other is None else other
        assert key is not None
        return key
    if (one in b) != (other in a):  # what is only on one side comes before what both have
        return other if one in b else one
    return min(one, other)


def _item(key: str, a: _Thing | None, b: _Thing | None, load: Load) -> Difference:
    if a is None or b is None:
        there = a or b
        assert there is not None
        return Difference(key, there.kind, "b" if a is None else "a", _offset(a), _offset(b))
    return Difference(key, a.kind, "both", _offset(a), _offset(b), tuple(_changes(a, b, load)))


def _offset(thing: _Thing | None) -> int | None:
    return None if thing is None or thing.offset == LAST else thing.offset


def _changes(a: _Thing, b: _Thing, load: Load) -> Iterator[Change]:
    if a.step is not None and b.step is not None:
        yield from of_steps(a.step, b.step, load)
    else:
        yield from changed("step", a.step and a.step.kind, b.step and b.step.kind)
    if a.gate is not None or b.gate is not None:
        yield from of_gates(a.gate, b.gate)
    if a.child is not None or b.child is not None:
        yield from of_children(a.child, b.child)
    if a.mark != b.mark:
        yield from of_marks(a.mark, b.mark)
    yield from changed("wait", a.wait or None, b.wait or None)
    yield from changed("payload", a.payload, b.payload)
