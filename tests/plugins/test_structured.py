"""JSON is found in what a program says, wherever it stands."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.plugins import OutputInvalid
from holdfast.plugins.agents.structured import ask_for_json, last_json

DATA = {"n": 3, "text": "a } in a { text", "list": [{"deep": None}]}


@pytest.mark.parametrize(
    "answer",
    [
        json.dumps(DATA),
        f"Done.\n```json\n{json.dumps(DATA, indent=2)}\n```\n",
        f'First I thought\n```\n{{"n": 1}}\n```\nbut no:\n```json\n{json.dumps(DATA)}\n```',
        f'if (x) {{ y }} gives {{"n": 1}} and then {json.dumps(DATA)} as in [1].',
    ],
)
def test_the_last_document_of_an_answer_is_its_result(answer: str) -> None:
    assert last_json(answer) == DATA


def test_a_list_counts_where_there_is_no_object() -> None:
    assert last_json("They are [1, 2].") == [1, 2]


@pytest.mark.parametrize("answer", ["", "I am done.", '{"cut": ', "{" * 5000])
def test_an_answer_without_json_is_invalid_and_quoted(answer: str) -> None:
    with pytest.raises(OutputInvalid, match="no JSON in the answer"):
        last_json(answer)


@given(st.integers() | st.text() | st.dictionaries(st.text(), st.text(), max_size=3))
def test_any_object_is_found_behind_any_prose(value: Any) -> None:
    document = {"value": value}

    assert last_json(f"So: ] }} {json.dumps(document)} - that is all.") == document


def test_the_schema_is_in_the_prompt() -> None:
    assert '{"type": "object"}' in ask_for_json("Count.", {"type": "object"})
