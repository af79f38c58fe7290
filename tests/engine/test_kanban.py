"""The shipped workflow `kanban`: on real git, with an agent that does what the ticket's text says."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.eventlog import Noted, StepStarted, Usage
from holdfast.execution import Outcome
from holdfast.plugins import AgentResult, AgentTask, BadOptions, Emit, Readiness, hookimpl
from holdfast.reducer.check import check
from holdfast.workflows import kanban as module
from holdfast.workflows.kanban import kanban
from holdfast.workflows.tickets import Ticket, waves
from tests.support.gitlab import GitLab
from tests.support.repos import Repo

GREEN = "test ! -e broken.txt || { cat broken.txt; exit 1; }"


class Coder:
    """Writes what lines such as `write a.txt words` say; settles conflicts by taking both sides."""

    def __init__(self, settles: list[dict[str, str]] | None = None, usd: float = 0.0) -> None:
        self.prompts: list[str] = []
        self.settles = settles or []  # what it writes besides, time after time
        self.usd = usd
        self.meanwhile: Callable[[], None] = lambda: None  # what the user does while it works

    def readiness(self) -> Readiness:
        return Readiness(True, "")

    async def run(self, task: AgentTask, emit: Emit) -> AgentResult:
        self.prompts.append(task.prompt)
        self.meanwhile()
        folder = Path(task.folder)
        if "conflict markers" in task.prompt:
            self._settle(folder)
        if "refuse" in task.prompt:
            raise BadOptions("I will not")
        for name, words in re.findall(r"^write (\S+) (.*)$", task.prompt, re.MULTILINE):
            (folder / name).write_text(f"{words}\n")
        if "The tests fail" in task.prompt and "mend" in task.prompt:
            (folder / "broken.txt").unlink()
        return AgentResult(text="Wrote it.", usage=Usage(cost_usd=self.usd))

    def _settle(self, folder: Path) -> None:
        lines = (folder / "a.txt").read_text().splitlines()
        kept = sorted({line for line in lines if line[:1] not in "<=>|"})
        (folder / "a.txt").write_text("\n".join(kept) + "\n")
        (folder / "broken.txt").unlink(missing_ok=True)
        for name, words in (self.settles.pop(0) if self.settles else {}).items():
            (folder / name).write_text(f"{words}\n")

    @hookimpl
    def holdfast_agents(self) -> dict[str, Any]:
        return {"coder": self}


def page(outcome: Outcome) -> str:
    return str(outcome.output["markdown"])


class Board(GitLab):
    """A repository with tickets, and what the workflow makes of them."""

    def __init__(self, folder: Path, coder: Coder) -> None:
        super().__init__(folder, coder)
        self.coder = coder

    def write(self, **tickets: str) -> None:
        folder = self.repo.root / ".holdfast/tickets"
        folder.mkdir(exist_ok=True)
        for name, text in tickets.items():
            (folder / f"{name}.md").write_text(text)

    async def play(self, **given: Any) -> Outcome:
        base = {"tickets": ".holdfast/tickets", "test": GREEN, "agent": "coder"}
        return await self.go(kanban, {**base, **given})

    @property
    def cards(self) -> dict[str, dict[str, Any]]:
        """What the notes in the log tell of each ticket."""
        found: dict[str, dict[str, Any]] = {}
        for event in self.events(kind=Noted):
            data = msgspec.msgpack.decode(self.log.load(event.data))
            found[data["ticket"]] = data
        return found


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    made = Board(tmp_path, Coder())
    yield made
    made.log.close()


TWO = {"one": "# First\n\nwrite a.txt by one", "two": "# Second\n\nwrite a.txt by two"}


async def test_tickets_are_merged_and_a_conflict_goes_to_an_agent(board: Board) -> None:
    board.write(**TWO, three="---\nafter: [one, two]\n---\n# Third | last\nwrite c.txt c")

    outcome = await board.play()

    assert outcome.status == "succeeded", outcome.error
    assert board.files() == {"a.txt": "by one\nby two\n", "c.txt": "c\n"}
    assert page(outcome).startswith("# 3 of 3 tickets are in main\n")
    assert "Third \\| last" in page(outcome)
    assert "## Left\n\nNothing." in page(outcome)
    assert board.repo.git("branch", "--format=%(refname:short)") == "main"
    assert board.repo.git("status", "--porcelain") == ""
    assert board.replays()


async def test_the_tests_are_run_again_before_what_was_settled_is_merged(tmp_path: Path) -> None:
    coder = Coder(settles=[{"broken.txt": "both is too much"}, {}])
    board = Board(tmp_path, coder)
    with board.log:
        board.write(**TWO)

        outcome = await board.play(limit=2)

        assert page(outcome).startswith("# 2 of 2"), page(outcome)
        assert "both is too much" in coder.prompts[-1]
        for commit in board.repo.git("log", "-g", "--format=%H", "main").split():
            assert "broken.txt" not in board.repo.git("ls-tree", "--name-only", commit)


async def test_what_stays_red_after_settling_is_left_on_its_branch(tmp_path: Path) -> None:
    board = Board(tmp_path, Coder(settles=[{"broken.txt": "too much"}] * 3))
    with board.log:
        board.write(**TWO)

        outcome = await board.play()

        assert page(outcome).startswith("# 1 of 2")
        assert "in conflict with what was merged before: a.txt" in page(outcome)
        assert "too much" in page(outcome)
        assert "broken.txt" not in board.files()
        (left,) = (card for card in board.cards.values() if card["why"])
        assert board.repo.git("show", f"{left['branch']}:broken.txt") == "too much"


async def test_a_ticket_that_stays_red_keeps_its_work_and_stops_nobody(board: Board) -> None:
    board.write(
        bad="# Bad\nwrite broken.txt no good",
        mended="# Mended\nmend\nwrite broken.txt not yet",
        good="# Good\nwrite good.txt good",
        later="---\nafter: [bad]\n---\n# Later\nwrite later.txt later",
    )

    outcome = await board.play(max_rounds=2, limit=1)

    assert outcome.status == "succeeded"
    assert board.files() == {"a.txt": "one\n", "good.txt": "good\n"}
    assert page(outcome).startswith("# 2 of 4")
    assert "      The tests fail:\n      no good" in page(outcome)
    assert "It comes after bad, which is not merged" in page(outcome)
    branch = board.cards["bad"]["branch"]
    assert f"git merge {branch}`" in page(outcome)
    assert board.repo.git("show", f"{branch}:broken.txt") == "no good"
    assert board.cards["bad"]["rounds"] == board.cards["mended"]["rounds"] == 2
    assert board.cards["later"]["branch"] == ""


async def test_an_agent_that_fails_stops_nobody(board: Board) -> None:
    board.write(bad="# Bad\nrefuse", good="# Good\nwrite good.txt good")

    outcome = await board.play()

    assert page(outcome).startswith("# 1 of 2")
    assert "I will not" in page(outcome)
    assert board.files()["good.txt"] == "good\n"


async def test_a_conflict_can_be_left(board: Board) -> None:
    board.write(**TWO)

    outcome = await board.play(on_conflict="leave")

    assert page(outcome).startswith("# 1 of 2")
    (left,) = (card for card in board.cards.values() if card["why"])
    words = f"by {left['ticket']}"
    assert board.repo.git("show", f"{left['branch']}:a.txt") == words
    assert words not in board.files()["a.txt"]


async def test_a_conflict_can_go_to_a_person(board: Board) -> None:
    board.write(**TWO)

    (gate,) = (await board.play(on_conflict="ask")).waiting
    worktree = next((board.repo.root / ".holdfast/worktrees/r").glob("*/a.txt"))
    assert "<<<<<<<" in worktree.read_text()
    worktree.write_text("both\n")
    board.approve(gate)
    outcome = await board.go_on()

    assert page(outcome).startswith("# 2 of 2"), page(outcome)
    assert board.files() == {"a.txt": "both\n"}


async def test_a_person_who_denies_leaves_the_ticket(board: Board) -> None:
    board.write(**TWO)

    (gate,) = (await board.play(on_conflict="ask")).waiting
    board.approve(gate, approved=False, note="not now")
    outcome = await board.go_on()

    assert page(outcome).startswith("# 1 of 2")
    assert "not now" in page(outcome)


async def test_edits_made_meanwhile_are_refused_with_the_reason_and_stay(board: Board) -> None:
    board.write(one="# One\nwrite a.txt by one")
    board.coder.meanwhile = lambda: board.repo.write({"a.txt": "mine\n"})

    outcome = await board.play()

    assert board.files() == {"a.txt": "mine\n"}
    assert page(outcome).startswith("# 0 of 1")
    assert "uncommitted changes: 'a.txt'" in page(outcome)
    assert board.repo.git("show", f"{board.cards['one']['branch']}:a.txt") == "by one"


async def test_no_round_begins_once_the_budget_of_a_ticket_is_used_up(tmp_path: Path) -> None:
    board = Board(tmp_path, Coder(usd=0.4))
    with board.log:
        board.write(bad="# Bad\nwrite broken.txt no good", good="# Good\nwrite b.txt b")

        outcome = await board.play(budget=0.75)

        assert "Its budget of $0.75 is used up" in page(outcome)
        assert "Cost: $1.20." in page(outcome)
        assert board.cards["bad"]["cost_usd"] == pytest.approx(0.8)
        assert board.cards["good"]["commit"]
        assert board.replays()


async def test_a_ticket_that_changes_nothing_is_told_so(board: Board) -> None:
    board.write(done="# Done already")

    assert "nothing to change" in page(await board.play())


async def test_tickets_come_from_a_json_list(board: Board) -> None:
    given = [{"name": "b", "text": "write b.txt b", "after": ["a"]}, {"name": "a", "text": "hi"}]
    (board.repo.root / ".holdfast/list.json").write_text(json.dumps(given))

    outcome = await board.play(tickets=".holdfast/list.json")

    assert page(outcome).startswith("# 2 of 2"), page(outcome)
    assert list(board.cards) == ["a", "b"]


MATTER = "---\nafter: [{}]\n---\nDo it"


@pytest.mark.parametrize(
    ("tickets", "words"),
    [
        ({}, "there is no such folder or file"),
        ({"x.txt": ""}, "there are none. Write each as a file NAME.md"),
        ({"a.md": " \n"}, "'a' is empty"),
        ({"a#b.md": "Do it"}, "'a#b' cannot name a ticket"),
        ({"a.md": MATTER.format("nobody")}, "'a' comes after 'nobody'"),
        ({"a.md": MATTER.format("b"), "b.md": MATTER.format("a")}, "a, b wait for each other"),
        ({"a.md": "---\nafter:\n  - b\n---\nDo it"}, "Write: after: [other]"),
    ],
)
async def test_bad_tickets_are_refused_before_anything_is_done(
    board: Board, tickets: dict[str, str], words: str
) -> None:
    folder = board.repo.root / ".holdfast/tickets"
    for name, text in tickets.items():
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(text)

    await refused(board, words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", 'there are none. Write: [{"name"'),
        ("{", 'Write a list: [{"name": "login"'),
        ('[{"name": "a"}]', "missing required field `text`"),
        ('[{"name": "a", "text": "x", "afer": []}]', "unknown field `afer`"),
        ('[{"name": "a", "text": "x"}, {"name": "a", "text": "y"}]', "several have the name 'a'"),
        ("\udcff", "cannot be read as UTF-8"),
    ],
)
async def test_a_bad_list_is_refused_before_anything_is_done(
    board: Board, text: str, words: str
) -> None:
    path = board.repo.root / ".holdfast/list.json"
    path.write_bytes(text.encode(errors="surrogateescape"))

    await refused(board, words, tickets=".holdfast/list.json")


async def refused(board: Board, words: str, **given: Any) -> None:
    outcome = await board.play(**given)
    assert outcome.error is not None
    assert outcome.error.type == "tickets_invalid"
    assert words in outcome.error.message
    assert [event.key for event in board.events(kind=StepStarted)] == ["read tickets"]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (("checkout", "-q", "--detach"), "no branch is checked out to merge into"),
        (("rm", "-q", "--cached", "a.txt"), "there are uncommitted changes"),
        (("update-ref", "-d", "refs/heads/main"), "there is no commit to begin with"),
    ],
)
async def test_a_repository_that_cannot_be_merged_into_is_refused_at_once(
    board: Board, spoil: tuple[str, ...], words: str
) -> None:
    board.write(one="# One")
    board.repo.git(*spoil)

    outcome = await board.play()

    assert outcome.error is not None
    assert words in outcome.error.message
    assert board.coder.prompts == []


async def test_a_fork_works_on_the_tickets_anew_and_leaves_the_original(board: Board) -> None:
    board.write(**TWO)
    first = await board.play()
    head = board.repo.head

    made = board.leave("fork", "target")
    outcome = await board.go_on(made)

    assert page(outcome).startswith("# 2 of 2"), page(outcome)
    assert page(first).startswith("# 2 of 2")
    assert board.repo.head == head
    fork = Repo(Path(board.state(made).folder))
    assert fork.git("show", "HEAD:a.txt") == "by one\nby two"


def test_waves_put_each_ticket_after_what_it_waits_for() -> None:
    tickets = [Ticket("c", "c", after=["b"]), Ticket("b", "b", after=["a"]), Ticket("a", "a")]

    assert [[ticket.name for ticket in wave] for wave in waves(tickets)] == [["a"], ["b"], ["c"]]


def test_it_is_a_durable_workflow() -> None:
    assert check(Path(module.__file__).read_text(), "kanban.py") == []
