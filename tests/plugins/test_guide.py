"""The guide for plugin authors is true: its commands and its code are run as they stand."""

import json
import re
import socket
import subprocess
from pathlib import Path

import pytest

from holdfast.plugins.fitting import HOOKS
from holdfast.scaffold import KINDS
from tests.support.venv import ROOT, Venv

GUIDE = (ROOT / "plugins/README.md").read_text()
BLOCK = re.compile(r"^```(\w+)(?: ([^\n]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("localhost", 0))
        port: int = found.getsockname()[1]
        return port


def script(guide: str, folder: Path) -> str:
    """Return the guide's first half as one shell script, in which files are written and changed."""
    lines = ["set -e"]
    before: tuple[str, str] = ("", "")
    for number, (language, about, text) in enumerate(BLOCK.findall(guide)):
        piece = folder / f"piece-{number}"
        piece.write_text(text)
        if language == "sh":
            lines.append(text.strip())
        elif about.startswith("from "):
            before = (about.removeprefix("from "), str(piece))
        elif about == "to":
            lines.append(f"python '{folder}/change.py' {before[0]} '{before[1]}' '{piece}'")
        else:
            lines.append(f"cp '{piece}' {about}")
    return "\n".join(lines).replace(
        "server.txt 2>&1 &", f"server.txt 2>&1 & echo $! >'{folder}/pid'"
    )


CHANGE = """
import pathlib, sys
path, old, new = (pathlib.Path(each) for each in sys.argv[1:])
text = path.read_text()
assert text.count(old.read_text()) == 1, f"{path} has not exactly one of: {old.read_text()}"
path.write_text(text.replace(old.read_text(), new.read_text()))
"""


@pytest.mark.soak
def test_a_newcomer_who_follows_it_has_a_back_end_that_answers(tmp_path: Path) -> None:
    venv = Venv(tmp_path / "venv")
    (tmp_path / "change.py").write_text(CHANGE)
    half = GUIDE.partition("## The hooks")[0].replace("8765", str(free_port()))

    try:
        told = venv.ok(script(half, tmp_path), tmp_path)
    finally:
        if (tmp_path / "pid").exists():
            subprocess.run(["kill", (tmp_path / "pid").read_text().strip()], check=False)

    assert re.search(r"^parrot +holdfast-parrot 0.1.0 +model parrot/$", told, re.MULTILINE)
    ran = json.loads(told[told.rindex("\n{") :])
    assert (ran["status"], ran["output"]) == ("succeeded", "WHO IS A PRETTY BOY?")
    assert ran["output"] in GUIDE


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_in_the_guide_and_in_the_readme(hook: str) -> None:
    assert f"`{hook}(" in GUIDE
    assert f"`{hook}`" in (ROOT / "README.md").read_text()


def test_every_kind_of_package_is_in_the_guide_and_in_the_readme() -> None:
    offered = f"--kind {'|'.join(KINDS)}"

    assert offered in GUIDE
    assert offered in (ROOT / "README.md").read_text()
