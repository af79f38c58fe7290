"""The shipped workflow `tickets`."""

from holdfast.workflows.kanban import kanban
from holdfast.workflows.tickets import read_tickets
from holdfast.workflows.write_tickets import Draft, tickets
from tests.support.cast import writes
from tests.support.player import raw
from tests.workflows.conftest import MakeStage

MAKE = "Make tickets of this"
FIRST = Draft("first", "The first", "Write a.", ["a.txt says a"])
SECOND = Draft("second", "The second", "Write b.", ["b.txt says b"], ["first"])


async def test_tickets_that_kanban_could_not_read_go_back_and_the_good_ones_are_written(
    stage: MakeStage,
) -> None:
    lost = Draft("second", "The second", "Write b.", [], ["nobody"])
    play = stage({MAKE: [[], [FIRST, lost], [FIRST, SECOND]]})

    waiting = await play.play(tickets, goal="a and b", folder="todo")
    play.approve()
    outcome = await play.go_on()

    prompts = play.cast.prompts(MAKE)
    assert "There are 0 tickets" in prompts[1]
    assert "'second' comes after 'nobody'" in prompts[2]
    assert waiting.waiting == ("acceptance[1]/accept the tickets",)
    first, second = read_tickets(str(play.root / "todo"))
    assert (second.name, second.title, second.after) == ("second", "The second", ["first"])
    assert "## Done when\n\n- a.txt says a" in first.text
    assert outcome.output["markdown"].startswith("# 2 tickets: a and b")
    assert play.replays()


async def test_a_person_edits_the_tickets_and_wrong_edits_are_asked_about_again(
    stage: MakeStage,
) -> None:
    play = stage({MAKE: [[FIRST, SECOND]]})
    mine = {"name": "mine", "text": "Mine.", "title": "", "after": []}

    await play.play(tickets, goal="a and b", folder="todo")
    play.approve(edits=raw([{**mine, "after": ["gone"]}]))
    again = await play.go_on()
    play.approve()
    once_more = await play.go_on()
    play.approve(edits=raw([mine]))
    outcome = await play.go_on()

    assert again.waiting == ("acceptance[2]/accept the tickets",)
    assert once_more.waiting == ("acceptance[3]/accept the tickets",)  # they were still wrong
    assert [ticket["name"] for ticket in outcome.output["tickets"]] == ["mine"]
    assert (play.root / "todo/mine.md").read_text() == "# mine\n\nMine.\n"
    assert play.replays()


async def test_denied_tickets_are_not_written_and_bad_ones_have_an_end(stage: MakeStage) -> None:
    play = stage({MAKE: [[FIRST], []]})

    await play.play(tickets, goal="a", folder="todo")
    play.approve(approved=False)
    denied = await play.go_on()
    ended = await play.go(tickets, {"goal": "a", "agent": "cast", "max_rounds": 2}, run="two")

    assert denied.status == ended.status == "failed"
    assert ended.error is not None
    assert "'round' reached its ceiling of 2" in ended.error.message
    assert not (play.root / "todo").exists()


async def test_kanban_works_on_them_right_away_where_that_is_wanted(stage: MakeStage) -> None:
    play = stage(
        {
            MAKE: [[FIRST, SECOND]],
            "# The first": [writes("a", a_txt="a\n", state_txt="good\n")],
            "# The second": [writes("b", b_txt="b\n")],
        }
    )
    play.workflows[kanban.reference] = kanban

    outcome = await play.play(tickets, goal="a and b", approve=False, work=True, test=play.TEST)

    assert play.files() == {"a.txt": "a\n", "b.txt": "b\n", "state.txt": "good\n"}
    assert "2 of 2 tickets are in main" in outcome.output["markdown"]
    assert outcome.output["left"] == []
    assert play.replays()
