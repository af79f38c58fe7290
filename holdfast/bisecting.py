"""The first frame at which an expression about a run's state is false, or at which a command fails on
its files; found by halving."""

import builtins
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from types import CodeType
from typing import Any

import msgspec

from holdfast.eventlog import Log, RunRow, Value
from holdfast.reducer import Frames, State, first_bad

from .errors import BadCheck, CheckFailed, CommandBroken
from .recorded import tree_at

NAMES = (
    "abs all any bool dict enumerate filter float frozenset getattr hasattr int isinstance len list map max "
    "min next range repr reversed round set sorted str sum tuple type zip"
)


class Moment:
    """A run's state as an expression sees it: every field of `State`, with values decoded."""

    def __init__(self, state: State, load: Callable[[Value], bytes]) -> None:
        self._state, self._load = state, load

    def __getattr__(self, name: str) -> Any:
        return getattr(self._state, name)

    def result(self, key: str, default: Any = None) -> Any:
        """Return what a step came to; the default where it has not succeeded."""
        step = self._state.steps.get(key)
        if step is None or step.status != "succeeded":
            return default
        return self._plain(step.result)

    @property
    def input(self) -> Any:
        return self._plain(self._state.input)

    @property
    def output(self) -> Any:
        return self._plain(self._state.output)

    def _plain(self, value: Value) -> Any:
        return msgspec.msgpack.decode(self._load(value))


class Found(msgspec.Struct, frozen=True):
    """What a search found: `frame` is the first at which the check is false, 0 where the check says
    the same, `good`, at both ends."""

    frame: int
    good: bool
    evaluations: int


class Search(ABC):
    """Looks through the frames `first` to `last` of a run."""

    def __init__(self) -> None:
        self._known: dict[int, bool] = {}

    def search(self, first: int, last: int) -> Found:
        """Find the frame."""
        good = self.holds(first)
        if self.holds(last) == good:
            return Found(0, good, len(self._known))
        frame = first_bad(lambda at: self.holds(at) == good, first, last)
        return Found(frame, good, len(self._known))

    def holds(self, frame: int) -> bool:
        """Tell whether the check is true of a frame."""
        if frame not in self._known:
            self._known[frame] = self._evaluate(frame)
        return self._known[frame]

    @abstractmethod
    def _evaluate(self, frame: int) -> bool: ...


class Bisection(Search):
    """Evaluates an expression. Raises BadCheck for what is none, CheckFailed where it cannot be evaluated."""

    def __init__(self, log: Log, row: RunRow, check: str) -> None:
        super().__init__()
        self._frames = Frames(lambda start, stop: log.records(row.branch, start, stop))
        self._load, self._run, self._check = log.load, row.run, check
        self._code = _compiled(check)

    def _evaluate(self, frame: int) -> bool:
        state = Moment(self._frames[frame], self._load)
        try:
            return bool(eval(self._code, {"__builtins__": _BUILTINS, "state": state}))
        except Exception as error:
            raise CheckFailed(self._run, frame, self._check, error) from error


class FilesBisection(Search):
    """Runs a command on the files of frames, each in a folder that is removed again.

    `extract` writes a git tree into a folder. Raises NoFiles, and CommandBroken for a command that the
    shell cannot run.
    """

    def __init__(
        self, log: Log, row: RunRow, command: str, extract: Callable[[str, Path], None]
    ) -> None:
        super().__init__()
        self._log, self._row, self._command, self._extract = log, row, command, extract
        self._by_tree: dict[str, bool] = {}

    def _evaluate(self, frame: int) -> bool:
        tree = tree_at(self._log, self._row, frame)
        if tree not in self._by_tree:  # most frames have the files of the one before
            self._by_tree[tree] = self._try(frame, tree)
        return self._by_tree[tree]

    def _try(self, frame: int, tree: str) -> bool:
        with tempfile.TemporaryDirectory(prefix="holdfast-bisect-") as folder:
            self._extract(tree, Path(folder))
            done = subprocess.run(
                self._command,
                shell=True,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
            )
        if done.returncode in (126, 127):  # it was not found, or is no program
            raise CommandBroken(self._row.run, frame, self._command, done.returncode)
        return done.returncode == 0


def _compiled(check: str) -> CodeType:
    try:
        return compile(check.strip(), "<check>", "eval")
    except (SyntaxError, ValueError) as error:
        raise BadCheck(check, str(error)) from error


_BUILTINS = {name: getattr(builtins, name) for name in NAMES.split()}
