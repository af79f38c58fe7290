"""What a workspace is to the workflow and to the state: a scope of its own, with files of its own."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast import Run, StepFailed, workflow
from holdfast.eventlog import (
    NONE,
    AnyEvent,
    Failure,
    Record,
    RestoreStarted,
    RunForked,
    StepReused,
    StepStarted,
    StepSucceeded,
    WorkspaceDrifted,
    WorkspaceRestored,
    WorkspaceSeen,
)
from holdfast.eventlog import (
    StepFailed as Failed,
)
from holdfast.reducer import (
    Accept,
    Agenda,
    ChildRequest,
    Conflict,
    ConflictedFile,
    Merged,
    Pool,
    Restore,
    State,
    StepRequest,
    WorkflowError,
    decide_files,
    reduce,
    replay,
)
from tests.support.player import Player, raw, tree_of, work

BASE, ONE, TWO, MAIN = (bytes([n]) * 20 for n in range(1, 5))
HEAD = b"\x09" * 20


def after(*events: AnyEvent) -> State:
    return replay(Record(i + 1, 1, i, 100 + i, "t", 1, event) for i, event in enumerate(events))


OPENED: list[AnyEvent] = [
    WorkspaceSeen(MAIN, head=HEAD),
    StepStarted("w", "workspace", b"f"),
    StepSucceeded("w", snapshot=BASE, head=HEAD),
]


# --- the workflow ----------------------------------------------------------------------------------


@workflow
async def nested(run: Run) -> list[str]:
    """Open workspaces side by side, one in the other, and in a loop."""

    async def one(name: str) -> str:
        async with run.workspace("ws") as ws:
            await run.step("work", work)
            async with run.workspace("deep") as deep:
                await run.child("other", {}, name="kid")
                await deep.merge()
            await ws.merge()
        await run.step("after", work)
        return ws.key

    async for _ in run.loop("again", max=2):
        async with run.workspace("ws"):
            await run.step("inside", work)
            break
    return list(await run.map(one, ["x", "y"]))


def test_what_stands_within_works_there_and_what_comes_after_does_not() -> None:
    player = Player(nested).answer_all()

    where = {r.key: r.workspace for r in player.asked if isinstance(r, StepRequest | ChildRequest)}
    assert player.output == ["x/ws", "y/ws"]
    assert where["again[1]/ws"] == ""
    assert where["again[1]/ws/inside"] == "again[1]/ws"
    assert where["x/ws/work"] == where["x/ws/deep"] == where["x/ws/deep/merge"] == "x/ws"
    assert where["x/ws/deep/kid"] == where["x/ws/deep/commit"] == "x/ws/deep"
    assert where["x/ws/merge"] == where["x/after"] == where["y/ws"] == ""


def test_a_workspace_that_was_merged_is_closed_and_another_is_not() -> None:
    player = Player(nested).answer_all()

    assert {key for key in player.keys if key.endswith("/close")} == {
        f"{name}/ws/{part}" for name in "xy" for part in ("close", "deep/close")
    }


def test_the_same_name_again_is_another_key() -> None:
    @workflow
    async def again(run: Run) -> None:
        for _ in range(2):
            async with run.workspace("ws") as ws:
                await ws.merge()
                await ws.merge()

    keys = Player(again).answer_all().keys

    assert keys[:6] == ["ws", "ws/commit", "ws/merge", "ws/commit#2", "ws/merge#2", "ws/close"]
    assert keys[6] == "ws#2"


def test_a_failure_to_open_is_caught_where_it_is_raised() -> None:
    @workflow
    async def failing(run: Run) -> str:
        try:
            async with run.workspace("ws"):
                await run.step("never", work)
        except StepFailed:
            return str(await run.step("instead", work))
        return ""

    player = Player(failing).fail("ws").answer("instead", "fine")

    assert player.output == "fine"


def test_a_workspace_is_opened_once() -> None:
    @workflow
    async def twice(run: Run) -> None:
        ws = run.workspace("ws")
        async with ws:
            pass
        async with ws:
            pass

    with pytest.raises(WorkflowError, match="'ws' was opened twice"):
        Player(twice).answer_all()


CONFLICT = Conflict("refs/heads/main", "t", "s", "b", "tree", (ConflictedFile("a.txt", ("c",)),))


@workflow
async def settling(run: Run) -> str:
    async with run.workspace("ws") as ws:
        found = await ws.merge()
        assert isinstance(found, Conflict)
        return type(await ws.resolve(found, agent="codex", max=2)).__name__


def test_a_conflict_goes_to_the_agent_until_no_markers_are_left() -> None:
    player = conflicting()

    player.answer("ws/markers").answer("ws/resolve", "done")
    assert player.request("ws/commit#2").call.resolved == ("a.txt",)
    player.record(Failed("ws/commit#2", Failure("unresolved", "markers in 'a.txt'")))
    assert "markers in 'a.txt'" in player.request("ws/resolve#2").call.prompt
    player.answer("ws/resolve#2", "done").answer("ws/commit#3").answer("ws/merge#2")

    assert player.answer("ws/close").output == "Merged"


def test_a_new_conflict_gets_new_markers_and_the_last_one_is_returned() -> None:
    player = conflicting()
    for number in ("", "#2"):
        player.answer(f"ws/markers{number}").answer(f"ws/resolve{number}", "done")
        player.answer("ws/commit#2" if not number else "ws/commit#3")
        again = Conflict("refs/heads/main", "t", "s", "b", f"tree{number}!", CONFLICT.files)
        player.record(StepSucceeded("ws/merge#2" if not number else "ws/merge#3", raw(again)))

    assert player.output == "Conflict"


def conflicting() -> Player:
    player = Player(settling).answer("ws").answer("ws/commit")
    player.record(StepSucceeded("ws/merge", raw(CONFLICT)))
    return player


# --- the state -------------------------------------------------------------------------------------


def test_each_workspace_has_a_tree_of_its_own() -> None:
    state = after(
        *OPENED,
        StepStarted("w/a", "shell", b"f", workspace="w"),
        StepSucceeded("w/a", snapshot=ONE, head=b"\x08"),
        StepStarted("m", "shell", b"f"),
    )

    files = state.workspaces["w"]
    assert (files.tree, files.snapshot, files.head) == (ONE, ONE, b"\x08")
    assert (state.tree, state.head) == (MAIN, HEAD)
    assert state.steps["w"].tree == state.steps["m"].tree == MAIN
    assert state.steps["w/a"].tree == BASE


def test_what_is_seen_edited_and_restored_in_one_leaves_the_others() -> None:
    before = after(*OPENED)
    for event in (
        WorkspaceSeen(ONE, head=HEAD, workspace="w"),
        WorkspaceDrifted(BASE, ONE, workspace="w"),
        WorkspaceRestored(ONE, "w"),
    ):
        state = reduce(before, event, 200)
        assert state.workspaces["w"].tree == ONE
        assert (state.tree, state.snapshot, state.looked) == (MAIN, MAIN, before.looked)
    assert reduce(before, RestoreStarted(ONE, BASE, b"c", "left", "w"), 200).restoring == b""


def test_a_function_in_a_workspace_leaves_a_mark_there_alone() -> None:
    state = after(
        *OPENED, StepStarted("w/f", "step", b"f", workspace="w"), StepSucceeded("w/f", NONE)
    )

    assert len(state.workspaces["w"].tree) == 16
    assert state.tree == MAIN


def test_opening_and_closing_leave_the_files_around_as_they_are() -> None:
    state = after(*OPENED, StepStarted("w/close", "close", b"f", workspace="w"))
    closed = reduce(state, StepSucceeded("w/close"), 200)

    assert closed.tree == MAIN
    assert closed.workspaces["w"].tree == BASE


def test_an_event_of_an_unknown_workspace_changes_no_files() -> None:
    state = after(WorkspaceSeen(MAIN), WorkspaceSeen(ONE, workspace="nobody"))

    assert (state.tree, len(state.workspaces)) == (MAIN, 0)


DEAD = StepStarted("w/a", "shell", b"f", workspace="w")
LEFT = RunForked("r", "rewind", "r", 1, 3, 3)
CASES: list[tuple[list[AnyEvent], str, bytes, Any]] = [
    ([*OPENED], "w", BASE, Accept()),
    ([*OPENED], "w", ONE, Accept(drifted=True)),
    ([*OPENED, DEAD], "w", ONE, Restore(BASE, "interrupted")),
    ([*OPENED, DEAD], "", ONE, Accept(drifted=True)),
    ([*OPENED, LEFT], "w", ONE, Restore(BASE, "left")),
    ([*OPENED, StepStarted("w/merge", "merge", b"f")], "", ONE, Accept(drifted=True)),
    ([*OPENED, StepStarted("v", "workspace", b"f")], "", ONE, Accept(drifted=True)),
]


@pytest.mark.parametrize(("events", "where", "found", "wanted"), CASES)
def test_what_is_decided_about_the_files_of_a_workspace(
    events: list[AnyEvent], where: str, found: bytes, wanted: Any
) -> None:
    state = after(*events)

    decided = decide_files(state, found, first=True, held=[], workspace=where, is_ours=where != "")

    assert decided == wanted


# --- a fork ----------------------------------------------------------------------------------------


@workflow
async def parallel(run: Run, names: list[str]) -> int:
    """Work in as many workspaces as there are names."""

    async def one(name: str) -> None:
        async with run.workspace(name):
            await run.shell("a", "true")
            await run.step("b", work)
            await run.shell("c", "true")

    await run.map(one, names, name="at")
    return len(names)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 4), st.randoms(use_true_random=False), st.data())
def test_what_is_done_otherwise_in_one_workspace_leaves_what_was_done_in_the_others(
    count: int, chance: Any, data: Any
) -> None:
    names = [f"n{n}" for n in range(count)]
    player = Player(parallel, {"names": names})
    while player.open:
        player.answer(chance.choice(player.open))
    assert player.output == count
    other = data.draw(st.sampled_from(names), "done otherwise")
    again = f"at/{other}/{other}/a"
    pool = Pool()
    pool.add(player.state, rank=0)
    pool.steps = {key: step for key, step in pool.steps.items() if key != again}

    taken, asked = _driven(parallel, names, pool)

    mine = {f"at/{other}/{other}/{part}" for part in "abc"}
    assert asked == mine
    assert taken == {step.key for step in player.state.steps.values()} - mine


def _driven(code: Any, names: list[str], pool: Pool) -> tuple[set[str], set[str]]:
    """Drive a new run with what a pool has; what it has not comes to other files."""
    player = Player(code, {"names": names}, answered=False)
    agenda, taken, asked = Agenda(pool), set[str](), set[str]()
    for request in player.asked:
        agenda.put(request)
    seen = len(player.asked)
    while (
        found := agenda.take(player.state, lambda r: r.key in player.driver.pending)
    ) is not None:
        request, events = found
        for event in events:
            player.record(event)  # type: ignore[arg-type]
            assert isinstance(event, StepReused)
            taken.add(event.key)
        if not events:
            asked.add(request.key)
            player.record(player.written(request))
            assert isinstance(request, StepRequest)
            result = raw({"code": 0, "stdout": "other", "stderr": "", "seconds": 0.0})
            tree = tree_of(f"other {request.key}") if request.kind == "shell" else b""
            player.record(StepSucceeded(request.key, result, snapshot=tree))
        for each in player.asked[seen:]:
            agenda.put(each)
        seen = len(player.asked)
    assert player.output == len(names)
    return taken, asked


def test_a_merge_that_is_done_is_data() -> None:
    player = Player(nested)
    player.answer_all()

    step = player.state.steps["x/ws/merge"]
    assert step.result == raw(
        Merged("refs/heads/main", "before", "after commit of x/ws/commit", "commit of x/ws/commit")
    )
