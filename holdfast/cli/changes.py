"""What a person wants changed, as data: the options of fork and rewind, and of their plans."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from holdfast.eventlog import Edit, Log
    from holdfast.travel import Change, Load

F = TypeVar("F", bound=Callable[..., Any])


def change_options(command: F) -> F:
    """Add the options that say what a fork does otherwise."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def changed_code_option(command: F) -> F:
    """Add what becomes of finished functions whose own source changed."""
    return click.option(
        "--changed-code", type=click.Choice(["keep", "rerun"]), default="keep",
        help="Finished functions whose own source changed: keep what they returned, or run them again.",
    )(command)  # fmt: skip


_OPTIONS = [
    click.option(
        "--set", "results", metavar="STEP=JSON", multiple=True,
        help="Give a step this result instead of doing it.",
    ),
    click.option(
        "--input", "text", metavar="JSON|@FILE", help="Fields of the input that become others."
    ),
    click.option(
        "--agent", "agents", metavar="STEP=AGENT", multiple=True, help="Another agent for a step."
    ),
    click.option(
        "--model", "models", metavar="STEP=MODEL", multiple=True, help="Another model for a step."
    ),
    click.option(
        "--prompt", "prompts", metavar="STEP=TEXT|@FILE", multiple=True,
        help="Another prompt for a step.",
    ),
    click.option(
        "--workflow", metavar="FILE[:NAME]|NAME", help="Go on with this workflow's code."
    ),
    click.option("--fresh", is_flag=True, help="Do all that comes after the fork point again."),
    click.option(
        "--reuse", is_flag=True,
        help="Take over what still holds from after the fork point; so it is with any change.",
    ),
    changed_code_option,
    click.option(
        "--allow-effects", is_flag=True, help="Let effects happen without asking for each."
    ),
]  # fmt: skip


def change(
    log: "Log", load: "Load", run: str, reason: Any, at: str | None, options: dict[str, Any]
) -> "Change":
    """Return what the options ask for. Raises BadInput, and NoSuchRun."""
    from holdfast.travel import Change

    from .errors import BadInput

    if options["fresh"] and options["reuse"]:
        raise BadInput("--fresh and --reuse exclude one another: choose one")
    reuse = True if options["reuse"] else False if options["fresh"] else None
    workflow = options["workflow"]
    if workflow is not None:
        load(workflow)  # refused here if there is none
    return Change(
        reason,
        int(at) if at is not None and at.isascii() and at.isdigit() else at,
        _edits(options),
        _input(log, run, options["text"]),
        workflow,
        reuse,
        options["allow_effects"],
        changed_code=options["changed_code"],
    )


def _edits(options: dict[str, Any]) -> list["Edit"]:
    import msgspec

    from holdfast.eventlog import Edit

    edits: list[Edit] = []
    for what, pairs in (
        ("result", options["results"]),
        ("agent", options["agents"]),
        ("model", options["models"]),
        ("prompt", options["prompts"]),
    ):
        for pair in pairs:
            key, value = _pair(what, pair)
            edits.append(Edit(what, msgspec.Raw(msgspec.msgpack.encode(value)), key))
    return edits


def _pair(what: str, pair: str) -> tuple[str, Any]:
    from .errors import BadInput
    from .inputs import file_text, parse

    option = {"result": "--set"}.get(what, f"--{what}")
    key, equals, value = pair.partition("=")
    if not equals or not key:
        raise BadInput(f"{option} {pair!r} names no step. Write: {option} STEP={pair or 'VALUE'}")
    if what == "result":
        return key, parse(value, f"{option} {key}", f"{option} {key}='\"text\"'")
    if what == "prompt" and value.startswith("@"):
        return key, file_text(value[1:], f"{option} {key}")
    return key, value


def _input(log: "Log", run: str, text: str | None) -> dict[str, Any] | None:
    """Return the run's input with the given fields in the place of the recorded ones."""
    if text is None:
        return None
    from .errors import BadInput
    from .inputs import parse

    given = parse(text, "--input")
    if not isinstance(given, dict):
        raise BadInput(f"--input is {type(given).__name__}, not an object of the fields to change")
    return merged_input(log, run, given)  # pyright: ignore[reportUnknownArgumentType]


def merged_input(log: "Log", run: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return the recorded input of a run with these fields in the place of its own."""
    from holdfast.runs import read_state

    from .values import decoded

    recorded = decoded(log, read_state(log, log.branch_of(run), 1).input)
    return {**recorded, **given}
