"""Options that several commands share."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def json_option(command: F) -> F:
    """Add --json, which every command that prints data has."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def progress_options(command: F) -> F:
    """Add what the commands that execute runs share."""
    verbose = click.option(
        "-v", "--verbose", is_flag=True, help="Show progress with --json too, on standard error."
    )
    return json_option(verbose(command))


def dollars(text: str) -> float:
    """Read an amount of money above nothing."""
    try:
        usd = float(text)
    except ValueError:
        usd = 0.0
    if not 0 < usd <= 1e9:  # also false for what is no number
        raise click.BadParameter(f"{text!r} is no amount of dollars. Write for example: 2.50")
    return usd
