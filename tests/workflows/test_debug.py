"""The shipped workflow `debug`."""

from typing import Any

from holdfast.workflows.debug import Cause, Reproduction, debug
from tests.support.cast import Stage, writes
from tests.workflows.conftest import MakeStage

SHOW, LOOK, FIX = "Do not mend it", "Find the cause", "Mend this fault"
COMMAND = "grep -q two a.txt || { echo it says one; exit 1; }"
SHOWN = Reproduction("sh check.sh", "it says one", ["check.sh"])
CAUSES = [Cause("the wind", "a.txt:1", 10), Cause("the word", "a.txt:1", 90)]
MENDED = writes("Said two.", a_txt="two\n", state_txt="good\n")


def given(play: Stage, **more: Any) -> dict[str, Any]:
    return {"fault": "it says one", "test": play.TEST, "angles": ["x", "y"], **more}


async def test_the_likeliest_cause_goes_first_and_what_shows_the_fault_stays(
    stage: MakeStage,
) -> None:
    play = stage(
        {
            SHOW: [Reproduction("true"), writes(SHOWN, check_sh=COMMAND)],
            LOOK: CAUSES,
            FIX: [
                writes("cheated", check_sh="true"),
                writes("put back", check_sh=COMMAND),
                writes("half", a_txt="two\n"),
                MENDED,
            ],
        }
    )

    waiting = await play.play(debug, **given(play))
    play.approve()
    outcome = await play.go_on()

    assert "`true` does not show it: it ends well" in play.cast.prompts(SHOW)[1]
    fixes = play.cast.prompts(FIX)
    assert "Test this cause first: the word" in fixes[0]
    assert "Test this cause first: the wind" in fixes[1]
    assert "Put it back as it was" in fixes[1]
    assert "still fails:\nit says one" in fixes[2]
    assert "the tests fail:\nno good yet" in fixes[3]
    assert waiting.waiting == ("accept the fix",)
    report = outcome.output["markdown"]
    assert "`sh check.sh`: exit status 1 (step `reproduce[2]/fails`)" in report
    assert "`sh check.sh`: green (step `round[4]/fails`)" in report
    assert "accepted by anna" in report
    assert outcome.output["left"] == ["The change is in the working tree and not committed."]
    assert play.replays()


async def test_a_fault_that_cannot_be_seen_is_asked_about(stage: MakeStage) -> None:
    play = stage(
        {
            SHOW: [Reproduction(question="Where?"), writes(SHOWN, check_sh=COMMAND)],
            LOOK: CAUSES,
            FIX: [MENDED],
        }
    )

    waiting = await play.play(debug, **given(play, approve=False))
    play.answer("in a.txt")
    outcome = await play.go_on()

    assert waiting.waiting == ("reproduce[1]/tell more",)
    for prompt in [play.cast.prompts(SHOW)[1], *play.cast.prompts(LOOK), *play.cast.prompts(FIX)]:
        assert "Asked: Where?\nThe answer: in a.txt" in prompt
    assert outcome.output["rounds"] == 1
    assert play.replays()


async def test_what_fails_for_another_reason_shows_nothing_and_the_tries_have_an_end(
    stage: MakeStage,
) -> None:
    play = stage({SHOW: [Reproduction("exit 3", "it says one"), Reproduction("no-such-program")]})

    ended = await play.play(debug, **given(play, max_tries=2))

    assert "does not have the words 'it says one'" in play.cast.prompts(SHOW)[1]
    assert ended.error is not None
    assert "'reproduce' reached its ceiling of 2" in ended.error.message
    assert play.replays()


async def test_a_fix_that_somebody_denies_ends_it(stage: MakeStage) -> None:
    play = stage({SHOW: [writes(SHOWN, check_sh=COMMAND)], LOOK: CAUSES, FIX: [MENDED]})

    await play.play(debug, **given(play))
    play.approve(approved=False, note="not so")
    ended = await play.go_on()

    assert ended.status == "failed"
