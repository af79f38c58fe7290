"""What branches begin with in common."""

from hypothesis import given
from hypothesis import strategies as st

from holdfast.eventlog import BranchRow
from holdfast.eventlog.branches import Place, segments, shared

HEADS = 10
forks = st.lists(st.tuples(st.integers(0, 9), st.integers(0, HEADS)), max_size=6)


def rows_of(forked: list[tuple[int, int]]) -> dict[int, BranchRow]:
    rows = {1: BranchRow(1, "r", None, 0, "", 0, "a")}
    for which, offset in forked:
        number = len(rows) + 1
        rows[number] = BranchRow(number, "r", 1 + which % len(rows), offset, "fork", 0, "a")
    return rows


def written(place: Place, rows: dict[int, BranchRow]) -> list[Place]:
    """Where each event of a branch was written: branch and offset."""
    parts = segments(place[0], 0, place[1], rows.__getitem__)
    return [(part.branch, n) for part in parts for n in range(part.start, part.stop or 0)]


@given(forks, st.data())
def test_what_is_shared_was_written_at_the_same_places(
    forked: list[tuple[int, int]], data: st.DataObject
) -> None:
    rows = rows_of(forked)
    draw = st.tuples(st.sampled_from(sorted(rows)), st.integers(0, 2 * HEADS))
    one, other = data.draw(draw), data.draw(draw)

    common = shared(one, other, rows.__getitem__)

    first, second = written(one, rows), written(other, rows)
    assert first[:common] == second[:common]
    assert len(first) >= common <= len(second)
    assert first[common : common + 1] != second[common : common + 1] or not first[common:]
