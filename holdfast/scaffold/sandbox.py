"""A sandbox: a command line around another one, made by the program bwrap until it is made your own."""

from .shared import COMMANDS, Files

PLUGIN = '''\
"""What this package offers to Holdfast."""

from collections.abc import Mapping

from holdfast.plugins import Sandbox, hookimpl

from .sandbox import ${Class}

HOLDFAST_HOOKS = 1


@hookimpl
def holdfast_sandboxes() -> Mapping[str, Sandbox]:
    """Offer the sandbox, by the name that steps and holdfast.toml use."""
    return {"$name": ${Class}()}
'''

SANDBOX = '''\
"""The sandbox `$name`: here with bubblewrap, a read-only machine and a folder to work in."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from holdfast.plugins import Confinement, Readiness, Wrapped

PROGRAM = "bwrap"
ALONE = ["--unshare-user", "--unshare-ipc", "--unshare-pid", "--die-with-parent"]
MACHINE = ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]


class ${Class}:
    """Wraps programs. What they may reach, and what not, is in the `Confinement`."""

    def wrap(
        self, argv: Sequence[str], env: Mapping[str, str], folder: Path, within: Confinement
    ) -> Wrapped:
        """Return the command line that runs `argv` in `folder`, held to `within`."""
        network = [] if within.network else ["--unshare-net"]
        mounts = [*MACHINE, *_each("--bind", (within.folder, *within.write))]
        mounts += _each("--ro-bind", (*within.read, *within.keep))
        for path in (*within.hidden, *within.private):  # last, so that nothing uncovers them
            if path.is_dir():
                mounts += ["--tmpfs", str(path)]
            elif path.exists():
                mounts += ["--ro-bind", "/dev/null", str(path)]
        inside = ["--chdir", str(folder.resolve()), "--", *argv]
        return Wrapped([PROGRAM, *ALONE, *network, *mounts, *inside], f"{PROGRAM}: ")

    def readiness(self) -> Readiness:
        """Make a sandbox and tell what came of it."""
        try:
            tried = [PROGRAM, *ALONE, *MACHINE, "--", "true"]
            done = subprocess.run(tried, capture_output=True, text=True, timeout=20, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return Readiness(False, f"{PROGRAM} cannot be run: {error}. apt install bubblewrap")
        if done.returncode:
            return Readiness(False, f"{PROGRAM} made no sandbox: {done.stderr.strip()}")
        return Readiness(True, PROGRAM)


def _each(option: str, paths: Sequence[Path]) -> list[str]:
    """Give a path inside as it is outside; one that is not there is not missed."""
    there = [str(path.resolve()) for path in paths if path.exists()]
    return [word for path in there for word in (option, path, path)]
'''

TEST = '''\
"""The sandbox, by what programs can do in it; left out where it cannot work."""

import pytest
from holdfast.plugins.testing import conformance

from $package import plugin
from $package.sandbox import ${Class}

works_here = pytest.mark.skipif(not ${Class}().readiness().ready, reason="it cannot work here")

test_sandbox_conforms = works_here(conformance(${Class}))
test_plugin_conforms = conformance(plugin)
'''

README = f"""\
# $distribution

The sandbox `$name` for Holdfast.

{COMMANDS}
A step takes it by `sandbox="$name"`, a project by `[sandbox]` `default = "$name"` in `holdfast.toml`.

`src/$package/sandbox.py` is all of it: it turns a command line into one that runs it confined. Make it yours: a
container, a virtual machine, another machine. What has to hold is in the docstrings of `Sandbox`, `Wrapped` and
`Confinement` in `holdfast.plugins`, and the tests try to get out.
"""

FILES: Files = {
    "src/$package/plugin.py": PLUGIN,
    "src/$package/sandbox.py": SANDBOX,
    "tests/test_sandbox.py": TEST,
    "README.md": README,
}
