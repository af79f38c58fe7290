"""What is decided about the files that a step finds: restored, kept as edited, or refused."""

from typing import Any

import pytest
from msgspec.structs import replace

from holdfast.eventlog import (
    AnyEvent,
    AttemptFailed,
    Failure,
    Record,
    RestoreStarted,
    RunForked,
    SessionOpened,
    StepDeferred,
    StepStarted,
    StepSucceeded,
    WorkspaceSeen,
)
from holdfast.reducer import (
    Accept,
    FilesDecision,
    Refuse,
    Restore,
    State,
    decide_files,
    left_behind,
    replay,
)

BASE, HALF, DONE, EDITED = (bytes([n]) * 20 for n in range(1, 5))
SEEN = WorkspaceSeen(BASE)
AGENT = StepStarted("a", "agent", b"f")
SHELL = StepStarted("s", "shell", b"f")
AGAIN = AttemptFailed("a", Failure("exit_status", "no"), snapshot=HALF)
INVALID = AttemptFailed("a", Failure("output_invalid", "no"), snapshot=HALF)
OTHER_DONE = StepSucceeded("s", snapshot=DONE)


def fork(reason: str = "rewind", **about: Any) -> RunForked:
    return RunForked("r", reason, "r", 1, 1, 1, **about)


def after(*events: AnyEvent) -> State:
    return replay(Record(i + 1, 1, i, 100 + i, "t", 1, event) for i, event in enumerate(events))


def decide(events: list[AnyEvent], found: bytes, **options: Any) -> FilesDecision:
    options = {"first": True, "held": ["a"], **options}
    return decide_files(after(*events), found, **options)


LEFT = fork(snapshot=BASE, left=DONE)
MOVED: list[AnyEvent] = [SEEN, AGENT, StepSucceeded("a", snapshot=DONE), LEFT]

CASES: list[tuple[list[AnyEvent], bytes, dict[str, Any], FilesDecision]] = [
    ([], BASE, {}, Accept()),
    ([SEEN, SHELL, OTHER_DONE], DONE, {}, Accept()),
    ([SEEN, SHELL, OTHER_DONE], EDITED, {}, Accept(drifted=True)),
    # it took another way
    (MOVED, DONE, {}, Restore(BASE, "left")),
    (MOVED, BASE, {}, Accept()),
    (MOVED, EDITED, {}, Refuse(BASE)),
    (MOVED, EDITED, {"edits": "discard"}, Restore(BASE, "left")),
    (MOVED, EDITED, {"edits": "keep"}, Accept(drifted=True)),
    (MOVED, DONE, {"edits": "keep"}, Accept(drifted=True)),
    (MOVED, EDITED, {"is_ours": True}, Restore(BASE, "left")),
    (MOVED, DONE, {"alone": False}, Accept()),
    ([*MOVED[:-1], fork(snapshot=BASE)], EDITED, {}, Restore(BASE, "left")),
    ([*MOVED[:-1], fork("retry", snapshot=BASE, left=DONE)], EDITED, {}, Accept(drifted=True)),
    ([*MOVED[:-1], fork("accept", snapshot=DONE, left=DONE)], EDITED, {}, Accept(drifted=True)),
    ([*MOVED, RestoreStarted(BASE, DONE, b"c")], HALF, {}, Restore(BASE, "left")),
    ([*MOVED, RestoreStarted(BASE, DONE, b"c")], BASE, {}, Accept()),
    # the process died
    ([SEEN, AGENT], HALF, {}, Restore(BASE, "interrupted")),
    ([SEEN, AGENT], HALF, {"first": False}, Accept(drifted=True)),
    ([SEEN, AGENT, SessionOpened("a", "id")], HALF, {}, Accept(drifted=True)),
    ([SEEN, AGENT, SHELL, OTHER_DONE], HALF, {}, Restore(DONE, "interrupted")),
    # it is tried again
    ([SEEN, AGENT, AGAIN], HALF, {"first": False}, Restore(BASE, "retried")),
    ([SEEN, AGENT, AGAIN], HALF, {}, Restore(BASE, "retried")),
    ([SEEN, AGENT, AGAIN], EDITED, {"first": False}, Accept(drifted=True)),
    ([SEEN, AGENT, AGAIN], HALF, {"first": False, "held": ["x"]}, Accept()),
    ([SEEN, AGENT, INVALID], HALF, {"first": False}, Accept()),
    ([SEEN, AGENT, StepDeferred("a", 9, snapshot=HALF)], HALF, {}, Restore(BASE, "retried")),
    ([SEEN, AGENT, SHELL, OTHER_DONE, AGAIN], HALF, {"first": False}, Accept()),
    ([SEEN, AGENT, SHELL, AGAIN], HALF, {"first": False}, Accept()),
]


@pytest.mark.parametrize(("events", "found", "options", "decision"), CASES)
def test_this_becomes_of_the_files(
    events: list[AnyEvent], found: bytes, options: dict[str, Any], decision: FilesDecision
) -> None:
    assert decide(events, found, **options) == decision


@pytest.mark.parametrize(
    ("events", "tree"),
    [
        ([], b""),
        ([SEEN], BASE),
        ([SEEN, AGENT], b""),
        ([SEEN, AGENT, StepSucceeded("a", snapshot=DONE)], DONE),
        ([SEEN, AGENT, StepSucceeded("a")], b""),
        (MOVED, DONE),
        ([*MOVED, RestoreStarted(BASE, DONE, b"c")], b""),
    ],
)
def test_a_history_knows_what_it_leaves_in_the_folder_or_says_nothing(
    events: list[AnyEvent], tree: bytes
) -> None:
    assert left_behind(after(*events)) == tree


def test_a_step_that_found_the_same_files_is_told_by_what_stood_for_them_before_they_were_seen() -> (
    None
):
    seen = after(SEEN, AGENT).steps["a"]
    unseen = after(AGENT).steps["a"]

    assert (seen.tree, seen.unseen) == (BASE, b"")
    assert (unseen.tree, unseen.unseen) == (b"", None)


def test_another_try_found_the_same_files_unless_somebody_else_touched_them() -> None:
    second = replace(AGENT, attempt=2)

    assert after(SEEN, AGENT, AGAIN, second).steps["a"].tree == BASE
    assert after(SEEN, AGENT, AGAIN, WorkspaceSeen(EDITED), second).steps["a"].tree == EDITED
