"""`holdfast.toml`: what a project's owner decides once, for every run. Each section has a struct.

It stands in the project's root, so that it can be committed, and is optional, as is all that is in it.
"""

import tomllib
from pathlib import Path

import msgspec

from .errors import ConfigInvalid

NAME = "holdfast.toml"


class WorkspaceConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[workspace]`: how a worktree of a run is made ready."""

    setup: str = ""  # a shell command, run in each new worktree before its first step


class TelemetryConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[telemetry]`: what is told to others about runs."""

    opentelemetry: bool | None = None  # None: where OTEL_EXPORTER_OTLP_ENDPOINT is set


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All sections; what is left out has these defaults."""

    telemetry: TelemetryConfig = TelemetryConfig()
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
