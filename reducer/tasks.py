"""Tasks, scopes and groups: the small deterministic scheduler below the driver.

Nothing here knows what a step is. A coroutine yields a `Future` and is resumed when that is settled;
tasks become ready in one fixed order, so the same answers in the same order give the same run.
"""

import inspect
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterable
from typing import Any, Literal, NoReturn, cast

from .errors import BadName
from .requests import Request

_FORBIDDEN = frozenset("/[]#")


class Cancelled(BaseException):
    """Thrown into a workflow's coroutine whose result is no longer wanted; let it pass."""


class Continue(BaseException):
    """Raised or awaited, it ends this history: the run goes on in a fresh one, with this input."""

    def __init__(self, input: dict[str, Any]) -> None:
        super().__init__("the run goes on in a fresh history")
        self.input = input

    def __await__(self) -> Generator[Any, Any, NoReturn]:
        raise self


class Scope:
    """A name space for keys: a prefix, and how often each name was used below it.

    In a loop's iteration `results` collects what its steps answered, by name. `workspace` is the key of
    the workspace that its steps work in.
    """

    __slots__ = ("counts", "prefix", "results", "workspace")

    def __init__(self, prefix: str = "", workspace: str = "") -> None:
        self.prefix = prefix
        self.workspace = workspace
        self.counts: dict[str, int] = {}
        self.results: dict[str, Any] | None = None

    def key(self, name: str) -> str:
        """Return the key for the next use of `name`: `name`, then `name#2`, in program order."""
        count = self.counts.get(name, 0) + 1
        self.counts[name] = count
        return self.prefix + (name if count == 1 else f"{name}#{count}")


def check_name(name: object) -> str:
    """Return the name, or raise BadName where it cannot be part of a key."""
    if isinstance(name, str) and name.isidentifier() and len(name) <= 200:
        return name
    if not isinstance(name, str) or not 0 < len(name) <= 200 or not name.isprintable():
        raise BadName(name)
    if not _FORBIDDEN.isdisjoint(name):
        raise BadName(name)
    return name


def quote(text: str) -> str:
    """Return any text as a name: what a name may not contain is percent-encoded, as in URLs."""
    name = "".join(
        character
        if character.isprintable() and character not in "/[]#%"
        else "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))
        for character in text
    )
    return check_name(name[:200] or "%")


class Future:
    """What a task waits for: an answer to a request, or the end of a group."""

    __slots__ = ("asked", "group", "request", "scope", "task")

    def __init__(self, request: Request | None, scope: Scope, group: "Group | None" = None) -> None:
        self.request = request
        self.asked = request  # as the workflow wrote it, before edits and roles
        self.scope = scope
        self.group = group
        self.task: Task | None = None

    def __await__(self) -> Generator["Future", Any, Any]:
        return (yield self)


class Task:
    """One coroutine of the workflow, with the scope that its next key is taken from."""

    __slots__ = ("cancelling", "coroutine", "finished", "group", "index", "scope", "waiting")

    def __init__(
        self, coroutine: Coroutine[Any, Any, Any], scope: Scope, group: "Group | None", index: int
    ) -> None:
        self.coroutine = coroutine
        self.scope = scope
        self.group = group
        self.index = index
        self.waiting: Future | None = None
        self.cancelling = False
        self.finished = False


Spawn = Callable[[], tuple[Coroutine[Any, Any, Any], Scope]]


def dismiss(value: object) -> None:
    """Close coroutines that never began, with those among their arguments: nobody is to be warned."""
    if isinstance(value, list | tuple | set):
        for item in cast(Iterable[object], value):
            dismiss(item)
    elif isinstance(value, dict):
        dismiss(list(cast(dict[object, object], value).values()))
    elif inspect.iscoroutine(value) and inspect.getcoroutinestate(value) == inspect.CORO_CREATED:
        assert value.cr_frame is not None, "it did not end, so it has its frame"
        arguments = dict(value.cr_frame.f_locals)
        value.close()
        dismiss(arguments)


class Group:
    """Tasks that one task waits for: all of them, or the first.

    "all": the first failure cancels the rest and is raised when they have ended. "race": the first
    to end, well or badly, cancels the rest and its result is the group's.
    """

    def __init__(
        self, kind: Literal["all", "race"], spawns: list[Spawn], limit: int | None, parent: Task
    ) -> None:
        self.kind = kind
        self.waiting_spawns = deque(enumerate(spawns))
        self.limit = limit or len(spawns)
        self.parent = parent
        self.future = Future(None, parent.scope, self)
        self.running: dict[int, Task] = {}
        self.results: list[Any] = [None] * len(spawns)
        self.winner: int | None = None
        self.error: BaseException | None = None
        self.closing = False
        self.cancelled = False

    @property
    def ended(self) -> bool:
        return not self.running and (self.closing or not self.waiting_spawns)

    def note(self, task: Task, value: Any, error: BaseException | None) -> bool:
        """Take in the end of one task; return whether the others are to be cancelled now."""
        del self.running[task.index]
        self.results[task.index] = value
        if self.closing:
            if error is not None and not isinstance(error, Cancelled) and self.error is None:
                self.error = error
            return False
        if self.kind == "race":
            self.winner, self.error = task.index, error
        elif error is not None:
            self.error = error
        self.closing = self.kind == "race" or error is not None
        return self.closing

    def drop_unstarted(self) -> None:
        """Close the coroutines that never began, so that nobody is warned about them."""
        while self.waiting_spawns:
            _, spawn = self.waiting_spawns.popleft()
            dismiss(spawn()[0])
