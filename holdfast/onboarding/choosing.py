"""Which shipped workflow does what people ask for. The skill and the docs have this as a table.

A workflow that comes to the pack needs a line here: a test says so.
"""

from collections.abc import Sequence
from typing import NamedTuple


class Choice(NamedTuple):
    """`words`: what people say when they want it. `inputs`: those worth giving, the needed ones first."""

    words: str
    inputs: Sequence[str]


CHOICES = {
    "implement": Choice(
        'one change, until its tests are green and a reviewer agrees: "build", "fix", "add"',
        ["goal", "test", "max_rounds", "approve"],
    ),
    "research-plan-implement": Choice(
        'a change that has to be understood first: "look into it, plan it, then do it"',
        ["goal", "test", "approve"],
    ),
    "plan": Choice(
        'a plan and no change: "how would you do it", "make a plan"',
        ["goal", "path", "approve"],
    ),
    "review": Choice(
        'a change judged, nothing touched: "review my changes", "is this branch good"',
        ["change", "lenses", "fail_on"],
    ),
    "debug": Choice(
        'a fault shown, explained and mended: "why does this fail", "it crashes"',
        ["fault", "test", "approve"],
    ),
    "research": Choice(
        'an answer from the repository, with sources: "how does this work", "find out"',
        ["question", "path"],
    ),
    "grill-me": Choice(
        'a vague wish made clear by questions: "ask me", "help me to specify it"',
        ["goal", "path", "max_questions"],
    ),
    "tickets": Choice(
        'a wish cut into tickets: "split this up", "write tickets"',
        ["goal", "folder", "work"],
    ),
    "kanban": Choice(
        'many tickets side by side, merged one by one: "do these tickets", "work off the backlog"',
        ["tickets", "test", "limit", "on_conflict"],
    ),
    "mission": Choice(
        'a large goal, milestone by milestone: "migrate all of it", "work on it for days"',
        ["goal", "test", "limit", "approve"],
    ),
    "improve-coverage": Choice(
        'tests for what has none: "raise the coverage", "test the untested"',
        ["target", "measure"],
    ),
    "audit": Choice(
        'the whole repository looked through, nothing touched: "look for security holes, dead code"',
        ["only", "checks", "tickets"],
    ),
    "best-of": Choice(
        'several attempts of which the best is taken: "try it three ways"',
        ["goal", "n", "test"],
    ),
    "ralph": Choice(
        'the same prompt in fresh sessions until a command agrees: "keep at it until it passes"',
        ["prompt", "test", "max_rounds"],
    ),
}
