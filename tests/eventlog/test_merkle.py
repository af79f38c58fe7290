"""The tree beside its definition in RFC 6962, section 2.1."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.eventlog import Log, Noted, merkle

Leaves = st.lists(st.binary(max_size=4), max_size=40)


def tree_hash(records: list[bytes]) -> bytes:
    """Compute the definition: split at the largest power of two below the size."""
    if not records:
        return sha256(b"").digest()
    if len(records) == 1:
        return sha256(b"\x00" + records[0]).digest()
    split = 1 << (len(records) - 1).bit_length() - 1
    left, right = tree_hash(records[:split]), tree_hash(records[split:])
    return sha256(b"\x01" + left + right).digest()


def grown(records: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    peaks: list[bytes] = []
    return merkle.grow(0, peaks, [*map(merkle.leaf_hash, records)]), peaks


@given(Leaves)
def test_the_root_is_the_one_that_is_defined(records: list[bytes]) -> None:
    _, peaks = grown(records)

    assert merkle.root_of(peaks) == tree_hash(records)


@given(Leaves, st.integers(0, 40))
def test_growing_in_two_steps_is_growing_in_one(records: list[bytes], at: int) -> None:
    rows, peaks = grown(records[:at])
    rest = [*map(merkle.leaf_hash, records[at:])]
    more = merkle.grow(len(rows), peaks, rest)

    assert (rows + more, peaks) == grown(records)


@given(Leaves)
def test_every_node_lies_where_its_level_and_index_say(records: list[bytes]) -> None:
    rows, peaks = grown(records)

    assert merkle.read_peaks(len(rows), rows.__getitem__) == peaks
    for level in range(6):
        for index in range(len(records) >> level):
            row = rows[(index + 1 << level) - 1]
            node = row[level * 32 : (level + 1) * 32]
            assert node == tree_hash(records[index << level : index + 1 << level])


@pytest.mark.parametrize(
    ("size", "root"),
    [
        (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
    ],
)
def test_roots_that_are_known_from_elsewhere(size: int, root: str) -> None:
    assert merkle.root_of(grown([b""][:size])[1]).hex() == root


def test_the_log_keeps_the_root_over_its_stored_records(log: Log) -> None:
    assert log.root() == tree_hash([])
    branch = log.create_run("fix", [], actor="e", time=1)
    for size in range(1, 40):
        log.append(branch, [Noted("n", str(size))], expected=size - 1, actor="e", time=1)

        db = log.store.db["events"]
        records = log.store.view(lambda txn, db=db: [value for _, value in txn.cursor(db)])  # type: ignore[misc]
        assert log.root() == tree_hash(records)
