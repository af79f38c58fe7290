"""Who works inside a run, by the mark in its environment, and so has no word in what that run waits for.

The mark is no fence: a program may clear its environment and leave its parents. What holds it is a
sandbox, which hides the log. This keeps an agent that is helpful, and not hostile, from deciding what a
person was asked.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from holdfast.eventlog import Log, NoSuchBranch, NoSuchRun

from .ancestors import values_of
from .errors import InsideRun

if TYPE_CHECKING:
    from .departure import Change

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


def refuse_insider(log: Log, run: str, env: Mapping[str, str], deed: str = "decides") -> None:
    """Raise InsideRun where the environment is of a step of that run or of a relative of it.

    Relatives have a parent, a child or a fork in common, at any distance. `deed` is what the error
    says cannot be done from there: one of those that InsideRun has words for.
    """
    if not _is_marked(log, env):
        return  # as nearly always: nothing has to be loaded to know that
    wanted = family(log, log.branch_of(run))
    for branch in _branches_of(log, env):
        if wanted & family(log, branch):
            raise InsideRun(run, log.branch(branch).run, deed)


def refuse_release(log: Log, run: str, change: "Change", env: Mapping[str, str]) -> None:
    """Raise InsideRun where a change from within does what people are asked about, without asking them."""
    if not _is_marked(log, env):
        return
    if change.allow_effects:
        refuse_insider(log, run, env, "allows")
    if change.reason == "accept":
        refuse_insider(log, run, env, "accepts")
    if change.retried and _was_asked_about(log, run, change.retried):
        refuse_insider(log, run, env, "retries")


def _was_asked_about(log: Log, run: str, keys: Iterable[str]) -> bool:
    """Tell whether people were asked about one of these failed steps, or one that its child failed for.

    Trying it again does not ask them anew, unless they had refused it.
    """
    from .runs import read_state

    state = read_state(log, log.branch_of(run))
    for key in keys:
        child = state.children.get(key)
        if key in state.gates:
            return True
        if child is not None and child.status == "failed":
            within = read_state(log, log.branch_of(child.run))
            failed = [one for one in within.steps if within.steps[one].status == "failed"]
            failed += [one for one in within.children if within.children[one].status == "failed"]
            if _was_asked_about(log, child.run, failed):
                return True
    return False


def _is_marked(log: Log, env: Mapping[str, str]) -> bool:
    return any(log_id(log) in value for value in env.values())


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
            # Its history is gone; its name still tells that these belong together.
            found.add(parent)
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
