"""Fixtures that tests of more than one part use."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.support.model_script import Scenario
from tests.support.model_server import ModelServer


@pytest.fixture
def model_server() -> Iterator[Callable[[Scenario], ModelServer]]:
    """Start scripted models: `server = model_server([{"text": "hello"}])`."""
    with ExitStack() as stack:
        yield lambda scenario: stack.enter_context(ModelServer(scenario))
