"""A repository of a user's."""

import shutil
from pathlib import Path

import pytest

from tests.support.repos import SETTINGS, Repo


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the user's own git settings, in which a test may write others."""
    path = tmp_path / "gitconfig"
    path.write_text(SETTINGS)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(path))
    return path


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with three files and one commit, to be copied."""
    files = {"a.txt": "one\ntwo\nthree\n", "src/b.py": "b = 1\n", ".gitignore": "*.log\n.env\n"}
    return Repo.make(tmp_path_factory.mktemp("template"), files).root


@pytest.fixture
def repo(tmp_path: Path, template: Path) -> Repo:
    """A repository with three files and one commit."""
    shutil.copytree(template, tmp_path / "repo", symlinks=True)
    repo = Repo(tmp_path / "repo")
    repo.git("update-index", "-q", "--refresh")
    return repo
