"""Runs that the engine made are driven anew at every frame, and nothing of it is seen in the log."""

import tempfile
from pathlib import Path

import trio
from hypothesis import given, settings

from holdfast import Run, workflow
from holdfast.eventlog import RunReleased
from holdfast.redact import Redactor
from holdfast.replaying import Replayer, runs_of
from tests.support.clock import virtual_clock
from tests.support.lab import Lab
from tests.support.programs import PROGRAMS, Program, generic


def replayer(lab: Lab) -> Replayer:
    return Replayer(lab.log, lab.load, Redactor({}))  # type: ignore[arg-type]


@settings(max_examples=25, deadline=None)
@given(PROGRAMS)
def test_every_frame_of_every_run_fits(program: Program) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(Path(folder))
        with virtual_clock() as clock:
            trio.run(lab.run, generic, {"program": program}, clock=clock)
        row, root = lab.log.run("r"), lab.log.root()

        for frame in range(row.head + 1):
            found = replayer(lab).prove(row, generic, frame)
            assert found.ok
            assert found.proof.events == frame
        last, found = lab.events()[-1], replayer(lab).prove(row, generic)
        if isinstance(last, RunReleased):
            assert set(found.asks) == set(last.waiting)
            assert found.unrecorded == ()
        assert lab.log.root() == root
        lab.log.close()


async def test_a_step_is_never_done_again_by_a_replay(lab: Lab, autojump_clock: object) -> None:
    calls: list[str] = []

    def work(name: str) -> str:
        calls.append(name)
        return name

    @workflow
    async def flow(run: Run) -> str:
        return await run.step("work", work, "once")

    await lab.run(flow)
    row = lab.log.run("r")

    for frame in range(row.head + 1):
        with replayer(lab).driven(row, flow, frame) as driver:
            assert driver.pending.keys() <= {"work"}
        assert replayer(lab).prove(row, flow, frame).ok
    assert calls == ["once"]


async def test_a_redacted_result_is_replayed_as_it_was_recorded(
    lab: Lab, autojump_clock: object
) -> None:
    secret = "ghp_" + "x1" * 18

    def leak() -> str:
        return secret

    @workflow
    async def flow(run: Run) -> str:
        return await run.step("leak", leak)

    outcome = await lab.run(flow)

    assert secret not in outcome.output
    assert replayer(lab).prove(lab.log.run("r"), flow).ok


async def test_the_newest_runs_of_a_workflow_come_first(lab: Lab, autojump_clock: object) -> None:
    @workflow
    async def flow(run: Run) -> None:
        await run.note("here")

    @workflow
    async def other(run: Run) -> None:
        await run.note("there")

    for run, code in (("a", flow), ("b", other), ("c", flow)):
        await lab.run(code, run=run)

    assert [row.run for row in runs_of(lab.log, "flow", None)] == ["c", "a"]
    assert [row.run for row in runs_of(lab.log, "flow", 1)] == ["c"]
    verdicts = list(replayer(lab).against(other, runs_of(lab.log, "flow", None)))
    assert [verdict.problem for verdict in verdicts] == ["", ""]  # a note's text is no difference
