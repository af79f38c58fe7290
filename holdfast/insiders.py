"""Who works inside a run, by the mark in its environment, and so has no word in what that run waits for.

The mark is no fence: a program may clear its environment and leave its parents. What holds it is a
sandbox, which hides the log. This keeps an agent that is helpful, and not hostile, from deciding what a
person was asked.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping

from holdfast.eventlog import Log, NoSuchBranch, NoSuchRun

from .ancestors import values_of
from .errors import InsideRun

_MARK = "HOLDFAST_STEP"  # as in holdfast.plugins.marks, which would load much for one word
_NESTING = "|"


def log_id(log: Log) -> str:
    """Return what the marks of all steps have in them that work for this log."""
    return hashlib.sha256(str(log.path).encode()).hexdigest()[:12]


def surroundings() -> dict[str, str]:
    """Return this process's environment, with the marks that those it descends from bear as well.

    Codex gives its MCP servers few variables, and not the mark of the step that it works in.
    """
    marks = dict.fromkeys(mark for mark in _NESTING.join(values_of(_MARK)).split(_NESTING) if mark)
    return {**os.environ, **({_MARK: _NESTING.join(marks)} if marks else {})}


def refuse_insider(log: Log, run: str, env: Mapping[str, str]) -> None:
    """Raise InsideRun where the environment is of a step of that run or of a relative of it.

    Relatives have a parent, a child or a fork in common, at any distance.
    """
    if not any(log_id(log) in value for value in env.values()):
        return  # as nearly always: nothing has to be loaded to know that
    wanted = family(log, log.branch_of(run))
    for branch in _branches_of(log, env):
        if wanted & family(log, branch):
            raise InsideRun(run, log.branch(branch).run)


def family(log: Log, branch: int) -> set[str]:
    """Return the names of the runs that a history, and those of its parents, go back to."""
    found: set[str] = set()
    waiting, seen = [branch], set[int]()
    while waiting:
        branch = waiting.pop()
        if branch in seen:
            continue
        seen.add(branch)
        row = log.branch(branch)
        if row.parent is None:
            found.add(row.run)
        else:
            waiting.append(row.parent)
        parent = log.run(log.name_of(branch)).parent_run
        try:
            waiting += [log.branch_of(parent)] if parent else []
        except NoSuchRun:
            found.add(
                parent
            )  # whose history is gone; its name still tells that these belong together
    return found


def _branches_of(log: Log, env: Mapping[str, str]) -> Iterator[int]:
    """Yield the branches of this log whose steps an environment belongs to, the outermost first."""
    from holdfast.plugins.marks import MARK, NESTING

    for mark in env.get(MARK, "").split(NESTING):
        owner, _, rest = mark.partition("/")
        number = rest.partition("/")[0]
        if owner == log_id(log) and number.isdecimal():
            try:
                yield log.branch(int(number)).branch
            except NoSuchBranch:
                continue  # the log was made anew since
