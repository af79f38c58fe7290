"""`holdfast.toml`: what a project's owner decides once, for every run. Each section has a struct.

It stands in the project's root, so that it can be committed, and is optional, as is all that is in it.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, cast

import msgspec

from .errors import ConfigInvalid

NAME = "holdfast.toml"
T = TypeVar("T")


class WorkspaceConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[workspace]`: how a worktree of a run is made ready."""

    setup: str = ""  # a shell command, run in each new worktree before its first step


class TelemetryConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[telemetry]`: what is told to others about runs."""

    opentelemetry: bool | None = None  # None: where OTEL_EXPORTER_OTLP_ENDPOINT is set


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


class NotifyConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[[notify]]`: what people are told outside of the terminal, and how.

    Exactly one of `desktop`, `command` and `webhook` says how. `secret_env` names the variable with the
    secret that a webhook is signed with.
    """

    on: tuple[Literal["waiting", "failed", "done"], ...] = ("waiting", "failed", "done")
    desktop: bool = False
    command: str = ""
    webhook: str = ""
    secret_env: str = ""

    def __post_init__(self) -> None:
        if [self.desktop, bool(self.command), bool(self.webhook)].count(True) != 1:
            raise ValueError("say one of desktop = true, command and webhook")
        if self.webhook and not self.webhook.startswith(("https://", "http://")):
            raise ValueError(f"the webhook {self.webhook!r} must begin with https:// or http://")
        if self.secret_env and not self.webhook:
            raise ValueError("secret_env is for a webhook: nothing else is signed")
        if not self.on:
            raise ValueError('on = [] asks for nothing. Write for example: on = ["waiting"]')


Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]
Dollars = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
Tokens = Annotated[int, msgspec.Meta(ge=0)]


class RoleConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[roles.NAME]`: who does what workflows leave to the role (`role="NAME"`).

    `fallback` are those who go on where it cannot: agents, "agent:model", models or other roles.
    """

    agent: str = ""
    model: str = ""
    fallback: list[Name] = []
    permissions: Literal["read", "edit", "full"] | None = None
    sandbox: str = ""
    options: dict[str, Any] = {}


class LimitsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[limits]`: how much may be at work at once in one process, and what a run may use.

    `agent` and `model` hold for each one that `agents` and `models` do not name; `run` for each run.
    A budget holds for runs that are started without one; `reserve_` is set aside for each attempt.
    """

    steps: AtLeastOne = 1024
    shell: AtLeastOne = 8
    agent: AtLeastOne = 8
    model: AtLeastOne = 64
    run: AtLeastOne | None = None
    agents: dict[Name, AtLeastOne] = {}
    models: dict[Name, AtLeastOne] = {}
    budget_usd: Dollars = 0.0
    budget_tokens: Tokens = 0
    reserve_usd: Dollars = 0.0
    reserve_tokens: Tokens = 0


class ServeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[serve]`: what `holdfast serve` does besides.

    `http` is a port of this machine, or an address of its own with a port; true takes the usual port.
    """

    http: bool | int | str = False


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All sections; what is left out has these defaults."""

    sandbox: SandboxConfig = SandboxConfig()
    telemetry: TelemetryConfig = TelemetryConfig()
    workspace: WorkspaceConfig = WorkspaceConfig()
    roles: dict[Name, RoleConfig] = {}
    limits: LimitsConfig = LimitsConfig()
    serve: ServeConfig = ServeConfig()
    notify: list[NotifyConfig] = []


def read_config(root: Path) -> Config:
    """Read the `holdfast.toml` of a project. Raises ConfigInvalid, which names the file and the key."""
    path = root / NAME
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        roles = data.get("roles", {})
        if isinstance(roles, dict):  # so that the error can name the role
            for name, role in cast(dict[str, Any], roles).items():
                _convert(role, RoleConfig, f"[roles.{name}]: ")
        return _convert(data, Config)
    except FileNotFoundError:
        return Config()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigInvalid(path, f"cannot be read: {error}") from error
    except _Unfit as error:
        raise ConfigInvalid(path, f"does not fit: {error}") from error


class _Unfit(Exception):
    pass


def _convert(data: Any, kind: type[T], where: str = "") -> T:
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise _Unfit(f"{where}{error}") from error
