"""The token that every call needs: made once, kept in a file that only its owner can read.

It stays from one start to the next, so that clients can be set up with it; who removes the file gets a new one.
"""

import hmac
import os
import secrets
from pathlib import Path

from .errors import TokenUnsafe

NAME = "http-token"
SHORTEST = 32


class Token:
    """A token, and the file that it is in. What it says is in no message and no `repr`."""

    def __init__(self, path: Path, word: str) -> None:
        self.path = path
        self._word = word.encode()

    @classmethod
    def of(cls, home: Path) -> "Token":
        """Read the token of a project, or make one. Raises TokenUnsafe."""
        path = home / NAME
        try:
            if not path.is_symlink() and not path.exists():
                _make(path)
            return cls(path, _read(path))
        except OSError as error:
            raise TokenUnsafe(str(path), error.strerror or str(error)) from error

    def is_in(self, authorization: str) -> bool:
        """Tell whether an Authorization header has it, in a time that tells nothing about it."""
        scheme, _, word = authorization.partition(" ")
        given = word.strip().encode(errors="replace")
        return hmac.compare_digest(given, self._word) and scheme.lower() == "bearer"


def _make(path: Path) -> None:
    """Write it whole or not at all: a crash leaves no half of a token."""
    newborn = path.with_name(f".{NAME}.{secrets.token_hex(4)}")
    descriptor = os.open(newborn, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
        newborn.rename(path)
    except BaseException:
        newborn.unlink(missing_ok=True)
        raise


def _read(path: Path) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with open(descriptor, encoding="ascii", errors="replace") as file:
        about = os.fstat(descriptor)
        word = file.read(4096).strip()
    if about.st_uid != os.getuid() or about.st_mode & 0o077:
        raise TokenUnsafe(str(path), "others may have read it")
    if len(word) < SHORTEST or not word.isascii():
        raise TokenUnsafe(str(path), f"it has not the {SHORTEST} characters that a token has")
    return word
