"""What a merge comes to, as data that a workflow gets: done, or what each side says where it cannot be."""

import msgspec


class Merged(msgspec.Struct, frozen=True, tag="merged"):
    """A merge that is done: the target went from `before` to `commit`, unless it had it all."""

    target: str
    before: str
    commit: str
    source: str
    is_new: bool = True


class Side(msgspec.Struct, frozen=True):
    """A file as one side has it. `text` is None where it is binary or very large."""

    mode: str
    blob: str
    size_bytes: int
    text: str | None = None


class Hunk(msgspec.Struct, frozen=True):
    """Lines that both sides changed, each in its way. `line` is the first one in `ours`."""

    line: int
    ours: str
    base: str
    theirs: str


class ConflictedFile(msgspec.Struct, frozen=True):
    """A file that needs a decision. `ours` is the target's, `theirs` what was to be merged.

    `kinds` are git's words: contents, modify/delete, rename/rename, add/add, binary, submodule...
    A side is None where the file does not exist.
    """

    path: str
    kinds: tuple[str, ...]
    base: Side | None = None
    ours: Side | None = None
    theirs: Side | None = None
    hunks: tuple[Hunk, ...] = ()


class Conflict(msgspec.Struct, frozen=True, tag="conflict"):
    """A merge that needs decisions; nothing was changed. `tree` has conflict markers in its files."""

    target: str
    target_commit: str
    source_commit: str
    base_commit: str
    tree: str
    files: tuple[ConflictedFile, ...]
