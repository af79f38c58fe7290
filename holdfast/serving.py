"""Serving a project: going on with each run that has work, many in one process, and with no other.

What was appended since the last look, the timers that fell due since, and owners that died tell which
runs to look at. So a run that waits costs nothing: not even its row is read again.
"""

import math
from collections.abc import Callable, Iterable

import msgspec
import trio

from holdfast.eventlog import NoSuchRun, RunClaimed, RunRow, is_schedule, owner_alive
from holdfast.reducer import ENDED

from .children import child_run
from .effects import failure
from .engine import Engine
from .errors import RunBusy, RunReplaced
from .execution import Outcome
from .pausing import paused_with
from .servers import DUE, work_for
from .ticking import Ticker

CHILD = "a child run has ended"
UNENDED = ("running", "waiting")
LINGER_S = 1.0
"""How long a run with nothing but a timer left stays in memory for it."""


class Happening(msgspec.Struct, frozen=True):
    """What was done about a run: "goes on", and then how that ended, with more in `detail`.

    About a schedule, whose `run` is "@NAME": what became of one of its ticks.
    """

    run: str
    what: str  # "goes on", a run's status, "stopped", "interrupted", "elsewhere", a tick's outcome
    detail: str = ""
    code: str = ""  # of the error


class Server:
    """Goes on with the runs of an engine's log that have work; `tell` hears what happens.

    A child run is gone on with by its outermost parent, which knows what to do about its end.
    """

    def __init__(self, engine: Engine, tell: Callable[[Happening], None]) -> None:
        self._engine, self._log, self._tell = engine, engine.log, tell
        self._at_work: dict[str, set[str]] = {}  # run -> of its family, what to look at afterwards
        self._failed: dict[str, dict[str, int]] = {}  # run -> heads at which going on did not help
        self._others: dict[str, set[str]] = {}  # living owner elsewhere -> its runs
        self._seen = 0  # the log up to this seq
        self._due = -1  # timers up to this moment
        self._ticker = Ticker(engine, self._ticked)

    async def run(self) -> None:
        """Serve until cancelled; then all runs are let go, for whoever serves next."""
        async with trio.open_nursery() as self._nursery:
            self._take_stock()
            while True:
                self._look()  # without a pause for others, so that no ring is lost before the wait
                due = self._log.next_due(self._due)
                wait_s = max(0, due - self._engine.now()) / 1e9 if due else math.inf
                with trio.move_on_after(wait_s):
                    await self._engine.heard()

    def _ticked(self, schedule: str, outcome: str, detail: str, code: str) -> None:
        self._tell(Happening(schedule, outcome, detail, code))

    # --- what to look at -----------------------------------------------------------------------

    def _take_stock(self) -> None:
        """Look once at the rows of all runs that have not ended."""
        self._seen = self._log.size()
        self._due = self._engine.now()
        for row in self._log.runs(statuses=UNENDED):
            if row.owner:
                self._others.setdefault(row.owner, set()).add(row.run)
            elif row.served or row.status == "waiting" or row.head > row.released > 0:
                self._consider_row(row, is_due=True)
                for child in self._ended_children(row):
                    self._consider(child)

    def _ended_children(self, row: RunRow) -> Iterable[str]:
        """Yield the children that a run waits for and that ended meanwhile."""
        for key in row.waiting:
            if key in row.gates or key in row.timers:
                continue
            for name in (child_run(row.run, key), child_run(row.run, f"{key}~{row.branch}")):
                try:
                    child = self._log.run(name)
                except NoSuchRun:
                    continue
                if child.status in ENDED:
                    yield name

    def _look(self) -> None:
        for run in self._news():
            self._consider(run)
        now = self._engine.now()
        since = min(self._due, now)  # a clock that was set back shows some moments again
        for due in self._log.due(now, after=since):
            if not is_schedule(due.run):
                self._consider(due.run, is_due=True)
        self._due = now
        for run in self._ticker.look():
            self._consider(run)
        for owner in [*self._others]:
            if not owner_alive(self._log.path, owner):
                for run in self._others.pop(owner):
                    self._consider(run)

    def _news(self) -> list[str]:
        """Return the runs to which something was appended since the last look."""
        branches: dict[int, None] = {}
        for record in self._log.scan(self._seen):
            self._seen = record.seq + 1
            branches[record.branch] = None
            event = record.event
            if isinstance(event, RunClaimed) and event.owner != self._engine.owner.token:
                run = self._log.branch(record.branch).run
                self._others.setdefault(event.owner, set()).add(run)
        names = [(self._log.branch(branch).run, branch) for branch in branches]
        runs = ((run, branch) for run, branch in names if not is_schedule(run))
        return [run for run, branch in runs if self._log.branch_of(run) == branch]

    # --- what to do ----------------------------------------------------------------------------

    def _consider(self, run: str, *, is_due: bool = False) -> None:
        self._consider_row(self._log.run(run), is_due=is_due)

    def _consider_row(self, row: RunRow, *, is_due: bool) -> None:
        """Go on with a run's family where that has work."""
        root = self._root(row)
        if root.run in self._at_work:
            self._at_work[root.run].add(row.run)
        elif (why := self._why(row, root, is_due=is_due)) and not self._was_in_vain(row, root):
            self._at_work[root.run] = {row.run}
            self._nursery.start_soon(self._go_on, row, root, why)

    def _root(self, row: RunRow) -> RunRow:
        """Return the outermost parent that has not ended; the run itself where there is none."""
        while row.parent_run:
            try:
                parent = self._log.run(row.parent_run)
            except NoSuchRun:
                break
            if parent.status in ENDED:
                break
            row = parent
        return row

    def _why(self, row: RunRow, root: RunRow, *, is_due: bool) -> str:
        now, me = self._engine.now(), self._engine.owner.token
        if row.run == root.run:
            return work_for(self._log, row, now, me=me, is_due=is_due)
        if row.status in ENDED:
            why = CHILD if row.parent_key in self._log.run(row.parent_run).waiting else ""
        else:
            why = work_for(self._log, row, now, me=me, is_due=is_due)
        return why if why and self._may_go_on(root, why) else ""

    def _may_go_on(self, root: RunRow, why: str) -> bool:
        """Whether a parent may be gone on with for what happened to a child."""
        if root.owner:
            if root.owner != self._engine.owner.token and owner_alive(self._log.path, root.owner):
                return False
        elif not root.released or (why == DUE and root.status != "waiting"):
            return False
        return not paused_with(self._log, root)

    def _was_in_vain(self, row: RunRow, root: RunRow) -> bool:
        failed = self._failed.get(root.run, {})
        return failed.get(row.run) == row.head and failed.get(root.run) == root.head

    async def _go_on(self, row: RunRow, root: RunRow, why: str) -> None:
        run = root.run
        self._tell(Happening(run, "goes on", why))
        told = Happening(run, "interrupted")  # unless it ends in another way
        try:
            told = _told(await self._engine.execute(run))
            self._failed.pop(run, None)
        except (RunBusy, RunReplaced) as error:
            told = Happening(run, "elsewhere", str(error), error.code)
        except Exception as error:  # noqa: BLE001 - told: one run's trouble is not another's
            told = self._stopped(row, root, error)
        finally:
            self._tell(told)
            family = self._at_work.pop(run)
        for member in {run, *family}:
            self._consider(member)

    def _stopped(self, row: RunRow, root: RunRow, error: Exception) -> Happening:
        """Leave a run alone that cannot be executed, until something happens to it."""
        why = failure(error, self._engine.redactor.built_in().text)
        heads = self._failed.setdefault(root.run, {})
        heads[row.run] = row.head
        heads[root.run] = root.head
        for record in self._log.records(root.branch, root.head):
            if record.actor == self._engine.actor:  # what others say is news
                heads[root.run] = record.offset + 1
        return Happening(root.run, "stopped", why.message, why.code)


def _told(outcome: Outcome) -> Happening:
    if outcome.error is None:
        return Happening(outcome.run, outcome.status, ", ".join(outcome.waiting))
    return Happening(outcome.run, outcome.status, outcome.error.message, outcome.error.code)
