"""Where notifications go: the desktop, a command, or a webhook. Sends one, and says how that went."""

import hashlib
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import msgspec

from .failures import Undelivered
from .messages import Message

COMMAND_S = 60.0
TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h: what a command says that wants to be tried again


class Target(msgspec.Struct, frozen=True):
    """One entry of the settings: which notifications, and one of the three ways."""

    on: tuple[str, ...]
    desktop: bool = False
    command: str = ""
    webhook: str = ""
    secret_env: str = ""
    folder: str = ""  # where the command is run

    @property
    def key(self) -> str:
        """What tells targets apart, also after the settings were changed."""
        told = f"{self.desktop}\0{self.command}\0{self.webhook}"
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    def __str__(self) -> str:
        return "the desktop" if self.desktop else repr(self.command or self.webhook)


def fault_of(target: Target, environ: Mapping[str, str]) -> str:
    """Say why nothing can be sent to a target; nothing where it can."""
    from . import desktop, webhook

    if target.desktop:
        return desktop.lacking()
    if target.secret_env:
        return webhook.fault_of_secret(target.secret_env, environ)
    return ""


def deliver(target: Target, message: Message, environ: Mapping[str, str], now: float) -> None:
    """Send a message. Raises Undelivered, which says whether to try again."""
    from . import desktop, webhook

    if target.desktop:
        desktop.show(message)
    elif target.command:
        _run(target, message, environ)
    else:
        webhook.post(target.webhook, message, environ.get(target.secret_env, ""), now)


def _run(target: Target, message: Message, environ: Mapping[str, str]) -> None:
    """Run a command with the message on its standard input, and in short in its environment."""
    data = message.data
    about = {
        "HOLDFAST_NOTIFICATION": message.id,
        "HOLDFAST_EVENT": message.type,
        "HOLDFAST_RUN": data["run"],
        "HOLDFAST_WORKFLOW": data["workflow"],
        "HOLDFAST_GATE": data.get("gate", ""),
        "HOLDFAST_TEXT": message.text,
        "HOLDFAST_COMMAND": message.command,
    }
    clean = {name: value.replace("\0", "?") for name, value in about.items()}
    folder = target.folder if Path(target.folder or os.curdir).is_dir() else None
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", target.command],
            input=message.body(),
            env={**environ, **clean},
            cwd=folder or None,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=COMMAND_S,
            start_new_session=True,  # a Ctrl-C is not meant for it
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Undelivered(str(error), again=False) from error
    if done.returncode:
        words = done.stderr.decode("utf-8", "replace").strip()[-300:]
        why = f"it ended with status {done.returncode}: {words}".rstrip(": ")
        raise Undelivered(why, again=done.returncode == TRY_AGAIN)
