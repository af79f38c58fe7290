"""What the debugger shows: each page, now and at a frame, read as a person without JavaScript reads it."""

from pathlib import Path

import pytest

from holdfast.mcp.bounds import ANSWER_BYTES
from holdfast.runs import send_signal
from holdfast.web.pages.outline import DEEPEST, names, outline
from tests.support.family import step, write_run
from tests.web.conftest import Site
from tests.web.pages import Reader, asked, begin, read
from tests.web.test_events import until_let_go

__all__ = ["read"]  # a fixture here as well


async def test_an_empty_project_says_how_to_begin(read: Reader) -> None:
    page = await read()

    assert page.title == "Runs - Holdfast"
    assert "holdfast run WORKFLOW" in page.text
    assert page.rows == []


async def test_the_runs_are_listed_with_what_waits_for_people_on_top(
    site: Site, read: Reader
) -> None:
    await begin(site, "greet", name="Bo")
    await begin(site, "fail", "f")

    page = await read()

    assert "1 waits for people" in page.text
    assert asked(page.links["r: send it"].partition("#")[0]) == {"run": "r"}
    assert [row[:3] for row in page.rows[1:]] == [
        ["f", "failed", "fail"],
        [page.rows[2][0]],
        ["r", "waiting", "greet"],
    ]
    assert page.rows[2][0].startswith("step_failed: ")
    assert [row[0] for row in (await read.follow(page.links["waiting"])).rows[1:]] == ["r"]
    assert "There are none that are cancelled" in (await read(status="cancelled")).text


async def test_the_runs_come_in_pages(site: Site, read: Reader) -> None:
    for number in range(27):
        write_run(site.log, f"r{number}")

    first = await read()
    second = await read.follow(first.links["Older runs"])

    assert len(first.rows) == 26
    assert [row[0] for row in second.rows[1:]] == ["r1", "r0"]
    assert "Older runs" not in second.links


async def test_a_run_is_shown_as_it_stands_with_its_steps_and_what_it_waits_for(
    site: Site, read: Reader
) -> None:
    await begin(site, "greet", name="Bo")

    page = await read("run", run="r")

    assert page.title == "r - Holdfast"
    assert "waits for approval 'send it' of anybody" in page.text
    assert page.rows[1][:4] == ["say", "shell", "succeeded", "1"]
    assert page.form("Approve").fields == {"by": "ann", "note": ""}
    assert "hello Bo " in page.pres
    assert page.pres[-1] == "name: Bo\ntimes: 1"


async def test_every_frame_is_shown_and_links_lead_through_all_of_them(
    site: Site, read: Reader
) -> None:
    await begin(site, "greet", name="Bo")
    head = (await site("GET", "/runs/r"))["offset"]
    events = (await site("GET", "/runs/r/timeline"))["items"]

    page = await read("run", run="r", at=0)
    assert "Previous" not in page.links
    assert page.rows == []
    for at in range(1, head + 1):
        page = await read.follow(page.links["Next"])
        stood = await site("GET", "/runs/r", at=at)
        assert f"Frame {at} of {head}" in page.text
        assert f"{events[at - 1]['type']} {events[at - 1].get('key', '')}".strip() in page.text
        assert page.facts["Status"] == stood["status"]
        assert [row[2] for row in page.rows[1:]] == [*stood["steps"]]
        assert not any("Approve" in form.buttons for form in page.forms)
    assert "Next" not in page.links
    assert "Waited for people" in page.text
    now = await read.follow(page.links["Now"])
    assert f"Now, after {head} events" in now.text
    assert asked(now.links["Previous"]) == {"run": "r", "at": str(head - 1)}


async def test_many_steps_come_in_pages_as_a_tree(site: Site, read: Reader) -> None:
    events = [step(f"loop[{number}]/work", "done") for number in range(120)]
    write_run(site.log, "r", *[event for both in events for event in both])

    first = await read("run", run="r")
    last = await read.follow(first.links["The last"].partition("#")[0])

    assert [row[0] for row in first.rows[1:5]] == ["loop[0]", "work", "loop[1]", "work"]
    assert "1 to 50 of 120" in first.text
    assert [row[0] for row in last.rows[-2:]] == ["loop[119]", "work"]
    assert "71 to 120 of 120" in last.text
    assert "More" not in last.links
    more = await read.follow(first.links["More"].partition("#")[0])
    assert "51 to 100 of 120" in more.text


def test_a_key_is_taken_apart_at_its_slashes() -> None:
    assert names("a/b[x/y]/c") == ["a", "b[x/y]", "c"]
    assert names("a]/b[") == ["a]", "b["]
    deep = "/".join(["a"] * 5000)
    assert [line.depth for line in outline([{"key": deep}])][-1] == DEEPEST


async def test_a_frame_is_gone_to_by_its_number(site: Site, read: Reader) -> None:
    await begin(site, "greet", name="Bo")

    form = (await read("run", run="r")).form("Go")
    page = await read("run", run=form.fields["run"], at=3)

    assert form.method == "get"
    assert "Frame 3 of " in page.text


async def test_the_events_come_in_pages(site: Site, read: Reader) -> None:
    await begin(site, "wait")
    await until_let_go(site, "r")
    await site("POST", "/runs/r/pause")  # so that nobody but the test writes
    for number in range(60):
        send_signal(site.log, "r", "other", number, "test")

    first = await read.follow((await read("run", run="r")).links["All events"])
    last = await read.follow(first.links["To the last"])

    assert first.links["1 run.started"].endswith("run=r&at=1")
    assert "Later" in first.links
    assert "Earlier" not in first.links
    assert "Later" not in last.links
    assert "signal.received" in last.text


async def test_a_step_is_shown_with_what_it_was_given_and_what_it_gave(
    site: Site, read: Reader
) -> None:
    await begin(site, "greet", name="Bo")

    page = await read.follow((await read("run", run="r")).links["say"])

    assert page.title == "say - Holdfast"
    assert any("hello Bo" in text for text in page.pres[:1])
    assert "stdout: hello Bo" in page.pres[1]
    frame = next(link for name, link in page.links.items() if name.startswith("frame "))
    assert "step.started say" in (await read.follow(frame)).text


LONG = """
from holdfast import Run, workflow


@workflow
async def long(run: Run) -> None:
    await run.shell("print", "head -c 50000 /dev/zero | tr '\\\\0' x")
"""


async def test_a_long_text_is_read_to_its_end_page_by_page(
    site: Site, read: Reader, folder: Path
) -> None:
    (folder / "long.py").write_text(LONG)
    await site("POST", "/runs", workflow="long.py", id="r")
    await site("GET", "/runs/r/wait")

    page = await read.follow((await read("run", run="r")).links["print"])
    assert len(read.told.content) < ANSWER_BYTES
    page = await read.follow(next(link for name, link in page.links.items() if "All" in name))
    texts = page.pres
    while "The rest" in page.links:
        page = await read.follow(page.links["The rest"])
        texts += page.pres

    assert "".join(texts).count("x") == 50_000


async def test_who_is_asked_for_more_than_a_page_holds_is_told_where_to_read_it(
    site: Site, read: Reader, folder: Path
) -> None:
    asks = 'await run.approve("go", subject="x" * 50_000)'
    (folder / "long.py").write_text(LONG.replace(LONG.splitlines()[-1].strip(), asks))
    await site("POST", "/runs", workflow="long.py", id="r")
    await site("GET", "/runs/r/wait")

    page = await read("run", run="r")
    await begin(site, "greet", "short", name="Bo")

    assert page.form("Approve")
    assert "Read all of it before you decide: holdfast show r --json" in page.text
    assert "Read all of it" not in (await read("run", run="short")).text


async def test_a_failed_run_tells_its_error_and_offers_to_try_again(
    site: Site, read: Reader
) -> None:
    await begin(site, "fail")

    page = await read("run", run="r")

    assert any("no good" in text for text in page.pres)
    assert asked(page.form("Try break again").action) == {"run": "r", "step": "break"}
    assert "no good" in " ".join((await read("step", run="r", step="break")).pres)


async def test_a_child_and_its_parent_link_to_each_other(site: Site, read: Reader) -> None:
    await begin(site, "family", "parent")

    parent = await read("run", run="parent")
    child = await read.follow(parent.links["parent/kid"])

    assert child.title == "parent/kid - Holdfast"
    assert child.form("Approve")
    assert (await read.follow(child.links["parent"])).title == "parent - Holdfast"


async def test_what_is_not_there_is_told_on_a_page(site: Site, read: Reader) -> None:
    await begin(site, "greet", name="Bo")
    refused: list[tuple[str, dict[str, object], int, str]] = [
        ("run", {"run": "nope"}, 404, "no_such_run"),
        ("run", {}, 400, "bad_arguments"),
        ("run", {"run": "r", "at": 999}, 404, "no_such_frame"),
        ("run", {"run": "r", "at": "x"}, 400, "bad_arguments"),
        ("run", {"run": "r", "at": -1}, 404, "no_such_frame"),
        ("timeline", {"run": "nope"}, 404, "no_such_run"),
        ("timeline", {"run": "r", "start": "x"}, 400, "bad_arguments"),
        ("step", {"run": "r", "step": "nope"}, 404, "no_such_step"),
        ("step", {"run": "r", "step": "say", "part": "soul"}, 400, "bad_arguments"),
        ("", {"status": "happy"}, 400, "bad_arguments"),
        ("nowhere", {}, 404, "no_such_page"),
        ("do/decide", {}, 405, "no_such_page"),
    ]

    for page, query, status, code in refused:
        told = await read(page, expect=status, **query)
        assert told.title == f"{code} - Holdfast"
        assert "all runs" in told.links
        assert (f"Back to run {query.get('run')}" in told.links) == ("run" in query)


async def test_a_page_of_now_says_where_to_hear_of_all_that_comes_after_it(
    site: Site, read: Reader
) -> None:
    await begin(site, "greet", name="Bo")
    at_a_frame = await read("run", run="r", at=2)
    page = await read("run", run="r")
    told = {name: value for tag, name, value in page.attributes if tag == "body"}
    newest = int(told["data-after"])

    assert "data-events" not in [name for tag, name, _ in at_a_frame.attributes if tag == "body"]
    assert told["data-run"] == "r"
    assert newest == site.log.size() - 1
    await site("POST", "/runs/r/decide", decision="approve", by="ben")
    async with site.stream(path=told["data-events"], after=newest) as lines:
        while not (line := await anext(lines)).startswith("id: "):
            pass
    assert int(line[4:]) == newest + 1


async def test_a_defect_is_told_and_ends_one_call(
    read: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.mcp.using.bounded", lambda answer: 1 / 0)
    assert "defect of Holdfast" in (await read(expect=500)).text
    monkeypatch.undo()
    await read()
