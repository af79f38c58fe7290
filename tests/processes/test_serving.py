"""`holdfast serve` as a process: what people decide elsewhere goes on in it, and its death loses nothing."""

import json
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace

from holdfast.engine import Engine
from holdfast.eventlog import Log, RunClaimed, RunReleased, StepStarted, StepSucceeded
from holdfast.loading import Loader
from holdfast.plugins import Plugins
from holdfast.runs import decide_gate
from holdfast.servers import server_of
from tests.support.site import Process, Site, alive, until

WORK = '''
    from holdfast import Run, workflow

    SLOW = """
    %s
    echo "began $$" >> "$SIDE"
    while [ ! -e go ]; do sleep 0.02; done
    """


    @workflow
    async def asks(run: Run) -> str:
        await run.shell("first", "echo first >> \\"$SIDE\\"")
        decision = await run.approve("go")
        await run.shell("second", "echo second >> \\"$SIDE\\"")
        return decision.by


    @workflow
    async def short(run: Run, name: str) -> str:
        for step in ("one", "two", "three"):
            await run.shell(step, f"echo {name}/{step} >> \\"$SIDE\\"; sleep 0.01")
        return "done"


    @workflow
    async def works(run: Run, trap: str = "true") -> str:
        await run.shell("first", "echo first >> \\"$SIDE\\"")
        await run.shell("work", SLOW % trap)
        return "worked"
'''


@pytest.fixture
def served(site: Site) -> Site:
    site.write("work.py", WORK)
    return site


def serve(site: Site) -> Process:
    """Start a server and wait until it serves."""
    process = site.start("serve", "--json")
    until(lambda: server_of(site.log_folder) == process.pid, "the server")
    return process


def what(process: Process) -> Callable[[str], list[str]]:
    """Return what a server that has ended said of a run."""
    told: list[dict[str, Any]] = [json.loads(line) for line in process.ended().out.splitlines()]
    return lambda run: [line["what"] for line in told if line["run"] == run]


def status(site: Site, run: str) -> str:
    return str(site.call("show", run, "--json").json["status"])


def succeeded(site: Site, run: str, key: str) -> bool:
    return key in site.keys(run, StepSucceeded)


def pids(site: Site) -> list[int]:
    return [int(line.split()[1]) for line in site.lines() if line.startswith("began ")]


def test_an_approval_from_another_process_lets_a_run_go_on(served: Site) -> None:
    assert served.call("run", "work.py:asks", "--id", "r").status == 3
    server = serve(served)

    approved = served.call("approve", "r", "--by", "ben")
    until(partial(succeeded, served, "r", "second"), "the run to go on")
    server.send(signal.SIGTERM)

    assert "holdfast serve goes on with it" in approved.out
    assert server.ended().status == 0, server.ended()
    assert what(server)("r") == ["goes on", "succeeded"]
    assert served.lines() == ["first", "second"]
    times = [(r.event, r.time) for r in served.records("r")]
    decided = next(t for event, t in times if type(event).__name__ == "ApprovalDecided")
    claims = [t for event, t in times if isinstance(event, RunClaimed)]
    assert (claims[-1] - decided) / 1e9 < 1  # usually a few ms; the machine may be busy


def leave_all(site: Site, names: Mapping[str, Sequence[str]]) -> None:
    """Leave new runs of each workflow to whoever will serve."""
    with Log.open(site.log_folder) as log:
        engine = Engine(log, Plugins.load(installed=False), Loader({}))
        for workflow, runs in names.items():
            found, source = engine.load(f"{site.folder}/work.py:{workflow}"), f"work.py:{workflow}"
            for run in runs:
                given = {"name": run} if workflow == "short" else {}
                new = engine.prepare(found, given, run=run, folder=str(site.folder), source=source)
                left = RunReleased("", "interrupted", served=True)
                log.write_one(replace(new, events=[*new.events, left]))


def approve_all(site: Site, runs: Iterable[str]) -> None:
    with Log.open(site.log_folder) as log:
        for run in runs:
            decide_gate(log, run, "go", approved=True, by="ben", actor="cli:ben")


def in_status(site: Site, wanted: str) -> set[str]:
    with Log.open(site.log_folder) as log:
        return {row.run for row in log.runs(statuses=[wanted])}


def test_a_killed_servers_fifty_runs_come_to_their_end_and_no_finished_step_is_done_again(
    served: Site,
) -> None:
    works, waits = ["a", "b"], [f"waits-{number}" for number in range(8)]
    shorts = [f"short-{number}" for number in range(40)]
    leave_all(served, {"asks": waits, "works": works, "short": shorts})
    first = serve(served)
    until(lambda: len(pids(served)) == 2, "both to be at work")
    until(lambda: len(served.lines()) > 60, "half of the work to be done")
    orphans = pids(served)
    first.kill()
    done = {run: served.keys(run, StepSucceeded) for run in (*waits, *works, *shorts)}

    second = serve(served)
    until(lambda: len(pids(served)) == 4, "both to be at work again")
    assert not any(map(alive, orphans))
    until(lambda: in_status(served, "waiting") == {*waits}, "the others to ask")
    approve_all(served, waits)
    (served.folder / "go").touch()
    until(lambda: in_status(served, "succeeded") == {*done}, "all to end")
    second.send(signal.SIGINT)

    assert second.ended().status == 0
    for run, before in done.items():
        started, succeeded = served.keys(run, StepStarted), served.keys(run, StepSucceeded)
        assert set(succeeded.values()) == {1}, run
        assert all(started[key] == 1 for key in before), run
        assert max(started.values()) <= 2, run
        if run in shorts:
            assert all(served.lines().count(f"{run}/{key}") == 1 for key in before), run
    assert all(served.keys(run, StepStarted) == {"first": 1, "work": 2} for run in works)
    assert what(second)("a") == ["goes on", "succeeded"]
    assert served.verified()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_ends_what_is_at_work_and_the_next_server_goes_on(
    served: Site, number: signal.Signals
) -> None:
    server = serve(served)
    served.call("run", "work.py:works", "--id", "r", "--detach")
    until(lambda: pids(served), "the step to begin")

    server.send(number)

    assert server.ended().status == 0
    assert what(server)("r") == ["goes on", "interrupted"]
    assert not any(map(alive, pids(served)))
    assert [e.reason for e in served.events("r", RunReleased)] == ["interrupted"] * 2
    (served.folder / "go").touch()
    serve(served)
    until(lambda: status(served, "r") == "succeeded", "the next server to go on")
    assert served.lines().count("first") == 1


def test_a_second_signal_kills_what_does_not_end(served: Site) -> None:
    server = serve(served)
    trap = "trap '' TERM"
    served.call("run", "work.py:works", "--id", "r", "-i", f"trap={trap}", "--detach")
    until(lambda: pids(served), "the step to begin")

    server.send(signal.SIGTERM)
    out = server.popen.stdout
    assert out is not None
    until(lambda: "stopping" in out.readline(), "the server to hear it")
    server.send(signal.SIGTERM)

    assert server.ended().status == 130
    until(lambda: not any(map(alive, pids(served))), "the step to be gone")
    serve(served)
    until(lambda: len(pids(served)) == 2, "the next server to take it over")
    (served.folder / "go").touch()
    until(lambda: status(served, "r") == "succeeded", "it to end, so that nothing is left at work")


def test_a_detached_run_is_left_to_the_server_which_says_who_has_it(served: Site) -> None:
    server = serve(served)

    told = served.call("run", "work.py:asks", "--id", "r", "--detach")
    until(partial(succeeded, served, "r", "first"), "it to begin")
    as_json = served.call("run", "work.py:asks", "--id", "s", "--detach", "--json").json

    assert told.out == "r\n"
    assert f"holdfast serve (process {server.pid}) has it" in told.err
    assert "watch r" in told.err
    assert (as_json["served_by"], as_json["log_file"]) == (server.pid, None)
    until(partial(succeeded, served, "s", "first"), "the other to begin")
    assert {claim.pid for run in "rs" for claim in served.events(run, RunClaimed)} == {server.pid}
    assert "reason=interrupted served=true" in served.call("log", "r").out


def test_a_run_is_cancelled_by_the_server(served: Site) -> None:
    assert served.call("run", "work.py:asks", "--id", "r").status == 3
    server = serve(served)

    cancelled = served.call("cancel", "r")
    until(lambda: status(served, "r") == "cancelled", "it to be cancelled")

    assert cancelled.status == 0
    assert served.events("r", RunClaimed)[-1].pid == server.pid


def test_a_second_server_and_the_doctor_say_who_serves(served: Site) -> None:
    served.call("run", "work.py:asks", "--id", "r")
    before = _finding(served)
    server = serve(served)

    second = served.call("serve", "--json")

    assert (second.status, second.error[0]) == (1, "already_served")
    assert f"process {server.pid} serves" in second.error[1]
    assert before[0] == "missing"
    assert "holdfast serve" in before[1]
    assert _finding(served) == ("ok", f"process {server.pid} goes on with the runs")


def _finding(site: Site) -> tuple[str, str]:
    found = {line["what"]: line for line in site.call("doctor", "--json").json}
    return found["serve"]["status"], found["serve"]["detail"]
