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
    "kanban": Choice(
        'many tickets side by side, merged one by one: "do these tickets", "work off the backlog"',
        ["tickets", "test", "limit", "on_conflict"],
    ),
}
