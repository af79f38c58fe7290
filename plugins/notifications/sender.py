"""Sending what is for one target, in a thread of its own, so that neither a run nor another target waits."""

import threading
import time
from collections.abc import Callable, Mapping

from .failures import Undelivered
from .messages import Message
from .outbox import KEPT_S, Held, Outbox
from .targets import Target, deliver

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 300.0


def pause_after(tries: int) -> float:
    """Return how long to wait after so many tries that came to nothing."""
    return min(FIRST_PAUSE_S * 2.0 ** min(tries - 1, 20), LONGEST_PAUSE_S)


class Sender:
    """What is to be sent to a target. `step` tries what is due; `start` lets a thread do so."""

    def __init__(
        self,
        target: Target,
        outbox: Outbox,
        environ: Mapping[str, str],
        now: Callable[[], float] = time.time,
    ) -> None:
        self.target = target
        self._outbox, self._environ, self._now = outbox, environ, now
        self._jobs: list[Held] = []
        self._changed = threading.Condition()
        self._fresh = 0  # how many were not tried yet
        self._has_looked = False
        self._thread: threading.Thread | None = None

    def put(self, message: Message) -> None:
        """Note a message down, to be sent. Raises OSError."""
        self._add(self._outbox.put(message, self.target, self._now()))

    def take_over(self) -> None:
        """Take over what processes left that are gone, once in this one's life."""
        if not self._has_looked:
            self._has_looked = True
            for held in self._outbox.left(self.target.key):
                self._add(held)

    def _add(self, held: Held) -> None:
        with self._changed:
            self._jobs.append(held)
            self._fresh += 1
            self._changed.notify_all()

    def step(self) -> float | None:
        """Try what is due, and return in how many seconds there is something again; None: never."""
        with self._changed:
            jobs = [held for held in self._jobs if held.job.due <= self._now()]
        for held in jobs:
            ended = self._try(held)
            with self._changed:
                if ended:
                    self._jobs.remove(held)
                self._fresh = max(0, self._fresh - 1)
                self._changed.notify_all()
        with self._changed:
            dues = [held.job.due for held in self._jobs]
        return max(0.0, min(dues) - self._now()) if dues else None

    def _try(self, held: Held) -> bool:
        """Try a job once, and tell whether that was the last time."""
        job, now = held.job, self._now()
        try:
            try:
                deliver(self.target, job.message, self._environ, now)
            except Undelivered as error:
                job.tries, job.why = job.tries + 1, str(error)
                job.due = now + max(pause_after(job.tries), error.after_s)
                if error.again and job.due - job.since <= KEPT_S:
                    return False
                held.give_up()
            else:
                held.done()
        except OSError:  # of its file, which stays for the next process
            held.let_go()
        return True

    # --- the thread ------------------------------------------------------------------------------

    def start(self) -> None:
        """Let a thread send, from now until the process ends; a second call does nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="holdfast-notify", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            wait = self.step()
            with self._changed:
                if not self._fresh:
                    self._changed.wait(wait)

    def wait_tried(self, timeout_s: float) -> None:
        """Wait until each message was tried once, for a while at most; the rest is left to the next process."""
        if self._thread is not None:
            with self._changed:
                self._changed.wait_for(lambda: not self._fresh, timeout_s)
