"""Notifications of the desktop, through the program that this system has for them."""

import shutil
import subprocess

from .failures import Undelivered
from .messages import Message

SHOW_S = 10.0
SCRIPT = """on run argv
display notification (item 2 of argv) with title (item 1 of argv)
end run"""


def lacking() -> str:
    """Say what is missing; nothing where there is a program for it."""
    if shutil.which("notify-send") or shutil.which("osascript"):
        return ""
    return (
        "neither notify-send (of libnotify) nor osascript (of macOS) is here. Install libnotify-bin"
    )


def show(message: Message) -> None:
    """Show a message. Raises Undelivered."""
    command = _command("Holdfast", f"{message.text}\n{message.command}")
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=SHOW_S,
            start_new_session=True,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Undelivered(str(error), again=False) from error
    if done.returncode:
        words = done.stderr.decode("utf-8", "replace").strip()[-300:]
        raise Undelivered(f"{command[0]} ended with {done.returncode}: {words}", again=False)


def _command(title: str, text: str) -> list[str]:
    text = text.replace("\0", "?")
    if program := shutil.which("notify-send"):
        return [program, "--app-name=Holdfast", "--", title, text]
    if program := shutil.which("osascript"):
        return [program, "-e", SCRIPT, title, text]
    raise Undelivered(lacking(), again=False)
