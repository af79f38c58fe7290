"""The newest small rows, together in one row of the page that every commit writes anyway.

LMDB writes all pages on the way to a changed row, and the flush of a commit takes longer with each of
them. So the head of the branch that was written last, and the newest rows of the tree, lie in the
unnamed database, whose page changes with every commit, until there are enough of them to move.
"""

from collections.abc import Sequence

import msgspec

KEY = b"tail"
MOST_NODES = 16  # rows of the tree: about a kilobyte


class Tail(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What the tables `heads` and `tree` are to be read together with.

    `branch` is the one written last (0: none yet), with its next offset, its last seq and its time;
    `nodes` are the rows of the tree from seq `start` on, which is how many lie in the table.
    """

    branch: int
    offset: int
    last_seq: int
    time: int
    start: int
    nodes: Sequence[bytes] = ()

    @property
    def size(self) -> int:
        """The number of rows that the tree has, here and in the table."""
        return self.start + len(self.nodes)

    def node(self, seq: int) -> bytes | None:
        """Return a row of the tree if it is here."""
        return self.nodes[seq - self.start] if self.start <= seq < self.size else None


decode = msgspec.msgpack.Decoder(Tail).decode
