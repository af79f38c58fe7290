"""A virtual environment that has what this one has, and what a test installs into it."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILDS_ALONE = 77  # the setuptools from which nothing has to be fetched to build a package


class Venv:
    """Commands of its `bin` are run with it first in the PATH, as in an activated one."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        venv.EnvBuilder(symlinks=True).create(folder)
        self.python = self.bin / "python"
        (purelib,) = folder.glob("lib/python*/site-packages")
        here = sysconfig.get_path("purelib")
        (purelib / "beneath.pth").write_text(f"{ROOT}\nimport site; site.addsitedir({here!r})\n")
        for module in ("holdfast", "mypy", "pytest"):
            self._script(module, f'exec "{self.python}" -m {module} "$@"')
        self._script(
            "pip", f'exec "{sys.executable}" -m pip --python "{self.python}" "$@" {_offline()}'
        )

    def _script(self, name: str, line: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o755)

    def sh(self, command: str, folder: Path, **env: str) -> "subprocess.CompletedProcess[str]":
        """Run a line of shell in a folder, with nobody's settings but the test's."""
        dropped = ("HOLDFAST_HOME", "PYTHONPATH", "VIRTUAL_ENV")
        kept = {name: value for name, value in os.environ.items() if name not in dropped}
        path = f"{self.bin}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            ["sh", "-c", command],
            cwd=folder,
            env={**kept, "PATH": path, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def ok(self, command: str, folder: Path, **env: str) -> str:
        """Run a line of shell that has to end well; return what it printed."""
        done = self.sh(command, folder, **env)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def install(self, *packages: Path, work: Path) -> None:
        """Build and install packages from copies: building leaves files behind."""
        copies = [shutil.copytree(package, work / package.name) for package in packages]
        self.ok(f"pip install {' '.join(map(str, copies))}", work)


def _offline() -> str:
    """Everything that is needed is beneath; only an old setuptools must be fetched anew to build."""
    major = int(metadata.version("setuptools").partition(".")[0]) if _has_setuptools() else 0
    alone = " --no-build-isolation --no-index" if major >= BUILDS_ALONE else ""
    return f"-q --disable-pip-version-check --no-deps{alone}"


def _has_setuptools() -> bool:
    return any(metadata.distributions(name="setuptools"))
