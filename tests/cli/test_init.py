"""`holdfast init`: what it writes for whom, that it harms nothing, and that it takes all of it back."""

import json
import os
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.config import Config
from holdfast.onboarding import CLIENTS, files, skill, starter_roles
from tests.cli.conftest import Cli

SKILL = ".agents/skills/holdfast/SKILL.md"
CODEX = ".codex/config.toml"
ALL = [word for name in CLIENTS for word in ("--agent", name)]
JSON_FILES = {
    ".mcp.json": "mcpServers",
    ".gemini/settings.json": "mcpServers",
    ".qwen/settings.json": "mcpServers",
    ".kimi-code/mcp.json": "mcpServers",
    ".cursor/mcp.json": "mcpServers",
    ".vscode/mcp.json": "servers",
    "opencode.json": "mcp",
}


@pytest.fixture
def project(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of somebody who has `holdfast` in the PATH and no coding agent."""
    programs = folder / "programs"
    programs.mkdir()
    _program(programs / "holdfast", "0")
    monkeypatch.setenv("PATH", str(programs))
    for name in list(os.environ):
        if name.endswith(("_API_KEY", "_EXECUTABLE")):
            monkeypatch.delenv(name)
    return folder


def _program(path: Path, version: str) -> None:
    path.write_text(f"#!/bin/sh\necho {version}\n")
    path.chmod(0o755)


def tree(folder: Path) -> dict[str, bytes]:
    """Return all files of a folder, and empty folders too."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
    }


def test_every_agent_gets_the_skill_and_the_server_and_undo_leaves_no_trace(
    project: Path, cli: Cli
) -> None:
    (project / ".holdfast").rmdir()
    before = tree(project)

    cli("init", *ALL, "--yes")

    for path in (SKILL, ".claude/skills/holdfast/SKILL.md"):
        assert (project / path).read_text() == skill()
    for path, key in JSON_FILES.items():
        entry = json.loads((project / path).read_text())[key]["holdfast"]
        command = entry["command"]
        assert (command if key == "mcp" else [command, *entry["args"]]) == ["holdfast", "mcp"], path
    server = tomllib.loads((project / CODEX).read_text())["mcp_servers"]["holdfast"]
    assert (server["command"], server["args"], server["required"]) == ("holdfast", ["mcp"], True)
    assert server["default_tools_approval_mode"] == "approve"
    assert server["tools"]["decide"]["approval_mode"] == "prompt"
    assert (project / ".holdfast/.gitignore").read_text().startswith("*\n")
    assert (project / "holdfast.toml").exists()

    cli("init", "--undo", "--yes")

    assert tree(project) == before


def test_a_second_time_there_is_nothing_to_do(project: Path, cli: Cli) -> None:
    cli("init", *ALL, "--yes")
    written = tree(project)

    again = cli("init", *ALL)

    assert again.out == ""
    assert again.err.endswith("nothing to do\n")
    assert tree(project) == written
    assert cli.json("init", *ALL) == {
        "changes": [], "notes": cli.json("init", *ALL)["notes"], "written": False
    }  # fmt: skip


def test_only_the_agents_that_are_found_are_set_up(project: Path, cli: Cli) -> None:
    for program in ("codex", "cursor-agent"):
        _program(project / "programs" / program, "1.0")

    told = cli.json("init", "--dry-run")

    assert [change["path"] for change in told["changes"]] == [
        ".holdfast/.gitignore", SKILL, CODEX, ".cursor/mcp.json", "holdfast.toml"
    ]  # fmt: skip
    assert {change["action"] for change in told["changes"]} == {"make"}
    assert not told["written"]


def test_a_machine_without_an_agent_is_told_how_to_name_one(project: Path, cli: Cli) -> None:
    nobody = cli.json("init", status=2)["error"]
    unknown = cli.json("init", "--agent", "aider", status=2)["error"]

    assert (nobody["code"], unknown["code"]) == ("no_agents", "unknown_client")
    assert "holdfast init --agent NAME" in nobody["message"]
    assert "'aider'" in unknown["message"]
    assert "holdfast docs skill" in unknown["message"]
    cli("init", "--undo", "--agent", "codex", status=2)
    assert cli("init", "--undo").err == "nothing to do\n"


def test_without_a_terminal_it_says_what_it_would_do_and_the_command(
    project: Path, cli: Cli
) -> None:
    before = tree(project)

    text = cli("init", "--agent", "codex", status=2)
    told = cli.json("init", "--agent", "codex", status=2)

    assert f"make    {SKILL}" in text.out
    assert "error[not_confirmed]" in text.err
    assert text.err.endswith("init --agent codex --yes\n")
    assert told["written"] is False
    assert tree(project) == before


@pytest.mark.parametrize("answer", [True, False])
def test_at_a_terminal_it_asks(
    project: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch, answer: bool
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("click.confirm", lambda *_, **__: answer)

    cli("init", "--agent", "codex", status=0 if answer else 1)

    assert (project / SKILL).exists() is answer


MINE = {
    ".mcp.json": '{\n  // mine\n  "mcpServers": {\n    "a": {"command": "x"}, // first\n  },\n}\n',
    CODEX: 'model = "m"  # mine\r\n\r\n[mcp_servers.other]\r\ncommand = "y"',
    "opencode.jsonc": '{"theme": "dark"}',
    ".qwen/settings.json": "\n",
    "holdfast.toml": "# ours\n",
    SKILL: "somebody's own\n",
}


def test_what_people_wrote_keeps_its_comments_and_comes_back_byte_for_byte(
    project: Path, cli: Cli
) -> None:
    _write(project, MINE)
    (project / ".mcp.json").chmod(0o600)
    before = tree(project)
    names = [
        word for name in ("claude-code", "codex", "opencode", "qwen") for word in ("--agent", name)
    ]

    shown = cli("init", *names, "--yes")

    assert '+    "holdfast": {' in shown.out
    assert f"note: {SKILL} is not what init wrote" in shown.err
    assert "note: holdfast.toml is there" in shown.err
    for path in (".mcp.json", CODEX):
        text = (project / path).read_bytes().decode()
        assert all(line in text for line in MINE[path].splitlines() if line)
        assert "holdfast" in text
    assert "\n" not in (project / CODEX).read_bytes().decode().replace("\r\n", "")
    assert json.loads((project / "opencode.jsonc").read_text())["mcp"]["holdfast"]["enabled"]
    assert not (project / "opencode.json").exists()
    assert "holdfast" in json.loads((project / ".qwen/settings.json").read_text())["mcpServers"]
    for path in ("holdfast.toml", SKILL):
        assert (project / path).read_text() == MINE[path]

    cli("init", "--undo", "--yes")

    assert tree(project) == before


def _write(project: Path, texts: dict[str, str]) -> None:
    for path, text in texts.items():
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_bytes(text.encode())


def test_undo_takes_our_entries_out_of_files_that_went_on_and_leaves_what_was_edited(
    project: Path, cli: Cli
) -> None:
    cli("init", "--agent", "claude-code", "--agent", "codex", "--agent", "gemini", "--yes")
    mcp = json.loads((project / ".mcp.json").read_text())
    mcp["mcpServers"]["mine"] = {"command": "x"}
    (project / ".mcp.json").write_text(json.dumps(mcp))
    (project / CODEX).write_text((project / CODEX).read_text() + "\n[other]\na = 1\n")
    settings = (project / ".gemini/settings.json").read_text().replace('"holdfast",', '"mine",')
    (project / ".gemini/settings.json").write_text(settings)
    (project / SKILL).write_text("edited\n")
    (project / "holdfast.toml").unlink()

    told = cli.json("init", "--undo", "--yes")

    assert json.loads((project / ".mcp.json").read_text()) == {
        "mcpServers": {"mine": {"command": "x"}}
    }
    assert tomllib.loads((project / CODEX).read_text()) == {"other": {"a": 1}}
    assert (project / ".gemini/settings.json").read_text() == settings
    assert (project / SKILL).read_text() == "edited\n"
    assert not (project / ".claude").exists()
    assert told["notes"] == [
        f"{path} is left as it is: it was changed after init wrote it"
        for path in (SKILL, ".gemini/settings.json")
    ]
    (project / SKILL).write_text(skill())
    cli("init", "--undo", "--yes")
    assert not (project / SKILL).exists()


def test_an_upgrade_rewrites_the_skill_only_where_nobody_edited_it(
    project: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["--agent", "claude-code", "--agent", "codex"]
    cli("init", *names, "--yes")
    (project / SKILL).write_text("edited\n")
    monkeypatch.setattr("holdfast.cli.initial.skill", lambda: "newer\n")

    told = cli.json("init", *names, "--yes")

    assert [change["path"] for change in told["changes"]] == [".claude/skills/holdfast/SKILL.md"]
    assert (project / ".claude/skills/holdfast/SKILL.md").read_text() == "newer\n"
    assert (project / SKILL).read_text() == "edited\n"
    cli("init", "--undo", "--yes")
    assert not (project / ".claude").exists()


def test_another_entry_of_that_name_is_peoples_own(project: Path, cli: Cli) -> None:
    mine = {
        ".mcp.json": '{"mcpServers": {"holdfast": {"command": "mine"}}}',
        CODEX: '[mcp_servers.holdfast]\ncommand = "mine"\n',
    }
    _write(project, mine)

    told = cli.json("init", "--agent", "claude-code", "--agent", "codex", "--yes")

    assert {note for note in told["notes"] if "another entry" in note} == {
        f"{path} has another entry for holdfast: it is left as it is" for path in mine
    }
    cli("init", "--undo", "--yes")
    assert all((project / path).read_text() == text for path, text in mine.items())


@pytest.mark.parametrize(
    ("path", "content", "code"),
    [
        (".mcp.json", b'{"mcpServers": ', "not_mergeable"),
        (".mcp.json", b'{"mcpServers": []}', "not_mergeable"),
        (".mcp.json", b"\xff\xfe", "not_mergeable"),
        (CODEX, b"model = ", "not_mergeable"),
        (CODEX, b"mcp_servers = {}", "not_mergeable"),
        (CODEX, b"mcp_servers = 1", "not_mergeable"),
        (".holdfast/init.json", b"{", "init_record_damaged"),
        (".holdfast/init.json", b'{"files": 1}', "init_record_damaged"),
    ],
)
def test_a_file_that_cannot_be_understood_is_refused_and_nothing_is_written(
    project: Path, cli: Cli, path: str, content: bytes, code: str
) -> None:
    _write(project, {path: ""})
    (project / path).write_bytes(content)
    before = tree(project)

    error = cli.json(
        "init", "--agent", "claude-code", "--agent", "codex", "--yes",
        status=1 if "record" in code else 2,
    )["error"]  # fmt: skip

    assert error["code"] == code
    assert path in error["message"]
    if code == "not_mergeable":
        assert '"mcp"' in error["message"], "what to add by hand is told"
    assert tree(project) == before


def test_a_folder_where_a_file_should_be_and_the_other_way_round_are_told(
    project: Path, cli: Cli
) -> None:
    (project / ".mcp.json").mkdir()
    folder = cli.json("init", "--agent", "claude-code", "--yes", status=1)["error"]
    (project / ".codex").write_text("")
    file = cli.json("init", "--agent", "codex", "--yes", status=1)["error"]

    assert (folder["code"], file["code"]) == ("file_unusable", "file_unusable")
    assert "Is a directory" in folder["message"]
    assert "Not a directory" in file["message"]
    assert not (project / ".agents").exists()


def test_a_link_out_of_the_project_is_not_followed(
    project: Path, cli: Cli, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (project / ".agents").symlink_to(outside)

    error = cli.json("init", "--agent", "codex", "--yes", status=2)["error"]

    assert error["code"] == "outside_project"
    assert str(outside) in error["message"]
    assert tree(outside) == {}


def test_a_link_within_the_project_is_written_through_once(project: Path, cli: Cli) -> None:
    (project / ".agents/skills").mkdir(parents=True)
    (project / ".claude").mkdir()
    (project / ".claude/skills").symlink_to("../.agents/skills")
    before = tree(project)

    cli("init", "--agent", "claude-code", "--agent", "codex", "--yes")

    assert (project / SKILL).read_text() == skill()
    assert (project / ".claude/skills").is_symlink()
    cli("init", "--undo", "--yes")
    assert tree(project) == before


@pytest.mark.parametrize("at", range(1, 6))
def test_an_error_at_any_file_leaves_all_as_it_was(
    project: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    _write(project, {CODEX: MINE[CODEX]})
    before = tree(project)
    writes = 0

    def write(path: Path, content: bytes | None, real: Any = files._write) -> None:
        nonlocal writes
        writes += 1
        if writes == at:
            raise PermissionError(13, "Permission denied")
        real(path, content)

    monkeypatch.setattr(files, "_write", write)
    error = cli.json("init", "--agent", "codex", "--yes", status=1)["error"]

    assert error["code"] == "file_unusable"
    assert "Permission denied" in error["message"]
    assert tree(project) == before


@pytest.mark.parametrize("at", range(1, 6))
def test_undo_after_init_was_killed_leaves_no_trace(
    project: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    _write(project, {CODEX: MINE[CODEX], ".mcp.json": MINE[".mcp.json"]})
    (project / ".holdfast").rmdir()
    before = tree(project)
    writes = 0

    def write(path: Path, content: bytes | None, real: Any = files._write) -> None:
        nonlocal writes
        writes += 1
        if writes <= at:
            real(path, content)

    with monkeypatch.context() as killed:
        killed.setattr(files, "_write", write)
        cli("init", "--agent", "codex", "--agent", "claude-code", "--yes")
    cli("init", "--undo", "--yes")

    assert tree(project) == before


def test_a_file_that_changes_while_somebody_decides_is_not_overwritten(
    project: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(project, {CODEX: MINE[CODEX]})
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)

    def edited_meanwhile(*_: Any, **__: Any) -> bool:
        (project / CODEX).write_text("# mine, newer\n")
        return True

    monkeypatch.setattr("click.confirm", edited_meanwhile)
    told = cli("init", "--agent", "codex", status=1)

    assert "error[changed_meanwhile]" in told.err
    assert (project / CODEX).read_text() == "# mine, newer\n"
    assert not (project / SKILL).exists()


def test_runs_stay_out_of_git_after_undo(project: Path, cli: Cli) -> None:
    cli("init", "--agent", "codex", "--yes")
    (project / ".holdfast/log").mkdir()

    told = cli.json("init", "--undo", "--yes")

    assert told["notes"] == [
        ".holdfast/.gitignore is left as it is: it keeps git from listing the project's runs"
    ]
    assert (project / ".holdfast/.gitignore").exists()
    assert not (project / ".agents").exists()


def test_git_has_the_workflows_and_not_the_rest(
    project: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("init", "--agent", "codex", "--yes")
    _write(project, {".holdfast/workflows/mine.py": "", ".holdfast/log/data.mdb": ""})
    monkeypatch.undo()
    for command in (["init", "-q"], ["add", "-A", ".holdfast"]):
        subprocess.run(["git", *command], cwd=project, check=True)
    listed = subprocess.run(
        ["git", "ls-files"], cwd=project, check=True, capture_output=True, text=True
    )

    assert listed.stdout.split() == [".holdfast/.gitignore", ".holdfast/workflows/mine.py"]


@pytest.mark.parametrize("agents", [["claude-code"], ["kimi", "goose"], ["codex", "kimi", "qwen"]])
@pytest.mark.parametrize("keys", [[], ["ANTHROPIC_API_KEY"]])
def test_the_starter_roles_are_settings_that_hold(agents: list[str], keys: list[str]) -> None:
    config = msgspec.convert(tomllib.loads(starter_roles(agents, keys)), Config)

    assert config.roles.keys() == {"default", "planner", "implementer", "reviewer", "cheap"}
    assert config.roles["reviewer"].agent == {"codex": "qwen"}.get(agents[0], agents[0])
    named = {role.agent for role in config.roles.values() if role.agent}
    assert named <= set(agents)
    assert bool(config.roles["cheap"].model) is bool(keys)
    for role in config.roles.values():
        assert role.permissions is None or role.agent not in {"kimi", "goose"}


def test_where_holdfast_is_not_in_the_path_agents_are_told_where_it_is(
    project: Path, cli: Cli
) -> None:
    (project / "programs/holdfast").unlink()

    told = cli.json("--home", "elsewhere", "init", "--agent", "gemini", "--yes")

    entry = json.loads((project / ".gemini/settings.json").read_text())["mcpServers"]["holdfast"]
    assert os.path.isabs(entry["command"])
    home = str(project / "elsewhere")
    assert entry["args"] == ["-m", "holdfast", "--home", home, "mcp"]
    assert "not in the PATH" in told["notes"][-1]
    assert (project / "elsewhere/init.json").exists()
