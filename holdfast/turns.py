"""The turns of one run's steps: their places in the lines of the limits, until they begin or leave."""

from collections import deque
from collections.abc import Callable, Hashable

from holdfast.reducer import StepRequest

from .limits import Limits, Slots


class Turns:
    """Slots for the steps of a run that have not begun; `call` is called when somebody's turn has come."""

    def __init__(self, limits: Limits, run: Hashable, call: Callable[[], None]) -> None:
        self._limits = limits
        self._run = run
        self._call = call
        self._in_line: set[str] = set()
        self._had: dict[str, Slots] = {}
        self._called: deque[str] = deque()  # whose turn came while they waited

    @property
    def are_awaited(self) -> bool:
        """Whether a step waits in line, or has been called and not begun."""
        return bool(self._in_line) or bool(self._called)

    @property
    def keys(self) -> list[str]:
        """The steps that wait, and those that have slots."""
        return [*self._in_line, *self._had]

    def has(self, key: str, request: StepRequest) -> bool:
        """Get the slots that an attempt needs, or let it wait in line for them.

        `request` is as whoever makes the attempt gets it.
        """
        slots = self._limits.slots(request, self._run)
        if self._had.get(key) == slots:
            return True
        self.give_back(key)

        def come() -> None:
            self._in_line.discard(key)
            self._had[key] = slots
            self._called.append(key)
            self._call()

        if self._limits.acquire((self, key), slots, come):
            self._had[key] = slots
            return True
        self._in_line.add(key)
        return False

    def begin(self, key: str) -> Slots:
        """Hand the slots of a step over to its attempt."""
        return self._had.pop(key, ())

    def next(self) -> str | None:
        """Return a step whose turn has come. If it does not begin then, `give_back` its slots."""
        while self._called:
            key = self._called.popleft()
            if key in self._had:
                return key
        return None

    def give_back(self, key: str) -> None:
        """Give back the slots of a step that does not begin."""
        slots = self._had.pop(key, None)
        if slots is not None:
            self._limits.release(slots)

    def leave(self, key: str) -> None:
        """Wait no more, and give back what was had."""
        if key in self._in_line:
            self._in_line.discard(key)
            self._limits.leave((self, key))
        self.give_back(key)
