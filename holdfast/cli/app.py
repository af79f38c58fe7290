"""The `holdfast` command: which commands there are, and how each end of one is told to the shell."""

import importlib
import os
import sys
from collections.abc import Sequence

import click

from .place import Place

SECTIONS: dict[str, dict[str, str]] = {
    "Run": {
        "run": "Run a workflow: a file, FILE:NAME, or the name of an installed one.",
        "resume": "Go on with a run that waits or was interrupted.",
        "serve": "Go on with all runs of the project, as soon as each one can.",
        "schedule": "Start runs at set times, as cron does.",
        "pause": "Let a run begin no new step for now.",
        "unpause": "Let a paused run go on.",
        "cancel": "Cancel a run; its clean-up still happens.",
        "demo": "See a whole run in a few seconds, without keys or network.",
    },
    "Decide": {
        "inbox": "List what waits for people, in all runs.",
        "approve": "Approve what a run waits for.",
        "deny": "Deny what a run waits for.",
        "answer": "Answer a question of a run: as a form, or as JSON.",
        "signal": "Send a signal to a run.",
    },
    "Travel": {
        "fork": "Make a new run from an earlier frame of one, with other inputs or results.",
        "rewind": "Go back: a fork that takes over the run's name.",
        "retry": "Try a failed step again, in place.",
        "plan": "Tell what fork, rewind, retry or resume --accept would do.",
        "replay": "Drive a run anew from its record, to prove, step through or debug it.",
        "bisect": "Find the first frame at which something is no longer true.",
    },
    "Look": {
        "ps": "List the runs, newest first.",
        "why": "Say what a run waits for or why it failed, and what to type next.",
        "show": "Show a run: its state, steps and what it waits for.",
        "log": "Show what happened in a run, event by event.",
        "diff": "Compare two runs, or one at two frames; or show what a step did to the files.",
        "changes": "Show what a step changed in the files.",
        "files": "List, print or extract the files of any frame.",
        "tree": "Show a run's forks as a tree.",
        "workspaces": "List the worktrees that Holdfast made, and what is not merged.",
        "web": "Look at runs in a browser, at any frame, and approve there.",
        "watch": "Watch a run that another process executes.",
        "audit": "Check that the record can be trusted.",
    },
    "Set up": {
        "init": "Set a project up for the coding agents that work in it.",
        "docs": "Read about Holdfast here: a topic, or the list of them.",
        "new": "Write a workflow to begin with, or a copy of a shipped one.",
        "workflows": "List the workflows that can be run by name.",
        "check": "Find what in a workflow would not work, or a replay could not repeat.",
        "agents": "List the agents: installed, version, login, and the roles that use them.",
        "plugins": "List the plugins and what each one offers.",
        "mcp": "Serve all of this to a coding agent, as tools over MCP.",
        "gc": "Remove what nobody needs: merged worktrees, space in the log.",
        "doctor": "Find out whether everything needed is here.",
    },
}
SUMMARIES = {name: text for section in SECTIONS.values() for name, text in section.items()}
MODULES = {
    "deny": "approve",
    "rewind": "fork",
    "unpause": "pause",
}  # where a command stands in another's module


class Commands(click.Group):
    """A group whose help is known without importing a single command."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(SUMMARIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in SUMMARIES:
            return None
        module = importlib.import_module(f"holdfast.cli.commands.{MODULES.get(cmd_name, cmd_name)}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in SUMMARIES and not args[0].startswith("-"):
            ctx.fail(_no_such_command(args[0]))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        try:
            status = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:  # click would make a failure of it
            return _reader_left()
        return status

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for section, commands in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl(list(commands.items()))


def _no_such_command(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, SUMMARIES, n=1)
    if near:
        return f"there is no command {name!r}. Did you mean: holdfast {near[0]}"
    return f"there is no command {name!r}. List them with: holdfast --help"


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from .words import version

        click.echo(f"holdfast {version()}")
        ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--home",
    metavar="FOLDER",
    help="The project's .holdfast folder; else HOLDFAST_HOME, else found upward from here.",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version,
    help="Show the version.",
)  # fmt: skip
@click.pass_context
def cli(ctx: click.Context, home: str | None) -> None:
    """Durable workflows for coding agents."""
    if os.environ.get("NO_COLOR"):
        ctx.color = False
    ctx.obj.home = home


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status."""
    sys.exit(invoke(sys.argv[1:] if args is None else list(args), owns_process=True))


def invoke(args: list[str], *, owns_process: bool = False) -> int:
    """Run the command line and return the exit status; whatever goes wrong is told in one line."""
    place = Place(as_json="--json" in args, owns_process=owns_process)
    try:
        status = cli.main(args, prog_name="holdfast", standalone_mode=False, obj=place)
        return status if isinstance(status, int) else 0
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - told, whatever it is
        from .failures import tell

        return tell(error, place, as_json=place.as_json)


def _reader_left() -> int:
    """Whoever read our output had enough, which is no failure; what is buffered goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
