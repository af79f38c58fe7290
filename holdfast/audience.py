"""Shows a run's records to the plugins that observe, after they were written."""

from collections.abc import Iterable, Iterator

from holdfast.eventlog import Log, Record, RunClaimed, RunReleased
from holdfast.plugins import Plugins
from holdfast.reducer import State


class Audience:
    """What the observers have seen of one run, and what they are to see next.

    An executor shows what it writes and what others write meanwhile; one that resumes begins with what
    was written since the run was let go. After a crash it begins with its own claim: then the last few
    records of the process that died may have been shown to nobody.
    """

    def __init__(self, log: Log, branch: int, plugins: Plugins) -> None:
        self._log, self._branch, self._plugins = log, branch, plugins
        self._next: int | None = None

    def begin(self, records: Iterable[Record]) -> Iterator[Record]:
        """Pass a run's records on, noting where those begin that nobody has been shown yet.

        A run that is driven anew, because news came in between, goes on where it was.
        """
        if self._next is not None:
            yield from records
            return
        claim = 0
        let_go, claims = 0, 0  # where the run was let go last, and how often it was claimed since
        for record in records:
            if isinstance(record.event, RunReleased) and record.event.owner:
                let_go, claims = record.offset + 1, 0
            elif isinstance(record.event, RunClaimed):
                claims += 1
                claim = record.offset
            yield record
        self._next = let_go if claims < 2 else claim

    def show(self, until: int, state: State) -> None:
        """Show the records before offset `until` that were not shown yet, with the state by now."""
        if not self._plugins.observes or self._next is None:
            return
        for record in self._log.records(self._branch, self._next, until):
            self._plugins.observe(record, state, self._log.load)
        self._next = until
