"""What init would write in a project, and why. It reads, and writes nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from holdfast.config import NAME as CONFIG
from holdfast.project import IGNORE

from .clients import Client
from .entries import with_pieces
from .files import Change, apply, content_of, missing_folders, place_of
from .record import NAME, Record, Written, digest_of, read_record
from .servers import Insertion, entered

SKILL = "holdfast/SKILL.md"
NOTHING = Insertion()


class Wanted(NamedTuple):
    """What a project is to be told: by whom it is used, how the server is started, and the texts."""

    clients: Sequence[Client]
    command: Sequence[str]
    skill: str
    roles: str


class Step(NamedTuple):
    """One file to be written. `path` is relative to the project's root."""

    path: str
    what: str
    change: Change
    written: Written


class Plan(NamedTuple):
    """All that is to be written, and what is left as it is and why."""

    steps: list[Step]
    notes: list[str]
    record: Record

    def write(self, home: Path) -> None:
        """Write it all, or nothing. What is written is noted down first: a crash loses no track."""
        record = home / NAME
        noted = Change(record, content_of(record), self.record.encoded())
        apply([noted, *(step.change for step in self.steps)])


def make_plan(root: Path, home: Path, wanted: Wanted) -> Plan:
    """Look at a project and say what init would write there. Raises OnboardingError."""
    planner = _Planner(root, read_record(home))
    planner.home(home)
    for folder in dict.fromkeys(client.skills for client in wanted.clients):
        planner.skill(f"{folder}/{SKILL}", wanted.skill)
    for client in wanted.clients:
        if client.mcp:
            planner.server(client, wanted.clients, wanted.command)
        if client.note:
            planner.notes.append(f"{client.title} {client.note}")
    planner.roles(wanted.roles)
    files = {file.path: file for file in planner.record.files}
    files |= {step.path: step.written for step in planner.steps}
    return Plan(planner.steps, planner.notes, Record([*files.values()]))


class _Planner:
    def __init__(self, root: Path, record: Record) -> None:
        self.root, self.record = root, record
        self.steps: list[Step] = []
        self.notes: list[str] = []
        self._seen: set[Path] = set()

    def home(self, home: Path) -> None:
        """Keep git from listing runs, and let it have the project's workflows."""
        path = home / ".gitignore"
        if path.resolve().is_relative_to(self.root.resolve()) and content_of(path) is None:
            name = str(path.relative_to(self.root))
            self._add(name, "keeps runs out of git; workflows in it can be committed", IGNORE)

    def skill(self, path: str, text: str) -> None:
        """Write the skill; where it is there, only over one that init wrote and nobody changed."""
        before = self._look(path)
        if before is None and self._is_new(path):
            self._add(path, "the skill", text)
        elif before is not None and before != text.encode():
            known = self.record.of(path)
            if known is not None and known.digest == digest_of(before):
                self._add(path, "the skill of this version", text, before, known)
            else:
                self.notes.append(f"{path} is not what init wrote: it is left as it is")

    def server(self, client: Client, clients: Sequence[Client], command: Sequence[str]) -> None:
        """Enter the server into the settings of an agent, which others may read as well."""
        there = [path for path in client.mcp if self._look(path) is not None]
        path = (there or client.mcp)[0]
        if not self._is_new(path):
            return
        before = self._look(path)
        found = entered(path, before or b"", client.style, command)
        if isinstance(found, Insertion):
            text = with_pieces((before or b"").decode(), found.pieces)
            readers = ", ".join(each.title for each in clients if path in each.mcp)
            self._add(path, f"the MCP server, for {readers}", text, before, inserted=found)
        elif not found.is_same:
            self.notes.append(f"{path} has another entry for holdfast: it is left as it is")

    def roles(self, text: str) -> None:
        """Write holdfast.toml where there is none; one that is there is people's own."""
        if text and self._look(CONFIG) is None:
            self._add(CONFIG, "who does what: roles for the agents that were found", text)
        elif text and self.record.of(CONFIG) is None:
            self.notes.append(f"{CONFIG} is there: it is left as it is")

    def _look(self, path: str) -> bytes | None:
        return content_of(place_of(self.root, path))

    def _is_new(self, path: str) -> bool:
        """Whether no step writes there already: by this name, or through a link by another."""
        place = place_of(self.root, path)
        return place not in self._seen

    def _add(
        self,
        path: str,
        what: str,
        text: str,
        before: bytes | None = None,
        known: Written | None = None,
        inserted: Insertion = NOTHING,
    ) -> None:
        root, place, after = self.root.resolve(), place_of(self.root, path), text.encode()
        missing = [str(folder.relative_to(root)) for folder in missing_folders(root, place)]
        noted = self.record.of(path)  # by an init that was killed, for one
        folders = [*dict.fromkeys([*(noted.folders if noted else ()), *missing])]
        pieces, keys, value = inserted
        written = Written(
            path, digest_of(after), before is None, folders, [*pieces], [*keys], value
        )
        if known is not None:
            written = msgspec.structs.replace(known, digest=written.digest)
        self._seen.add(place)
        self.steps.append(Step(path, what, Change(place, before, after), written))
