"""What compacting promises: the same log in a smaller file, or the old one, whenever it is killed."""

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import lmdb
import msgspec
import pytest

from holdfast.eventlog import (
    ApprovalCarried,
    Ballot,
    BlobDamaged,
    CopyDiffers,
    Log,
    LogDamaged,
    LogInUse,
    LogOpenTwice,
    LogUnwritable,
    NoRoomToCompact,
    Noted,
    Owner,
    compact,
    pack,
    spare,
    verify,
)

Start = Callable[..., "subprocess.Popen[str]"]


class Contents(NamedTuple):
    """All that a log has, for comparison."""

    root: bytes
    records: list[Any]
    runs: list[Any]
    blobs: dict[bytes, bytes]


def contents(path: Path) -> Contents:
    with Log.open(path) as log:
        assert verify(log).ok
        blobs = log.store.view(lambda txn: dict(txn.cursor(log.store.db["blobs"]).iternext()))
        return Contents(log.root(), [*log.scan()], log.runs(), blobs)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log with two branches, blobs in use, and pages that hold nothing any more."""
    path = tmp_path / "log"
    with Log.open(path) as log:
        branch = log.create_run("fix", [], actor="e", time=1)
        for at in range(0, 200, 20):
            events = [Noted("n", f"{at + number}") for number in range(20)]
            log.append(branch, events, expected=at, actor="e", time=1)
        add_value(log, branch, b"in use")
        log.create_run("fork", [], actor="e", time=1, parent=branch, offset=100)
    return path


def add_value(log: Log, branch: int, data: bytes) -> None:
    """Append an event whose value lies in a blob."""
    blobs: dict[bytes, bytes] = {}
    value = pack(msgspec.msgpack.encode(data * 500), blobs)
    event = Noted("v", "value", value)
    log.append(branch, [event], expected=log.head(branch), actor="e", time=1, blobs=blobs)


def add_blob(log: Log, raw: bytes) -> bytes:
    """Add a blob that no event leads to, and return its digest."""
    digest = sha256(raw).digest()
    branch = log.branch_of("fix")
    log.append(branch, [], expected=log.head(branch), actor="e", time=1, blobs={digest: raw})
    return digest


def test_every_row_stays_and_free_pages_go_back_to_the_disk(path: Path) -> None:
    before, size = contents(path), os.path.getsize(path / "data.mdb")
    told: list[str] = []

    done = compact(path, lambda what, _done, _total: told.append(what))

    assert os.path.getsize(path / "data.mdb") == done.file_bytes
    assert done.freed_bytes == size - done.file_bytes > done.before.free_bytes > 0
    assert (done.root, done.records) == (before.root, len(before.records))
    assert contents(path) == before
    assert [*dict.fromkeys(told)] == ["looking for what nobody needs", "copying", "comparing"]
    assert {item.name for item in path.iterdir()} <= {"data.mdb", "lock.mdb"}
    with Log.open(path) as log:
        assert spare(log).free_bytes == 0
        log.append(log.branch_of("fix"), [Noted("n", "on")], expected=201, actor="e", time=1)
        assert verify(log).ok


def test_a_compacted_log_has_nothing_more_to_give(path: Path) -> None:
    compact(path)

    with Log.open(path) as log:
        assert not spare(log).is_worthwhile


def test_blobs_that_no_event_leads_to_go_with_the_kept_states(path: Path) -> None:
    kept = contents(path)
    with Log.open(path) as log:
        add_blob(log, b"left by nobody" * 300)
        log.save_snapshot(1, 5, b"state" * 100)
        found = spare(log)

    compact(path)

    assert (found.blobs, found.states, found.state_bytes) == (1, 1, 500)
    assert found.blob_bytes > 0
    assert found.is_worthwhile
    assert contents(path) == kept
    with Log.open(path) as log:
        assert log.snapshot(1, 9) is None


def test_blobs_in_lists_and_within_other_blobs_stay(path: Path) -> None:
    inner: dict[bytes, bytes] = {}
    deep = pack(msgspec.msgpack.encode(b"deep" * 500), inner)
    vote = pack(msgspec.msgpack.encode(b"vote" * 500), inner)
    blobs = dict(inner)
    outer = pack(msgspec.msgpack.encode(["x" * 2000, deep]), blobs)
    events = [
        ApprovalCarried("g", "o", [Ballot("ann", True, 1, edits=vote)]),
        Noted("n", "", outer),
    ]
    with Log.open(path) as log:
        branch = log.branch_of("fork")
        log.append(branch, events, expected=100, actor="e", time=1, blobs=blobs)
        assert len(blobs) == 3
        assert spare(log).blobs == 0

    compact(path)

    with Log.open(path) as log:
        assert [log.load(value) for value in (deep, vote, outer)]


def test_a_blob_that_cannot_be_read_lets_none_go(path: Path) -> None:
    with Log.open(path) as log:
        add_blob(log, b"left by nobody" * 300)
        blobs = log.store.db["blobs"]
        used = next(d for d in used_digests(log))
        log.store.transact(lambda txn: txn.put(used, b"\x00hurt", db=blobs), 0)
    size = os.path.getsize(path / "data.mdb")

    with pytest.raises(BlobDamaged, match="audit verify"):
        compact(path)

    assert os.path.getsize(path / "data.mdb") == size


def used_digests(log: Log) -> Iterator[bytes]:
    for record in log.scan():
        if isinstance(record.event, Noted) and len(bytes(record.event.data)) > 40:
            yield bytes(record.event.data)[3:35]


# --- refusals --------------------------------------------------------------------------------------

HOLD = """
    import sys
    from holdfast.eventlog import Log
    with Log.open(sys.argv[1]):
        print("open", flush=True)
        sys.stdin.readline()
"""


def about(path: Path) -> tuple[int, int, int]:
    file = (path / "data.mdb").stat()
    return file.st_ino, file.st_size, file.st_mtime_ns


def test_a_log_that_another_process_has_open_is_left_alone(path: Path, start: Start) -> None:
    before = about(path)
    process = start(HOLD, path)
    assert process.stdout
    assert process.stdout.readline() == "open\n"

    with pytest.raises(LogInUse, match=f"process {process.pid}") as caught:
        compact(path)

    assert caught.value.pids == [process.pid]
    assert about(path) == before
    process.communicate("go\n")
    assert compact(path).freed_bytes > 0


def test_a_log_that_this_process_has_open_is_left_alone_and_still_locked(
    path: Path, start: Start
) -> None:
    with Log.open(path) as log:
        with pytest.raises(LogOpenTwice):
            compact(path)
        code = """
            import sys
            from holdfast.eventlog import LogInUse, compact
            try:
                compact(sys.argv[1])
            except LogInUse as error:
                print(error.pids)
        """

        assert start(code, path).communicate()[0] == f"[{os.getpid()}]\n"
        log.append(log.branch_of("fix"), [Noted("n", "on")], expected=201, actor="e", time=1)


def test_a_log_whose_owner_lives_is_left_alone(path: Path) -> None:
    with Owner.acquire(path), pytest.raises(LogInUse, match=f"process {os.getpid()}"):
        compact(path)


def test_a_disk_without_room_for_a_copy_is_told_before_anything_is_written(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.statvfs(path)
    full = os.statvfs_result([real[0], real[1], real[2], real[3], 5, *real[5:10]])
    before = contents(path)
    monkeypatch.setattr("os.statvfs", lambda _path: full)

    with pytest.raises(NoRoomToCompact, match=f"the disk has {5 * real[1]}") as caught:
        compact(path)

    assert caught.value.needed_bytes > caught.value.free_bytes
    monkeypatch.undo()
    assert contents(path) == before


@pytest.mark.parametrize(
    ("code", "error"), [(errno.ENOSPC, NoRoomToCompact), (errno.EIO, LogUnwritable)]
)
def test_a_copy_that_cannot_be_written_is_thrown_away(
    path: Path, monkeypatch: pytest.MonkeyPatch, code: int, error: type[Exception]
) -> None:
    def fail(_store: object, folder: Path) -> None:
        (folder / "data.mdb").write_bytes(b"half")
        raise OSError(code, os.strerror(code))

    before = contents(path)
    monkeypatch.setattr("holdfast.eventlog.store.Store.copy", fail)

    with pytest.raises(error):
        compact(path)

    assert not (path / "compacting").exists()
    assert contents(path) == before


@pytest.mark.parametrize("table", ["events", "blobs", "heads"])
def test_a_copy_that_differs_in_any_row_is_thrown_away(
    path: Path, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    from holdfast.eventlog.store import Store

    real = Store.copy

    def spoil(store: Store, folder: Path) -> None:
        real(store, folder)
        with lmdb.Environment(str(folder), max_dbs=20, lock=False) as env:
            db = env.open_db(table.encode())
            with env.begin(write=True) as txn:
                assert txn.delete(next(txn.cursor(db).iternext(values=False)), db=db)

    before = contents(path)
    monkeypatch.setattr(Store, "copy", spoil)

    with pytest.raises(CopyDiffers, match="thrown away") as caught:
        compact(path)

    assert caught.value.table == table
    assert contents(path) == before


def test_a_folder_without_a_log_is_named(tmp_path: Path) -> None:
    with pytest.raises(LogDamaged, match=r"there is no data\.mdb"):
        compact(tmp_path)

    assert [*tmp_path.iterdir()] == []


def test_a_data_file_that_cannot_be_replaced_stays(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    before = contents(path)
    monkeypatch.setattr("os.replace", fail)

    with pytest.raises(LogUnwritable, match="put in its place"):
        compact(path)

    monkeypatch.undo()
    assert contents(path) == before


def test_the_copy_keeps_who_may_read_it(path: Path) -> None:
    os.chmod(path / "data.mdb", 0o640)

    compact(path)

    assert (path / "data.mdb").stat().st_mode & 0o777 == 0o640


# --- kills -----------------------------------------------------------------------------------------

DIE = """
    import os, signal, sys
    from holdfast.eventlog import compact
    COUNTED = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree", "os.chmod"}
    left = 0
    def count(event, arguments):
        global left
        if event in COUNTED:
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            left = int(line)
            sys.addaudithook(count)
            compact(sys.argv[1])
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def test_killed_before_any_of_its_deeds_it_leaves_the_old_log_or_the_new(
    path: Path, start: Start
) -> None:
    before, size = contents(path), os.path.getsize(path / "data.mdb")
    process = start(DIE, path)
    assert process.stdin
    assert process.stdout
    sizes: list[int] = []

    for at in range(100):
        process.stdin.write(f"{at}\n")
        process.stdin.flush()
        if process.stdout.readline() == "0\n":
            break
        sizes.append(os.path.getsize(path / "data.mdb"))
        assert contents(path) == before
    else:
        pytest.fail("it never came to its end")

    assert len(sizes) > 5
    assert sizes[0] == size
    assert sizes[-1] < size
    assert not (path / "compacting").exists()
    assert contents(path) == before


def test_killed_while_it_compares_it_leaves_the_old_log_and_the_next_one_does_it(
    path: Path, start: Start
) -> None:
    code = """
        import os, signal, sys
        from holdfast.eventlog import compact
        def tell(what, done, total):
            if what == "comparing" and done == total:
                os.kill(os.getpid(), signal.SIGKILL)
        compact(sys.argv[1], tell)
    """
    before = contents(path)

    assert start(code, path).wait() == -9

    assert (path / "compacting" / "data.mdb").exists()
    assert contents(path) == before
    assert compact(path).freed_bytes > 0
    assert not (path / "compacting").exists()
    assert contents(path) == before


def test_the_copy_is_on_disk_before_it_takes_the_place_of_the_log(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deeds: list[str] = []
    flush, replace = os.fsync, os.replace

    def noted_flush(descriptor: int) -> None:
        deeds.append(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))
        flush(descriptor)

    def noted_replace(source: Path, target: Path) -> None:
        deeds.append(f"{source.parent.name} -> {target.parent.name}")
        replace(source, target)

    monkeypatch.setattr("os.fsync", noted_flush)
    monkeypatch.setattr("os.replace", noted_replace)

    compact(path)

    assert deeds == ["data.mdb", "compacting", "compacting -> log", "log"]


# --- who waits -------------------------------------------------------------------------------------

READ = """
    import sys
    from holdfast.eventlog import Log
    with Log.open(sys.argv[1]) as log:
        print(log.size(), log.root().hex())
        log.append(log.branch_of("fix"), [], expected=log.head(1), actor="e", time=1)
"""
READ_BELOW = """
    import lmdb, sys
    with lmdb.Environment(sys.argv[1], create=False, max_dbs=20) as env:
        with env.begin() as txn:
            print(txn.stat(env.open_db(b"events", txn=txn, create=False))["entries"])
"""


@pytest.mark.parametrize("commits", [0, 1])  # LMDB has two meta pages, which take turns
@pytest.mark.parametrize(("code", "kind"), [(READ, "FLOCK"), (READ_BELOW, "POSIX")])
def test_who_opens_it_meanwhile_waits_and_finds_all_of_it(
    path: Path, start: Start, code: str, kind: str, commits: int
) -> None:
    with Log.open(path) as log:
        for _ in range(commits):
            log.save_snapshot(1, 1, b"state")
    before = contents(path)
    waiting: list[subprocess.Popen[str]] = []

    def tell(what: str, _done: int, _total: int) -> None:
        if what == "copying":
            waiting.append(start(code, path))
            while not is_waiting(waiting[0], kind):
                pass

    compact(path, tell)

    (process,) = waiting
    told = process.communicate()[0].split()
    assert told in (["201"], ["201", before.root.hex()])
    assert contents(path) == before


def is_waiting(process: "subprocess.Popen[str]", kind: str) -> bool:
    """Tell whether a process waits for a lock."""
    assert process.poll() is None
    with open("/proc/locks") as file:
        lines = [line.split() for line in file]
    return any(f[1] == "->" and f[2] == kind and f[5] == str(process.pid) for f in lines)
