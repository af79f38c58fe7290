"""pdb in the frames of a workflow that is driven anew: its own variables, where it waits or failed."""

import pdb  # noqa: T100 - this is what it is for
from pathlib import Path
from types import FrameType, TracebackType

from holdfast.eventlog import AnyEvent
from holdfast.reducer import Driver, Stack, about, raised, suspended

from .errors import NothingToDebug


class Debugger(pdb.Pdb):
    """A debugger that looks around. Nothing goes on here: the frames are those of a recorded moment.

    `stacks` are the tasks of the workflow, by what each one waits for; `tasks` lists them and
    `task N` goes to another.
    """

    def __init__(self, stacks: dict[str, Stack], chosen: int, trace: TracebackType | None) -> None:
        super().__init__(nosigint=True, readrc=False)
        self.stacks = stacks
        self._chosen = chosen
        self._trace = trace

    def open(self) -> None:
        """Talk to the user until they have seen enough."""
        self.reset()
        self.interaction(None, self._trace)

    def get_stack(
        self, f: FrameType | None, t: TracebackType | None
    ) -> tuple[list[tuple[FrameType, int]], int]:
        """Return the workflow's frames, which have no callers: they are suspended, or gone."""
        stack = list(self.stacks.values())[self._chosen]
        own = [i for i, (frame, _) in enumerate(stack) if not _is_library(frame, stack[0][0])]
        return stack, own[-1]

    def do_tasks(self, arg: str) -> None:
        """tasks
        List the tasks of the workflow, and what each one waits for.
        """
        for line in self.listed():
            self.message(line)

    def do_task(self, arg: str) -> None:
        """task N
        Go to another task of the workflow.
        """
        if not arg.isdecimal() or not 1 <= int(arg) <= len(self.stacks):
            self.error(f"which one? task 1 to task {len(self.stacks)}")
            return
        self._chosen = int(arg) - 1
        self.setup(None, self._trace)
        self.print_stack_entry(self.stack[self.curindex])

    def listed(self) -> list[str]:
        """Return a line for each task; an arrow marks the one that is looked at."""
        if len(self.stacks) == 1:
            return [f"at: {key}" for key in self.stacks]
        return [
            f"{'->' if number == self._chosen else '  '} task {number + 1}: {key}"
            for number, key in enumerate(self.stacks)
        ]

    def do_continue(self, arg: str) -> None:
        """Say that nothing goes on from a recorded moment."""
        self.message("This is a recorded moment: nothing goes on here. Leave with q")

    do_c = do_cont = do_next = do_n = do_step = do_s = do_return = do_r = do_continue
    do_until = do_unt = do_jump = do_j = do_run = do_restart = do_continue


def _is_library(frame: FrameType, outermost: FrameType) -> bool:
    """Tell whether a frame is of code that lies elsewhere than the workflow and its neighbours."""
    folder = Path(outermost.f_code.co_filename).parent
    path = Path(frame.f_code.co_filename)
    is_near = path.is_relative_to(folder)
    return not is_near or "site-packages" in path.relative_to(folder).parts


def post_mortem(error: BaseException) -> Debugger:
    """Return a debugger for where a workflow raised."""
    name = " ".join(f"raised {type(error).__name__}: {error}".split())
    return Debugger({name: raised(error)}, 0, error.__traceback__)


def debugger(driver: Driver, run: str, frame: int, event: AnyEvent | None) -> Debugger:
    """Return a debugger for where a driven workflow stands: at the task that the event is about, or
    that went on because of it; for one that failed, where it raised.

    Raises NothingToDebug where the workflow has ended well, or has not begun.
    """
    ended = driver.ended
    if ended is not None and ended.error is not None and raised(ended.error):
        return post_mortem(ended.error)
    stacks = {task.key: task.stack for task in suspended(driver) if task.stack}
    if not stacks:
        raise NothingToDebug(run, frame, "has ended" if ended else "does not wait for anything")
    keys = list(stacks)
    concerned = [keys.index(key) for key in about(event) if key in stacks] if event else []
    return Debugger(stacks, concerned[0] if concerned else len(keys) - 1, None)
