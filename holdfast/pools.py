"""Reading what the history that a fork left has to offer it."""

from holdfast.eventlog import Log, RunForked
from holdfast.reducer import Pool, State, replay


def pool_for(log: Log, state: State) -> Pool | None:
    """Return what a run may take over from the histories that it left; None where that is nothing."""
    forked = state.forked
    if forked is None or (forked.until == forked.at and state.base >= forked.at):
        return None
    return read_pool(log, forked, state.base)


def read_pool(log: Log, forked: RunForked, base: int, *, foresee: bool = False) -> Pool:
    """Return what the history that a fork left at `base` has to offer it.

    With `foresee` it also knows what is not offered, to tell what a plan would do again.
    """
    pool = Pool()
    rank = 0
    link: RunForked | None = forked
    while link is not None:
        kept = replay(log.records(link.branch, 0, link.at))
        offers = link.until > link.at or base < link.at
        if offers:
            pool.add(kept, rank=rank, left=(link.branch, link.at))
        if link.until > link.at or foresee:
            stop = link.until if link.until > link.at else None
            later = replay(log.records(link.branch, link.at, stop), kept)
            if link.until > link.at:
                pool.add(later, rank=rank)
            pool.know(later)
            kept = later
        origin = kept.forked
        link, base, rank = (origin, kept.base, rank + 1) if offers else (None, 0, 0)
    return pool
