"""The sandbox `bubblewrap`: Linux namespaces, made by the program bwrap, which needs no privileges."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from ..errors import SandboxUnavailable
from ..types import Confinement, Readiness, Wrapped
from .mounts import mount_arguments
from .repository import clear_planted

NAME = "bubblewrap"
PROGRAM = "bwrap"
INSTALL = "apt install bubblewrap, or: dnf install bubblewrap"
PROBE_TIMEOUT_S = 20

NAMESPACES = [
    "--unshare-user",
    "--unshare-ipc",
    "--unshare-pid",
    "--unshare-uts",
    "--unshare-cgroup-try",
    "--die-with-parent",
    *["--cap-drop", "ALL"],
]
NO_NETWORK = "--unshare-net"

# The limit is set inside, where only the sandbox's own processes count. Shells differ in its name.
LIMITED = 'ulimit -u "$0" 2>/dev/null || ulimit -p "$0" || exit 126; exec "$@"'


class Bubblewrap:
    """Runs programs in namespaces of their own, with a read-only view of the machine."""

    def __init__(self) -> None:
        self._works: tuple[str, Readiness] | None = None

    def wrap(
        self, argv: Sequence[str], env: Mapping[str, str], folder: Path, within: Confinement
    ) -> Wrapped:
        """Return bwrap's command line. Raises SandboxUnavailable, SandboxFailed."""
        ready = self.readiness()
        if self._works is None:
            raise SandboxUnavailable(NAME, ready.detail)
        limited = ["/bin/sh", "-c", LIMITED, str(within.processes), *argv]
        return Wrapped(
            [
                self._works[0],
                *NAMESPACES,
                *([] if within.network else [NO_NETWORK]),
                *mount_arguments(argv, env, within),
                *["--chdir", str(folder.resolve()), "--", *limited],
            ],
            f"{PROGRAM}: ",
            partial(clear_planted, within.folder.resolve()),
        )

    def readiness(self) -> Readiness:
        """Make a sandbox and tell what came of it; once that went well, it is not done again."""
        return self._works[1] if self._works is not None else self._try()

    def _try(self) -> Readiness:
        program = shutil.which(PROGRAM)
        if sys.platform != "linux" or program is None:
            where = (
                "" if sys.platform == "linux" else f" It is for Linux, and this is {sys.platform}."
            )
            return Readiness(
                False, f"the program {PROGRAM!r} is not in the PATH.{where} {INSTALL}."
            )
        tried = [program, *NAMESPACES, NO_NETWORK, "--ro-bind", "/", "/", "--dev", "/dev"]
        tried += [
            "--proc",
            "/proc",
            "--tmpfs",
            "/tmp",
            "--",
            "/bin/sh",
            "-c",
            LIMITED,
            "4096",
            "true",
        ]
        try:
            done = subprocess.run(
                tried,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=PROBE_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return Readiness(False, f"{program} cannot be run: {error}.")
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            return Readiness(False, f"{program} made no sandbox: {said!r}. {_advice()}")
        ready = Readiness(True, f"{_version(program)} ({program}){_as_root()}")
        self._works = program, ready
        return ready


def _advice() -> str:
    """Say what usually keeps users from making namespaces."""
    for setting, wanted in (
        ("kernel/apparmor_restrict_unprivileged_userns", "0"),
        ("kernel/unprivileged_userns_clone", "1"),
    ):
        path = Path("/proc/sys", setting)
        if path.exists() and path.read_text().strip() != wanted:
            return f"Let users make namespaces: sysctl {setting.replace('/', '.')}={wanted}"
    return "A container must let its programs make user namespaces, and mount /proc in them."


def _version(program: str) -> str:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _as_root() -> str:
    if os.geteuid():
        return ""
    return "; for root, the kernel limits no number of processes: a fork bomb is not held"
