"""What a log promises to one process: nothing lost, nothing half written, forks that copy nothing."""

import threading
from pathlib import Path
from queue import SimpleQueue

import msgspec
import pytest

from holdfast.eventlog import (
    BadRunName,
    Batch,
    BlobDamaged,
    BranchMoved,
    BranchRow,
    Due,
    Event,
    Failure,
    Log,
    LogBusy,
    LogClosed,
    LogDamaged,
    LogOpenTwice,
    NewRun,
    NoSuchBranch,
    NoSuchOffset,
    NoSuchRun,
    Noted,
    RunClaimed,
    RunExists,
    RunFailed,
    RunReleased,
    RunStarted,
    RunSucceeded,
    StepStarted,
    TimerFired,
    TimerSet,
    ValueTooLarge,
    pack,
    reference,
    verify,
)
from holdfast.eventlog import values as values_module

START = RunStarted("fix", "mend", source="mend.py", folder="/repository")


def notes(*texts: str) -> list[Noted]:
    return [Noted(key="n", text=text) for text in texts]


def texts(log: Log, branch: int, start: int = 0, stop: int | None = None) -> list[str]:
    events = (record.event for record in log.records(branch, start, stop))
    return [event.text for event in events if isinstance(event, Noted)]


def begin(log: Log, run: str = "fix", *events: Event, time: int = 1) -> int:
    return log.create_run(run, events, actor="engine", time=time)


def add(log: Log, branch: int, *events: Event, time: int = 2) -> int:
    return log.append(branch, events, expected=log.head(branch), actor="engine", time=time)


def test_what_was_appended_is_read_back_with_its_place_time_and_actor(log: Log) -> None:
    branch = log.create_run("fix", [START], actor="cli:ada", time=5)

    head = log.append(branch, notes("a"), expected=1, actor="engine", time=6)

    first, second = log.records(branch)
    assert head == 2 == log.head(branch)
    assert (first.seq, first.branch, first.offset, first.time, first.actor) == (
        0,
        branch,
        0,
        5,
        "cli:ada",
    )
    assert (second.seq, second.offset, second.time, second.actor) == (1, 1, 6, "engine")
    assert first.event == START
    assert second.event == notes("a")[0]


def test_a_closed_log_opens_with_all_that_was_written(tmp_path: Path) -> None:
    with Log.open(tmp_path) as log:
        branch = begin(log, "fix", *notes("a", "b"))
        root = log.root()

    with Log.open(tmp_path, create=False) as again:
        assert texts(again, branch) == ["a", "b"]
        assert (again.root(), again.size()) == (root, 2)


def test_an_append_at_another_offset_writes_nothing_and_says_where_the_branch_is(log: Log) -> None:
    branch = begin(log, "fix", *notes("a", "b"))
    add(log, branch, *notes("c"))

    for expected in (2, 4):
        with pytest.raises(
            BranchMoved, match=f"branch {branch} is at offset 3, not {expected}"
        ) as e:
            log.append(branch, notes("x"), expected=expected, actor="engine", time=3)
        assert (e.value.branch, e.value.expected, e.value.actual) == (branch, expected, 3)

    assert texts(log, branch) == ["a", "b", "c"]


def test_several_batches_are_one_commit_and_each_is_whole_or_refused(log: Log) -> None:
    one, two = begin(log, "one"), begin(log, "two")
    commits = log.commits

    results = log.write(
        [
            Batch(one, notes("a", "b"), 0, "engine", 2),
            Batch(two, notes("c"), 7, "engine", 2),
            Batch(one, notes("d"), 2, "engine", 2),
            Batch(one, notes("late"), 2, "engine", 2),
            Batch(two, notes("e"), 0, "engine", 2),
        ]
    )

    assert log.commits == commits + 1
    assert [r if isinstance(r, int) else r.actual for r in results] == [2, 0, 3, 3, 1]
    assert isinstance(results[1], BranchMoved)
    assert texts(log, one) == ["a", "b", "d"]
    assert texts(log, two) == ["e"]
    with pytest.raises(NoSuchBranch):
        log.write([Batch(one, notes("x"), 3, "engine", 2), Batch(9, notes("x"), 0, "engine", 2)])
    assert log.head(one) == 3


def test_interleaved_branches_are_each_read_in_order_from_any_offset(log: Log) -> None:
    branches = [begin(log, f"run-{n}") for n in range(3)]
    expected: dict[int, list[str]] = {branch: [] for branch in branches}
    for turn in range(30):
        branch = branches[turn % 7 % 3]
        new = [f"{turn}.{n}" for n in range(turn % 4)]
        add(log, branch, *notes(*new))
        expected[branch] += new

    for branch in branches:
        for start in range(0, len(expected[branch]) + 2, 3):
            assert texts(log, branch, start) == expected[branch][start:]
            assert texts(log, branch, start, start + 4) == expected[branch][start : start + 4]
    assert [record.seq for record in log.scan()] == [*range(log.size())]
    assert [record.seq for record in log.scan(5, 9)] == [5, 6, 7, 8]


def test_long_branches_are_read_in_pages_that_see_what_is_appended_meanwhile(log: Log) -> None:
    branch = begin(log, "fix", *notes(*map(str, range(2500))))
    records = log.records(branch)
    head = [next(records) for _ in range(10)]

    add(log, branch, *notes("2500"))

    assert [record.offset for record in [*head, *records]] == [*range(2501)]


def test_a_fork_begins_with_its_parents_events_and_copies_none(log: Log) -> None:
    root = begin(log, "root", *notes("a", "b", "c"))
    child = log.create_run(
        "child", notes("x"), actor="cli:ada", time=2, parent=root, offset=2, reason="try"
    )
    add(log, root, *notes("d"))
    add(log, child, *notes("y"))
    grandchild = log.create_run("grandchild", [], actor="cli:ada", time=3, parent=child, offset=3)
    early = log.create_run(
        "early", notes("z"), actor="cli:ada", time=4, parent=grandchild, offset=1
    )

    assert texts(log, root) == ["a", "b", "c", "d"]
    assert texts(log, child) == ["a", "b", "x", "y"]
    assert texts(log, grandchild) == ["a", "b", "x"]
    assert texts(log, early) == ["a", "z"]
    assert texts(log, grandchild, 1, 3) == ["b", "x"]
    assert [record.branch for record in log.records(child)] == [root, root, child, child]
    assert log.size() == 7
    assert log.branches()[1] == BranchRow(child, "child", root, 2, "try", 2, "cli:ada")
    assert log.head(grandchild) == 3


@pytest.mark.parametrize("offset", [-1, 3])
def test_a_fork_from_an_offset_that_is_not_there_is_refused(log: Log, offset: int) -> None:
    branch = begin(log, "fix", *notes("a", "b"))

    with pytest.raises(NoSuchOffset, match="has offsets 0 to 2"):
        log.create_run("fork", [], actor="engine", time=2, parent=branch, offset=offset)
    with pytest.raises(NoSuchOffset):
        log.create_run("rootless", [], actor="engine", time=2, offset=1)
    with pytest.raises(NoSuchBranch, match="no branch 99"):
        log.create_run("fork", [], actor="engine", time=2, parent=99)


def test_a_second_run_of_a_name_is_refused_and_nothing_written(log: Log) -> None:
    begin(log, "fix", *notes("a"))

    with pytest.raises(RunExists, match="a run called 'fix' exists"):
        begin(log, "fix", *notes("b"))

    assert log.size() == 1
    assert len(log.branches()) == 1


@pytest.mark.parametrize("run", ["", "x" * 201, "ü" * 101])
def test_a_run_id_that_cannot_be_a_key_is_refused(log: Log, run: str) -> None:
    with pytest.raises(BadRunName, match="1 to 200 bytes"):
        begin(log, run)
    with pytest.raises(NoSuchRun):
        log.run(run)


def test_runs_made_together_share_a_commit_and_are_refused_one_by_one(log: Log) -> None:
    log.create_run("old", notes("a"), actor="e", time=1)
    names = ["one", "old", "", "two", "one"]
    before = log.commits

    made = log.write_each([NewRun(name, notes(name), "e", 2) for name in names])

    assert [type(result) for result in made] == [int, RunExists, BadRunName, int, RunExists]
    assert log.commits == before + 1
    assert [row.run for row in log.runs()] == ["two", "one", "old"]
    assert [record.event for record in log.records(log.branch_of("two"))] == notes("two")
    assert verify(log).ok


def test_making_no_run_writes_nothing(log: Log) -> None:
    before = log.commits

    assert log.write_each([]) == []
    assert log.commits == before


def test_unknown_runs_and_branches_are_named(log: Log) -> None:
    with pytest.raises(NoSuchRun, match="no run is called 'nope'"):
        log.branch_of("nope")
    with pytest.raises(NoSuchBranch, match="no branch 7"):
        log.head(7)
    with pytest.raises(NoSuchBranch):
        log.records(7)
    with pytest.raises(NoSuchBranch):
        log.append(7, notes("a"), expected=0, actor="engine", time=1)


def test_a_rewind_takes_the_name_over_and_leaves_the_old_branch_readable(log: Log) -> None:
    old = begin(log, "fix", START, *notes("a"), TimerSet("t", 50))
    new = log.create_run(
        "fix", notes("b"), actor="cli:ada", time=3, parent=old, offset=1, replaces=True
    )
    add(log, old, TimerSet("u", 60), *notes("still going"))

    assert log.branch_of("fix") == new
    assert [row.branch for row in log.runs()] == [new]
    assert log.due(100) == []
    assert texts(log, old) == ["a", "still going"]
    assert texts(log, new) == ["b"]
    before = listings(log)
    log.rebuild()
    assert listings(log) == before


def test_runs_are_listed_newest_first_by_status(log: Log) -> None:
    for number in range(6):
        begin(log, f"run-{number}", RunStarted(f"run-{number}", "w"), RunClaimed("me"), time=number)
    add(log, log.branch_of("run-1"), RunSucceeded(), time=10)
    add(log, log.branch_of("run-3"), RunFailed(Failure("boom", "it broke")), time=11)
    add(log, log.branch_of("run-4"), RunReleased("me", "waiting", ["gate"]), time=12)

    assert [row.run for row in log.runs()] == [f"run-{n}" for n in (5, 4, 3, 2, 1, 0)]
    assert [row.run for row in log.runs(limit=2)] == ["run-5", "run-4"]
    assert [row.run for row in log.runs(statuses=["waiting", "failed"])] == ["run-4", "run-3"]
    assert [row.run for row in log.runs(statuses={"running"}, limit=2)] == ["run-5", "run-2"]
    assert log.runs(statuses=["nonsense"]) == []
    failed = log.run("run-3")
    assert (failed.error_code, failed.error_message, failed.owner) == ("boom", "it broke", "")
    assert (failed.started, failed.updated, failed.head) == (3, 11, 3)


def test_timers_are_due_until_they_fire_or_the_run_ends(log: Log) -> None:
    one, two = begin(log, "one", TimerSet("a", 30), TimerSet("b", 10)), begin(log, "two")
    add(log, two, TimerSet("a", 20))

    assert log.due(20) == [Due(10, "one", "b", one), Due(20, "two", "a", two)]
    assert log.due(20, after=10) == [Due(20, "two", "a", two)]
    assert [log.next_due(moment) for moment in (-1, 9, 10, 20, 30)] == [10, 10, 20, 30, 0]
    add(log, one, TimerFired("b"))
    add(log, two, RunSucceeded())

    assert log.due(10**18) == [Due(30, "one", "a", one)]


def test_a_fork_inherits_the_timers_that_were_pending_at_its_offset(log: Log) -> None:
    parent = begin(log, "one", START, RunClaimed("me"), TimerSet("a", 30), TimerFired("a"))

    fork = log.create_run("two", [], actor="cli:ada", time=9, parent=parent, offset=3)

    assert log.due(100) == [Due(30, "two", "a", fork)]
    row = log.run("two")
    assert (row.workflow, row.source, row.folder) == ("mend", "mend.py", "/repository")
    assert (row.owner, row.started, row.parent, row.offset) == ("", 9, parent, 3)


def listings(log: Log) -> object:
    names = ("names", "runs", "statuses", "due", "turns")
    return log.store.view(lambda txn: [[*txn.cursor(log.store.db[name])] for name in names])


def test_projections_made_anew_are_those_that_were_kept_up_to_date(log: Log) -> None:
    for number in range(5):
        branch = begin(log, f"run-{number}", START, RunClaimed("me"), TimerSet("a", number))
        add(
            log,
            branch,
            TimerSet("b", 7),
            StepStarted("s", "shell", b"f"),
            RunReleased("me", "waiting", ["b"]),
        )
    fork = log.create_run("fork", [RunClaimed("you")], actor="x", time=8, parent=2, offset=4)
    add(log, 3, RunSucceeded())
    add(log, fork, TimerFired("a"))
    before = listings(log)

    log.rebuild()

    assert listings(log) == before
    add(log, fork, RunSucceeded())
    assert log.run("fork").status == "succeeded"


def test_projections_of_another_version_are_made_anew_on_opening(log: Log) -> None:
    begin(log, "fix", START, RunClaimed("me"), TimerSet("a", 5))
    before, path = listings(log), log.path
    log.store.transact(lambda txn: txn.put(b"projection", b"0", db=log.store.db["meta"]), 0)
    log.store.transact(lambda txn: txn.drop(log.store.db["runs"], delete=False), 0)
    log.close()

    with Log.open(path) as again:
        assert listings(again) == before
        commits = again.commits
        assert (again.run("fix").owner, commits) == ("me", 0)


def test_large_values_are_stored_once_and_read_back(log: Log) -> None:
    raw = msgspec.msgpack.encode("long " * 1000)
    blobs: dict[bytes, bytes] = {}
    value = pack(raw, blobs)
    branch = begin(log)

    for offset in range(2):
        log.append(
            branch, [Noted("n", "t", value)], expected=offset, actor="e", time=1, blobs=blobs
        )

    *_, last = log.records(branch)
    assert isinstance(last.event, Noted)
    assert log.load(last.event.data) == raw
    assert log.load(pack(b"\x01", {})) == b"\x01"
    assert log.store.view(lambda txn: txn.stat(log.store.db["blobs"]))["entries"] == 1


def test_a_blob_that_is_missing_is_named(log: Log) -> None:
    value = pack(bytes(3000), {})

    with pytest.raises(BlobDamaged, match="is missing"):
        log.load(value)


def test_a_value_above_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values_module, "LIMIT_BYTES", 5000)

    with pytest.raises(ValueTooLarge, match="5001 bytes is above the limit of 5000"):
        pack(bytes(5001), {})


def test_inline_values_that_look_like_references_are_not_taken_for_them() -> None:
    blobs: dict[bytes, bytes] = {}
    forged = bytes(pack(bytes(2000), {}))

    value = pack(forged, blobs)

    place = reference(value)
    assert place is not None
    assert blobs == {place.digest: forged}


def test_threads_that_submit_share_commits_and_none_is_lost(log: Log) -> None:
    branches = [begin(log, f"run-{n}") for n in range(16)]
    commits, each = log.commits, 25
    done = threading.Barrier(17)

    def work(branch: int) -> None:
        for offset in range(each):
            heads: SimpleQueue[int | Exception] = SimpleQueue()
            log.submit(Batch(branch, notes(str(offset)), offset, "engine", offset), heads.put)
            assert heads.get() == offset + 1
        done.wait()

    threads = [threading.Thread(target=work, args=(branch,)) for branch in branches]
    for thread in threads:
        thread.start()
    done.wait()
    for thread in threads:
        thread.join()

    assert log.commits - commits < 16 * each
    for branch in branches:
        assert texts(log, branch) == [str(n) for n in range(each)]
    assert verify(log).ok


def test_a_bad_batch_fails_alone(log: Log) -> None:
    branch = begin(log)
    results: list[int | Exception] = []
    bad = Noted("n", "t", object())  # type: ignore[arg-type]

    log.submit(Batch(branch, [bad], 0, "engine", 1), results.append)
    log.submit(Batch(99, notes("a"), 0, "engine", 1), results.append)
    log.submit(Batch(branch, notes("a"), 5, "engine", 1), results.append)
    log.submit(Batch(branch, notes("a"), 0, "engine", 1), results.append)
    path = log.path
    log.close()

    assert [type(result) for result in results] == [TypeError, NoSuchBranch, BranchMoved, int]
    with Log.open(path) as again:
        assert texts(again, branch) == ["a"]


def test_closing_writes_what_is_queued_and_then_refuses(log: Log) -> None:
    branch = begin(log)
    results: list[int | Exception] = []
    for offset in range(50):
        log.submit(Batch(branch, notes("a"), offset, "engine", 1), results.append)

    log.close()
    log.close()

    assert results == [*range(1, 51)]
    with pytest.raises(LogClosed, match=r"was closed. Open it again"):
        log.head(branch)
    with pytest.raises(LogClosed):
        log.submit(Batch(branch, notes("a"), 50, "engine", 1), results.append)
    with pytest.raises(LogClosed):
        log.append(branch, notes("a"), expected=50, actor="engine", time=1)


def test_a_caller_that_fails_on_the_news_does_not_stop_the_writer(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    branch = begin(log)
    told: list[object] = []

    def hear(args: threading.ExceptHookArgs) -> None:
        told.append(args.exc_type)

    monkeypatch.setattr(threading, "excepthook", hear)
    results: list[int | Exception] = []

    log.submit(Batch(branch, notes("a"), 0, "engine", 1), lambda _: 1 / 0)  # type: ignore[arg-type]
    log.submit(Batch(branch, notes("b"), 1, "engine", 1), results.append)
    log.close()

    assert told == [ZeroDivisionError]
    assert results == [2]


def test_a_log_that_is_open_in_this_process_is_not_opened_again(log: Log) -> None:
    with pytest.raises(LogOpenTwice, match="already open in this process"):
        Log.open(log.path)


def test_a_missing_log_is_made_only_where_that_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(LogDamaged, match=r"no data\.mdb"):
        Log.open(tmp_path / "none", create=False)

    assert not (tmp_path / "none").exists()


def test_a_small_map_grows_as_often_as_it_is_needed(tmp_path: Path) -> None:
    with Log.open(tmp_path, map_size=256 << 10) as log:
        branch = begin(log)
        for offset in range(0, 4000, 400):
            log.append(branch, notes(*["x" * 500] * 400), expected=offset, actor="e", time=1)

        assert len(texts(log, branch)) == 4000
        assert verify(log).ok


def test_too_many_readers_at_once_are_told_apart_from_damage(tmp_path: Path) -> None:
    with Log.open(tmp_path, max_readers=1) as log:
        begin(log)

        with pytest.raises(LogBusy, match="1 readers at once"):
            log.store.view(lambda _: log.size())


def test_snapshots_are_found_along_the_ancestors_and_can_be_dropped(log: Log) -> None:
    root = begin(log, "root", *notes(*"abcdef"))
    fork = log.create_run("fork", notes("x", "y"), actor="e", time=1, parent=root, offset=4)
    for branch, offset in ((root, 2), (root, 4), (root, 5), (fork, 6)):
        log.save_snapshot(branch, offset, f"{branch}@{offset}".encode())

    found = [log.snapshot(fork, at) for at in range(8)]

    two, four, six = (2, b"1@2"), (4, b"1@4"), (6, b"2@6")
    assert found == [None, None, two, two, four, four, six, six]
    assert log.snapshot(root, 9) == (5, b"1@5")
    log.drop_snapshots()
    assert log.snapshot(root, 9) is None


def test_a_copy_is_compact_and_has_everything(log: Log, tmp_path: Path) -> None:
    branch = begin(log, "fix", *notes("a", "b"))

    log.copy(tmp_path / "copy")

    assert (tmp_path / "copy" / "data.mdb").stat().st_size < 200_000
    with Log.open(tmp_path / "copy") as copy:
        assert texts(copy, branch) == ["a", "b"]
        assert copy.root() == log.root()
        add(copy, branch, *notes("c"))


def test_the_pages_in_use_are_counted_and_not_the_room_ahead(log: Log) -> None:
    begin(log)

    used = log.used_bytes()

    assert 8192 < used < 200_000 < (log.path / "data.mdb").stat().st_size


def test_an_empty_append_is_a_question_whether_the_branch_has_moved(log: Log) -> None:
    branch = begin(log, "fix", *notes("a"))

    assert log.append(branch, [], expected=1, actor="engine", time=2) == 1
    with pytest.raises(BranchMoved):
        log.append(branch, [], expected=0, actor="engine", time=2)
