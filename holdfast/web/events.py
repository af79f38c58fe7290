"""Events as a stream that never loses one and never tells one twice, whatever it is interrupted by.

Each is told with its place in the log, `seq`, as its id: the log has one order, in which nothing is inserted.
A run is told with all the histories that ever had its name, so that a rewind, or a run that continues in a
fresh history, goes on in the same stream. What a run has from before it was forked comes first.
"""

from typing import Annotated, Literal

from msgspec import Meta

from holdfast.eventlog import Log, Record
from holdfast.mcp.errors import BadArguments
from holdfast.mcp.tool import Asked

HEARTBEAT_S = 15.0
PAGE = 200  # records that are read at once
RETRY_MS = 1000


class Events(Asked, frozen=True):
    """What a stream tells: of one run or of all, from the beginning or after an event that was seen."""

    run: Annotated[str | None, Meta(description="Only what happens in this run.")] = None
    after: Annotated[
        int | Literal["latest"] | None,
        Meta(
            description="The `seq` of the last event that was seen; latest: only what is to come."
        ),
    ] = None


class Follower:
    """Reads what is new, from where it was; a run's history from before first, if it is to be told whole."""

    def __init__(self, log: Log, asked: Events) -> None:
        self._log, self._run = log, asked.run
        self._branches: dict[int, bool] = {}  # whether what happens in a branch is told
        if asked.run is not None:
            log.branch_of(asked.run)  # refused here if there is none
        size = log.size()
        if isinstance(asked.after, int) and not -1 <= asked.after < size:
            takes = f"from -1 to {size - 1}, the last"
            raise BadArguments("events", f"no event has the seq {asked.after}", takes)
        start = size if asked.after == "latest" else (asked.after or -1) + 1 if False else 0
        self._next = start

    def read(self) -> list[Record]:
        raise NotImplementedError
