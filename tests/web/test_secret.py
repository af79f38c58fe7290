"""Who may read the pages: who was told their address, in no frame of another site, and nobody by another name."""

from tests.web.conftest import Site
from tests.web.pages import Page, Reader, begin, read

__all__ = ["read"]  # a fixture here as well

NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


async def test_without_the_secret_a_page_is_no_page_and_the_token_opens_none(site: Site) -> None:
    own = site.hosting.pages_url
    word = own.rstrip("/").rpartition("/")[2]
    wrong = [f"{site.url}/debug/{other}/" for other in ("", "x", word[:-1], f"{word}x", f"{word}é")]
    wrong += [
        f"{site.url}/debug",
        own.replace("/debug/", "/debugs/"),
        own.replace("/debug/", "/x/debug/"),
    ]

    for url in wrong:
        without = await site.client.get(url, headers={"Authorization": ""})
        assert (without.status_code, without.json()["error"]["code"]) == (401, "token_missing")
        told = await site.client.get(url)
        assert (told.status_code, told.json()["error"]["code"]) == (404, "no_such_route")
        assert word not in without.text


async def test_the_secret_is_another_at_each_start_and_opens_nothing_else(
    site: Site, read: Reader
) -> None:
    word = site.hosting.secret.root.rpartition("/")[2]

    assert len(word) >= 43
    assert word != type(site.hosting.secret)().root.rpartition("/")[2]
    assert word not in repr(site.hosting.secret)
    for headers in ({"Authorization": f"Bearer {word}"}, {"Authorization": ""}):
        told = await site.client.get(f"{site.url}/api/v1/runs", headers=headers)
        assert told.status_code == 401
    told = await site.client.get(f"{read.root}api/v1/runs", headers={"Authorization": ""})
    assert told.status_code == 404


async def test_other_names_and_other_sites_are_refused(site: Site, read: Reader) -> None:
    await begin(site, "greet", name="Bo")
    size = site.log.size()
    form = (await read("run", run="r")).form("Approve")
    deed = f"{site.url}{form.action}"
    port = site.hosting.address.port
    hostile: list[dict[str, str]] = [
        {"Host": f"evil.example:{port}"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": f"http://localhost:{port}"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    ]

    for headers in hostile:
        for url in (read.root, f"{read.root}events", f"{read.root}web.js"):
            assert (await site.client.get(url, headers=headers)).status_code == 403, headers
    for headers in [*hostile, {"Sec-Fetch-Site": "cross-site", **NAVIGATION}]:
        body = {"by": "eve", "decision": "approve"}
        assert (await site.client.post(deed, data=body, headers=headers)).status_code == 403
    assert site.log.size() == size


async def test_a_link_to_a_page_may_be_followed_from_anywhere(site: Site, read: Reader) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", **NAVIGATION}

    assert (await site.client.get(read.root, headers=headers)).status_code == 200
    told = await site.client.get(f"{site.url}/api/v1/runs", headers=headers)
    assert told.status_code == 403


async def test_no_page_is_kept_framed_or_told_of_and_none_loads_from_elsewhere(
    site: Site, read: Reader
) -> None:
    await begin(site, "greet", name="Bo")

    for page in (await read(), await read("run", run="r"), await read("nowhere", expect=404)):
        headers = read.told.headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        policy = dict(
            part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";")
        )
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert policy["script-src"] == policy["form-action"] == "'self'"
        # no-referrer would have browsers send forms with the origin null.
        assert headers["referrer-policy"] == "same-origin"
        assert "set-cookie" not in headers
        assert not [name for name in headers if name.startswith("access-control")]
        assert_own(page, site)


def assert_own(page: Page, site: Site) -> None:
    """Check that all that a page refers to is its server's own, and that it has no code in it."""
    for tag, name, value in page.attributes:
        assert name not in ("style", "onclick", "srcdoc"), tag
        if name in ("href", "src", "action"):
            assert value.startswith((f"{site.hosting.secret.root}/", "#", "data:,")), value


async def test_what_the_pages_load_is_there(site: Site, read: Reader) -> None:
    page = await read()
    loaded = [value for tag, name, value in page.attributes if (tag, name) in
              {("link", "href"), ("script", "src")} and value != "data:,"]  # fmt: skip

    kinds = set[str]()
    for path in loaded:
        told = await site.client.get(path, headers={"Authorization": ""})
        kinds.add(told.headers["content-type"].partition(";")[0])
        assert told.status_code == 200
        assert b"http://" not in told.content
        assert b"https://" not in told.content
    assert kinds == {"text/css", "text/javascript"}
