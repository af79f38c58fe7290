"""What the log keeps and nobody needs: blobs that no record leads to, states kept for speed."""

import re
from collections.abc import Iterator
from functools import partial
from itertools import islice

import msgspec

from .errors import RecordCorrupt
from .readable import ReadableLog
from .store import Txn
from .tables import U64
from .values import REFERENCE, unwrap

_REFERRED = re.compile(b"(?=" + re.escape(REFERENCE) + b"(.{32}))", re.DOTALL)
"""Wherever one may stand, within lists too. Text that looks like one keeps a blob: so be it."""

_PAGE_ROWS = 4096


class Spare(msgspec.Struct, frozen=True):
    """How large the log is, and what of it could go.

    `free_bytes` are pages that held something once. `blobs` are those that no record leads to, and
    `states` the kept states: a cache.
    """

    file_bytes: int
    used_bytes: int
    free_bytes: int
    blobs: int = 0
    blob_bytes: int = 0
    states: int = 0
    state_bytes: int = 0

    @property
    def is_worthwhile(self) -> bool:
        """Whether so much could go that writing the file anew pays."""
        is_much = self.free_bytes >= min(self.used_bytes // 16, 16 << 20)
        return bool(self.blobs or self.states) or (self.free_bytes > 0 and is_much)


def spare(log: ReadableLog) -> Spare:
    """Find out what could go, while others go on to read and to write."""
    store = log.store
    unused = unused_blobs(log)
    sizes = store.view(lambda txn: _sizes(log, txn, unused))
    states = store.view(
        lambda txn: [len(row) for row in txn.cursor(store.db["snapshots"]).iternext(keys=False)]
    )
    return Spare(
        store.file_bytes(),
        store.used_bytes(),
        store.free_bytes(),
        len(sizes),
        sum(sizes),
        len(states),
        sum(states),
    )


def _sizes(log: ReadableLog, txn: Txn, digests: set[bytes]) -> list[int]:
    return [len(txn.get(digest, b"", db=log.store.db["blobs"])) for digest in digests]


def unused_blobs(log: ReadableLog) -> set[bytes]:
    """Return the digests of the blobs that no record leads to, also through other blobs.

    Raises BlobDamaged where one that is needed to know that cannot be read.
    """
    blobs = log.store.db["blobs"]
    unused: set[bytes] = log.store.view(lambda txn: {*txn.cursor(blobs).iternext(values=False)})
    found = _referred(log) & unused
    unused -= found
    while found and unused:
        inner = {inner for digest in found for inner in referred(_blob(log, digest))}
        found = inner & unused
        unused -= found
    return unused


def referred(raw: bytes) -> Iterator[bytes]:
    """Yield the digests of all that may be references in some bytes."""
    return (match[1] for match in _REFERRED.finditer(raw))


def _blob(log: ReadableLog, digest: bytes) -> bytes:
    stored = log.store.view(lambda txn: txn.get(digest, db=log.store.db["blobs"]))
    return unwrap(digest, stored)


def _referred(log: ReadableLog) -> set[bytes]:
    found: set[bytes] = set()
    at, size = 0, log.size()
    while at < size:
        page = log.store.view(partial(_page, log, at))
        if not page:
            raise RecordCorrupt(at, "it is missing")
        for record in page:
            found.update(referred(record))
        at += len(page)
    return found


def _page(log: ReadableLog, at: int, txn: Txn) -> list[bytes]:
    cursor = txn.cursor(log.store.db["events"])
    rows = cursor.iternext(keys=False) if cursor.set_key(U64.pack(at)) else iter(())
    return [*islice(rows, _PAGE_ROWS)]
