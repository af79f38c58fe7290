"""The work that every system is given: steps that do nothing, and a watch on when they begin."""

import threading
import time
from pathlib import Path
from typing import Any

TEXT = "x" * 150
WARM = 3  # steps that a process executes before it measures
LONGEST_WAIT_S = 60.0


class Watch:
    """Notes the first step that begins after `arm`, and can keep a step from ever ending."""

    def __init__(self) -> None:
        self._began = threading.Event()
        self._index, self._at = -1, 0.0
        self._stuck, self._told = -1, Path()

    def arm(self) -> None:
        """Wait for a first step anew."""
        self._began.clear()

    def get_stuck(self, index: int, told: Path) -> None:
        """Let step `index` make the file `told` and then never end."""
        self._stuck, self._told = index, told

    def saw(self, index: int) -> None:
        """Take note that a step begins."""
        if not self._began.is_set():
            self._index, self._at = index, time.monotonic()
            self._began.set()
        while index == self._stuck:
            self._told.touch()
            time.sleep(LONGEST_WAIT_S)

    def first(self, expected: int) -> float:
        """Wait for the first step, which must be the expected one, and return when it began."""
        if not self._began.wait(LONGEST_WAIT_S):
            raise TimeoutError(f"no step began in {LONGEST_WAIT_S:.0f} s")
        if self._index != expected:
            raise ValueError(f"step {self._index} was executed first, not {expected}")
        return self._at


watch = Watch()


def step(index: int) -> dict[str, Any]:
    """Do nothing, and return about 200 bytes."""
    watch.saw(index)
    return {"step": index, "ok": True, "tool": "nothing", "text": TEXT}


def folder_bytes(folder: Path) -> int:
    """Return the length of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
