"""The `builtin` agent in the engine: real litellm, a scripted model on loopback, a real repository."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from holdfast import Run, workflow
from holdfast.eventlog import (
    AttemptFailed,
    Journaled,
    StepFailed,
    StepSucceeded,
)
from holdfast.plugins import Refused, marks
from holdfast.reducer import Workflow
from tests.support.gitlab import GitLab
from tests.support.lab import Lab
from tests.support.model_script import Scenario
from tests.support.model_server import ModelServer
from tests.support.scripted import Scripted, ScriptedPlugin, calls, says

Serve = Callable[[Scenario], ModelServer]
TEST = "import calc\nassert calc.add(2, 2) == 4\nprint('all well')\n"


class Sum(msgspec.Struct):
    total: int


def flow(output: Any = str, **more: Any) -> Workflow:
    """One step: the scripted model of the test, or the one that `params` lead to."""
    model = more.pop("model", "scripted/large")

    @workflow
    async def work(run: Run) -> Any:
        return await run.agent(
            "code", "Mend add.", agent="builtin", model=model, output=output, **more
        )

    return work


@pytest.mark.parametrize("provider", ["openai/gpt-4o-mini", "anthropic/claude-sonnet-4-5"])
async def test_a_real_model_call_mends_a_file_and_runs_its_test(
    tmp_path: Path, model_server: Serve, provider: str
) -> None:
    (tmp_path / "calc.py").write_text("def add(a, b):\n    return a - b\n")
    (tmp_path / "test_calc.py").write_text(TEST)
    edit = {"path": "calc.py", "old": "a - b", "new": "a + b"}
    server = model_server(
        [
            {"text": "I look.\n", "calls": [{"tool": "read", "args": {"path": "calc.py"}},
                                            {"tool": "grep", "args": {"pattern": "add"}}]},
            {"tool": "edit", "args": edit},
            {"bash": "python3 test_calc.py"},
            {"text": "Mended."},
        ]
    )  # fmt: skip
    base = server.url if provider.startswith("anthropic") else server.url + "/v1"
    lab = Lab(tmp_path)

    outcome = await lab.run(
        flow(model=provider, options={"params": {"api_base": base, "api_key": "k"}})
    )

    assert outcome.output == "Mended."
    assert "a + b" in (tmp_path / "calc.py").read_text()
    assert "all well" in str(server.requests[-1].body)
    assert len(server.requests) == 4
    texts = [event.text for event in lab.events(kind=Journaled) if event.kind == "finished"]
    assert texts == [
        "[read] calc.py: 1 def add(a, b): 2 return a - b",
        "[grep] add: calc.py:1: def add(a, b): test_calc.py:2: assert calc.add(2, 2) == 4",
        "[edit] calc.py: edited calc.py: 1 replacement, at line 2",
        "[shell] python3 test_calc.py: exit status 0 all well",
    ]
    usage = lab.state().steps["code"].usage
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens) == (400, 80)
    assert usage.cost_usd > 0
    lab.log.close()


@pytest.fixture
def lab_with(tmp_path: Path) -> Iterator[Callable[[Scripted], Lab]]:
    labs: list[Lab] = []

    def make(model: Scripted) -> Lab:
        labs.append(Lab(tmp_path, ScriptedPlugin(model)))
        return labs[-1]

    yield make
    for lab in labs:
        lab.log.close()


Make = Callable[[Scripted], Lab]


async def test_an_answer_that_does_not_fit_is_asked_for_again_in_the_same_conversation(
    lab_with: Make, autojump_clock: object
) -> None:
    model = Scripted(
        [
            calls(("final_answer", {"total": "four"})),
            says("It is four."),
            calls(("final_answer", {"total": 4})),
        ]
    )
    lab = lab_with(model)

    outcome = await lab.run(flow(Sum))

    assert outcome.output == {"total": 4}
    errors = [event.error.message for event in lab.events(kind=AttemptFailed)]
    assert "Expected `int`, got `str`" in errors[0]
    assert "handed over no answer" in errors[1]
    assert "Expected `int`, got `str`" in model.last[3].content
    assert len(model.asked) == 3
    assert model.last[0].content == "Mend add."


async def test_a_limit_fails_the_step_without_another_try(
    lab_with: Make, autojump_clock: object
) -> None:
    lab = lab_with(Scripted([calls(("list", {}))]))

    outcome = await lab.run(flow(options={"turns": 2}))

    assert outcome.status == "failed"
    (failed,) = lab.events(kind=StepFailed)
    assert failed.error.code == "limit_reached"
    assert not lab.events(kind=AttemptFailed)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(2, 12))
async def test_a_crash_at_any_commit_repeats_no_call_that_finished(
    tmp_path: Path, lab_with: Make, at: int, after: bool
) -> None:
    wanted = [("shell", {"command": f"echo {n} >> made"}) for n in range(2)]
    model = Scripted([calls(*wanted), calls(("write", {"path": "a", "content": "x"})), says("ok")])
    lab = lab_with(model)

    await lab.crash(flow(), {}, at=at, after=after)
    if lab.state().status == "running":
        assert (await lab.resume()).output == "ok"

    made = (tmp_path / "made").read_text().split()
    assert made == sorted({*made})
    kinds = [event.kind for event in lab.events(kind=Journaled)]
    assert kinds.count("answered") == 3
    assert kinds.count("finished") == 3
    assert len(model.asked) <= 4


async def test_a_crash_leaves_the_files_that_the_journal_tells_of(tmp_path: Path) -> None:
    """Where a step begins anew its files are brought back; one that goes on finds its own."""
    model = Scripted([calls(("write", {"path": "new.txt", "content": "mine"})), says("ok")])
    lab = GitLab(tmp_path, ScriptedPlugin(model))

    crashed = await lab.die(flow(), at=5, after=True)
    begun = [event.kind for event in lab.events(kind=Journaled)]
    outcome = await lab.go_on()
    lab.log.close()

    assert crashed
    assert begun == ["asked", "answered", "began", "finished"]
    assert outcome.output == "ok"
    assert lab.files() == {"a.txt": "one\n", "new.txt": "mine"}
    assert model.results() == ["created new.txt: 4 bytes"]


async def test_a_step_that_is_tried_again_after_a_failure_starts_from_the_files_that_it_found(
    tmp_path: Path, autojump_clock: object
) -> None:
    wrote = calls(("write", {"path": "new.txt", "content": "mine"}))
    model = Scripted([wrote, Refused("no"), says("ok")])
    lab = GitLab(tmp_path, ScriptedPlugin(model))

    outcome = await lab.go(flow())
    lab.retry()
    outcome = await lab.go_on()
    lab.log.close()

    assert outcome.output == "ok"
    assert model.results() == ["created new.txt: 4 bytes"], "and it was not there any more"


async def test_cancelling_the_engine_leaves_no_process_and_the_run_goes_on_later(
    tmp_path: Path, lab_with: Make
) -> None:
    slow = calls(("shell", {"command": "touch begun; sleep 600 & sleep 600"}))
    model = Scripted([slow, says("ok")])
    lab = lab_with(model)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(lab.run, flow())
        while not (tmp_path / "begun").exists():
            await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    left = marks.find(mark=lab_mark(lab))
    outcome = await lab.resume()

    assert not left
    assert outcome.output == "ok"
    assert "interrupted" in model.results()[0]
    assert len(model.asked) == 2


def lab_mark(lab: Lab) -> str:
    """Return the beginning of the marks of this lab's processes."""
    import hashlib

    return f"{hashlib.sha256(str(lab.log.path).encode()).hexdigest()[:12]}/"


async def test_names_and_arguments_that_are_no_text_are_written_down_all_the_same(
    tmp_path: Path, lab_with: Make
) -> None:
    odd = "odd\udcff"
    (tmp_path / odd).touch()
    huge = '{"path": "\\ud800", "limit": 123456789012345678901234567890}'
    model = Scripted(
        [
            calls(
                ("list", {}), ("glob", {"pattern": "odd*"}), ("read", huge), (odd, {"\ud800": 1})
            ),
            says("ok"),
        ]
    )
    lab = lab_with(model)

    outcome = await lab.run(flow())

    assert outcome.output == "ok"
    listed, found, *errors = model.results()
    assert "odd\\udcff" in listed
    assert found == "odd\\udcff"
    assert all(error.startswith("error: ") for error in errors)


async def test_what_was_paid_before_a_crash_is_counted_once(lab_with: Make) -> None:
    model = Scripted([calls(("list", {})), says("ok")])
    lab = lab_with(model)

    await lab.crash(flow(), {}, at=5, after=True)
    await lab.resume()

    usage = lab.state().usage
    assert usage.input_tokens == 100 * len(model.asked) == 200
    assert [event.usage for event in lab.events(kind=StepSucceeded)] == [None]


async def test_fifty_model_steps_are_under_way_at_once(lab: Lab, model_server: Serve) -> None:
    server = model_server([{"text": "at last", "hold": "all here"}])
    params = {"api_base": server.url + "/v1", "api_key": "k"}

    @workflow
    async def many(run: Run) -> list[str]:
        async def one(name: str) -> str:
            return await run.model("ask", name, model="openai/gpt-4o-mini", params=params)

        return await run.map(one, [str(n) for n in range(50)])

    async with trio.open_nursery() as nursery:
        outcomes: list[Any] = []

        async def go() -> None:
            outcomes.append(await lab.run(many))

        nursery.start_soon(go)
        await trio.to_thread.run_sync(server.wait_for, lambda requests: len(requests) == 50, 60)
        server.release("all here")

    assert outcomes[0].output == ["at last"] * 50
    assert lab.state().usage.input_tokens == 5000
