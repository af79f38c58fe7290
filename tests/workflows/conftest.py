"""A stage for the workflows of the pack."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.cast import Act, Cast, Stage

SETTINGS = "[user]\n name = Ada\n email = ada@example.org\n[commit]\n gpgSign = false\n"
MakeStage = Callable[[Mapping[str, Sequence[Any] | Act]], Stage]


@pytest.fixture
def stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: object
) -> Iterator[MakeStage]:
    """Makes a stage with the parts of a play."""
    (tmp_path / "gitconfig").write_text(SETTINGS)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    with ExitStack() as stack:

        def make(parts: Mapping[str, Sequence[Any] | Act]) -> Stage:
            made = Stage(tmp_path, Cast(parts))
            stack.callback(made.log.close)
            return made

        yield make
