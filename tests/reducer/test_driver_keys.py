"""Which key each request has: scopes of loops, branches, items and repeated names."""

from typing import Any

import pytest

from holdfast import LoopExhausted, Run, StepFailed, Workflow, workflow
from holdfast.reducer import BadName, WorkflowError
from tests.support.player import Player, work


@workflow
async def leaf(run: Run, word: str = "w") -> str:
    return str(await run.step("leaf", work, word))


def keys(made: Workflow, answers: dict[str, Any] | None = None) -> list[str]:
    return Player(made).answer_all(answers).keys


def test_a_name_used_again_is_numbered_in_program_order() -> None:
    @workflow
    async def again(run: Run) -> None:
        for _ in range(3):
            await run.step("same", work)
        await run.shell("same", "true")

    assert keys(again) == ["same", "same#2", "same#3", "same#4"]


def test_iterations_are_numbered_and_nested() -> None:
    @workflow
    async def nested(run: Run) -> None:
        async for i in run.loop("outer", max=9):
            async for j in run.loop("inner", max=9):
                await run.step("do", work)
                if j == 2:
                    break
            await run.step("then", work)
            if i == 2:
                break
        await run.step("last", work)

    assert keys(nested) == [
        *["outer[1]/inner[1]/do", "outer[1]/inner[2]/do", "outer[1]/then"],
        *["outer[2]/inner[1]/do", "outer[2]/inner[2]/do", "outer[2]/then"],
        "last",
    ]


async def returns(run: Run) -> None:
    async for _ in run.loop("left", max=3):
        return


async def raises(run: Run) -> None:
    async for _ in run.loop("left", max=3):
        raise ValueError


async def breaks(run: Run) -> None:
    async for _ in run.loop("left", max=3):
        break


async def fails(run: Run) -> None:
    async for _ in run.loop("left", max=3):
        await run.step("fails", work)


@pytest.mark.parametrize("leave", [returns, raises, breaks, fails])
def test_the_outer_scope_is_back_however_a_loop_is_left(leave: Any) -> None:
    @workflow
    async def leaving(run: Run) -> None:
        async for _ in run.loop("around", max=3):
            try:
                await leave(run)
            except (ValueError, StepFailed):
                await run.step("inside", work)
            finally:
                await run.step("finally", work)
            break
        await run.step("outside", work)

    player = Player(leaving)
    while player.open:
        key = player.open[0]
        player.fail(key) if key.endswith("fails") else player.answer(key)

    assert player.keys[-2:] == ["around[1]/finally", "outside"]


def test_a_kept_exception_of_a_loop_does_not_disturb_the_next_loop() -> None:
    @workflow
    async def keeping(run: Run) -> None:
        kept: Exception | None = None
        try:
            async for _ in run.loop("first", max=1):
                pass
        except LoopExhausted as error:
            kept = error
        async for _ in run.loop("second", max=3):
            assert kept is not None
            kept = None
            await run.step("do", work)
            break

    assert keys(keeping) == ["first", "second[1]/do"]


def test_two_loops_of_one_name_have_histories_of_their_own() -> None:
    @workflow
    async def twice(run: Run) -> None:
        for _ in range(2):
            async for _ in run.loop("try", max=2, on_exhausted="stop"):
                await run.step("do", work)

    assert keys(twice) == [
        *["try[1]/do", "try[2]/do", "try"],
        *["try#2[1]/do", "try#2[2]/do", "try#2"],
    ]


def test_a_loop_that_reached_its_ceiling_tells_the_last_results() -> None:
    @workflow
    async def vain(run: Run) -> None:
        async for _ in run.loop("try", max=2):
            await run.step("test", work)
            await run.parallel(run.step("left", work), run.step("right", work))
            async for _ in run.loop("inner", max=1, on_exhausted="stop"):
                await run.step("hidden", work)

    player = Player(vain).answer_all({"try[1]/test": "old", "try[2]/test": "red"})

    with pytest.raises(
        LoopExhausted, match=r"'try' reached its ceiling of 2(.|\n)*test: 'red'"
    ) as e:
        _ = player.output
    assert e.value.last == {"test": "red", "left": None, "right": None}


def test_a_loop_may_stop_at_its_ceiling() -> None:
    @workflow
    async def calm(run: Run) -> Any:
        async for _ in run.loop("try", max=2, on_exhausted="stop"):
            await run.step("do", work)
        return await run.step("after", work)

    player = Player(calm).answer_all({"after": "fine"})

    assert player.output == "fine"
    assert player.keys == ["try[1]/do", "try[2]/do", "try", "after"]


@pytest.mark.parametrize("ceiling", [0, -3])
def test_a_loop_runs_at_least_once(ceiling: int) -> None:
    @workflow
    async def never(run: Run) -> None:
        run.loop("try", max=ceiling)

    with pytest.raises(WorkflowError, match=f"'try' has max={ceiling}"):
        Player(never)


async def ticket(run: Run, name: Any) -> Any:
    await run.step("read", work, name)
    return await run.step("fix", work, name)


def test_an_items_key_names_its_branch_whatever_the_order_of_items_and_answers() -> None:
    @workflow
    async def each(run: Run, items: list[str]) -> list[Any]:
        return await run.map(lambda item: ticket(run, item), items)

    player = Player(each, {"items": ["b", "a"]})
    player.answer("a/read").answer("a/fix", "A").answer("b/read").answer("b/fix", "B")

    assert player.output == ["B", "A"]
    assert set(player.keys) == set(Player(each, {"items": ["a", "b"]}).answer_all().keys)


def test_items_are_named_by_key_below_the_name_of_the_map() -> None:
    @workflow
    async def each(run: Run) -> None:
        for _ in range(2):
            await run.map(lambda n: ticket(run, n), [1, 2, 1], key=lambda n: f"n{n}", name="all")

    assert keys(each)[::6] == ["all/n1/read", "all#2/n1/read"]
    assert {key.split("/")[1] for key in keys(each)} == {"n1", "n2", "n1#2"}


@pytest.mark.parametrize(
    ("item", "name"),
    [
        ("src/a.py", "src%2Fa.py"),
        ("a[1]#2", "a%5B1%5D%232"),
        ("50%", "50%25"),
        ("", "%"),
        ("tab\t", "tab%09"),
        ("größe 寸", "größe 寸"),
        ("\udc80", "%ED%B2%80"),
        ("x" * 300, "x" * 200),
    ],
)
def test_any_text_can_be_an_items_key(item: str, name: str) -> None:
    @workflow
    async def each(run: Run) -> None:
        await run.map(lambda _: run.step("do", work), [item])

    assert keys(each) == [f"{name}/do"]


def test_branches_are_named_by_keyword_or_function_and_single_steps_stand_in_the_scope() -> None:
    @workflow
    async def fan(run: Run) -> None:
        mine = ticket(run, 1)
        await run.parallel(mine, ticket(run, 2), run.step("one", work), b=run.step("two", work))

    assert keys(fan)[:4] == ["ticket/read", "ticket#2/read", "one", "b/two"]


def test_helper_functions_share_the_scope_of_their_caller() -> None:
    @workflow
    async def calling(run: Run) -> None:
        await ticket(run, 1)
        async for _ in run.loop("again", max=2):
            await ticket(run, 2)
            break
        await ticket(run, 3)

    assert keys(calling)[::2] == ["read", "again[1]/read", "read#2"]


def test_waits_and_children_are_named_for_what_they_wait_for() -> None:
    @workflow
    async def waiting(run: Run) -> None:
        await run.wait("ready")
        await run.sleep(1)
        await run.sleep(1, "pause")
        await run.approve("ship it")
        await run.child(leaf)
        await run.child("flows/other.py:go", {"a": 1})
        await run.child(leaf, name="named")
        await run.note("seen", count=1)
        await run.note("seen again")

    assert keys(waiting, {"ship it": True, "leaf": "said", "named": "said"}) == [
        *["ready", "sleep", "pause", "ship it", "leaf", "flows%2Fother.py:go", "named"],
        *["note", "note#2"],
    ]


def test_a_child_is_asked_for_with_its_checked_input() -> None:
    @workflow
    async def parent(run: Run) -> Any:
        return await run.child(leaf)

    player = Player(parent)
    request = player.request("leaf")

    assert (request.workflow, request.input) == (leaf.reference, {"word": "w"})
    assert request.output is str
    assert player.answer("leaf", "said").output == "said"


@pytest.mark.parametrize("name", ["", "a/b", "a[1]", "a#2", "line\n", "x" * 201, None, 7])
def test_a_name_that_would_break_keys_is_refused(name: Any) -> None:
    @workflow
    async def bad(run: Run) -> None:
        await run.step(name, work)

    with pytest.raises(BadName, match="cannot name a step"):
        Player(bad)
