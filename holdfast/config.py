"""`holdfast.toml`: what a project's owner decides once, for every run. Each section has a struct.

It stands in the project's root, so that it can be committed, and is optional, as is all that is in it.
"""

import tomllib
from pathlib import Path
from typing import Literal

import msgspec

from .errors import ConfigInvalid

NAME = "holdfast.toml"


class WorkspaceConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[workspace]`: how a worktree of a run is made ready."""

    setup: str = ""  # a shell command, run in each new worktree before its first step


class SandboxConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[sandbox]`: what confines the programs of agents and commands, and what they may reach there.

    `network` may be "agents", for these alone. `env` names variables that are let in, "*" stands for
    any text; `read` and `write` are paths, `processes` how many there may be at once in a step.
    """

    default: str = "none"  # where a step does not say
    network: bool | Literal["agents"] = False
    env: list[str] = []
    read: list[str] = []
    write: list[str] = []
    processes: int = 4096

    def __post_init__(self) -> None:
        for path in (*self.read, *self.write):
            if not path.startswith(("/", "~/")):
                raise ValueError(f"{path!r} must begin with '/' or '~/'")
        if self.processes < 16:
            raise ValueError(f"{self.processes} processes are too few for anything: 16 at least")


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All sections; what is left out has these defaults."""

    sandbox: SandboxConfig = SandboxConfig()
    workspace: WorkspaceConfig = WorkspaceConfig()


def read_config(root: Path) -> Config:
    """Read the `holdfast.toml` of a project. Raises ConfigInvalid, which names the file and the key."""
    path = root / NAME
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        return msgspec.convert(data, Config)
    except FileNotFoundError:
        return Config()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigInvalid(path, f"cannot be read: {error}") from error
    except msgspec.ValidationError as error:
        raise ConfigInvalid(path, f"does not fit: {error}") from error
