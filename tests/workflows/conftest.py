"""A stage for the workflows of the pack."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.cast import Act, Cast, Stage
from tests.support.hands import Hands

MakeStage = Callable[[Mapping[str, Sequence[Any] | Act]], Stage]


@pytest.fixture
def stage(tmp_path: Path, autojump_clock: object) -> Iterator[MakeStage]:
    """Makes a stage with the parts of a play."""
    with ExitStack() as stack:

        def make(parts: Mapping[str, Sequence[Any] | Act]) -> Stage:
            made = Stage(tmp_path, Cast(parts))
            stack.callback(made.log.close)
            return made

        yield make


@pytest.fixture
def lab(tmp_path: Path, autojump_clock: object) -> Iterator[Hands]:
    """A stage whose agent does nothing until the test says what."""
    made = Hands(tmp_path, lambda _prompt, _folder: "nothing")
    yield made
    made.log.close()
