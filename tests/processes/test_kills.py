"""`kill -9` of the real process at random moments, on a real log: nothing is lost, nothing repeated."""

import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from holdfast.eventlog import (
    AttemptFailed,
    Log,
    Record,
    StepFailed,
    StepStarted,
    StepSucceeded,
    verify,
)
from holdfast.reducer import ENDED, replay
from tests.support.site import Process, Site, until

# Every execution of a step appends its key to the side file, in one write that no kill can cut.
WORK = '''
    """A workflow of many shapes, each of whose steps leaves a line where it really ran."""

    import os
    import time

    from holdfast import Run, workflow

    SAY = 'echo "$KEY" >> "$SIDE"; sleep 0.01; echo "$KEY"'
    ASK = ["sh", "-c", "cat > /dev/null; echo ask >> $SIDE; echo asked"]


    def leave(key: str) -> str:
        side = os.open(os.environ["SIDE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.write(side, f"{key}\\n".encode())
        os.close(side)
        time.sleep(0.01)
        return key


    @workflow
    async def part(run: Run) -> str:
        said = [await run.step(name, leave, f"half/{name}") for name in ("open", "close")]
        return " ".join(said)


    @workflow
    async def work(run: Run) -> list[str]:
        seen: list[str] = [await run.step(name, leave, name) for name in ("plan", "draw", "cut")]

        async def piece(item: str) -> str:
            sawn = await run.step("saw", leave, f"{item}/saw")
            filed = await run.shell("file", SAY, env={"KEY": f"{item}/file"})
            return f"{sawn} {filed.stdout.strip()}"

        seen += await run.map(piece, ["a", "b", "c", "d", "e"], limit=3)
        async for index in run.loop("mend", max=5):
            tried = await run.shell("try", SAY, env={"KEY": f"mend[{index}]/try"})
            seen.append(tried.stdout.strip())
            if index == 3:
                break
        seen.append(await run.child(part, name="half"))
        seen.append(
            await run.agent("ask", "well?", agent="command", options={"command": ASK})
        )
        await run.sleep(0.05)
        seen.append(await run.step("last", leave, "last"))
        return seen
'''
STEPS = 20
StepEvent = StepStarted | StepSucceeded | AttemptFailed | StepFailed
MOMENTS = ("start", "middle", "middle", "end")


class Torment:
    """Runs the workflow again and again, kills it at random moments, and checks what is left."""

    def __init__(self, site: Site, seed: int, expected: list[str]) -> None:
        self.site, self.expected = site, expected
        self.dice = random.Random(seed)
        self.kills = self.resumes = self.executed = self.repeated = 0
        self.moments: Counter[str] = Counter()

    def run(self, run: str, kills: int) -> None:
        """Execute one run to its end, with at most so many kills on the way."""
        self.site.side.unlink(missing_ok=True)
        interrupted: Counter[str] = Counter()
        before: list[list[Record]] = [[], []]
        process = self.site.start("run", "work.py:work", "--id", run, "--json")
        while kills and self._killed(process):
            self.kills, kills = self.kills + 1, kills - 1
            now = self._look(run)
            assert [new[: len(old)] for old, new in zip(before, now, strict=True)] == before
            before = now
            interrupted.update(_count(now, StepStarted).keys() - _count(now, StepSucceeded).keys())
            status = replay(now[0]).status if now[0] else "unborn"
            if status in ENDED:
                break
            words = ("run", "work.py:work", "--id") if status == "unborn" else ("resume",)
            self.resumes += status != "unborn"
            process = self.site.start(*words, run, "--json")
        else:
            ended = process.ended()
            assert ended.status == 0, ended
        self._judge(run, interrupted)

    def _killed(self, process: Process) -> bool:
        """Kill the process at a random moment; return False when it ended by itself before."""
        moment, done = self.dice.choice(MOMENTS), len(set(self.site.lines()))
        if moment == "start" or done == STEPS:
            self._pause(process, self.dice.uniform(0, 0.7))
        else:
            wanted = STEPS if moment == "end" else self.dice.randint(done, STEPS)
            until(
                lambda: len(set(self.site.lines())) >= wanted or not process.at_work,
                f"{wanted} steps to have run",
            )
            self._pause(process, self.dice.uniform(0, 0.1 if moment == "end" else 0.03))
        if not process.at_work:
            return False
        process.kill()
        killed = process.ended().status == -signal.SIGKILL  # unless it was faster
        self.moments[moment] += killed
        return killed

    def _pause(self, process: Process, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        until(lambda: time.monotonic() >= deadline or not process.at_work, "the moment to kill")

    def _look(self, run: str) -> list[list[Record]]:
        """Read the histories of the run and of its child, and verify the whole log."""
        if not (self.site.log_folder / "data.mdb").exists():
            return [[], []]
        with Log.open(self.site.log_folder) as log:
            assert verify(log).ok
        return [self.site.records(run), self.site.records(f"{run}/half")]

    def _judge(self, run: str, interrupted: Counter[str]) -> None:
        histories = self._look(run)
        started, succeeded = _count(histories, StepStarted), _count(histories, StepSucceeded)
        executed = Counter(self.site.lines())
        self.executed += executed.total()
        self.repeated += sum(n > 1 + interrupted[key] for key, n in executed.items())

        assert len(succeeded) == STEPS
        assert set(succeeded.values()) == {1}
        assert executed.keys() == succeeded.keys()
        assert {k: n for k, n in executed.items() if n > 1 + interrupted[k]} == {}
        assert {k: n for k, n in started.items() if n > 1 + interrupted[k]} == {}
        assert not _count(histories, AttemptFailed, StepFailed)
        assert self.site.call("show", run, "--json").json["output"] == self.expected
        assert self.site.verified()


def _count(histories: list[list[Record]], *kinds: type[StepEvent]) -> Counter[str]:
    """Count events of these kinds by step; those of the child have its name before them."""
    return Counter(
        prefix + record.event.key
        for prefix, history in zip(("", "half/"), histories, strict=True)
        for record in history
        if isinstance(record.event, kinds)
    )


@pytest.mark.parametrize("kills", [5, pytest.param(200, marks=pytest.mark.soak)])
def test_kills_at_random_moments_repeat_no_finished_step_and_lose_none(
    tmp_path: Path, site: Site, kills: int
) -> None:
    """Kill so many times, resume at once each time, and compare with an undisturbed run.

    The long form, which prints its figures: pytest tests/processes/test_kills.py -m soak -s
    KILL_SEED repeats the choice of moments, which the machine's own timing then varies.
    """
    seed = int(os.environ.get("KILL_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"KILL_SEED={seed}")
    calm = Site(tmp_path / "calm")
    for place in (calm, site):
        place.write("work.py", WORK)
    expected = calm.call("run", "work.py:work", "--id", "calm", "--json").json["output"]
    assert Counter(calm.lines()).total() == STEPS

    torment = Torment(site, seed, expected)
    began, runs = time.monotonic(), 0
    while torment.kills < kills:
        runs += 1
        torment.run(f"r{runs}", min(kills - torment.kills, 12))

    print(
        f"{torment.kills} kills {dict(torment.moments)} of {runs} runs, {torment.resumes} resumes, "
        f"{torment.executed} executions of {runs * STEPS} steps, "
        f"{torment.repeated} finished steps repeated, {time.monotonic() - began:.0f} s"
    )
    assert torment.kills == kills
