"""Prove that a workflow does what its history says: drive it anew, and compare where both stand."""

from collections.abc import Callable, Iterable, Iterator

import msgspec

from holdfast.eventlog import Failure, Record, RunClaimed, RunReleased

from . import fingerprint
from .driver import Driver, Ended
from .errors import NotRecordable, WorkflowDiverged, WorkflowError
from .purse import GATE
from .redrive import Redact, redrive
from .state import ENDED, State

Explain = Callable[[BaseException], Failure]


class Divergence(msgspec.Struct, frozen=True):
    """Where a workflow and its history part. The event of `frame` is the first that does not fit.

    `look` is the last frame at which the workflow stands somewhere, or raises. `key` is empty where it
    is about the run as a whole. `edited` tells that the workflow's code is not the one that was
    recorded; else it reads something that is not recorded.
    """

    frame: int
    look: int
    key: str
    difference: str
    edited: bool


class Proof(msgspec.Struct, frozen=True):
    """What driving a history anew came to.

    `state` is the one after the last of the `events` that the driver has taken in; `divergence` is None
    where workflow and history agree. `stopped` is why the workflow cannot be driven any further, where
    the run stopped for the same reason. `look` is the frame at which there is most to see: where the
    two part, where the workflow raised, stands, or stood last before it returned.
    """

    state: State
    events: int
    look: int
    divergence: Divergence | None = None
    stopped: str = ""


def prove(
    driver: Driver,
    records: Iterable[Record],
    *,
    code: bytes,
    explain: Explain,
    redact: Redact = bytes,
) -> Proof:
    """Feed a new driver all records, and compare what it asks for, and how it ends, with them.

    `explain` makes of an exception what a failed run records.
    """
    rest = iter(records)
    watch = _Watch(driver)
    failed: WorkflowError | None = None
    try:
        redrive(driver, rest, code=code, redact=redact, observe=watch.observe)
    except WorkflowError as error:
        failed = error
    found, events = watch.waits, watch.events
    if found is None and isinstance(failed, WorkflowDiverged):
        found = events + 1, events, failed.key, failed.difference
    elif found is None and failed is not None:
        if _recorded_stop(rest) == failed.code:
            return Proof(watch.state, events, events + 1, stopped=str(failed))
        found = events + 1, events + 1, "", f"it cannot be driven: {failed}"
    elif found is None and (end := _at_its_end(driver, watch.state, explain, redact)):
        found = events, watch.look, "", end
    if found is None:
        return Proof(watch.state, events, watch.look)
    divergence = Divergence(*found, edited=code != watch.state.code)
    return Proof(watch.state, events, divergence.look, divergence)


class _Watch:
    """Follows a redrive, and compares what the workflow waits for whenever the log tells it."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._was_open = True
        self.state = State()
        self.events = 0
        self.look = 0
        self.waits: tuple[int, int, str, str] | None = None  # as the first fields of a Divergence

    def observe(self, record: Record, state: State) -> None:
        self.state, self.events = state, record.offset + 1
        event = record.event
        ended = self._driver.ended
        if ended is None or (ended.error is not None and self._was_open):
            self.look = self.events
        self._was_open = ended is None
        if isinstance(event, RunReleased) and event.reason == "waiting" and self.waits is None:
            waiting = {key for key in event.waiting if not key.endswith(GATE)}
            self._compare(waiting, set(self._driver.pending))

    def _compare(self, recorded: set[str], asked: set[str]) -> None:
        if asked != recorded:
            first = min(asked ^ recorded)
            difference = (
                f"the run waited for {_listed(recorded)}, the workflow for {_listed(asked)}"
            )
            self.waits = self.events, self.events, first, difference


def _at_its_end(driver: Driver, state: State, explain: Explain, redact: Redact) -> str | None:
    """Return how the workflow ended otherwise than the run did."""
    ended = driver.ended
    if state.status not in ENDED:
        return None  # all that it asked for fitted, and what it asks for next is not recorded
    if ended is None:
        asks = _listed(driver.pending)
        return f"the run {_past(state.status)}, the workflow goes on and asks for {asks}"
    if ended.status_of_run(state) != state.status:
        return f"the run {_past(state.status)}, the workflow {_ending(ended)}"
    if ended.error is not None and state.error is not None:
        now, then = explain(ended.error), state.error
        if (now.code, now.type, now.message) != (then.code, then.type, then.message):
            return (
                f"the run failed with [{then.code}] {then.message!r}, "
                f"the workflow with [{now.code}] {now.message!r}"
            )
    if state.status in ("succeeded", "continued"):
        return _other_output(ended.value, driver.load(state.output), redact)
    return None


def _other_output(value: object, recorded: bytes, redact: Redact) -> str | None:
    try:
        output = msgspec.msgpack.decode(redact(fingerprint.encode(value, "the output")))
    except NotRecordable as error:
        return str(error)
    before = msgspec.msgpack.decode(recorded)
    if fingerprint.encode(output, "") == fingerprint.encode(before, ""):
        return None
    return f"its output was {_short(before)} and is {_short(output)} now"


def _recorded_stop(rest: Iterator[Record]) -> str:
    """Return the code of the error for which the run was let go of at last, if there is one."""
    code = ""
    for event in (record.event for record in rest):
        if isinstance(event, RunClaimed):
            code = ""  # the code was mended, or stops again
        elif isinstance(event, RunReleased) and event.error is not None:
            code = event.error.code
    return code


def _ending(ended: Ended) -> str:
    if ended.status == "continued":
        return f"goes on with {_short(ended.value)}"
    if ended.error is None:
        return f"returned {_short(ended.value)}"
    return f"raised {_short(ended.error)}" if ended.status == "failed" else "was cancelled"


def _past(status: str) -> str:
    return "was cancelled" if status == "cancelled" else status


def _listed(keys: Iterable[str]) -> str:
    names = sorted(keys)
    shown = ", ".join(map(repr, names[:5]))
    return (f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown) or "nothing"


def _short(value: object) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 200 else f"{text[:197]}..."
