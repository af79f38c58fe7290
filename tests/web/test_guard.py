"""Who may call: nobody without the token, no page of another site, and nobody by another name."""

import os
import stat
from pathlib import Path

import pytest

from holdfast.web import Address
from holdfast.web.errors import BadAddress, TokenUnsafe
from holdfast.web.token import Token
from tests.web.conftest import Site

HOSTILE = {"Origin": "http://evil.example"}


async def test_a_call_that_may_not_be_made_is_refused_everywhere_and_changes_nothing(
    site: Site,
) -> None:
    own, port = site.hosting.address.names[0], site.hosting.address.port
    calls = [("GET", "/api/v1/runs"), ("GET", "/api/v1/openapi.json"), ("GET", "/api/v1/events")]
    calls += [("POST", "/api/v1/runs"), ("POST", "/mcp"), ("GET", "/mcp"), ("GET", "/nowhere")]
    calls += [("OPTIONS", "/api/v1/runs")]
    wrong: list[tuple[dict[str, str], int, str]] = [
        ({"Authorization": ""}, 401, "token_missing"),
        ({"Authorization": "Bearer"}, 401, "token_missing"),
        ({"Authorization": "Bearer nonsense"}, 401, "token_missing"),
        ({"Authorization": f"Basic {site.token}"}, 401, "token_missing"),
        ({"Authorization": f"Bearer {site.token}é"}, 401, "token_missing"),
        (HOSTILE, 403, "foreign_origin"),
        ({"Origin": "null"}, 403, "foreign_origin"),
        ({"Origin": f"https://{own}"}, 403, "foreign_origin"),
        ({"Origin": "http://127.0.0.1:1"}, 403, "foreign_origin"),
        ({"Origin": f"http://localhost:{port}"}, 403, "foreign_origin"),
        ({"Sec-Fetch-Site": "cross-site"}, 403, "foreign_origin"),
        ({"Sec-Fetch-Site": "same-site"}, 403, "foreign_origin"),
        ({"Host": "evil.example"}, 403, "foreign_host"),
        ({"Host": f"evil.example:{port}"}, 403, "foreign_host"),
        ({"Host": "127.0.0.1"}, 403, "foreign_host"),
    ]
    body = {"workflow": "w.py:fail"}
    for method, path in calls:
        for headers, status, code in wrong:
            sent = [(name.encode(), text.encode()) for name, text in headers.items()]
            told = await site.client.request(method, path, headers=sent, json=body)
            assert (told.status_code, told.json()["error"]["code"]) == (status, code), headers
            assert not [name for name in told.headers if name.startswith("access-control")]
            assert site.token not in told.text

    assert site.log.size() == 0


async def test_a_page_of_its_own_and_another_of_its_names_may_call(site: Site) -> None:
    own, other = site.hosting.address.names
    for headers in (
        {"Host": other},
        {"Host": own, "Origin": f"http://{own}", "Sec-Fetch-Site": "same-origin"},
        {"Host": other.upper(), "Origin": f"http://{other}"},
        {"Sec-Fetch-Site": "none"},
    ):
        assert (await site.client.get("/api/v1/runs", headers=headers)).status_code == 200


async def test_no_answer_is_kept_or_shown_as_a_page(site: Site) -> None:
    for told in (await site.tell("GET", "/runs"), await site.client.get("/nowhere")):
        assert told.headers["cache-control"] == "no-store"
        assert told.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in told.headers["content-security-policy"]
        assert "server" not in told.headers


# --- the token -----------------------------------------------------------------------------------


def test_the_token_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        token = Token.of(tmp_path)
    finally:
        os.umask(previous)
    word = token.path.read_text().strip()

    assert stat.S_IMODE(token.path.stat().st_mode) == 0o600
    assert len(word) >= 43
    assert [path.name for path in tmp_path.iterdir()] == ["http-token"]
    assert Token.of(tmp_path).is_in(f"Bearer {word}")
    assert Token.of(tmp_path).is_in(f"bearer  {word}")
    assert word not in repr(vars(token.__class__)) + repr(token)
    token.path.unlink()
    assert not Token.of(tmp_path).is_in(f"Bearer {word}")


@pytest.mark.parametrize(
    ("word", "mode", "problem"),
    [
        ("x" * 43, 0o640, "others may have read it"),
        ("short", 0o600, "characters"),
        ("", 0o600, "characters"),
        ("é" * 43, 0o600, "characters"),
    ],
)
def test_a_token_that_cannot_be_trusted_is_refused(
    tmp_path: Path, word: str, mode: int, problem: str
) -> None:
    path = tmp_path / "http-token"
    path.write_text(word)
    path.chmod(mode)

    with pytest.raises(TokenUnsafe, match=problem) as refused:
        Token.of(tmp_path)
    assert "Remove the file" in str(refused.value)
    assert word not in str(refused.value) or not word


def test_a_token_behind_a_link_or_in_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "http-token").symlink_to(tmp_path / "elsewhere")

    for home in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(TokenUnsafe, match="cannot be used"):
            Token.of(home)


# --- addresses -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("", ("127.0.0.1:7463", "localhost:7463")),
        (8000, ("127.0.0.1:8000", "localhost:8000")),
        (":8000", ("127.0.0.1:8000", "localhost:8000")),
        ("localhost:1", ("127.0.0.1:1", "localhost:1")),
        ("127.0.0.9:1", ("127.0.0.9:1", "localhost:1")),
        ("[::1]:1", ("[::1]:1", "localhost:1")),
    ],
)
def test_an_address_of_this_machine_is_taken(given: str | int, names: tuple[str, ...]) -> None:
    assert Address.parse(given).names == names


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("0.0.0.0:1", "other machines could reach it"),
        ("[::]:1", "other machines could reach it"),
        ("192.168.1.2:1", "other machines could reach it"),
        ("example.com:1", "no IP address"),
        ("127.0.0.1", "no port"),
        ("70000", "no port"),
        (-1, "no port"),
        ("true", "no port"),
    ],
)
def test_an_address_that_others_reach_or_nobody_understands_is_refused(
    given: str | int, problem: str
) -> None:
    with pytest.raises(BadAddress, match=problem) as refused:
        Address.parse(given)
    assert "127.0.0.1:7463" in str(refused.value)
