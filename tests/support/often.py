"""What is tried at some places in every run of the tests, and at all the others with `-m soak`."""

from collections.abc import Iterable

import pytest
from _pytest.mark.structures import ParameterSet


def some(cases: Iterable[object], every: int) -> list[ParameterSet]:
    """Return cases for `parametrize`, of which each `every`-th is a part of every run."""
    rare = pytest.mark.soak
    return [
        pytest.param(
            *(case if isinstance(case, tuple) else (case,)), marks=rare if n % every else ()
        )
        for n, case in enumerate(cases)
    ]
