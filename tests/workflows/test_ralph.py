"""The shipped workflow `ralph`: what ends its rounds, and what it says of it."""

from pathlib import Path

from holdfast.plugins import BadOptions
from holdfast.workflows.ralph import is_promised, ralph
from tests.support.hands import Hands


def append(folder: Path, name: str, text: str) -> int:
    """Add a line to a file, and return how many it has then."""
    path = folder / name
    lines = [*(path.read_text().splitlines() if path.exists() else []), text]
    path.write_text("\n".join(lines) + "\n")
    return len(lines)


TWO_LINES = 'test "$(wc -l < b.txt)" -ge 2 || { echo too short; exit 1; }'


async def test_the_same_prompt_goes_to_fresh_sessions_until_the_command_agrees(
    lab: Hands,
) -> None:
    lab.act = lambda _, folder: f"line {append(folder, 'b.txt', 'more')}"

    found = await lab.report(ralph, prompt="write", test=TWO_LINES)

    assert found.holds
    assert found.rounds == 2
    assert len(set(lab.prompts)) == 1
    assert found.markdown.startswith("# Done after 2 rounds: write\n")
    assert "Nothing.\n\nCost: $0.02" in found.markdown
    assert "b.txt" in found.markdown
    assert lab.replays()


async def test_a_promise_is_only_believed_when_the_command_agrees(lab: Hands) -> None:
    answers = iter(["not UNDONE", "DONE", "I am DONE."])

    def act(_: str, folder: Path) -> str:
        append(folder, "b.txt" if len(lab.tasks) != 2 else "c.txt", "more")
        return next(answers)

    lab.act = act
    found = await lab.report(ralph, prompt="write", test=TWO_LINES, promise="DONE")

    assert found.holds
    assert found.rounds == 3
    assert len([event for event in lab.state().steps.values() if "check" in event.key]) == 2


async def test_it_stops_where_no_file_but_the_notes_changes(lab: Hands) -> None:
    lab.act = lambda _, folder: f"noted {append(folder, 'PROGRESS.md', 'hm')}"

    found = await lab.report(ralph, prompt="write", test="false", patience=2)

    assert not found.holds
    assert found.rounds == 2
    assert "no file has changed for 2 rounds" in found.left[0]


async def test_without_a_commit_it_is_refused_for_no_change_could_be_seen(lab: Hands) -> None:
    lab.repo.git("update-ref", "-d", "HEAD")

    refused = await lab.play(ralph, prompt="write", test="false")

    assert refused.error is not None
    assert "there is no commit to compare with: make a git repository" in refused.error.message
    assert lab.tasks == []


async def test_what_sessions_commit_is_no_idle_round_and_is_told(lab: Hands) -> None:
    def act(_: str, folder: Path) -> str:
        append(folder, "b.txt", "more")
        lab.repo.commit()
        return "committed"

    lab.act = act
    found = await lab.report(ralph, prompt="write", test=TWO_LINES, patience=1)

    assert found.holds
    assert "b.txt | 2 ++" in found.markdown


async def test_the_ceiling_ends_it_and_a_session_that_fails_does_not(lab: Hands) -> None:
    def act(_: str, folder: Path) -> str:
        append(folder, "b.txt", "more")
        if len(lab.tasks) == 1:
            raise BadOptions("not today")
        return "more"

    lab.act = act
    found = await lab.report(ralph, prompt="write", test="echo no; false", max_rounds=2)

    assert found.rounds == 2
    assert found.left == ["the ceiling of 2 rounds is reached; the command fails:\nno"]
    assert found.markdown.startswith("# Not done after 2 rounds")


def test_a_promise_is_a_word_by_itself() -> None:
    assert is_promised("DONE", "It is DONE!")
    assert not is_promised("DONE", "UNDONE, DONE_NOT")
    assert is_promised("", "whatever")
