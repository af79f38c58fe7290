"""Notifications that are not delivered yet, one file for each and its target, so that none is lost.

The process that is to send one holds a lock on its file from before the file has its name; when it dies,
the next one that looks takes the file over. What cannot be delivered is kept in `failed`, for people.
"""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from .messages import Message
from .targets import Target

KEPT_S = 86_400.0
"""For how long a notification is tried to be delivered."""

MOST_FAILED = 100
FAILED = "failed"
SUFFIX = ".json"


class Job(msgspec.Struct):
    """A message on its way to a target: since when, how often it was tried, and when it is next."""

    message: Message
    target: str
    since: float
    tries: int = 0
    due: float = 0.0
    why: str = ""  # the last try came to nothing


class Held:
    """A job with its file, which nobody else sends while this one is open."""

    def __init__(self, job: Job, path: Path, descriptor: int) -> None:
        self.job = job
        self._path, self._descriptor = path, descriptor

    def done(self) -> None:
        """Forget the job: it was delivered."""
        self._path.unlink(missing_ok=True)
        self.let_go()

    def give_up(self) -> None:
        """Keep the job where people find it, with the reason."""
        failed = self._path.parent / FAILED
        failed.mkdir(exist_ok=True)
        _write(self._path, self.job)
        self._path.rename(failed / self._path.name)
        self.let_go()
        for old in _oldest(failed)[:-MOST_FAILED]:
            old.unlink(missing_ok=True)

    def let_go(self) -> None:
        """Leave the job to whoever looks next."""
        os.close(self._descriptor)


class Outbox:
    """The folder of what is to be sent."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, message: Message, target: Target, now: float) -> Held:
        """Note down a message before it is sent. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        job = Job(message, target.key, now)
        newborn = self._folder / f".{secrets.token_hex(8)}"
        descriptor = os.open(newborn, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            os.write(descriptor, msgspec.json.encode(job))
            path = self._folder / f"{message.id}.{target.key}{SUFFIX}"
            newborn.rename(path)
        except BaseException:
            os.close(descriptor)
            newborn.unlink(missing_ok=True)
            raise
        return Held(job, path, descriptor)

    def left(self, key: str) -> Iterator[Held]:
        """Take over what is to be sent to a target and what nobody is at."""
        for path in _oldest(self._folder):
            if path.name.endswith(f".{key}{SUFFIX}") and (held := _take(path)):
                yield held


def undelivered(folder: Path) -> list[Job]:
    """Return what could not be delivered, the oldest first."""
    jobs = [_read(path) for path in _oldest(folder / FAILED)]
    return [job for job in jobs if job is not None]


def _take(path: Path) -> Held | None:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None  # somebody is at it
    job = _read(path) if os.fstat(descriptor).st_nlink else None  # it was delivered just now
    if job is None:
        os.close(descriptor)
        return None
    job.due = 0.0
    return Held(job, path, descriptor)


def _read(path: Path) -> Job | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Job)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None  # gone since, or of another version


def _write(path: Path, job: Job) -> None:
    path.write_bytes(msgspec.json.encode(job))


def _oldest(folder: Path) -> list[Path]:
    found: list[tuple[float, Path]] = []
    with suppress(FileNotFoundError):
        for path in folder.iterdir():
            if path.suffix == SUFFIX:
                with suppress(FileNotFoundError):
                    found.append((path.stat().st_mtime, path))
    return [path for _, path in sorted(found)]
