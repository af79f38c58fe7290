"""`async for` over the iterations of a durable loop."""

from typing import TYPE_CHECKING, Literal

from .errors import LoopExhausted, WorkflowError
from .requests import CeilingRequest
from .tasks import Scope, Task

if TYPE_CHECKING:
    from .driver import Driver


class Loop:
    """What `run.loop` returns; each `async for` over it is a loop of its own in the history."""

    def __init__(
        self, driver: "Driver", name: str, max: int, on_exhausted: Literal["raise", "stop"]
    ) -> None:
        if max < 1:
            raise WorkflowError(f"loop {name!r} has max={max}: a loop runs at least once.")
        self._driver, self._name, self._max, self._on_exhausted = driver, name, max, on_exhausted

    def __aiter__(self) -> "Iterations":
        task = self._driver.current
        assert task is not None, "a loop runs in a workflow"
        return Iterations(self._driver, task, self._name, self._max, self._on_exhausted)


class Iterations:
    """Opens a scope for each iteration and puts the outer one back when the loop is left.

    `break`, `return` and exceptions do not tell an iterator that they left it. But only the loop
    itself refers to this object, so CPython destroys it at that very moment: __del__ is the end.
    """

    def __init__(
        self, driver: "Driver", task: Task, name: str, max: int, on_exhausted: str
    ) -> None:
        self._driver, self._task, self._max, self._on_exhausted = driver, task, max, on_exhausted
        self._outer = task.scope
        self._base = task.scope.key(name)
        self._index = 0
        self._left = False
        driver.enter_loop(self._base, max)

    def __aiter__(self) -> "Iterations":
        return self

    async def __anext__(self) -> int:
        last = self._task.scope.results or {}
        self._task.scope = self._outer
        if self._index == self._max:
            self._left = True  # what is raised now keeps this object alive, maybe for long
            await self._exhausted(last)
        self._index += 1
        scope = Scope(f"{self._base}[{self._index}]/", self._outer.workspace)
        scope.results = {}
        self._task.scope = scope
        return self._index

    async def _exhausted(self, last: dict[str, object]) -> None:
        try:
            await self._driver.ask(CeilingRequest(self._base, self._max, last), self._outer)
        except LoopExhausted:
            if self._on_exhausted == "raise":
                raise
            raise StopAsyncIteration from None

    def __del__(self) -> None:
        if not self._left:
            self._task.scope = self._outer
