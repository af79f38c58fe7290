"""`holdfast plugins`."""

import click

from ..options import json_option
from ..place import Place


@click.command()
@json_option
@click.pass_obj
def plugins(place: Place, as_json: bool) -> int:
    """List the plugins and what each one offers. Exits with 1 when one is broken."""
    from ..tools import tools
    from ..values import print_json
    from ..words import one_line, table

    rows = tools(place.project()).plugins.listing()
    if as_json:
        print_json(rows)
    else:
        heading = ["PLUGIN", "FROM", "OFFERS"]
        cells = [
            [
                row.plugin,
                f"{row.distribution} {row.version}".strip(),
                one_line(f"broken: {row.broken}", 200) if row.broken else ", ".join(row.offers),
            ]
            for row in rows
        ]
        click.echo(table(heading, cells))
    return 1 if any(row.broken for row in rows) else 0
