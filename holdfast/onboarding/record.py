"""What init wrote, so that it can be taken back: `.holdfast/init.json`, which is not for git."""

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from .errors import FileUnusable, RecordDamaged

NAME = "init.json"


class Written(msgspec.Struct, frozen=True):
    """A file that init made, or put something into. `digest` is the file's as it was then.

    `folders` were made for it. `pieces` were put in at these places; `keys` and `value` say what they
    mean in JSON.
    """

    path: str
    digest: str
    made: bool
    folders: list[str] = []
    pieces: list[tuple[int, str]] = []
    keys: list[str] = []
    value: Any = None


class Record(msgspec.Struct, frozen=True):
    """All that init wrote in a project and that stands."""

    files: list[Written] = []
    version: int = 1

    def of(self, path: str) -> Written | None:
        return next((file for file in self.files if file.path == path), None)

    def encoded(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self)) + b"\n"


def digest_of(content: bytes) -> str:
    """Return what a file's content is known by."""
    return hashlib.sha256(content).hexdigest()


def read_record(home: Path) -> Record:
    """Return what is written down in a project's home. Raises RecordDamaged and FileUnusable."""
    path = home / NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=Record)
    except FileNotFoundError:
        return Record()
    except OSError as error:
        raise FileUnusable(str(path), "read", error.strerror or str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecordDamaged(str(path), str(error)) from error
