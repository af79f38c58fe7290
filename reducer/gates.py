"""What a workflow may ask of people, checked before it is asked."""

from collections.abc import Sequence
from typing import get_args

from .durations import Length
from .errors import WorkflowError
from .requests import OnExpire


def check_gate(
    name: str, expires: Length, on_expire: str, by: Sequence[str], escalate_to: Sequence[str]
) -> None:
    """Raise WorkflowError for a gate whose people or times make no sense together."""
    if isinstance(by, str) or isinstance(escalate_to, str):
        raise WorkflowError(f"{name!r} names its people in a text. Write a list: by=[{by!r}]")
    if on_expire not in get_args(OnExpire):
        known = ", ".join(map(repr, get_args(OnExpire)))
        raise WorkflowError(f"{name!r} has on_expire={on_expire!r}. Write one of {known}.")
    if on_expire != "deny" and not expires:
        raise WorkflowError(
            f"{name!r} has on_expire={on_expire!r} and never expires. Add expires=."
        )
    if on_expire == "escalate" and not (by and escalate_to):
        raise WorkflowError(
            f"{name!r} cannot be escalated. Say from whom to whom: by=[...], escalate_to=[...]"
        )
    if escalate_to and on_expire != "escalate":
        raise WorkflowError(f'{name!r} has escalate_to= without on_expire="escalate".')


def check_question(
    name: str, expires: Length, on_expire: str, by: Sequence[str], escalate_to: Sequence[str]
) -> None:
    """Raise WorkflowError for a question whose people or times make no sense together."""
    if on_expire == "deny":
        raise WorkflowError(
            f'{name!r} is a question, which cannot be denied. Write on_expire="halt".'
        )
    check_gate(name, expires, "deny" if on_expire == "halt" else on_expire, by, escalate_to)
