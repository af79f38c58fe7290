"""What a step reads, and the digest of it: the ground of every decision to reuse a result.

`reads` is a MessagePack map in a fixed order, kept with the step so that a difference can be shown.
The fingerprint is the first 16 bytes of the SHA-256 of kind, reads and the schema of the output.
"""

import functools
import hashlib
from typing import Any

import msgspec

from .errors import NotRecordable
from .requests import (
    AgentCall,
    ApprovalRequest,
    Call,
    ChildRequest,
    FunctionCall,
    ModelAsk,
    QuestionRequest,
    ShellCall,
    StepRequest,
)

_encoder = msgspec.msgpack.Encoder(order="deterministic")
_FREE = (Any, None, type(None), str)


def encode(value: Any, where: str) -> bytes:
    """Return the value as MessagePack, equal for equal values; `where` names it in the error."""
    try:
        return _encoder.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise NotRecordable(where, str(error)) from error


def reads(request: StepRequest) -> bytes:
    """Return all that the step reads, as a MessagePack map."""
    return encode(_reads(request.call), f"what step {request.key!r} reads")


def _reads(call: Call) -> dict[str, Any]:
    match call:
        case FunctionCall(function=function, args=args, kwargs=kwargs):
            name = getattr(function, "__qualname__", None) or type(function).__qualname__
            read = {"function": name, "args": args, "kwargs": kwargs}
        case ShellCall(env=env):
            # Values of the environment are often secrets: their digest tells a change as well.
            digests = {name: _digest(value.encode())[:8] for name, value in env.items()}
            read = {**msgspec.structs.asdict(call), "env": digests}
            del read["check"]
        case _:
            read = msgspec.structs.asdict(call)
            if isinstance(call, AgentCall | ModelAsk):  # what came of the role is read
                del read["role"], read["fallback"]
    return {name: value for name, value in read.items() if value not in ("", None, {}, ())}


def fingerprint(request: StepRequest, read: bytes) -> bytes:
    """Return the digest of kind, reads and output schema: 16 bytes."""
    return _digest(request.kind.encode() + b"\0" + read + _schema_bytes(request.output))


def digest_of_subject(request: ApprovalRequest) -> bytes:
    """Return the digest that binds an approval to what was seen: 32 bytes."""
    shown = encode(request.subject, f"the subject of {request.key!r}")
    return hashlib.sha256(shown + _form_bytes(request.edits, request.key)).digest()


def digest_of_question(request: QuestionRequest) -> bytes:
    """Return the digest that binds an answer to what was asked: 32 bytes."""
    asked = encode(request.question, f"the question {request.key!r}")
    return hashlib.sha256(asked + _form_bytes(request.output, request.key)).digest()


def form(type_: Any, key: str) -> dict[str, Any] | None:
    """Return the JSON Schema of what a person may fill in, its fields in order; None for no type."""
    if type_ is None:
        return None
    try:
        return msgspec.json.schema(type_)
    except TypeError as error:
        raise NotRecordable(f"the type of what people fill in at {key!r}", str(error)) from error


def _form_bytes(type_: Any, key: str) -> bytes:
    return b"" if type_ is None else _encoder.encode(form(type_, key))


def child_fingerprint(request: ChildRequest) -> bytes:
    name = request.workflow.replace("\\", "/").rpartition("/")[2]  # the repository may move
    given = encode([name, request.input], f"the input of child {request.key!r}")
    return _digest(given)


def schema(output: Any) -> dict[str, Any] | None:
    """Return the JSON Schema of an output type, or None where any text or value will do."""
    return None if output in _FREE else msgspec.json.schema(output)


def _schema_bytes(output: Any) -> bytes:
    if output in _FREE:
        return b""
    try:
        return _cached_schema_bytes(output)
    except TypeError:
        return b""  # not a type that msgspec can describe: the function's own business


@functools.lru_cache(maxsize=512)
def _cached_schema_bytes(output: Any) -> bytes:
    return _encoder.encode(msgspec.json.schema(output))


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:16]
