"""`holdfast agents`."""

from typing import NamedTuple

import click

from ..options import json_option
from ..place import Place


class AgentRow(NamedTuple):
    """One line of it."""

    agent: str
    installed: bool
    detail: str
    login: str | None
    roles: list[str]


@click.command()
@json_option
@click.pass_obj
def agents(place: Place, as_json: bool) -> None:
    """List the agents: installed, version, login, and the roles that use them.

    No model is asked, so whether a login still holds is not known: "unknown" is neither yes nor no.
    """
    from ..agents import probe, roles_using
    from ..tools import tools
    from ..values import print_json
    from ..words import one_line, table

    kit = tools(place.project())
    rows = [
        AgentRow(
            name,
            ready.ready,
            ready.detail,
            ready.login or None,
            list(roles_using(kit.config, name)),
        )
        for name, ready in sorted(probe(kit.plugins.agents()).items())
    ]
    if as_json:
        print_json([row._asdict() for row in rows])
        return
    cells = [
        [
            row.agent,
            "yes" if row.installed else "no",
            f"by {row.login}" if row.login else "unknown" if row.installed else "",
            ", ".join(row.roles),
            one_line(row.detail),
        ]
        for row in rows
    ]
    click.echo(table(["AGENT", "INSTALLED", "LOGIN", "ROLES", ""], cells))
