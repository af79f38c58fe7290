"""Reading pages as somebody would: their headings, links, forms and tables, by the standard parser."""

from html.parser import HTMLParser
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from tests.web.conftest import Site

VOID = {"br", "hr", "img", "input", "link", "meta"}


class Form(NamedTuple):
    """A form: where it goes, the words on its buttons, and its fields with what stands in them."""

    action: str
    method: str
    buttons: list[str]
    fields: dict[str, str]


class Page(HTMLParser):
    """What a page shows. `text` is all of it, `pres` what it shows just as it is, `facts` its list of those.

    Every tag must be closed.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.title = ""
        self.links: dict[str, str] = {}
        self.pres: list[str] = []
        self.facts: dict[str, str] = {}
        self.rows: list[list[str]] = []
        self.forms: list[Form] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        self._open: list[str] = []
        self._texts: list[str] = []
        self._said: list[str] = []
        self._href = self._fact = ""
        self.feed(html)
        self.close()
        assert not self._open, self._open
        self.text = " ".join("".join(self._said).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.add(tag)
        self.attributes += [(tag, name, value) for name, value in given.items()]
        if tag == "form":
            self.forms.append(Form(given["action"], given["method"], [], {}))
        elif tag in ("input", "textarea") and "name" in given:
            self.forms[-1].fields[given["name"]] = given.get("value", "")
        elif tag == "tr":
            self.rows.append([])
        elif tag == "a":
            self._href = given["href"]
        if tag not in VOID:
            self._open.append(tag)
            self._texts.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        text = self._texts.pop()
        words = " ".join(text.split())
        if tag == "title":
            self.title = words
        elif tag == "pre":
            self.pres.append(text.removeprefix("\n"))
        elif tag == "dt":
            self._fact = words
        elif tag == "dd":
            self.facts[self._fact] = words
        elif tag in ("td", "th"):
            self.rows[-1].append(words)
        elif tag == "button":
            self.forms[-1].buttons.append(words)
        elif tag == "a":
            self.links[words] = self._href

    def handle_data(self, data: str) -> None:
        self._said.append(data)
        self._texts = [text + data for text in self._texts]

    def form(self, button: str) -> Form:
        """Return the form that has a button with these words."""
        (found,) = [form for form in self.forms if button in form.buttons]
        return found


class Reader:
    """Somebody with a browser, who has no token. `await reader("run", run="r")` reads a page."""

    def __init__(self, site: Site) -> None:
        self.root = site.hosting.pages_url
        self.client = site.client
        self.told: httpx.Response

    async def __call__(self, page: str = "", *, expect: int = 200, **query: Any) -> Page:
        return await self._read("GET", self.root + page, expect, params=query)

    async def follow(self, link: str, expect: int = 200) -> Page:
        """Read what a link of a page leads to."""
        return await self._read("GET", self._whole(link), expect)

    async def send(self, form: Form, expect: int = 200, **typed: str) -> Page:
        """Fill in a form and send it, as a browser does; read what it leads to."""
        assert typed.keys() <= {*form.fields, "decision", "resume"}
        body = {name: value for name, value in form.fields.items() if name != "resume"} | typed
        headers = {"Origin": f"{self.client.base_url}".rstrip("/"), "Sec-Fetch-Site": "same-origin"}
        return await self._read(
            "POST", self._whole(form.action), expect, data=body, headers=headers
        )

    def _whole(self, link: str) -> str:
        root = urlsplit(self.root)
        assert link.startswith(root.path), "all links lie below the secret"
        return f"{root.scheme}://{root.netloc}{link}"

    async def _read(
        self,
        method: str,
        url: str,
        expect: int,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> Page:
        without = {"Authorization": "", **(headers or {})}
        self.told = await self.client.request(
            method, url, headers=without, follow_redirects=True, **more
        )
        assert self.told.status_code == expect, self.told.text
        assert self.told.headers["content-type"] == "text/html; charset=utf-8"
        return Page(self.told.text)


def asked(link: str) -> dict[str, str]:
    """Return the query of a link."""
    return dict(parse_qsl(urlsplit(link).query))


@pytest.fixture
def read(site: Site) -> Reader:
    return Reader(site)


async def begin(site: Site, workflow: str, run: str = "r", **given: object) -> None:
    """Start a run of the project's workflows, and let it come as far as it does by itself."""
    await site("POST", "/runs", workflow=f"w.py:{workflow}", input=given, id=run)
    await site("GET", f"/runs/{run}/wait")
