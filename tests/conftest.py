"""Fixtures that tests of more than one part use."""

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings
from trio.testing import MockClock

from tests.support.clock import virtual_clock
from tests.support.lab import Lab
from tests.support.model_script import Scenario
from tests.support.model_server import ModelServer
from tests.support.repos import SETTINGS

# The same examples every time; `pytest --hypothesis-profile explore` looks for new ones.
settings.register_profile("fixed", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None, max_examples=2000)
settings.load_profile("fixed")


def pytest_collection_finish() -> None:
    """Look no more through what was imported: that takes a tenth of the time of all tests."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _git_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give git the settings of one user, and none of the machine's."""
    path = tmp_path_factory.mktemp("settings") / "gitconfig"
    path.write_text(SETTINGS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", str(path))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        yield


@pytest.fixture(scope="session", autouse=True)
def _bytecode(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let the hundreds of processes compile our modules once, also where nothing may be written beside them."""
    with pytest.MonkeyPatch.context() as patch:
        if sys.dont_write_bytecode:
            shared = tmp_path_factory.getbasetemp().parent / "bytecode"  # of all workers
            patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
            patch.setenv("PYTHONPYCACHEPREFIX", str(shared))
        yield


@pytest.fixture
def autojump_clock() -> Iterator[MockClock]:
    with virtual_clock() as clock:
        yield clock


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
