"""A repository of a user's, with settings that no machine can disturb."""

import shutil
from pathlib import Path

import pytest

from tests.support.repos import Repo

SETTINGS = """
[user]
    name = Ada
    email = ada@example.org
[commit]
    gpgSign = false
[protocol "file"]
    allow = always
"""


@pytest.fixture(autouse=True)
def settings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give git no settings but these; a test may write others there."""
    path = tmp_path_factory.mktemp("settings") / "gitconfig"
    path.write_text(SETTINGS)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return path


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with three files and one commit, to be copied."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("template")
        (folder / "gitconfig").write_text(SETTINGS)
        patch.setenv("GIT_CONFIG_GLOBAL", str(folder / "gitconfig"))
        files = {"a.txt": "one\ntwo\nthree\n", "src/b.py": "b = 1\n", ".gitignore": "*.log\n.env\n"}
        return Repo.make(folder / "repo", files).root


@pytest.fixture
def repo(tmp_path: Path, template: Path) -> Repo:
    """A repository with three files and one commit."""
    shutil.copytree(template, tmp_path / "repo", symlinks=True)
    repo = Repo(tmp_path / "repo")
    repo.git("update-index", "-q", "--refresh")
    return repo
