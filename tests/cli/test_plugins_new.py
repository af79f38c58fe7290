"""`holdfast plugins new` writes a whole package or nothing."""

import ast
import tomllib
from pathlib import Path

import pytest

from holdfast.cli.commands import plugins as command
from holdfast.scaffold import KINDS
from tests.cli.conftest import Cli


def test_the_command_offers_every_kind_that_there_is() -> None:
    assert set(command.KINDS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_package_is_written_and_what_to_do_next_is_told(cli: Cli, kind: str) -> None:
    told = cli.json("plugins", "new", "acme-large", "--kind", kind)

    folder = cli.folder / "holdfast-acme-large"
    assert told["plugin"]["distribution"] == "holdfast-acme-large"
    written = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert written == set(told["plugin"]["files"])
    assert {"pyproject.toml", "README.md", "src/holdfast_acme_large/py.typed"} <= written
    assert told["next"][0] == "cd holdfast-acme-large"
    assert [step.split()[-1] for step in told["next"][1:]] == ["'.[test]'", "pytest", "plugins"]
    project = tomllib.loads((folder / "pyproject.toml").read_text())
    assert project["project"]["entry-points"]["holdfast"] == {
        "acme-large": "holdfast_acme_large.plugin"
    }
    assert not (cli.folder / ".holdfast/log").exists()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["run", "class", "crashed", "any", "x", "a1-2b", "y" * 40])
def test_whatever_its_name_the_code_can_be_read(cli: Cli, kind: str, name: str) -> None:
    cli("plugins", "new", name, "--kind", kind)

    for path in (cli.folder / f"holdfast-{name}").rglob("*.py"):
        assert "$" not in path.read_text().replace("$" + name.upper().replace("-", "_"), "")
        ast.parse(path.read_text())


def test_the_prefix_of_a_distribution_is_no_part_of_the_name(cli: Cli) -> None:
    told = cli.json("plugins", "new", "holdfast-acme", "--kind", "model", "--folder", "deep/er")

    assert told["plugin"]["plugin"] == "acme"
    assert (cli.folder / "deep/er/src/holdfast_acme/model.py").exists()


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Acme",
        "1st",
        "a b",
        "a_b",
        "-x",
        "a--b",
        "../x",
        "a/b",
        "é",
        "x" * 41,
        "a\n",
        "holdfast-",
    ],
)
def test_a_bad_name_is_refused(cli: Cli, name: str) -> None:
    before = list(cli.folder.iterdir())

    told = cli("plugins", "new", "--kind", "agent", "--", name, status=2)

    assert told.err.startswith("error[bad_plugin_name]: ")
    assert "as in 'acme-large'" in told.err
    assert list(cli.folder.iterdir()) == before


@pytest.mark.parametrize(
    ("name", "kind", "who"),
    [
        ("codex", "agent", "an installed agent"),
        ("implement", "workflow", "an installed workflow"),
        ("bubblewrap", "sandbox", "an installed sandbox"),
        ("none", "sandbox", "an installed sandbox"),
        ("bundled", "observer", "a plugin of holdfast"),
    ],
)
def test_a_name_that_is_taken_is_refused(cli: Cli, name: str, kind: str, who: str) -> None:
    told = cli("plugins", "new", name, "--kind", kind, status=2)

    assert f"{who} has this name already" in told.err


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch, lambda path: path.symlink_to("nowhere")])
def test_what_exists_is_left_alone(cli: Cli, make: object) -> None:
    make(cli.folder / "holdfast-acme")  # type: ignore[operator]

    told = cli("plugins", "new", "acme", "--kind", "agent", status=2)

    assert told.err.startswith("error[folder_exists]: 'holdfast-acme' exists")
    assert "holdfast plugins new acme --folder FOLDER" in told.err


def test_where_nothing_can_be_written_nothing_is_left(cli: Cli) -> None:
    (cli.folder / "file").touch()

    told = cli("plugins", "new", "acme", "--kind", "agent", "--folder", "file/x", status=1)

    assert told.err.startswith("error[scaffold_unwritable]: ")
    assert "Not a directory" in told.err


def test_a_disk_that_fills_leaves_nothing(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_text

    def fills(path: Path, text: str, **more: str) -> int:
        if path.name == "README.md":
            raise OSError(28, "No space left on device")
        return write(path, text, **more)

    monkeypatch.setattr(Path, "write_text", fills)

    told = cli("plugins", "new", "acme", "--kind", "agent", status=1)

    assert "No space left on device" in told.err
    assert not (cli.folder / "holdfast-acme").exists()


def test_the_kind_has_to_be_said(cli: Cli) -> None:
    assert "--kind" in cli("plugins", "new", "acme", status=2).err
    assert "'sandwich' is not one of" in (
        cli("plugins", "new", "acme", "--kind", "sandwich", status=2).err
    )
