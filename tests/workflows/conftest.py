"""A stage for the workflows of the pack."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.cast import Act, Cast, Stage
from tests.support.hands import Hands

SETTINGS = "[user]\n name = Ada\n email = ada@example.org\n[commit]\n gpgSign = false\n"
MakeStage = Callable[[Mapping[str, Sequence[Any] | Act]], Stage]


@pytest.fixture
def _ada(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who commits."""
    (tmp_path / "gitconfig").write_text(SETTINGS)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture
def stage(tmp_path: Path, _ada: None, autojump_clock: object) -> Iterator[MakeStage]:
    """Makes a stage with the parts of a play."""
    with ExitStack() as stack:

        def make(parts: Mapping[str, Sequence[Any] | Act]) -> Stage:
            made = Stage(tmp_path, Cast(parts))
            stack.callback(made.log.close)
            return made

        yield make


@pytest.fixture
def lab(tmp_path: Path, _ada: None, autojump_clock: object) -> Iterator[Hands]:
    """A stage whose agent does nothing until the test says what."""
    made = Hands(tmp_path, lambda _prompt, _folder: "nothing")
    yield made
    made.log.close()
