"""Pages about other frames and other ways: files, families, comparisons, and what asks once more."""

from pathlib import Path

from holdfast.eventlog import RunForked
from tests.mcp.test_reading import repo
from tests.web.conftest import Site
from tests.web.pages import Reader, asked, begin, read

__all__ = ["read", "repo"]  # fixtures here as well


async def test_the_files_of_every_frame_are_listed_and_read(
    repo: Path, site: Site, read: Reader
) -> None:
    ended = await site("GET", "/runs/m/steps/change")
    now = await read.follow((await read("run", run="m")).links["Files"])
    frame = await read("run", run="m", at=ended["offset"] + 2)
    then = await read.follow(frame.links["Files"])
    text = await read.follow(then.links["a.txt"])
    none = await read("files", run="m", path="nope.txt", expect=404)

    names = [name for name, link in now.links.items() if "path" in asked(link)]
    assert names == [".gitignore", "a.txt", "blob.bin", "w.py"]
    assert "d/x.txt" in then.links
    assert text.pres == ["one\ntwo\nthree\n"]
    assert none.title == "no_such_file - Holdfast"
    binary = await read.follow(now.links["blob.bin"])
    assert binary.pres == ["\\x00"]


async def test_a_step_shows_the_files_it_changed_and_how(
    repo: Path, site: Site, read: Reader
) -> None:
    step = await read("step", run="m", step="change")
    patch = await read.follow(step.links["patch"])

    assert "changed a.txt +1 -0" in step.text
    assert "+three" in patch.pres[0]


async def test_a_run_without_files_says_so(site: Site, read: Reader) -> None:
    await begin(site, "wait")

    page = await read("files", run="r", expect=404)

    assert page.title == "no_files - Holdfast"
    assert "Back to run r" in page.links


async def test_forks_are_shown_below_what_they_left(site: Site, read: Reader) -> None:
    assert "No run has a fork" in (await read("tree")).text
    await begin(site, "greet", name="Bo")
    await site("POST", "/runs/r/fork", input={"name": "Al"}, id="f")
    await site("POST", "/runs/f/fork", at=1, id="g")

    page = await read.follow((await read()).links["Forks"])

    assert [row[0] for row in page.rows[1:]] == ["r", "f", "g"]
    depths = [
        value for _, name, value in page.attributes if name == "class" and value[1:].isdigit()
    ]
    assert depths == ["d0", "d1", "d2"]
    assert "fork of r at" in page.rows[2][2]
    frame = await read.follow(page.links["f at 1"])
    assert "Frame 1 of" in frame.text
    compared = await read("diff", a="r", b="f")
    assert "They part at" in compared.text


async def test_two_runs_are_compared_side_by_side(site: Site, read: Reader) -> None:
    await begin(site, "greet", name="Bo")
    await site("POST", "/runs/r/fork", input={"name": "Al"}, id="f", resume=True)
    await site("GET", "/runs/f/wait")

    page = await read("diff", a="r", b="f")

    assert "They part at" in page.text
    assert any("hello Bo" in text for text in page.pres)
    assert any("hello Al" in text for text in page.pres)
    same = await read("diff", a="r", b="r")
    assert "Nothing that matters is different" in same.text
    assert (await read("diff")).form("Compare").fields == {"a": "", "at_a": "", "b": "", "at_b": ""}
    frame = await read.follow((await read("run", run="r", at=2)).links["Compare"])
    assert frame.rows == []
    told = await read("diff", a="r", b="nope", expect=404)
    assert told.title == "no_such_run - Holdfast"


async def test_a_rewind_tells_what_it_would_do_and_asks_once_more(site: Site, read: Reader) -> None:
    await begin(site, "greet", name="Bo")
    size = site.log.size()
    frame = await read("run", run="r", at=2)

    page = await read.follow(frame.links["Rewind"])
    assert site.log.size() == size
    assert page.rows[1][:2] == ["say", "runs"]
    assert "holdfast rewind r --to 2" in page.text
    after = await read.send(page.form("Rewind"))

    assert after.title == "r - Holdfast"
    records = [*site.log.records(site.log.branch_of("r"))]
    (forked,) = [one for one in records if isinstance(one.event, RunForked)]
    assert forked.actor == "web:ann"
    old = await read.follow((await read("tree", run="r")).links["r@1"])
    assert not any("Approve" in form.buttons for form in old.forms)
    assert (await read("rewind", run="r", at=99, expect=404)).title == "no_such_frame - Holdfast"


async def test_a_run_is_paused_let_go_on_and_cancelled(site: Site, read: Reader) -> None:
    await begin(site, "wait")
    form = (await read.follow((await read("run", run="r")).links["Pause or cancel"])).form("Pause")

    paused = await read.send(form, reason="lunch")
    await read.send(paused.form("Let it go on"))
    ask = await read("cancel", run="r")
    await read.send(ask.form("Cancel"), reason="enough")

    assert "paused: lunch" in paused.facts["Status"]
    while (await site("GET", "/runs/r/wait"))["status"] != "cancelled":
        pass
    ended = await read("run", run="r")
    assert "was cancelled: enough" in ended.text
    assert "Pause or cancel" not in ended.links
