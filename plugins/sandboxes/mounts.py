"""What a confined program finds in the file system, as a plan: paths, and how each of them is seen.

Deeper paths come later, so that each decides for itself: a writable folder has a hidden one in it,
which has a writable one in it.
"""

import os
import pwd
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from ..errors import SandboxFailed
from ..types import Confinement
from .repository import repository_mounts

Way = Literal["read", "write", "empty", "sealed", "nothing"]

# Folders with what belongs to others: people's homes, other programs' files, sockets of services.
ELSEWHERE = ("/home", "/root", "/run", "/tmp", "/var/tmp")

# What the superuser can read and nobody else.
SECRETS = (
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/ssh",
    "/etc/sudoers",
)

# A namespace does not take from the superuser what a file's owner may do: these are the machine's. For
# others they stay as they are, or no sandbox could be made within this one: the kernel wants all of
# /proc to be seen before it is mounted again.
OF_THE_MACHINE = ("acpi", "driver", "fs", "mtrr", "scsi", "sys", "sysrq-trigger")

# What of a home holds programs and settings, and no secrets.
TOOLS = [
    ".asdf",
    ".bun",
    ".cargo/bin",
    ".deno",
    ".fnm",
    ".local/bin",
    ".local/lib",
    ".local/pipx",
    ".local/share/claude",
    ".local/share/fnm",
    ".local/share/mise",
    ".local/share/pipx",
    ".local/share/pnpm",
    ".local/share/uv",
    ".npm-global",
    ".nvm",
    ".opencode/bin",
    ".pyenv",
    ".rbenv",
    ".rustup",
    ".sdkman",
    ".volta",
    "go/bin",
    ".gitconfig",
    ".config/git/config",
    ".config/git/ignore",
    ".config/git/attributes",
]
MOST_LINKS = 40  # in a row: path_resolution(7)
PACKAGES = ("node_modules", "site-packages")


class Plan:
    """How each path is seen; what is said last about one holds.

    Where a link leads is looked up outside, but not in the folder: there it may lead anywhere by now.
    """

    def __init__(self, folder: Path, emptied: Iterable[Path]) -> None:
        self._folder, self._emptied = folder, [*emptied]
        self._ways: dict[Path, tuple[Way, Path]] = {}

    def add(self, way: Way, *paths: Path) -> None:
        """See paths this way, where there are such."""
        for path in paths:
            if os.path.lexists(path):
                real = Path(os.path.realpath(path))
                self._ways[self._place(path, real)] = (way, real)

    def allow(self, way: Way, paths: Iterable[Path], hidden: Sequence[Path]) -> None:
        """See paths this way that neither lead into what is hidden nor are in the folder."""
        closed = [os.path.realpath(place) for place in hidden]
        for path in paths:
            if os.path.lexists(path) and not path.is_relative_to(self._folder):
                real = Path(os.path.realpath(path))
                if not any(real.is_relative_to(place) for place in closed):
                    self.add(way, path)

    def arguments(self) -> Iterator[str]:
        """Yield bwrap's arguments."""
        ordered = sorted(
            (item for item in self._ways.items() if not self._is_shown(item[0])),
            key=lambda item: (len(item[0].parts), item[0]),
        )
        for place, (way, source) in ordered:
            match way:
                case "read":
                    yield from ("--ro-bind", str(source), str(place))
                case "write":
                    yield from ("--bind", str(source), str(place))
                case "nothing":
                    yield from ("--ro-bind", os.devnull, str(place))
                case "empty" | "sealed":
                    yield from ("--tmpfs", str(place))
        for place, (way, _source) in ordered:
            if way == "sealed":
                yield from ("--remount-ro", str(place))

    def _is_shown(self, place: Path) -> bool:
        """Tell whether a path is a link in a folder that is seen: nothing can be mounted on a link."""
        if not os.path.islink(place):
            return False
        above = (self._ways[folder] for folder in place.parents if folder in self._ways)
        return next(above, ("empty", place))[0] in ("read", "write")

    def _place(self, path: Path, real: Path) -> Path:
        """Return where a path is mounted: in an emptied folder there are no links any more."""
        literal = Path(os.path.normpath(path))
        return literal if any(literal.is_relative_to(place) for place in self._emptied) else real


def mount_arguments(argv: Sequence[str], env: Mapping[str, str], within: Confinement) -> list[str]:
    """Return the arguments that show a confined program its files. Raises SandboxFailed."""
    folder = within.folder.resolve()
    homes = sorted({Path(env.get("HOME") or "/"), Path(pwd.getpwuid(os.getuid()).pw_dir)})
    emptied = {*map(Path, ELSEWHERE), *homes} - {Path("/")}
    _refuse_too_much(folder, emptied)
    plan = Plan(folder, emptied)
    plan.add("empty", *emptied)
    for secret in map(Path, SECRETS):
        plan.add("empty" if os.path.isdir(secret) else "nothing", secret)
    if os.geteuid() == 0:
        plan.add("read", *(Path("/proc", name) for name in OF_THE_MACHINE))
    plan.add("read", Path("/etc/resolv.conf").resolve())
    plan.allow("read", _programs(argv, env, homes, emptied), within.hidden)
    plan.allow("empty", within.private, within.hidden)
    plan.allow("read", within.read, within.hidden)
    plan.allow("write", within.write, within.hidden)
    plan.add("sealed", *within.hidden)
    plan.add("write", folder)
    for way, path in repository_mounts(folder):
        plan.add(way, path)
    plan.add("read", *(path for path in within.keep if not os.path.islink(path)))
    return ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", *plan.arguments()]


def _refuse_too_much(folder: Path, emptied: Iterable[Path]) -> None:
    for place in emptied:
        if Path(os.path.realpath(place)).is_relative_to(folder):
            raise SandboxFailed(
                f"a sandbox for {str(folder)!r} would hold nothing back: {str(place)!r} is in it. Let "
                "the run work in a folder of its own."
            )


def _programs(
    argv: Sequence[str], env: Mapping[str, str], homes: Iterable[Path], emptied: Iterable[Path]
) -> Iterator[Path]:
    """Yield what has programs to run, in folders that would be empty."""
    for home in map(str, homes):
        places = (os.path.join(home, name) for name in TOOLS)
        yield from (Path(place) for place in places if os.path.lexists(place))
    named = [Path(entry) for entry in env.get("PATH", "").split(os.pathsep) if entry]
    for path in (*named, Path(argv[0])):
        inside = path.is_absolute() and any(path.is_relative_to(place) for place in emptied)
        if inside and path not in (*homes, *emptied):
            yield path
            yield from _links_from(path)
            yield _package_of(path)


def _links_from(path: Path) -> Iterator[Path]:
    """Yield what a link leads to, hop by hop, as far as the kernel follows."""
    for _ in range(MOST_LINKS):
        if not os.path.islink(path):
            return
        path = Path(os.path.normpath(path.parent / path.readlink()))
        yield path


def _package_of(program: Path) -> Path:
    """Return the folder of packages or the Python environment that a program needs, or itself."""
    for environment in (program.parent, program.parent.parent):
        if os.path.exists(environment / "pyvenv.cfg"):
            return environment
    real = Path(os.path.realpath(program))
    above = [folder for folder in real.parents if folder.name in PACKAGES]
    return above[-1] if above else real
