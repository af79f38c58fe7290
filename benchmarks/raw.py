"""The yardstick: LMDB by itself, opened and pre-sized as the log is, one put an event."""

import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from struct import Struct
from typing import TYPE_CHECKING, TypeAlias

import lmdb

if TYPE_CHECKING:
    Txn: TypeAlias = lmdb.Transaction[bytes]

EVENT_BYTES = 300
ROOM_BYTES = 32 << 20
_ZEROS = bytes(1 << 20)
_key = Struct(">Q").pack


def commits(folder: Path, *, count: int, each: int) -> dict[str, float]:
    """Write `count` events, `each` to a commit that is flushed, and return the seconds."""
    with appender(folder) as append:
        return {"seconds": append(count, each)}


@contextmanager
def appender(folder: Path) -> Generator[Callable[[int, int], float]]:
    """Open LMDB for a function that writes `count` events, `each` a commit, and tells the seconds."""
    event, written = os.urandom(EVENT_BYTES), 0
    with opened(folder) as (env, db):

        def append(count: int, each: int) -> float:
            nonlocal written
            end, began = written + count, time.perf_counter()
            for start in range(written, end, each):
                with env.begin(write=True) as txn:
                    for seq in range(start, min(start + each, end)):
                        assert txn.put(_key(seq), event, append=True, db=db), "out of order"
            written = end
            return time.perf_counter() - began

        yield append


def scan(folder: Path, *, count: int) -> dict[str, float]:
    """Write events, and return the seconds that this takes, and those that reading them takes."""
    began = time.perf_counter()
    commits(folder, count=count, each=count)
    writing = time.perf_counter() - began
    with opened(folder) as (env, db):
        began = time.perf_counter()
        with env.begin() as txn:
            read = sum(1 for _ in txn.cursor(db).iternext(keys=False))
        seconds = time.perf_counter() - began
    assert read == count, "all of them are read"
    return {"seconds": seconds, "writing": writing}


def size(folder: Path, *, count: int) -> dict[str, float]:
    """Write events, and return the bytes of the pages that one of them takes."""
    commits(folder, count=count, each=count)
    with opened(folder) as (env, db), env.begin() as txn:
        stat = txn.stat(db)
    pages = stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"]
    return {"log": pages * stat["psize"] / count}


@contextmanager
def opened(folder: Path) -> "Generator[tuple[lmdb.Environment, lmdb._Database]]":
    env = lmdb.Environment(str(folder), map_size=1 << 36, max_dbs=4, max_spare_txns=0)
    try:
        db = env.open_db(b"events")
        _write_ahead(folder / "data.mdb")
        yield env, db
    finally:
        env.close()


def _write_ahead(path: Path) -> None:
    """Write zeros behind the pages in use, so that no commit makes the file system allocate."""
    with open(path, "r+b", buffering=0) as file:
        at = os.fstat(file.fileno()).st_size
        while at < ROOM_BYTES:
            at += os.pwrite(file.fileno(), _ZEROS[: ROOM_BYTES - at], at)
        os.fsync(file.fileno())
