"""Structured output from programs that know nothing of it: ask in words, look for JSON in the answer."""

import json
import re
from collections.abc import Iterator
from typing import Any

from ..errors import OutputInvalid
from ..types import AgentTask

FENCE = re.compile(r"^```[\w-]*[ \t]*\n(.*?)^```", re.DOTALL | re.MULTILINE)


def ask_for_json(prompt: str, schema: dict[str, Any]) -> str:
    """Return the prompt with the schema of the wanted answer at its end."""
    return (
        f"{prompt}\n\nWhen you are done, end your answer with one JSON document in a ```json block, "
        f"and write nothing after it. It must fit this JSON Schema:\n{json.dumps(schema)}\n"
    )


def prompt_of(task: AgentTask) -> str:
    """Return the task's prompt, which asks for JSON where a result is wanted."""
    return task.prompt if task.schema is None else ask_for_json(task.prompt, task.schema)


def last_json(text: str) -> Any:
    """Return the last JSON document of a text: all of it, a fenced block, or the end of it."""
    for candidate in (text, *reversed(FENCE.findall(text))):
        try:
            return json.loads(candidate)
        except ValueError:
            continue
    for opening in "{[":  # a list only if there is no object: prose has brackets
        if found := list(_values(text, opening)):
            return found[-1]
    raise OutputInvalid(
        "there is no JSON in the answer, and a result was asked for. "
        f"The answer ends with: {text[-300:].strip()!r}",
        detail=text[-10_000:],
    )


def _values(text: str, opening: str) -> Iterator[Any]:
    decoder = json.JSONDecoder()
    start = text.find(opening)
    while start >= 0:
        try:
            value, after = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            after = start + 1
        else:
            yield value
        start = text.find(opening, after)
