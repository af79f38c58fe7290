"""What a merge could not decide, as data: files, hunks, and what each side says."""

import os
import re
import tempfile
from pathlib import Path

import msgspec
import trio

from holdfast.reducer import ConflictedFile, Hunk
from holdfast.reducer import FileSide as Side

from .git import Git

MOST_TEXT = 1_000_000  # bytes of a side that are worth showing
MARKER = 37  # long enough that no file has it by itself


class Attempt(msgspec.Struct, frozen=True):
    """What `git merge-tree` said: a tree, and the stages and kinds of what is in conflict."""

    tree: str
    stages: dict[str, dict[str, tuple[str, str]]] = {}  # path -> stage -> mode, blob
    kinds: dict[str, tuple[str, ...]] = {}


def parse(stdout: bytes) -> Attempt:
    """Read the output of `git merge-tree --write-tree -z`."""
    head, _, messages = stdout.partition(b"\0\0")
    tree, *infos = os.fsdecode(head).split("\0")
    stages: dict[str, dict[str, tuple[str, str]]] = {}
    for info in infos:
        about, _, path = info.partition("\t")
        mode, blob, stage = about.split()
        stages.setdefault(path, {})[stage] = (mode, blob)
    return Attempt(tree.rstrip("\0\n"), stages, _kinds(os.fsdecode(messages)))


def _kinds(messages: str) -> dict[str, tuple[str, ...]]:
    items = iter(messages.split("\0"))
    found: dict[str, tuple[str, ...]] = {}
    for count in items:
        if not count.strip().isdigit():
            break
        paths = [next(items) for _ in range(int(count))]
        kind, _ = next(items), next(items)
        named = re.fullmatch(r"CONFLICT \((.*)\)", kind)
        for path in paths if named else []:
            assert named is not None
            found[path] = (*found.get(path, ()), named[1])
    return found


async def describe(git: Git, attempt: Attempt) -> tuple[ConflictedFile, ...]:
    """Return every file of a failed attempt with what both sides have."""
    files: list[ConflictedFile] = []
    for path in sorted({*attempt.stages, *attempt.kinds}):
        stages = attempt.stages.get(path, {})
        sides = {stage: await _side(git, *entry) for stage, entry in stages.items()}
        base, ours, theirs = (sides.get(stage) for stage in "123")
        hunks = await _hunks(git, base, ours, theirs)
        kinds = attempt.kinds.get(path, ())
        files.append(ConflictedFile(_shown(path), kinds, base, ours, theirs, hunks))
    return tuple(files)


async def _side(git: Git, mode: str, blob: str) -> Side:
    if mode == "160000":  # a submodule's commit, which is in another repository
        return Side(mode, blob, 0)
    size = int(await git.text("cat-file", "-s", blob))
    if size > MOST_TEXT:
        return Side(mode, blob, size)
    data = (await git.run("cat-file", "blob", blob)).stdout
    return Side(mode, blob, size, None if b"\0" in data else data.decode(errors="replace"))


async def _hunks(
    git: Git, base: Side | None, ours: Side | None, theirs: Side | None
) -> tuple[Hunk, ...]:
    if ours is None or theirs is None or ours.text is None or theirs.text is None:
        return ()
    if base is not None and base.text is None:
        return ()
    texts = (ours.text, base.text or "" if base else "", theirs.text)
    with tempfile.TemporaryDirectory(prefix="holdfast-") as folder:
        names = await trio.to_thread.run_sync(_write, Path(folder), texts)
        flags = ("-p", "-q", "--diff3", f"--marker-size={MARKER}")
        told = await git.run("merge-file", *flags, *names, ok=tuple(range(128)))
    return hunks_of(told.stdout.decode(errors="replace"))


def _write(folder: Path, texts: tuple[str, ...]) -> list[str]:
    names = [str(folder / name) for name in ("ours", "base", "theirs")]
    for name, text in zip(names, texts, strict=True):
        Path(name).write_text(text, newline="")
    return names


def hunks_of(merged: str) -> tuple[Hunk, ...]:
    """Take the conflicts out of a file with markers of our length."""
    found: list[Hunk] = []
    part, parts, line = "", {"ours": "", "base": "", "theirs": ""}, 1
    turns = {"<" * MARKER: "ours", "|" * MARKER: "base", "=" * MARKER: "theirs"}
    for text in merged.splitlines(keepends=True):
        mark = text[:MARKER]
        if mark in turns:
            part = turns[mark]
        elif mark == ">" * MARKER:
            found.append(Hunk(line, **parts))
            line += parts["ours"].count("\n")
            part, parts = "", {"ours": "", "base": "", "theirs": ""}
        elif part:
            parts[part] += text
        else:
            line += 1
    return tuple(found)


def _shown(path: str) -> str:
    """Return a file name as text that can be recorded."""
    return os.fsencode(path).decode(errors="replace")
