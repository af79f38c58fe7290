"""Writing a package: all of its files, or none."""

import keyword
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from string import Template

import msgspec

from . import agent, model, observer, sandbox, workflow
from .errors import BadPluginName, FolderExists, ScaffoldUnwritable
from .shared import PLUGIN_FILES, Files

KINDS: Mapping[str, Files] = {
    "agent": agent.FILES,
    "model": model.FILES,
    "sandbox": sandbox.FILES,
    "workflow": workflow.FILES,
    "observer": observer.FILES,
}
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LONGEST_NAME = 40
PREFIX = "holdfast-"


class NewPlugin(msgspec.Struct, frozen=True):
    """What was written: `files` are relative to `folder`."""

    plugin: str
    kind: str
    distribution: str
    folder: str
    files: list[str]


def write_plugin(
    name: str, kind: str, folder: Path | None = None, *, taken: Mapping[str, str] | None = None
) -> NewPlugin:
    """Write a package to `folder`, by default `holdfast-NAME` here, which must not exist yet.

    `taken` has the names that cannot be had, each with who offers it. Raises BadPluginName,
    FolderExists and ScaffoldUnwritable; nothing is left behind then.
    """
    plain = _checked(name.removeprefix(PREFIX), name, taken or {})
    where = folder if folder is not None else Path(PREFIX + plain)
    if where.exists() or where.is_symlink():
        raise FolderExists(where, name)
    words = _words(plain, kind)
    files = {
        Template(path).substitute(words): Template(text).substitute(words)
        for path, text in {**PLUGIN_FILES, **KINDS[kind]}.items()
    }
    _write(where, files)
    return NewPlugin(plain, kind, PREFIX + plain, str(where), sorted(files))


def _checked(plain: str, given: str, taken: Mapping[str, str]) -> str:
    if not NAME.fullmatch(plain) or len(plain) > LONGEST_NAME:
        raise BadPluginName(
            given,
            f"take up to {LONGEST_NAME} small letters, digits and single hyphens, a letter first, as "
            "in 'acme-large'",
        )
    if plain in taken:
        raise BadPluginName(given, f"{taken[plain]} has this name already. Choose another")
    return plain


def _words(name: str, kind: str) -> dict[str, str]:
    package = f"holdfast_{name.replace('-', '_')}"
    stem = "".join(part.capitalize() for part in name.split("-"))
    function = name.replace("-", "_")
    reserved = keyword.iskeyword(function) or function in {"run", "workflow"}
    return {
        "name": name,
        "distribution": PREFIX + name,
        "package": package,
        "Class": stem + kind.capitalize(),
        "function": f"{function}_" if reserved else function,
        "VARIABLE": function.upper(),
    }


def _write(folder: Path, files: Mapping[str, str]) -> None:
    made = False
    try:
        folder.mkdir(parents=True)
        made = True
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except (OSError, ValueError) as error:
        if made:
            shutil.rmtree(folder, ignore_errors=True)
        reason = getattr(error, "strerror", None) or str(error)
        raise ScaffoldUnwritable(folder, reason) from error
