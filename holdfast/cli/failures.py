"""How errors reach people and programs: one line, or one JSON object, and an exit status."""

import os
import re
import traceback
from typing import cast

import click

from holdfast.eventlog import HoldfastError

from .place import Place
from .words import printable, shortened

USAGE, INTERRUPTED = 2, 130
LONGEST = 6000


def tell(error: BaseException, place: Place, *, as_json: bool) -> int:
    """Print the error and return the exit status."""
    error = _single(error)
    if os.environ.get("HOLDFAST_DEBUG"):
        traceback.print_exception(error)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return USAGE
    code, message, status = _described(error)
    message = shortened(printable(_at_home(message, place)), LONGEST)
    if as_json:
        from .values import print_json

        print_json({"error": {"code": code, "message": message}})
    else:
        click.echo(f"{click.style(f'error[{code}]', fg='red')}: {message}", err=True)
    return status


def _single(error: BaseException) -> BaseException:
    """Take an error out of the groups that nurseries wrap it in."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    group = cast(BaseExceptionGroup[BaseException], error)
    return _single(group.exceptions[0]) if len(group.exceptions) == 1 else group


def _described(error: BaseException) -> tuple[str, str, int]:
    match error:
        case HoldfastError():
            return error.code, str(error), error.exit_status
        case click.Abort() | KeyboardInterrupt():
            return "interrupted", "interrupted", INTERRUPTED
        case click.UsageError():
            return "usage", _usage(error), USAGE
        case click.ClickException():
            return "usage", error.format_message(), USAGE
        case _:
            kind = type(error).__name__
            return "internal", f"{kind}: {error}. {_PLEASE}", 1


def _at_home(message: str, place: Place) -> str:
    """Let the commands that a message names work on this place: errors do not know of --home."""
    start = place.command()
    if start == "holdfast":
        return message
    from .app import SUMMARIES

    commands = "|".join(SUMMARIES)
    return re.sub(rf"\bholdfast (?=({commands})\b)", lambda _: f"{start} ", message)


_PLEASE = (
    "This is a defect of Holdfast: please report it to its maintainers, with what "
    "HOLDFAST_DEBUG=1 and holdfast doctor show"
)


def _usage(error: click.UsageError) -> str:
    message = error.format_message().rstrip(".")
    if error.ctx is None or "holdfast " in message:
        return message
    stop = "" if message.endswith("?") else "."
    return f"{message}{stop} See: {error.ctx.command_path} --help"
