"""`holdfast docs`."""

import click

from ..options import json_option
from ..place import Place


@click.command()
@click.argument("topic", required=False)
@json_option
@click.pass_obj
def docs(place: Place, topic: str | None, as_json: bool) -> None:
    """Read about Holdfast here: TOPIC, or the list of them. It needs no network."""
    from holdfast.docs import read_topic, topics

    from ..values import print_json
    from ..words import for_reader, table

    if topic is not None:
        text = read_topic(topic)
        if as_json:
            print_json({"topic": topic, "text": text})
        else:
            click.echo(for_reader(text), nl=False)
        return
    found = topics()
    if as_json:
        print_json([topic._asdict() for topic in found])
    else:
        click.echo(table(["TOPIC", "WHAT IT IS ABOUT"], found))
        click.echo("read one: holdfast docs TOPIC", err=True)
