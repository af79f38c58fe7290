"""Entries put into JSON that people wrote, and taken out again, leave all else as it was."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.onboarding.entries import put_in, take_out, with_pieces, without_pieces
from holdfast.onboarding.jsonc import NotJson, get, parsed

KEYS = ["mcpServers", "holdfast"]
VALUE = {"command": "holdfast", "args": ["mcp"]}
BLANKS = st.sampled_from(["", " ", "\n", "\n  ", "\r\n\t", " // why, {or not}\n", '/* a "b" */'])
SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", 'a"//', "/*", "\\"])
DATA = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=8,
)


@st.composite
def texts(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """Draw an object as people may write it, and what it means."""
    data = draw(st.dictionaries(st.sampled_from("abc"), DATA, max_size=3))
    if draw(st.booleans()):
        data["mcpServers"] = draw(st.dictionaries(st.sampled_from("abc"), DATA, max_size=3))

    def written(value: Any) -> str:
        pair = "[]" if isinstance(value, list) else "{}"
        match value:
            case dict():
                parts = [f"{json.dumps(k)}{draw(BLANKS)}:{written(v)}" for k, v in value.items()]
            case list():
                parts = [written(each) for each in value]
            case _:
                return draw(BLANKS) + json.dumps(value) + draw(BLANKS)
        ended = draw(st.sampled_from(["", ","])) if parts else ""
        inside = ",".join(draw(BLANKS) + part + draw(BLANKS) for part in parts)
        return draw(BLANKS) + pair[0] + inside + ended + draw(BLANKS) + pair[1] + draw(BLANKS)

    return written(data), data


@settings(max_examples=50)
@given(texts())
def test_an_entry_comes_in_beside_all_that_was_there_and_goes_without_a_trace(
    drawn: tuple[str, dict[str, Any]],
) -> None:
    text, data = drawn
    assert parsed(text).data == data

    pieces = put_in(text, KEYS, VALUE)
    more = with_pieces(text, pieces)

    servers = {**data.get("mcpServers", {}), "holdfast": VALUE}
    assert parsed(more).data == {**data, "mcpServers": servers}
    assert without_pieces(more, pieces) == text


@settings(max_examples=50)
@given(texts())
def test_an_entry_is_taken_out_of_what_people_went_on_with(
    drawn: tuple[str, dict[str, Any]],
) -> None:
    text, data = drawn
    more = with_pieces(text, put_in(text, KEYS, VALUE))
    more = with_pieces(more, put_in(more, ["mcpServers", "later"], 1))

    rest = take_out(more, KEYS)

    servers = {**data.get("mcpServers", {}), "later": 1}
    assert parsed(rest).data == {**data, "mcpServers": servers}
    assert get(rest, KEYS) is None


def test_comments_order_and_indentation_stay() -> None:
    text = (
        '{\n\t// ours\n\t"mcpServers": {\n\t\t"a": {"url": "x"} // the first\n\t},\n\t"z": 1\n}\n'
    )

    more = with_pieces(text, put_in(text, KEYS, VALUE))

    assert more == (
        '{\n\t// ours\n\t"mcpServers": {\n\t\t"a": {"url": "x"}, // the first\n'
        '\t\t"holdfast": {\n\t\t\t"command": "holdfast",\n\t\t\t"args": [\n\t\t\t\t"mcp"\n\t\t\t]\n\t\t}\n'
        '\t},\n\t"z": 1\n}\n'
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "a value was expected in line 1, not 'the end'"),
        ('{\n"a": }', "a value was expected in line 2, not '}'"),
        ('{"a" 1}', "':' was expected in line 1, not '1'"),
        ("{a: 1}", "a name in quotes was expected in line 1, not 'a'"),
        ('{"a": 1} x', "the end was expected in line 1, not 'x'"),
        ('{"a": "', "line 1 is no JSON"),
        ("\ufeff{}", "a value was expected"),
        ("[" * 5_000, "nested too deeply"),
        ("[1]", "it is no object"),
        ('{"mcpServers": []}', "mcpServers is no object"),
        ('{"mcpServers": {}, "mcpServers": {}}', "it has 'mcpServers' twice"),
    ],
)
def test_what_cannot_be_added_to_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(NotJson) as error:
        put_in(text, KEYS, VALUE)

    assert reason in str(error.value)
