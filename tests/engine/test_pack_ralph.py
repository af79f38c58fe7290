"""The shipped workflow `ralph`: what ends its rounds, and what it says of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.plugins import BadOptions
from holdfast.reducer.check import check
from holdfast.workflows import ralph as module
from holdfast.workflows.ralph import is_promised, ralph
from tests.support.hands import PackLab, identify


@pytest.fixture
def lab(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PackLab]:
    identify(tmp_path_factory.mktemp("settings"), monkeypatch)
    made = PackLab(tmp_path, lambda _prompt, _folder: "nothing")
    yield made
    made.log.close()


def append(folder: Path, name: str, text: str) -> int:
    """Add a line to a file, and return how many it has then."""
    path = folder / name
    lines = [*(path.read_text().splitlines() if path.exists() else []), text]
    path.write_text("\n".join(lines) + "\n")
    return len(lines)


TWO_LINES = 'test "$(wc -l < b.txt)" -ge 2 || { echo too short; exit 1; }'


async def test_the_same_prompt_goes_to_fresh_sessions_until_the_command_agrees(
    lab: PackLab,
) -> None:
    lab.hands.act = lambda _, folder: f"line {append(folder, 'b.txt', 'more')}"

    found = await lab.report(ralph, prompt="write", test=TWO_LINES)

    assert found.holds
    assert found.rounds == 2
    assert len(set(lab.hands.prompts)) == 1
    assert found.markdown.startswith("# Done after 2 rounds: write\n")
    assert "Nothing.\n\nCost: $0.02" in found.markdown
    assert "b.txt" in found.markdown
    assert lab.replays()


async def test_a_promise_is_only_believed_when_the_command_agrees(lab: PackLab) -> None:
    answers = iter(["not UNDONE", "DONE", "I am DONE."])

    def act(_: str, folder: Path) -> str:
        append(folder, "b.txt" if len(lab.hands.tasks) != 2 else "c.txt", "more")
        return next(answers)

    lab.hands.act = act
    found = await lab.report(ralph, prompt="write", test=TWO_LINES, promise="DONE")

    assert found.holds
    assert found.rounds == 3
    assert len([event for event in lab.state().steps.values() if "check" in event.key]) == 2


async def test_it_stops_where_no_file_but_the_notes_changes(lab: PackLab) -> None:
    lab.hands.act = lambda _, folder: f"noted {append(folder, 'PROGRESS.md', 'hm')}"

    found = await lab.report(ralph, prompt="write", test="false", patience=2)

    assert not found.holds
    assert found.rounds == 2
    assert "no file has changed for 2 rounds" in found.left[0]


async def test_the_ceiling_ends_it_and_a_session_that_fails_does_not(lab: PackLab) -> None:
    def act(_: str, folder: Path) -> str | Exception:
        append(folder, "b.txt", "more")
        return BadOptions("not today") if len(lab.hands.tasks) == 1 else "more"

    lab.hands.act = act
    found = await lab.report(ralph, prompt="write", test="echo no; false", max_rounds=2)

    assert found.rounds == 2
    assert found.left == ["the ceiling of 2 rounds is reached; the command fails:\nno"]
    assert found.markdown.startswith("# Not done after 2 rounds")


def test_a_promise_is_a_word_by_itself() -> None:
    assert is_promised("DONE", "It is DONE!")
    assert not is_promised("DONE", "UNDONE, DONE_NOT")
    assert is_promised("", "whatever")


def test_it_is_a_durable_workflow() -> None:
    assert check(Path(module.__file__).read_text(), "ralph.py") == []
