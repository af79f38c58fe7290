"""The Merkle tree over the records, hashed as in RFC 6962, as pure functions.

Row `seq` of the stored tree holds the leaf's hash and then the hashes of the interior nodes that
this leaf completes, lowest first. So the tree is only ever appended to, and the node at level L
and index j is the L-th hash of row (j + 1) * 2**L - 1.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(record: bytes) -> bytes:
    """Return the hash of one record."""
    return sha256(b"\x00" + record).digest()


def leaf_hashes(records: Sequence[bytes]) -> list[bytes]:
    """Return the hashes of several records."""
    return [sha256(b"\x00" + record).digest() for record in records]


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of two nodes' parent."""
    return sha256(b"\x01" + left + right).digest()


def grow(size: int, peaks: list[bytes], leaves: Sequence[bytes]) -> list[bytes]:
    """Add leaves to the tree of `size` whose complete subtrees are `peaks`; return their rows.

    `peaks` is changed in place: the largest subtree first, as the bits of the size tell.
    """
    rows: list[bytes] = []
    for index, leaf in enumerate(leaves, size):
        row = node = leaf
        while index & 1:
            node = sha256(b"\x01" + peaks.pop() + node).digest()
            row += node
            index >>= 1
        peaks.append(node)
        rows.append(row)
    return rows


def root_of(peaks: Sequence[bytes]) -> bytes:
    """Return the tree hash over the complete subtrees `peaks`."""
    if not peaks:
        return EMPTY_ROOT
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


def read_peaks(size: int, row: Callable[[int], bytes]) -> list[bytes]:
    """Read the complete subtrees of a tree of `size`, where `row` returns a stored row."""
    peaks: list[bytes] = []
    end = 0
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            end += 1 << level
            peaks.append(row(end - 1)[level * HASH_BYTES : (level + 1) * HASH_BYTES])
    return peaks
