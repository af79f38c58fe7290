"""Any state of a history, forwards and backwards, without keeping them all.

Frame n is the state after n events. From the nearest one that is kept below it, a state is folded anew,
and on the way some are kept at ever smaller distances: so the frame before is near, however long the
history is, and the number of kept states grows with the logarithm of its length.
"""

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from holdfast.eventlog import Record

from .reduce import reduce
from .state import State

Read = Callable[[int, int], Iterable[Record]]

GRAIN = 32
_MAPS = (
    "steps",
    "gates",
    "timers",
    "waits",
    "received",
    "signals",
    "children",
    "passed",
    "workspaces",
)


class Frames:
    """The frames of a history whose records [start, stop) `read` returns."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._kept: dict[int, State] = {0: State()}
        self.folded = 0
        """How many events were folded so far."""

    def __len__(self) -> int:
        """Return how many states are kept at the moment."""
        return len(self._kept)

    def __getitem__(self, frame: int) -> State:
        """Return the state after so many events."""
        start = max(kept for kept in self._kept if kept <= frame)
        if start != frame:
            self._fold(start, frame)
            self._thin(frame)
        return self._kept[frame]

    def event(self, frame: int) -> Record:
        """Return the record whose event made a frame; the first frame is 1."""
        return next(iter(self._read(frame - 1, frame)))

    def _fold(self, start: int, frame: int) -> None:
        state = _apart(self._kept[start])
        halfway = _halfway(start, frame)
        for record in self._read(start, frame):
            state = reduce(state, record.event, record.time)
            if state.offset == halfway:
                self._kept[halfway] = _apart(state)
                halfway = _halfway(halfway, frame)
        self.folded += frame - start
        self._kept[frame] = state

    def _thin(self, frame: int) -> None:
        """Keep what is at hand for going on from here: two states for each doubling of distance."""
        nearest: dict[int, int] = {}
        farthest: dict[int, int] = {}
        for kept in sorted(self._kept, reverse=True):
            if kept <= frame:
                size = ((frame - kept) // GRAIN).bit_length()
                nearest.setdefault(size, kept)
                farthest[size] = kept
        wanted = {0, *nearest.values(), *farthest.values()}
        self._kept = {kept: state for kept, state in self._kept.items() if kept in wanted}


def first_bad(is_good: Callable[[int], bool], good: int, bad: int) -> int:
    """Return the first frame that is not good, by halving what lies between one of each."""
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if is_good(middle) else (good, middle)
    return bad


def _halfway(start: int, frame: int) -> int:
    """Return the next frame to keep; none where the rest is quickly folded again."""
    return start + (frame - start) // 2 if frame - start > GRAIN else -1


def _apart(state: State) -> State:
    """Return the same state with maps of its own: folding on leaves the first one's as they are.

    A persistent map would do as well, but each version would keep all changes up to the next alive.
    """
    return replace(state, **{name: getattr(state, name).copy() for name in _MAPS})
