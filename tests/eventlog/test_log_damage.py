"""What a log says when its file, its disk or its records are not as they should be."""

import os
import shutil
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path

import lmdb
import msgspec
import pytest

from holdfast.eventlog import (
    Batch,
    BlobDamaged,
    Log,
    LogDamaged,
    LogTooNew,
    LogUnwritable,
    Noted,
    RecordCorrupt,
    RunForked,
    RunStarted,
    pack,
    reference,
    verify,
)
from holdfast.eventlog.values import unwrap

U64 = 8


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A closed log of twenty records, two branches and a blob."""
    path = tmp_path / "log"
    with Log.open(path) as log:
        blobs: dict[bytes, bytes] = {}
        events = [Noted("n", str(n)) for n in range(9)]
        one = log.create_run("one", events, actor="e", time=1)
        log.create_run("two", events, actor="e", time=1, parent=one, offset=4)
        big = pack(msgspec.msgpack.encode("big" * 1000), blobs)
        log.append(
            one,
            [Noted("n", "big", big), Noted("n", "end")],
            expected=9,
            actor="e",
            time=1,
            blobs=blobs,
        )
    return path


def alter(path: Path, table: "str | None", key: bytes, change: "bytes | int | None") -> None:
    """Put other bytes in a table's row, flip the byte at an index, or delete the row."""
    with lmdb.Environment(str(path), map_size=1 << 30, max_dbs=20) as env:
        db = env.open_db(table.encode() if table else None, create=False)
        with env.begin(write=True) as txn:
            old = txn.get(key, db=db)
            assert old is not None
            if change is None:
                txn.delete(key, db=db)
            elif isinstance(change, int):
                txn.put(key, old[:change] + bytes([old[change] ^ 1]) + old[change + 1 :], db=db)
            else:
                txn.put(key, change, db=db)


def seq(number: int) -> bytes:
    return number.to_bytes(U64, "big")


def test_an_unharmed_log_passes_and_progress_is_told(written: Path) -> None:
    told: list[tuple[int, int]] = []
    with Log.open(written) as log:
        verdict = verify(log, progress=lambda done, total: told.append((done, total)))

        assert verdict.ok
        assert (verdict.records, verdict.root) == (20, log.root())
        assert told == [(20, 20)]
        assert verify(log, root=(20, log.root())).ok


@pytest.mark.parametrize(
    ("table", "key", "change", "at", "kind"),
    [
        ("events", seq(6), 5, 6, "record"),
        ("events", seq(6), None, 6, "record"),
        ("events", seq(19), None, 19, "record"),
        ("tree", seq(6), 0, 6, "record"),
        ("tree", seq(7), 33, 7, "node"),
        ("tree", seq(7), 32 * 3 + 31, 7, "node"),
        ("tree", seq(9), None, 9, "record"),
        ("heads", seq(2), seq(9) + seq(8) + seq(1), 8, "head"),
        (None, b"tail", -120, 18, "record"),
        (None, b"tail", -90, 19, "record"),
        (None, b"tail", -10, 19, "node"),
        (None, b"tail", None, 18, "record"),
        ("branches", seq(2), msgspec.msgpack.encode((2, "two", 1, 3, "", 1, "e")), 9, "order"),
        ("branches", seq(2), None, 9, "order"),
        ("heads", seq(2), None, 0, "head"),
        ("extents", seq(2) + seq(4), None, 9, "place"),
        ("extents", seq(1) + seq(9), seq(17), 18, "place"),
        ("runs", seq(2), msgspec.msgpack.encode({"run": "two", "branch": 2}), 17, "listing"),
        ("runs", seq(1), None, 19, "listing"),
        ("names", b"two", seq(1), 0, "listing"),
        ("statuses", b"\0" + seq(1), None, 0, "listing"),
    ],
)
def test_a_flipped_byte_is_found_and_its_record_named(
    written: Path, table: "str | None", key: bytes, change: "bytes | int | None", at: int, kind: str
) -> None:
    alter(written, table, key, change)

    with Log.open(written) as log:
        verdict = verify(log)

    assert verdict.fault is not None
    assert (verdict.fault.seq, verdict.fault.kind) == (at, kind)
    assert not verdict.ok


@pytest.mark.parametrize(
    ("branch", "row", "at", "words"),
    [
        (
            1,
            (1, "two", None, 0, "", 1, "e"),
            0,
            "branch 1 is said to be of run 'two', and of 'one'",
        ),
        (3, (3, "four", 1, 1, "fork", 1, "e"), 2, "of run 'four', and of 'three' in record 2"),
        (3, (3, "three", 2, 1, "fork", 1, "e"), 2, "to leave branch 2, and branch 1 in record 2"),
        (3, (3, "three", None, 1, "fork", 1, "e"), 2, "to leave branch None, and branch 1"),
    ],
)
def test_a_branch_that_is_not_what_its_first_record_says_is_found(
    tmp_path: Path, branch: int, row: tuple[object, ...], at: int, words: str
) -> None:
    path = tmp_path / "log"
    with Log.open(path) as log:
        for run in ("one", "two"):
            log.create_run(run, [RunStarted(run, "w")], actor="e", time=1)
        forked = RunForked("three", "fork", "one", 1, 1, 1)
        log.create_run("three", [forked], actor="e", time=1, parent=1, offset=1, reason="fork")
        assert verify(log).ok
    alter(path, "branches", seq(branch), msgspec.msgpack.encode(row))

    with Log.open(path) as log:
        fault = verify(log).fault

    assert fault is not None
    assert (fault.seq, fault.kind) == (at, "branch")
    assert words in fault.detail


@pytest.mark.parametrize("change", [None, 40, b"\x00other", b"", b"\x07?"])
def test_a_hurt_blob_is_found_through_the_record_that_names_it(
    written: Path, change: "bytes | int | None"
) -> None:
    with Log.open(written) as log:
        event = [*log.records(1)][9].event
    assert isinstance(event, Noted)
    place = reference(event.data)
    assert place is not None
    alter(written, "blobs", place.digest, change)

    with Log.open(written) as log:
        verdict = verify(log)
        with pytest.raises(BlobDamaged, match=place.digest.hex()):
            log.load(event.data)

    assert verdict.fault is not None
    assert (verdict.fault.seq, verdict.fault.kind) == (18, "blob")


def test_a_log_that_was_written_anew_differs_from_a_root_noted_before(written: Path) -> None:
    with Log.open(written) as log:
        noted = (log.size(), log.root())
    shutil.rmtree(written)
    with Log.open(written) as log:
        branch = log.create_run("one", [Noted("n", "forged")], actor="e", time=1)
        shorter = verify(log, root=noted)
        log.append(branch, [Noted("n", "x")] * 30, expected=1, actor="e", time=1)
        longer = verify(log, root=noted)

        assert verify(log).ok
    assert shorter.fault
    assert shorter.fault.detail == "the log once had 20 records"
    assert longer.fault
    assert (longer.fault.seq, longer.fault.kind) == (20, "root")


def look_everywhere(path: Path) -> None:
    with Log.open(path) as log:
        log.branches()
        log.root()
        log.run("two")
        log.runs()
        list(log.records(2))


@pytest.mark.parametrize(
    ("table", "key", "change"),
    [
        ("meta", b"format", b"one"),
        (None, b"tail", b"\x01"),
        ("branches", seq(1), b"\xc0"),
        ("branches", seq(2), msgspec.msgpack.encode((2, "two", 2, 4, "", 1, "e"))),
        ("heads", seq(2), b"short"),
        ("extents", seq(2) + seq(4), b"short"),
        ("runs", seq(2), b"\xc0"),
        ("runs", seq(2), None),
        ("names", b"two", b"2"),
    ],
)
def test_a_row_that_makes_no_sense_is_told_as_damage(
    written: Path, table: "str | None", key: bytes, change: bytes | None
) -> None:
    alter(written, table, key, change)

    with pytest.raises((LogDamaged, RecordCorrupt)):
        look_everywhere(written)


def test_a_blob_that_grows_beyond_every_limit_is_not_unpacked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("holdfast.eventlog.values.LIMIT_BYTES", 1000)
    bomb = b"\x01" + zlib.compress(bytes(1001))

    with pytest.raises(BlobDamaged, match="above 1000 bytes"):
        unwrap(b"digest", bomb)


def test_a_pipe_in_the_place_of_the_file_is_told_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "data.mdb")

    with pytest.raises(LogDamaged, match="not a file"):
        Log.open(tmp_path)


def test_a_record_that_does_not_decode_is_named(written: Path) -> None:
    alter(written, "events", seq(3), b"\x01nonsense")

    with Log.open(written) as log, pytest.raises(RecordCorrupt, match="record 3 of the log") as e:
        list(log.records(1))

    assert e.value.seq == 3


def test_missing_records_are_not_skipped_in_silence(written: Path) -> None:
    alter(written, "events", seq(3), None)

    with Log.open(written) as log, pytest.raises(RecordCorrupt, match="of branch 1 are not here"):
        list(log.records(1))


def test_a_log_of_a_newer_format_is_left_alone(written: Path) -> None:
    alter(written, "meta", b"format", b"9")
    before = (written / "data.mdb").read_bytes()

    with pytest.raises(LogTooNew, match="has format 9; this Holdfast knows formats up to 1"):
        Log.open(written)

    assert (written / "data.mdb").read_bytes() == before


def test_another_programs_lmdb_file_is_left_alone(tmp_path: Path) -> None:
    with lmdb.Environment(str(tmp_path)) as env, env.begin(write=True) as txn:
        txn.put(b"theirs", b"1")

    with pytest.raises(LogDamaged, match="another program's"):
        Log.open(tmp_path)


@pytest.mark.parametrize("content", [b"not an LMDB file at all", bytes(20_000), b"x" * 20_000])
def test_a_file_that_is_no_lmdb_file_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data.mdb").write_bytes(content)

    with pytest.raises(LogDamaged, match="cannot be read"):
        Log.open(tmp_path)

    assert (tmp_path / "data.mdb").read_bytes() == content


def test_a_path_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("")

    with pytest.raises(LogDamaged, match="not a folder"):
        Log.open(tmp_path / "log")


@pytest.mark.parametrize("pages", [1, 2, 3, 5, 10])
def test_a_file_cut_short_is_told_before_its_pages_are_touched(written: Path, pages: int) -> None:
    os.truncate(written / "data.mdb", pages * 4096)

    with pytest.raises(LogDamaged, match="cannot be read"):
        Log.open(written)


def test_a_file_cut_within_the_room_ahead_is_sound(written: Path) -> None:
    with Log.open(written) as log:
        log.copy(written.parent / "copy")
    needed = (written.parent / "copy" / "data.mdb").stat().st_size

    with Log.open(written.parent / "copy") as log:
        assert verify(log).ok
        log.append(1, [Noted("n", "x")], expected=11, actor="e", time=1)
    assert (written.parent / "copy" / "data.mdb").stat().st_size > needed


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@needs_root
def test_a_full_disk_refuses_what_does_not_fit_and_takes_what_does(small_disk: Path) -> None:
    with Log.open(small_disk / "log") as log:
        branch = log.create_run("fix", [Noted("n", "before")], actor="e", time=1)
        blobs: dict[bytes, bytes] = {}
        big = pack(os.urandom(4 << 20), blobs)

        with pytest.raises(LogUnwritable, match="the disk is full"):
            log.append(branch, [Noted("n", "big", big)], expected=1, actor="e", time=1, blobs=blobs)

        assert log.head(branch) == 1
        assert log.append(branch, [Noted("n", "after")], expected=1, actor="e", time=1) == 2
    with Log.open(small_disk / "log") as log:
        assert [r.event for r in log.records(branch)] == [Noted("n", "before"), Noted("n", "after")]
        assert verify(log).ok


@needs_root
def test_of_what_was_queued_the_batches_that_fit_a_full_disk_are_written(small_disk: Path) -> None:
    with Log.open(small_disk / "log") as log:
        one = log.create_run("one", [], actor="e", time=1)
        two = log.create_run("two", [], actor="e", time=1)
        blobs: dict[bytes, bytes] = {}
        big = pack(os.urandom(4 << 20), blobs)
        results: list[int | Exception] = []

        log.submit(Batch(one, [Noted("n", "big", big)], 0, "e", 1, blobs), results.append)
        log.submit(Batch(two, [Noted("n", "small")], 0, "e", 1), results.append)
    assert [type(result) for result in results] == [LogUnwritable, int]


@needs_root
def test_a_read_only_disk_is_read_and_not_written(small_disk: Path) -> None:
    with Log.open(small_disk / "log") as log:
        branch = log.create_run("fix", [Noted("n", "a")], actor="e", time=1)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)

    with Log.open(small_disk / "log") as log:
        assert log.size() == 1
        assert [r.event for r in log.records(branch)] == [Noted("n", "a")]
        with pytest.raises(LogUnwritable, match="read-only"):
            log.append(branch, [Noted("n", "b")], expected=1, actor="e", time=1)
    with pytest.raises(LogUnwritable):
        Log.open(small_disk / "new")


@needs_root
def test_a_log_of_old_is_read_from_a_read_only_disk(small_disk: Path) -> None:
    (small_disk / "log").mkdir()
    golden = Path(__file__).parents[1] / "golden/log-1/data.mdb"
    shutil.copy(golden, small_disk / "log")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)

    with Log.open(small_disk / "log") as log:
        assert log.run("one").run == "one"
        assert log.size() == len(list(log.scan()))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_write_access_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)

    with pytest.raises(LogUnwritable, match="cannot be written"):
        Log.open(tmp_path / "log")
