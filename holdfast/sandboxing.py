"""Which sandbox a step's programs run in, and what they may reach there.

The workflow's word goes first, then the project's settings. A sandbox that cannot work is an error:
nothing is ever run outside instead.
"""

import os
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import msgspec
import trio

from holdfast.plugins import (
    NO_SANDBOX,
    Agent,
    ConfigFolder,
    Confinement,
    Needs,
    NotConfinable,
    Plugins,
    SandboxUnavailable,
)
from holdfast.plugins.confining import Confined
from holdfast.reducer import AgentCall, ShellCall

from .config import SandboxConfig
from .project import SANDBOX

ALLOWED = [
    "CI",
    "COLORTERM",
    "COLUMNS",
    "FORCE_COLOR",
    "HOLDFAST_PORT_BASE",
    "HOME",
    "LANG",
    "LANGUAGE",
    "LC_*",
    "LINES",
    "LOGNAME",
    "NO_COLOR",
    "GIT_AUTHOR_EMAIL",
    "GIT_AUTHOR_NAME",
    "GIT_COMMITTER_EMAIL",
    "GIT_COMMITTER_NAME",
    "PATH",
    "SHELL",
    "TERM",
    "TZ",
    "USER",
    "VIRTUAL_ENV",
]
ALLOWED_ONLINE = [
    "ALL_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NODE_EXTRA_CA_CERTS",
    "NO_PROXY",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
]
NOTHING = Needs(network=False)


class Rules(msgspec.Struct, frozen=True):
    """What holds for all steps of a run: the project's settings, what nobody sees, what nobody changes."""

    config: SandboxConfig = SandboxConfig()
    hidden: tuple[Path, ...] = ()
    keep: tuple[Path, ...] = ()


class Surroundings(NamedTuple):
    """What confines a step's programs, if anything, and what they inherit of our environment."""

    confined: Confined | None
    env: dict[str, str]


async def surroundings(
    call: ShellCall | AgentCall,
    rules: Rules,
    folder: Path,
    plugins: Plugins,
    agent: Agent | None = None,
) -> Surroundings:
    """Return where a step is to run. Raises UnknownSandbox, SandboxUnavailable, NotConfinable."""
    config = rules.config
    name = config.default if call.sandbox is None else call.sandbox
    if name == NO_SANDBOX:
        return Surroundings(None, dict(os.environ))
    sandbox = plugins.sandbox(name)
    needs = NOTHING if agent is None else _needs(call, agent, name)
    network = _network(call, config)
    if needs.network and not network:
        raise NotConfinable(
            f"the agent {_named(call)} talks to its model over the network, which the sandbox {name!r} "
            "keeps from it. Give the step network=True, or all agents in holdfast.toml: [sandbox] "
            'network = "agents"'
        )
    ready = await trio.to_thread.run_sync(sandbox.readiness)
    if not ready.ready:
        raise SandboxUnavailable(name, ready.detail)
    folders = [_where(each) for each in needs.folders]
    within = Confinement(
        folder=folder,
        hidden=rules.hidden,
        keep=rules.keep,
        private=tuple(path for path, _ in folders),
        read=(*_paths(config.read), *(path / name for path, each in folders for name in each.read)),
        write=(*_paths(config.write), *await _written(folders)),
        network=network,
        processes=config.processes,
    )
    names = [*ALLOWED, *needs.env, *config.env, *(ALLOWED_ONLINE if network else ())]
    return Surroundings(Confined(sandbox, within), {**_allowed(os.environ, names), SANDBOX: name})


def _needs(call: ShellCall | AgentCall, agent: Agent, sandbox: str) -> Needs:
    needs = getattr(agent, "needs", None)
    if isinstance(needs, Needs):
        return needs
    raise NotConfinable(
        f"the agent {_named(call)} cannot be put in the sandbox {sandbox!r}: it does not say that all it "
        'does is done by programs that can be confined. Choose another agent, or sandbox="none"'
    )


def _named(call: ShellCall | AgentCall) -> str:
    return repr(call.agent) if isinstance(call, AgentCall) else ""


def _network(call: ShellCall | AgentCall, config: SandboxConfig) -> bool:
    if call.network is not None:
        return call.network
    return isinstance(call, AgentCall) if config.network == "agents" else config.network


def _allowed(env: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    patterns = list(names)
    return {
        name: value
        for name, value in env.items()
        if any(fnmatchcase(name, pattern) for pattern in patterns)
    }


def _paths(named: Iterable[str]) -> list[Path]:
    return [Path(name).expanduser() for name in named]


def _where(folder: ConfigFolder) -> tuple[Path, ConfigFolder]:
    named = os.environ.get(folder.variable) if folder.variable else None
    return Path(named or folder.path).expanduser().absolute(), folder


async def _written(folders: Iterable[tuple[Path, ConfigFolder]]) -> list[Path]:
    """Return what agents write in their folders; make the folders among it that are missing."""
    written = [(path / name, name) for path, each in folders for name in each.write]

    def make() -> None:
        for path, name in written:
            if name == "." or name.endswith("/"):
                path.mkdir(parents=True, exist_ok=True)

    await trio.to_thread.run_sync(make)
    return [path for path, _ in written]
