"""The tools of the `builtin` agent: what they do, what they refuse, and where nobody gets out."""

import ctypes
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from holdfast.plugins import MARK, Permissions, ToolCall, ToolSetting, marks
from holdfast.plugins.agents.builtin import TOOLS
from holdfast.plugins.agents.builtin.toolbox import Toolbox

Call = Callable[..., Any]
SECRET = "the secret outside"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder with links that lead out of it, and a secret beside it."""
    (tmp_path / "secret.txt").write_text(SECRET)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text(SECRET)
    made = tmp_path / "work"
    for name in ("src", ".git", ".holdfast", "node_modules"):
        (made / name).mkdir(parents=True)
        (made / name / "a.py").write_text("one\ntwo\nthree two\n")
    (made / "link").symlink_to("../outside")
    (made / "link.txt").symlink_to("../secret.txt")
    (made / "src" / "near.py").symlink_to("a.py")
    return made


def setting(folder: Path, permissions: Permissions = "full") -> ToolSetting:
    env = {**os.environ, MARK: f"tools-{folder}"}
    return ToolSetting(folder=folder, env=env, permissions=permissions)


async def call(folder: Path, name: str, **arguments: Any) -> str:
    """Call a tool as a model does, and return what the model reads."""
    box = Toolbox(TOOLS, setting(folder), None, None)
    return (await box.perform(ToolCall("id", name, json.dumps(arguments)), 0)).result


# --- confinement -----------------------------------------------------------------------------------

ESCAPES = [
    "/etc/passwd",
    "../secret.txt",
    "src/../../secret.txt",
    "src/../src/a.py",
    "link/secret.txt",
    "link.txt",
    "link/../secret.txt",
    ".git/a.py",
    ".GIT/a.py",
    ".g\u200cit/a.py",
    "./.git./a.py",
    "src/.git/config",
    ".holdfast/a.py",
    "src/a.py\0.txt",
    "src/\ud800",
    "x" * 300,
    "src/a.py/b",
    "",
    ".",
    "//etc/passwd",
]


@pytest.mark.parametrize("path", ESCAPES)
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("read", {}),
        ("write", {"content": "mine"}),
        ("edit", {"old": "one", "new": "mine"}),
    ],
)
async def test_no_path_leads_out_of_the_folder(
    folder: Path, path: str, name: str, arguments: dict[str, Any]
) -> None:
    before = contents(folder.parent)

    said = await call(folder, name, path=path, **arguments)

    assert said.startswith("error: ")
    assert SECRET not in said
    assert contents(folder.parent) == before


@pytest.mark.parametrize("path", ["/etc", "..", "link", "src/..", ".git", ".holdfast", "src/a.py"])
@pytest.mark.parametrize(
    ("name", "arguments"), [("list", {}), ("glob", {"pattern": "**"}), ("grep", {"pattern": "s"})]
)
async def test_no_folder_leads_out_of_it_either(
    folder: Path, path: str, name: str, arguments: dict[str, Any]
) -> None:
    said = await call(folder, name, path=path, **arguments)

    assert said.startswith("error: ")
    assert "secret" not in said


async def test_a_link_is_told_with_where_it_leads(folder: Path) -> None:
    said = await call(folder, "read", path="src/near.py")

    assert "symbolic link to 'a.py'" in said


async def test_searches_follow_no_link_and_leave_out_what_is_not_the_users(folder: Path) -> None:
    found = await call(folder, "glob", pattern="**")
    lines = await call(folder, "grep", pattern="secret|two")

    assert found.splitlines() == ["link.txt", "src/a.py", "src/near.py"]
    assert lines.splitlines() == ["src/a.py:2: two", "src/a.py:3: three two"]


@pytest.mark.skipif(sys.platform != "linux", reason="needs renameat2")
async def test_a_folder_that_is_swapped_for_a_link_meanwhile_gains_nothing(folder: Path) -> None:
    """Swap as fast as one can, and read, write and search through it all the time."""
    outside = folder.parent / "outside"
    (folder / "door").mkdir()
    (folder / "door" / "secret.txt").write_text("harmless")
    (folder / "trap").symlink_to(outside)
    before = contents(outside)
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            exchange(folder / "door", folder / "trap")

    swapper = threading.Thread(target=swap)
    swapper.start()
    said: list[str] = []
    try:
        deadline = time.monotonic() + 5.0
        while time.monotonic() < deadline and len({*map(face, said)}) < 2:
            said += [
                await call(folder, "read", path="door/secret.txt"),
                await call(folder, "write", path="door/new.txt", content="mine"),
                await call(folder, "edit", path="door/secret.txt", old="the secret", new="my"),
                await call(folder, "list", path="door"),
            ]
        said.append(await call(folder, "grep", pattern="the secret"))
    finally:
        stop.set()
        swapper.join()

    assert {*map(face, said)} == {"link", "folder"}, "it was seen both ways"
    assert SECRET not in "".join(said)
    assert contents(outside) == before


def exchange(one: Path, other: Path) -> None:
    """Let two names change places at once, as no function of Python's can."""
    libc = ctypes.CDLL(None, use_errno=True)
    done = libc.renameat2(-100, os.fsencode(one), -100, os.fsencode(other), 2)
    assert done == 0, os.strerror(ctypes.get_errno())


def face(said: str) -> str:
    """Tell what a tool met at the door."""
    return "link" if "link" in said or "Not a directory" in said else "folder"


def contents(folder: Path) -> dict[str, str]:
    """Return every file below a folder, links not followed."""
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


async def test_a_pipe_is_neither_waited_for_nor_replaced(folder: Path) -> None:
    os.mkfifo(folder / "pipe")

    assert "no ordinary file" in await call(folder, "read", path="pipe")
    assert "no ordinary file" in await call(folder, "write", path="pipe", content="x")
    assert "pipe" in await call(folder, "glob", pattern="pipe")
    assert "nothing found" in await call(folder, "grep", pattern="x", glob="pipe")


# --- reading ---------------------------------------------------------------------------------------


async def test_lines_are_shown_with_their_numbers_page_by_page(folder: Path) -> None:
    assert await call(folder, "read", path="src/a.py") == "1\tone\n2\ttwo\n3\tthree two"
    assert await call(folder, "read", path="./src/a.py", offset=2, limit=1) == (
        "2\ttwo\n[truncated: the file goes on; read on with offset=3]"
    )
    assert "has only 3 lines" in await call(folder, "read", path="src/a.py", offset=4)


async def test_a_big_file_is_read_in_pages_that_lose_nothing(folder: Path) -> None:
    lines = [f"line {number} " + "x" * 40 for number in range(1, 5001)]
    (folder / "big.txt").write_text("\n".join(lines) + "\n")

    seen: list[str] = []
    offset = 1
    while offset:
        shown = (await call(folder, "read", path="big.txt", offset=offset)).splitlines()
        offset = 0
        if shown[-1].startswith("[truncated"):
            offset = int(shown.pop().rstrip("]").rpartition("=")[2])
        seen += [line.partition("\t")[2] for line in shown]

    assert seen == lines


async def test_a_line_as_long_as_its_file_is_cut(folder: Path) -> None:
    (folder / "one.txt").write_text("x" * 5_000_000 + "\nnext\n")

    shown = await call(folder, "read", path="one.txt")

    assert len(shown) < 3000
    assert "[truncated line]\n2\tnext" in shown


async def test_a_file_that_is_no_text_says_so(folder: Path) -> None:
    (folder / "a.bin").write_bytes(b"\x7fELF\0\0binary two")
    (folder / "latin").write_bytes("gr\xfc\xdfe".encode("latin-1"))
    (folder / "empty").write_bytes(b"")

    assert "binary file of 16 bytes" in await call(folder, "read", path="a.bin")
    assert await call(folder, "read", path="empty") == "[the file is empty]"
    assert await call(folder, "read", path="latin") == "1\tgr\ufffd\ufffde"
    assert "not text in UTF-8" in await call(folder, "edit", path="latin", old="e", new="f")
    assert "a.bin" not in await call(folder, "grep", pattern="two")


async def test_a_folder_is_listed_in_pages(folder: Path) -> None:
    for number in range(600):
        (folder / "src" / f"f{number:03}").touch()

    first = (await call(folder, "list", path="src")).splitlines()
    second = (await call(folder, "list", path="src", offset=501)).splitlines()

    assert first[:2] == ["a.py", "f000"]
    assert first[-1] == "[truncated: 602 entries; go on with offset=501]"
    assert second[-1] == "near.py -> a.py"
    assert len(first) + len(second) == 603
    assert (await call(folder, "list")).splitlines() == [
        "link -> ../outside", "link.txt -> ../secret.txt", "node_modules/", "src/",
    ]  # fmt: skip


# --- searching -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.py", ["a.py", "d/b.py", "d/e/c.py"]),
        ("d/*.py", ["d/b.py"]),
        ("**/*.py", ["a.py", "d/b.py", "d/e/c.py"]),
        ("d/**", ["d/b.py", "d/e/c.py", "d/e/x.md"]),
        ("**/e/*", ["d/e/c.py", "d/e/x.md"]),
        ("[ab].py", ["a.py", "d/b.py"]),
        ("[!a].py", ["d/b.py", "d/e/c.py"]),
        ("?.md", ["d/e/x.md"]),
        ("a+py", []),
    ],
)
async def test_a_glob_finds_these(tmp_path: Path, pattern: str, found: list[str]) -> None:
    (tmp_path / "d" / "e").mkdir(parents=True)
    for name in ("a.py", "d/b.py", "d/e/c.py", "d/e/x.md"):
        (tmp_path / name).touch()

    said = await call(tmp_path, "glob", pattern=pattern)

    assert said.splitlines() == (found or ["[nothing found]"])


async def test_lines_are_found_by_expression_file_and_page(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("Alpha\nbeta\n" * 150)
    (tmp_path / "b.md").write_text("alpha\n")

    first = (
        await call(tmp_path, "grep", pattern="alpha", ignore_case=True, glob="*.py")
    ).splitlines()
    all_of_it = await call(tmp_path, "grep", pattern="^a", path=".")
    later = (await call(tmp_path, "grep", pattern="a", offset=201)).splitlines()

    assert first[0] == "a.py:1: Alpha"
    assert len(first) == 150
    assert all_of_it == "b.md:1: alpha"
    assert later[-1] == "b.md:1: alpha"
    assert len(later) == 101
    assert "the pattern" in await call(tmp_path, "grep", pattern="(")


async def test_an_expression_that_never_ends_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.plugins.agents.builtin.process_tools.SEARCH_S", 0.3)
    (tmp_path / "a.txt").write_text("a" * 60 + "!")

    assert "more than 0.3 s" in await call(tmp_path, "grep", pattern="(a+)+$")


# --- writing ---------------------------------------------------------------------------------------


async def test_a_file_is_written_whole_with_its_folders_and_keeps_its_permissions(
    tmp_path: Path,
) -> None:
    script = tmp_path / "run.sh"
    script.write_text("old")
    script.chmod(0o750)

    new = await call(tmp_path, "write", path="a/b/c.txt", content="gr\u00fc\u00dfe\n")
    old = await call(tmp_path, "write", path="run.sh", content="new")

    assert new == "created a/b/c.txt: 8 bytes"
    assert old == "replaced run.sh: 3 bytes"
    assert (tmp_path / "a/b/c.txt").read_text() == "gr\u00fc\u00dfe\n"
    assert script.read_text() == "new"
    assert script.stat().st_mode & 0o777 == 0o750
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b", "c.txt", "run.sh"]


@pytest.mark.parametrize(
    ("before", "arguments", "after"),
    [
        ("a b c", {"old": "b", "new": "x"}, "a x c"),
        ("b\nb", {"old": "b", "new": "x", "all": True}, "x\nx"),
        ("a\r\nb\r\n", {"old": "a\nb", "new": "a\nc"}, "a\r\nc\r\n"),
        ("a\r\nb\n", {"old": "b\n", "new": "c\n"}, "a\r\nc\n"),
        ("keep", {"old": "keep", "new": ""}, ""),
        (r"a\1", {"old": "a", "new": r"\g<0>"}, r"\g<0>\1"),
    ],
)
async def test_an_edit_replaces_this(
    tmp_path: Path, before: str, arguments: dict[str, Any], after: str
) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(before.encode())

    assert (await call(tmp_path, "edit", path="a.txt", **arguments)).startswith("edited a.txt")
    assert file.read_bytes() == after.encode()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"old": "two", "new": "x"}, "2 times in 'src/a.py', at lines 2, 3"),
        ({"old": "Two", "new": "x"}, "not in 'src/a.py'. It has to be exact"),
        ({"old": "", "new": "x"}, "empty"),
        ({"old": "one", "new": "one"}, "nothing to replace"),
        ({"old": "one"}, "missing required field `new`"),
        ({"old": "one", "new": "x", "regex": True}, "unknown field `regex`"),
        ({"old": "one", "new": "\ud800"}, "cannot be written as UTF-8"),
        ({"old": 1, "new": "x"}, "Expected `str`, got `int`"),
    ],
)
async def test_an_edit_that_is_not_exact_changes_nothing_and_says_why(
    folder: Path, arguments: dict[str, Any], why: str
) -> None:
    before = contents(folder)

    assert why in await call(folder, "edit", path="src/a.py", **arguments)
    assert contents(folder) == before


async def test_what_is_too_large_to_edit_says_so(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x" * 10_000_001)

    assert "too large" in await call(tmp_path, "edit", path="a", old="x", new="y")


async def test_a_full_disk_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_text("old")

    def full(*args: Any, **options: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)

    assert "No space left" in await call(tmp_path, "write", path="a", content="new")
    assert contents(tmp_path) == {"a": "old"}


# --- commands --------------------------------------------------------------------------------------


async def test_a_command_tells_its_status_and_output(tmp_path: Path) -> None:
    said = await call(tmp_path, "shell", command="pwd; echo err >&2; exit 3")

    assert said == f"exit status 3\n{tmp_path}\nerr\n"


async def test_a_command_that_says_too_much_keeps_its_beginning_and_its_end(tmp_path: Path) -> None:
    said = await call(tmp_path, "shell", command="echo begin; seq 1 200000; echo end")

    assert said.startswith("exit status 0\nbegin\n1\n2\n")
    assert "bytes left out here]" in said
    assert said.endswith("200000\nend\n")
    assert len(said) < 40_000


async def test_a_command_that_takes_too_long_is_ended_and_shows_what_it_said(
    tmp_path: Path,
) -> None:
    said = await call(tmp_path, "shell", command="echo begun; sleep 600", timeout_s=0.3)

    assert "ended after 0.3 s" in said
    assert "begun" in said
    assert not marks.find(mark=f"tools-{tmp_path}")


async def test_cancelling_a_command_leaves_no_process(tmp_path: Path) -> None:
    async with trio.open_nursery() as nursery:
        command = "sleep 600 & (sleep 600) & touch begun; sleep 600"
        nursery.start_soon(lambda: call(tmp_path, "shell", command=command))
        while not (tmp_path / "begun").exists():
            await trio.sleep(0.01)
        nursery.cancel_scope.cancel()

    assert not marks.find(mark=f"tools-{tmp_path}")


async def test_every_tool_offers_a_schema_that_providers_take() -> None:
    for tool in TOOLS.values():
        assert tool.schema["type"] == "object"
        assert tool.schema["additionalProperties"] is False
        assert "$ref" not in str(tool.schema)
