"""What the forms of the pages do, in whose name, and what they refuse."""

import sys
from pathlib import Path

from holdfast.eventlog import ApprovalDecided, QuestionAnswered, Record, RunForked, SignalReceived
from tests.web.conftest import Site
from tests.web.pages import Reader, asked, begin, read

__all__ = ["read"]  # a fixture here as well


def records(site: Site, run: str, kind: type[object]) -> list[Record]:
    found = site.log.records(site.log.branch_of(run))
    return [record for record in found if isinstance(record.event, kind)]


async def test_an_approval_lets_the_run_go_on_to_its_end_in_the_name_of_who_gave_it(
    site: Site, read: Reader
) -> None:
    await begin(site, "greet", name="Bo")
    form = (await read("run", run="r")).form("Approve")

    page = await read.send(form, decision="approve", by="ben", note="fine & good")

    assert page.title == "r - Holdfast"
    assert (await site("GET", "/runs/r/wait"))["status"] == "succeeded"
    (decided,) = records(site, "r", ApprovalDecided)
    assert decided.actor == "web:ann"
    assert isinstance(decided.event, ApprovalDecided)
    assert (decided.event.by, decided.event.note) == ("ben", "fine & good")
    ended = await read("run", run="r")
    assert ended.facts["Status"] == "succeeded"
    assert ended.pres.count("hello Bo") == 1


async def test_a_denial_ends_the_run_and_a_second_word_is_refused(site: Site, read: Reader) -> None:
    await begin(site, "greet", name="Bo")
    form = (await read("run", run="r")).form("Deny")

    await read.send(form, decision="deny")
    await site("GET", "/runs/r/wait")
    again = await read.send(form, 409, decision="approve")

    assert (await site("GET", "/runs/r"))["error"]["code"] == "approval_denied"
    assert "Back to run r" in again.links
    assert len(records(site, "r", ApprovalDecided)) == 1


async def test_what_was_not_seen_is_not_approved(site: Site, read: Reader) -> None:
    await begin(site, "greet", name="Bo")
    form = (await read("run", run="r")).form("Approve")
    await site("POST", "/runs/r/rewind", at=1)
    await site("POST", "/runs/r/fork", input={"name": "Al"}, at=1, id="f", resume=True)
    await site("GET", "/runs/f/wait")

    other = form._replace(action=form.action.replace("run=r&", "run=f&"))
    page = await read.send(other, 409, decision="approve")

    assert page.title == "subject_changed - Holdfast"
    assert not records(site, "f", ApprovalDecided)


async def test_a_question_is_answered_as_json_and_what_does_not_fit_is_told(
    site: Site, read: Reader
) -> None:
    await begin(site, "question")
    page = await read("run", run="r")
    form = page.form("Answer")
    assert "place: " in page.text

    broken = await read.send(form, 400, decision="answer", answer="{place")
    wrong = await read.send(form, 400, decision="answer", answer='{"place": "nowhere"}')
    await read.send(form, decision="answer", answer='{"place": "here", "count": 2}')

    assert broken.title == "field_not_json - Holdfast"
    assert "Nothing was done" in broken.text
    assert "nowhere" in wrong.text
    assert "count=2" in (await site("GET", "/runs/r/wait"))["output"]
    assert len(records(site, "r", QuestionAnswered)) == 1


async def test_a_text_is_answered_as_it_is(site: Site, read: Reader, folder: Path) -> None:
    source = "from holdfast import Run, workflow\n\n\n@workflow\nasync def ask(run: Run) -> str:\n"
    (folder / "ask.py").write_text(
        f'{source}    return await run.ask("what", "What?", output=str)\n'
    )
    await site("POST", "/runs", workflow="ask.py", id="r")
    await site("GET", "/runs/r/wait")

    form = (await read("run", run="r")).form("Answer")
    await read.send(form, decision="answer", answer='say "no"')

    assert (await site("GET", "/runs/r/wait"))["output"] == 'say "no"'


async def test_something_else_is_approved_than_was_asked_for(site: Site, read: Reader) -> None:
    await begin(site, "edits")
    form = (await read("run", run="r")).form("Approve")

    refused = await read.send(form, 403, decision="approve", by="eve")
    await read.send(form, decision="approve", edits='{"place": "there"}')

    assert refused.title == "not_allowed - Holdfast"
    assert "there" in (await site("GET", "/runs/r/wait"))["output"]


async def test_a_signal_is_sent_with_what_comes_with_it(site: Site, read: Reader) -> None:
    await begin(site, "wait")
    form = (await read("run", run="r")).form("Send the signal news")

    await read.send(form, payload='{"a": 1}')

    assert (await site("GET", "/runs/r/wait"))["output"] == {"a": 1}
    assert [record.actor for record in records(site, "r", SignalReceived)] == ["web:ann"]


async def test_a_fork_from_a_frame_leaves_the_original_as_it_is(site: Site, read: Reader) -> None:
    await begin(site, "greet", name="Bo")
    before = [*site.log.records(site.log.branch_of("r"))]
    form = (await read("run", run="r", at=3)).form("Fork from frame 3")

    page = await read.send(form, id="f")

    assert [*site.log.records(site.log.branch_of("r"))] == before
    assert page.title == "f - Holdfast"
    (forked,) = records(site, "f", RunForked)
    assert (forked.actor, forked.offset) == ("web:ann", 3)
    again = await read.send(form, 409, id="f")
    assert again.title == "run_exists - Holdfast"
    page = await read.send(page.form("Go on with f"))
    assert (await site("GET", "/runs/f/wait"))["status"] == "waiting"


async def test_a_failed_step_is_tried_again(site: Site, read: Reader) -> None:
    await begin(site, "fail")
    form = (await read("run", run="r")).form("Try break again")
    assert asked(form.action)["step"] == "break"

    await read.send(form)

    failed = await site("GET", "/runs/r/wait")
    assert failed["status"] == "failed"
    assert (await site("GET", "/tree", run="r"))["items"][-1]["reason"] == "retry"


async def test_nobody_does_what_no_page_offers(site: Site, read: Reader) -> None:
    await begin(site, "wait")
    form = (await read("run", run="r")).form("Send the signal news")
    size = site.log.size()

    for deed in ("run_workflow", "create_workflow", "nothing"):
        other = form._replace(action=form.action.replace("do/signal", f"do/{deed}"))
        assert (await read.send(other, 404)).title == "no_such_page - Holdfast"
    assert site.log.size() == size


DECIDES_ITSELF = '''
import sys
from holdfast import Run, workflow

CALL = """
import sys, urllib.error, urllib.request
try:
    urllib.request.urlopen(sys.argv[1], b"decision=approve&by=ann")
except urllib.error.HTTPError as refused:
    print(refused.read().decode().partition("<h1>")[2].partition("</h1>")[0])
"""


@workflow
async def sly(run: Run, to: str) -> list[str]:
    said = []
    for hiding in ([], ["env", "-u", "HOLDFAST_STEP"]):
        call = [*hiding, sys.executable, "-c", CALL, to]
        said.append((await run.shell("call", call)).stdout.strip())
    return said
'''


async def test_a_step_that_knows_the_address_decides_nothing_of_its_own_run(
    site: Site, read: Reader, folder: Path
) -> None:
    assert sys.platform == "linux"
    (folder / "sly.py").write_text(DECIDES_ITSELF)
    to = f"{read.root}do/decide?run=r&gate=x"
    await site("POST", "/runs", workflow="sly.py", input={"to": to}, id="r")

    done = await site("GET", "/runs/r/wait")

    assert done["output"] == ["inside_run", "caller_hides"]
