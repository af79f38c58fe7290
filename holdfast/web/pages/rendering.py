"""Templates with what is in the log: whatever that says, it is shown as text."""

from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from holdfast.cli.view import report_of, text_of
from holdfast.cli.words import duration, money, printable, size

HERE = "holdfast.web.pages"


@cache  # compiled templates are worth keeping, and the same for all servers of a process
def environment() -> Environment:
    """Return what renders the templates."""
    made = Environment(
        loader=FunctionLoader(_source),
        autoescape=True,
        finalize=visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "duration": duration,
        "exact": exact,
        "moment": moment,
        "money": money,
        "report": report_of,
        "size": size,
        "text": text_of,
    }
    return made


def _source(name: str) -> str:
    return files(HERE).joinpath("templates", name).read_text(encoding="utf-8")


def static(name: str) -> bytes:
    return files(HERE).joinpath("static", name).read_bytes()


def visible(value: Any) -> Any:
    """Return text with what would turn its direction, steer a terminal or hide, written as Python writes it."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return printable(value)
    return value


def exact(value: str) -> Markup:
    """Return text for an attribute that comes back as it is, when a form is sent."""
    return escape(value)


def moment(time: str) -> str:
    """Return a time of the record in local time, for people."""
    return datetime.fromisoformat(time).astimezone().strftime("%Y-%m-%d %H:%M:%S")
