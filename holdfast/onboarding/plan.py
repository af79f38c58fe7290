"""What init would write in a project, and why. It reads, and writes nothing."""

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from holdfast.config import NAME as CONFIG
from holdfast.project import IGNORE

from .clients import Client, entry
from .errors import NotMergeable
from .files import Change, apply, content_of, missing_folders, place_of
from .jsonc import NotJson, Piece, get, parsed, put_in, with_pieces
from .record import NAME, Record, Written, digest_of, read_record

SKILL = "holdfast/SKILL.md"
Table = dict[str, Any]


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
            planner.server(client, wanted.command)
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

    def server(self, client: Client, command: Sequence[str]) -> None:
        """Enter the server into the settings of an agent."""
        there = [path for path in client.mcp if content_of(place_of(self.root, path)) is not None]
        path = (there or client.mcp)[0]
        before = self._look(path)
        if not self._is_new(path):
            return
        what = f"the MCP server, for {client.title}"
        if client.style == "codex":
            self._codex(path, before, what, command)
        else:
            self._json(path, before, what, client, command)

    def _codex(self, path: str, before: bytes | None, what: str, command: Sequence[str]) -> None:
        block = codex_block(command)
        text = _text(path, before, block)
        try:
            servers = tomllib.loads(text).get("mcp_servers")
            there = cast(Table, servers).get("holdfast") if isinstance(servers, dict) else None
            if there is not None:
                self._entered(path, there == tomllib.loads(block)["mcp_servers"]["holdfast"])
                return
            between = "" if not text else "\n" if text.endswith("\n") else "\n\n"
            piece = between + block
            piece = piece.replace("\n", "\r\n") if "\r\n" in text else piece
            tomllib.loads(text + piece)
        except (tomllib.TOMLDecodeError, TypeError) as error:
            raise NotMergeable(path, str(error), block) from error
        self._put(path, before, what, [(len(text), piece)], [], None)

    def _json(
        self, path: str, before: bytes | None, what: str, client: Client, command: Sequence[str]
    ) -> None:
        keys, value = entry(client.style, command)
        by_hand = json.dumps({keys[0]: {keys[1]: value}}, indent=2)
        text = _text(path, before, by_hand)
        if not text.strip():
            self._put(path, before, what, [(len(text), by_hand + "\n")], keys, value)
            return
        try:
            parsed(text)
            if (there := get(text, keys)) is not None:
                self._entered(path, there == value)
                return
            pieces = put_in(text, keys, value)
        except NotJson as error:
            raise NotMergeable(path, str(error), by_hand) from error
        self._put(path, before, what, pieces, keys, value)

    def _entered(self, path: str, is_same: bool) -> None:
        if not is_same:
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

    def _put(
        self,
        path: str,
        before: bytes | None,
        what: str,
        pieces: list[Piece],
        keys: list[str],
        value: object,
    ) -> None:
        text = with_pieces((before or b"").decode(), pieces)
        self._add(path, what, text, before, None, pieces, keys, value)

    def _add(
        self,
        path: str,
        what: str,
        text: str,
        before: bytes | None = None,
        known: Written | None = None,
        pieces: Sequence[Piece] = (),
        keys: Sequence[str] = (),
        value: object = None,
    ) -> None:
        place, after = place_of(self.root, path), text.encode()
        folders = missing_folders(self.root.resolve(), place)
        names = (
            known.folders if known else [str(f.relative_to(self.root.resolve())) for f in folders]
        )
        made = known.made if known else before is None
        written = Written(path, digest_of(after), made, names, [*pieces], [*keys], value)
        self._seen.add(place)
        self.steps.append(Step(path, what, Change(place, before, after), written))


def codex_block(command: Sequence[str]) -> str:
    """Return what Codex is told: to wait for the server, and to ask at no call but for decisions."""
    program, *args = command
    return (
        f"[mcp_servers.holdfast]\ncommand = {json.dumps(program)}\nargs = {json.dumps(args)}\n"
        'required = true\ndefault_tools_approval_mode = "approve"\n\n'
        "# what a run waits for is yours to decide, so this one asks\n"
        '[mcp_servers.holdfast.tools.decide]\napproval_mode = "prompt"\n'
    )


def _text(path: str, content: bytes | None, by_hand: str) -> str:
    try:
        return (content or b"").decode()
    except UnicodeDecodeError as error:
        raise NotMergeable(path, "it is no UTF-8 text", by_hand) from error
