"""What a person types, as data: a workflow's input, and a run's id."""

import re
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec

from holdfast.eventlog import is_too_deep

from .errors import BadInput, BadRunId

if TYPE_CHECKING:
    from holdfast.reducer import Workflow

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


def run_id(given: str | None, workflow: str) -> str:
    """Return the id for a new run: the given one, checked, or the workflow's name and chance."""
    if given is None:
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", workflow).strip("-._") or "run"
        return f"{name[:90]}-{''.join(secrets.choice(_ALPHABET) for _ in range(6))}"
    if not _ID.fullmatch(given):
        raise BadRunId(given)
    return given


def source_of(reference: str) -> str:
    """Return the name by which a workflow is found again; "" for a file, which its record names."""
    return "" if reference.partition(":")[0].endswith(".py") else reference


def workflow_input(workflow: "Workflow", text: str | None, pairs: Sequence[str]) -> dict[str, Any]:
    """Return the checked input from --input and -i; raise BadInput or InputInvalid."""
    return workflow.check(given_input(workflow, text, pairs))


def given_input(workflow: "Workflow", text: str | None, pairs: Sequence[str]) -> dict[str, Any]:
    """Return what --input and -i say, unchecked; raise BadInput."""
    given: Any = parse(text, "--input") if text is not None else {}
    if not isinstance(given, dict):
        raise BadInput(
            f"--input is {type(given).__name__}, not an object. The workflow "
            f"{workflow.name!r} takes: {workflow.signature()}"
        )
    types = {field.encode_name: field.type for field in msgspec.structs.fields(workflow.input_type)}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise BadInput(f"-i {pair!r} is no pair. Write: -i {pair}=VALUE")
        given[name] = _value(value, types.get(name, str))
    return cast(dict[str, Any], given)


def parse(text: str, option: str, example: str = '--input \'{"goal": "..."}\'') -> Any:
    """Return JSON that stands on the command line or, after @, in a file (@- is standard input)."""
    source = _read(text[1:], option) if text.startswith("@") else text
    try:
        value = msgspec.json.decode(source)
        if is_too_deep(msgspec.msgpack.encode(value)):
            raise RecursionError("it is nested too deeply")
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        name = f"{option} {text}" if text.startswith("@") else option
        wrong = (
            "is nested too deeply" if isinstance(error, RecursionError) else f"is no JSON: {error}"
        )
        raise BadInput(f"{name} {wrong}. Write for example: {example}") from error
    return value


def _read(name: str, option: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadInput(f"{option} @{name} cannot be read: {reason}") from error


def file_text(name: str, option: str) -> str:
    """Return the text of a file that was named on the command line. Raises BadInput."""
    try:
        return _read(name, option).decode()
    except UnicodeDecodeError as error:
        raise BadInput(f"{option} @{name} is no text: {error}. Save it as UTF-8") from error


def _value(text: str, type_: Any) -> Any:
    """Take JSON where it fits the field; everything else is text as it stands."""
    try:
        value = msgspec.json.decode(text)
        msgspec.convert(value, type_)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return text
    return value
