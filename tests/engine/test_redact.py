"""Redaction of encoded values: everything inside, and nothing else."""

import datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.redact import Redactor

SECRET = "correct-horse-battery"
REDACTOR = Redactor({"A_PASSWORD": SECRET, "HOME": "/home/someone"})
SHOWN = "[redacted:A_PASSWORD]"


def redacted(value: Any) -> Any:
    return msgspec.msgpack.decode(REDACTOR.value(msgspec.msgpack.encode(value)))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (SECRET, SHOWN),
        (SECRET.encode(), SHOWN.encode()),
        (b"\xff" + SECRET.encode(), b"\xff" + SHOWN.encode()),
        ([1, [SECRET], {"a": SECRET}], [1, [SHOWN], {"a": SHOWN}]),
        ({SECRET: 1}, {SHOWN: 1}),
        (
            [SECRET, 1.5, None, True, 2**63, datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)],
            [SHOWN, 1.5, None, True, 2**63, datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)],
        ),
    ],
)
def test_every_string_in_a_value_is_redacted(value: Any, expected: Any) -> None:
    assert redacted(value) == expected


def test_two_secret_keys_stay_two() -> None:
    tokens = ["ghp_0123456789abcdefghij", "ghp_abcdefghij0123456789"]

    assert redacted({tokens[0]: 1, tokens[1]: 2}) == {"[redacted]": 1, "[redacted]+": 2}


@settings(max_examples=100, deadline=None)
@given(st.recursive(st.text() | st.binary() | st.integers(0, 9) | st.none(), st.lists))
def test_a_value_without_secrets_is_the_same_object(value: Any) -> None:
    raw = msgspec.msgpack.encode(value)

    assert REDACTOR.value(raw) is raw


def test_a_value_that_only_looks_as_if_is_the_same_object() -> None:
    raw = msgspec.msgpack.encode(["task-sk-force", "the bearer of news", SECRET[:-1]])

    assert REDACTOR.value(raw) is raw
