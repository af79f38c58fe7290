"""The next call: every command that is named anywhere has its tool, and the call fits that tool."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.cli.values import encoded
from holdfast.errors import NoSuchFrame, RunBusy, RunEnded
from holdfast.eventlog import NoSuchRun
from holdfast.mcp.bounds import (
    ANSWER_BYTES,
    PAGE_BYTES,
    bounded,
    page,
    plain,
    shortened,
    text_page,
)
from holdfast.mcp.calls import ToolPlace, call_in, next_call
from holdfast.mcp.server import TOOLS

COMMANDS = [
    "approve r gate", "deny r gate", "answer r gate", "signal r news", "signal r news --key k", "watch r",
    "show r", "why r", "resume r", "retry r", "retry r step", "rewind r --to step", "fork r", "cancel r",
    "log r", "ps", "inbox", "workflows", "schedule list", "schedule remove nightly",
]  # fmt: skip
VALUES = {"by": "ann", "answer": 1, "payload": None, "at": "step"}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_call_that_fits_its_tool(command: str) -> None:
    call = next_call(command.split())
    filled = {name: VALUES[name] for name in call["fill_in"]}

    TOOLS[call["tool"]].arguments({**call["arguments"], **filled})


def test_a_command_without_a_tool_stays_a_command_line() -> None:
    told = next_call(["resume", "a run", "--accept"])

    assert told == {"tool": None, "command": "holdfast resume 'a run' --accept"}


@pytest.mark.parametrize(
    ("error", "tool", "arguments"),
    [
        (RunEnded("a b", "failed", "resumed"), "get_run", {"run": "a b"}),
        (NoSuchRun("r"), "list_runs", {}),
        (RunBusy("r", host="h", pid=1), "wait_for_run", {"run": "r"}),
    ],
)
def test_an_error_carries_the_call_for_its_command(
    error: Exception, tool: str, arguments: dict[str, str]
) -> None:
    assert call_in(str(error)) == {"tool": tool, "arguments": arguments, "fill_in": []}


@pytest.mark.parametrize(
    "message",
    [
        "say which: holdfast approve r GATE",
        "holdfast don't",
        "nothing to type",
        "mend holdfast.toml",
        str(NoSuchFrame("r", 9, 3)) if "holdfast" not in str(NoSuchFrame("r", 9, 3)) else "",
    ],
)
def test_what_has_to_be_filled_in_first_is_no_call(message: str) -> None:
    assert call_in(message) is None


def test_a_client_may_call_itself_anything() -> None:
    assert ToolPlace(None, "").actor == "mcp:unknown"
    assert ToolPlace(None, "a\nb\x1b[31m").actor == "mcp:a b"
    assert len(ToolPlace(None, "x" * 9999).actor) == 84


# --- bounds --------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=80) | st.dictionaries(st.text(max_size=90), inner),
    max_leaves=60,
)


@given(JSON, st.integers(2000, 5000))
def test_what_fits_stays_and_what_is_shortened_says_so(value: Any, most: int) -> None:
    kept, cut = shortened(value, most)

    if len(encoded(value)) <= most:
        assert (kept, cut) == (value, [])
    else:
        assert cut
    assert type(kept) is type(value)


def nested(depth: int) -> Any:
    inner: Any = ["z" * 3000] * 100
    for _ in range(depth):
        inner = {str(n): inner for n in range(3)}
    return inner


@pytest.mark.parametrize(
    "output",
    [
        "x" * 10**6,
        ["x" * 10**4] * 10**3,
        {f"key {n}" * 50: "y" * 100 for n in range(2000)},
        nested(6),
        "\0" * 10**6,
    ],
    ids=["text", "list", "wide", "deep", "control"],
)
def test_an_answer_is_bounded_whatever_is_in_it(output: Any) -> None:
    answer = bounded({"run": "r", "output": output, "cut": []})

    assert len(encoded(answer)) <= ANSWER_BYTES
    assert answer["run"] == "r"
    assert answer["cut"]


@given(st.lists(st.text(max_size=3000), max_size=60), st.integers(1, 50))
def test_pages_go_through_a_list_without_a_gap(items: list[str], limit: int) -> None:
    seen: list[str] = []
    start: int | None = 0
    while start is not None:
        found = page(items[start:], start, limit)
        assert len(found.items) <= limit
        assert len(encoded(found.items)) < 2 * PAGE_BYTES
        seen += found.items
        start = found.next

    assert len(seen) == len(items)
    assert all(a == b or "more characters" in a for a, b in zip(seen, items, strict=True))


@given(st.text(max_size=2000), st.integers(1, 300))
def test_pieces_of_a_text_are_the_text(text: str, limit: int) -> None:
    pieces: list[str] = []
    start: int | None = 0
    while start is not None:
        found = text_page(text, start, limit)
        pieces.append(found["text"])
        start = found["next"]

    assert "".join(pieces) == text


def test_what_json_has_no_word_for_is_told_as_well_as_it_can_be() -> None:
    assert json.dumps(plain({"a": {1, 2}, "b": b"x"}))
