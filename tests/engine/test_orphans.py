"""What a killed process left running is ended before anything else works in the same folder."""

import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from holdfast import Run, workflow
from holdfast.eventlog import ChildStarted, Owner, RunClaimed
from holdfast.insiders import log_id
from holdfast.plugins import MARK
from holdfast.plugins.marks import can_see_marks
from holdfast.travel import Change, fork
from tests.support.lab import Lab

pytestmark = pytest.mark.skipif(not can_see_marks(), reason="this system shows no marks")
Process = subprocess.Popen[bytes]
Orphan = Callable[[str], Process]


@workflow
async def waits(run: Run) -> None:
    await run.wait("never")


@workflow
async def has_a_child(run: Run) -> None:
    await run.child(waits, name="kid")


@pytest.fixture
def orphan(lab: Lab) -> Iterator[Orphan]:
    """Start what may be left of a step of a run."""
    lab.workflows |= {each.reference: each for each in (waits, has_a_child)}
    with ExitStack() as stack:

        def start(run: str) -> Process:
            mark = f"{log_id(lab.log)}/{lab.log.branch_of(run)}/3/1"
            popen = stack.enter_context(subprocess.Popen(["sleep", "600"], env={MARK: mark}))
            stack.callback(popen.kill)
            return popen

        yield start


def leave(lab: Lab, change: Change, run: str = "r") -> str:
    return fork(lab.log, lab.load, run, change, actor="cli:x")[0]


@pytest.mark.parametrize("reason", ["rewind", "retry", "accept"])
async def test_what_worked_for_a_history_that_a_run_has_left_is_ended_when_the_run_goes_on(
    reason: str, lab: Lab, orphan: Orphan
) -> None:
    await lab.run(waits)
    first = orphan("r")
    leave(lab, Change(reason, 2))  # type: ignore[arg-type]
    second = orphan("r")
    leave(lab, Change("rewind", 2), "r@1")  # beside the second history, not behind it

    await lab.resume()

    assert [first.poll(), second.poll()] == [-signal.SIGTERM] * 2


async def test_a_fork_lets_its_origin_work_on(lab: Lab, orphan: Orphan) -> None:
    await lab.run(waits)
    origins = orphan("r")
    name = leave(lab, Change("fork", 2))
    left = orphan(name)
    leave(lab, Change("rewind", 2), name)

    await lab.resume(name)

    assert left.poll() == -signal.SIGTERM
    assert origins.poll() is None


async def test_what_worked_for_a_child_is_ended_when_its_parent_goes_on_from_before_it(
    lab: Lab, orphan: Orphan
) -> None:
    await lab.run(has_a_child)
    begun = next(n for n, event in enumerate(lab.events()) if isinstance(event, ChildStarted))
    childs = orphan("r/kid")
    leave(lab, Change("rewind", begun))

    await lab.resume()

    assert childs.poll() == -signal.SIGTERM
    assert lab.events(kind=ChildStarted)[-1].run != "r/kid"


async def test_a_child_that_another_process_executes_works_on(lab: Lab, orphan: Orphan) -> None:
    await lab.run(has_a_child)
    childs = orphan("r/kid")
    with Owner.acquire(lab.log.path) as owner:
        lab.append_unheard(RunClaimed(owner.token, "here", 7), run="r/kid")
        leave(lab, Change("rewind", 2))

        await lab.resume()

    assert childs.poll() is None
