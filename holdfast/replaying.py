"""Driving recorded runs anew: with what is recorded, without any effect, and nothing is written."""

import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager

import msgspec

from holdfast.eventlog import Failure, HoldfastError, Log, Record, RunRow
from holdfast.reducer import (
    Divergence,
    Driver,
    NotAWorkflow,
    Proof,
    Workflow,
    digest,
    prove,
    redrive,
)

from .errors import RunTooNew
from .loading import Loader
from .redact import Redactor


class Replay(msgspec.Struct, frozen=True):
    """One run driven anew. `asks` are the keys that the workflow waits for, `recorded` says which of
    them the log has; the others would have come next when the run's process ended."""

    run: str
    proof: Proof
    seconds: float
    asks: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return self.proof.divergence is None

    @property
    def unrecorded(self) -> tuple[str, ...]:
        """What the workflow asks for and the log does not have yet."""
        state = self.proof.state
        maps = (state.steps, state.gates, state.timers, state.waits, state.children)
        return tuple(key for key in self.asks if not any(key in known for known in maps))


class Verdict(msgspec.Struct, frozen=True):
    """What became of one recorded run under other code; `problem` is empty where nothing changed."""

    run: str
    status: str
    events: int
    problem: str = ""
    key: str = ""
    frame: int = 0


class Replayer:
    """Drives the runs of a log anew."""

    def __init__(self, log: Log, load: Loader, redactor: Redactor) -> None:
        self.load = load
        self._log, self._redactor = log, redactor

    def workflow(self, row: RunRow, given: str | None) -> Workflow:
        """Return the workflow of a run: the one given, else where it was recorded to stand.

        Raises NotAWorkflow.
        """
        if given is not None:
            return self._named(given, row.workflow)
        try:
            return self.load(row.source)
        except NotAWorkflow as error:
            raise NotAWorkflow(
                f"{error}. Run {row.run!r} was made of it: say where it is now with --workflow FILE"
            ) from error

    def _named(self, given: str, name: str) -> Workflow:
        """Return the workflow in a file: of several the one with the run's own name."""
        try:
            return self.load(given)
        except NotAWorkflow:
            if not given.endswith(".py"):
                raise
            try:
                return self.load(f"{given}:{name}")
            except NotAWorkflow:
                pass
            raise

    def record(self, row: RunRow, frame: int) -> Record:
        """Return the record whose event made a frame; the first frame is 1."""
        return record_of(self._log, row, frame)

    def prove(self, row: RunRow, workflow: Workflow, at: int | None = None) -> Replay:
        """Drive a run anew, up to a frame or to its end, and compare. Raises RunTooNew."""
        begun = time.perf_counter()
        records = self._log.records(row.branch, 0, at)
        driver = Driver(workflow, self._log.load)
        try:
            proof = prove(
                driver,
                records,
                code=digest(workflow.function),
                explain=self._explain,
                redact=self._redactor.value,
            )
            asks = tuple(driver.pending)
        finally:
            driver.close()
        if proof.state.unknown:
            raise RunTooNew(row.run, proof.state.unknown)
        return Replay(row.run, proof, time.perf_counter() - begun, asks)

    @contextmanager
    def driven(self, row: RunRow, workflow: Workflow, at: int) -> Generator[Driver]:
        """Give a driver that has taken in the first `at` events, to be looked into.

        Raises WorkflowError where it cannot be driven there.
        """
        driver = Driver(workflow, self._log.load)
        records = self._log.records(row.branch, 0, at)
        try:
            code, hide = digest(workflow.function), self._redactor.value
            redrive(driver, records, code=code, redact=hide)
            yield driver
        finally:
            driver.close()

    def against(self, workflow: Workflow, rows: Iterable[RunRow]) -> Iterator[Verdict]:
        """Drive each of these runs anew with a workflow, and tell what would have been otherwise."""
        for row in rows:
            try:
                divergence = self.prove(row, workflow).proof.divergence
            except HoldfastError as error:  # told as the verdict: the other runs are not its fault
                divergence = Divergence(0, 0, "", str(error), edited=False)
            if divergence is None:
                yield Verdict(row.run, row.status, row.head)
            else:
                why, key, frame = divergence.difference, divergence.key, divergence.frame
                yield Verdict(row.run, row.status, row.head, why, key, frame)

    def _explain(self, error: BaseException) -> Failure:
        from .outcomes import run_failure

        return run_failure(error, self._redactor)


def runs_of(log: Log, workflow: str, limit: int | None) -> list[RunRow]:
    """Return the newest recorded runs of a workflow, forks and child runs included."""
    rows = [row for row in log.runs() if row.workflow == workflow]
    return rows if limit is None else rows[:limit]


def record_of(log: Log, row: RunRow, frame: int) -> Record:
    """Return the record whose event made a frame; the first frame is 1."""
    return next(iter(log.records(row.branch, frame - 1, frame)))
