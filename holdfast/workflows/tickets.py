"""Tickets from files: a folder of Markdown, or a JSON list. Told apart by name, put in order by `after`."""

import re
from collections.abc import Iterable
from pathlib import Path

import msgspec

from holdfast import HoldfastError, step_folder

NAME = re.compile(r"\w[\w. -]{0,79}")
FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)


class TicketsInvalid(HoldfastError):
    """The tickets cannot be worked on as they are; nothing was begun."""

    code = "tickets_invalid"

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"the tickets in {where!r} cannot be worked on: {reason}")
        self.where, self.reason = where, reason


class Ticket(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be done. `after` names the tickets that have to be merged before."""

    name: str
    text: str
    title: str = ""
    after: list[str] = []


def read_tickets(where: str) -> list[Ticket]:
    """Read the tickets of a folder or a JSON file, in the order of their names or of the list.

    The path is relative to the folder that the run works in. Raises TicketsInvalid.
    """
    path = step_folder() / Path(where).expanduser()
    if path.is_dir():
        files = sorted(path.glob("*.md"))
        tickets = [_from_markdown(str(file), file.stem, _text_of(file)) for file in files]
    elif path.is_file():
        tickets = _from_json(path)
    else:
        raise TicketsInvalid(str(path), "there is no such folder or file. Name it: -i tickets=PATH")
    if not tickets:
        wanted = (
            "Write each as a file NAME.md"
            if path.is_dir()
            else 'Write: [{"name": ..., "text": ...}]'
        )
        raise TicketsInvalid(str(path), f"there are none. {wanted}")
    check_tickets(str(path), tickets)
    return [_titled(ticket) for ticket in tickets]


def waves(tickets: Iterable[Ticket]) -> list[list[Ticket]]:
    """Return the tickets in groups: each after the groups with what it waits for. A circle is left out."""
    left, over, found = list(tickets), set[str](), list[list[Ticket]]()
    while wave := [ticket for ticket in left if over.issuperset(ticket.after)]:
        found.append(wave)
        over |= {ticket.name for ticket in wave}
        left = [ticket for ticket in left if ticket.name not in over]
    return found


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TicketsInvalid(str(path), f"it cannot be read as UTF-8 text: {error}") from error


def _from_markdown(where: str, name: str, text: str) -> Ticket:
    """Return a ticket whose front matter may say `after: [one, two]`; what else is there is let be."""
    matter = FRONT_MATTER.match(text)
    if matter is None:
        return Ticket(name, text)
    after = re.search(r"^after[ \t]*:(.*)$", matter.group(1), re.MULTILINE)
    names = re.split(r"[,\[\]]", after.group(1)) if after else []
    wanted = [name.strip(" \t\"'") for name in names if name.strip()]
    if after and not wanted and "[" not in after.group(1):
        raise TicketsInvalid(where, "`after:` names nobody in its line. Write: after: [other]")
    return Ticket(name, text[matter.end() :], after=wanted)


def _from_json(path: Path) -> list[Ticket]:
    try:
        return msgspec.json.decode(_text_of(path), type=list[Ticket])
    except msgspec.DecodeError as error:
        wanted = 'Write a list: [{"name": "login", "text": "What is to be done", "after": []}]'
        raise TicketsInvalid(str(path), f"{error}. {wanted}") from error


def _titled(ticket: Ticket) -> Ticket:
    """Return the ticket with a title in one line: its own, its first heading, or its name."""
    heading = re.search(r"^#+[ \t]+(.+?)[ \t#]*$", ticket.text, re.MULTILINE)
    title = ticket.title or (heading.group(1) if heading else ticket.name)
    return msgspec.structs.replace(ticket, title=" ".join(title.split()))


def check_tickets(where: str, tickets: list[Ticket]) -> None:
    """Raise TicketsInvalid where these cannot be worked on: names, texts, and what comes after what."""
    names = [ticket.name for ticket in tickets]
    for ticket in tickets:
        if not NAME.fullmatch(ticket.name):
            reason = (
                f"{ticket.name!r} cannot name a ticket, for its branch has that name. Use up to 80 "
                "letters, digits, '-', '_', '.' and spaces"
            )
            raise TicketsInvalid(where, reason)
        if names.count(ticket.name) > 1:
            raise TicketsInvalid(
                where, f"several have the name {ticket.name!r}. Rename all but one"
            )
        if not ticket.text.strip():
            raise TicketsInvalid(where, f"{ticket.name!r} is empty. Write what is to be done")
        if unknown := [name for name in ticket.after if name not in names]:
            reason = f"{ticket.name!r} comes after {unknown[0]!r}, which is none of them"
            raise TicketsInvalid(where, f"{reason}. There are: {', '.join(names)}")
    going = {ticket.name for wave in waves(tickets) for ticket in wave}
    if circle := [name for name in names if name not in going]:
        reason = f"{', '.join(circle)} wait for each other in a circle. Take one `after` out"
        raise TicketsInvalid(where, reason)
