"""What a step may set for an agent that speaks the protocol."""

import shlex

import msgspec

from ...errors import BadOptions


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`command` starts the agent, where no name says how; `args` are added to it.

    `mode`, `auth` and the ids in `config` are the agent's own words: a session's mode, a way to log
    in, settings of a session. `files` says whether the agent reads and writes files through us.
    """

    command: str | list[str] = []
    args: list[str] = []
    mode: str | None = None
    auth: str | None = None
    config: dict[str, str | bool] = {}
    files: bool | None = None


def argv_of(options: Options) -> list[str]:
    """Return the program with its arguments, or raise BadOptions."""
    command = options.command
    try:
        argv = shlex.split(command) if isinstance(command, str) else command
    except ValueError as error:
        raise BadOptions(f"the option command={command!r} cannot be split: {error}") from error
    if not argv:
        raise BadOptions(
            'the agent "acp" needs to know which program to start: '
            'options={"command": ["my-agent", "--acp"]}. Names that need none: holdfast plugins'
        )
    return [*argv, *options.args]
