"""What agents and files say is text on a page, whatever it looks like."""

from pathlib import Path
from urllib.parse import quote

from tests.web.conftest import Site
from tests.web.pages import Reader, asked, begin, read

__all__ = ["read"]  # a fixture here as well

MARKUP = """</pre><script>alert(1)</script><img src=x onerror=alert(1)>"'{{ 7 * 7 }}"""
STEERING = "red \x1b[31m left\u202eright \x00 end"
SHOWN = "red \\x1b[31m left\\u202eright \\x00 end"
KEY = """<b onclick=x>"'&run=other?+ %2e%2e"""

HOSTILE = f'''
from holdfast import Run, workflow

MARKUP = {MARKUP!r}
STEERING = {STEERING!r}
KEY = {KEY!r}


@workflow
async def hostile(run: Run, name: str) -> str:
    """Say what would harm."""
    await run.step(KEY, str, MARKUP + STEERING)
    await run.step("..", str, "above")
    await run.note(MARKUP)
    await run.approve(KEY + " gate", subject=[MARKUP, STEERING])
    raise ValueError(MARKUP + STEERING)
'''


async def test_markup_and_what_steers_are_shown_as_text_on_every_page(
    site: Site, read: Reader, folder: Path
) -> None:
    (folder / "hostile.py").write_text(HOSTILE)
    await site("POST", "/runs", workflow="hostile.py", input={"name": MARKUP + STEERING}, id="r")
    asks = await site("GET", "/runs/r/wait")
    assert asks["status"] == "waiting", asks["error"]

    run = await read("run", run="r")
    assert any(MARKUP in text and SHOWN in text for text in run.pres)
    step = await read.follow(run.links[KEY])
    assert asked(run.links[KEY]) == {"run": "r", "step": KEY}
    assert step.title == f"{KEY} - Holdfast"
    assert "above" in (await read.follow(run.links[".."])).pres
    assert any(MARKUP in text and SHOWN in text for text in step.pres)
    await read.send(run.form("Approve"), decision="approve", note=MARKUP)
    failed = await site("GET", "/runs/r/wait")
    assert failed["status"] == "failed"
    head = failed["offset"]

    pages = [run, step, await read(), await read("timeline", run="r"), await read("tree")]
    pages += [await read("run", run="r", at=at) for at in range(head + 1)]
    pages += [await read("run", run="r"), await read("diff", a="r", b="r", at_a=2)]
    pages += [await read("run", run=MARKUP + STEERING, expect=404)]
    pages += [await read(quote(MARKUP, safe=""), expect=404)]
    for page in pages:
        assert {"script", "b", "img"} & page.tags == {"script"}, "none but our own"
        assert not [name for _, name, _ in page.attributes if name.startswith("on")]
        said = page.text + "".join(page.pres) + "".join(value for _, _, value in page.attributes)
        assert all(c.isprintable() or c in "\n\t" for c in said)


async def test_what_is_typed_is_shown_as_text_and_a_broken_encoding_harms_nobody(
    site: Site, read: Reader
) -> None:
    await begin(site, "greet", name="Bo")

    page = await read("diff", a='"><script>', b="r", expect=404)
    assert "script" not in page.links
    told = await site.client.get(f"{read.root}run?run=%ff%fe", headers={"Authorization": ""})
    assert told.status_code == 404
    form = (await read("run", run="r")).form("Deny")
    told = await site.client.post(
        f"{site.url}{form.action}",
        content=b"\xff=\xff&by=%ff&decision=%zz",
        headers={"Authorization": ""},
    )
    assert told.status_code == 400
