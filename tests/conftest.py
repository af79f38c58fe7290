"""Fixtures that tests of more than one part use."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.lab import Lab
from tests.support.model_script import Scenario
from tests.support.model_server import ModelServer


@pytest.fixture
def model_server() -> Iterator[Callable[[Scenario], ModelServer]]:
    """Start scripted models: `server = model_server([{"text": "hello"}])`."""
    with ExitStack() as stack:
        yield lambda scenario: stack.enter_context(ModelServer(scenario))


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A log, an engine and a virtual clock."""
    made = Lab(tmp_path)
    yield made
    made.log.close()
