"""What the tools share: the project's log, open while somebody needs it, and its plugins."""

import os
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import trio

from holdfast.cli.place import Place
from holdfast.cli.tools import tools
from holdfast.config import Config, read_config
from holdfast.eventlog import Log
from holdfast.loading import Loader
from holdfast.plugins import Plugins

from .calls import ToolPlace


class Kit(NamedTuple):
    """What executes runs: the plugins, what finds a workflow, and the settings as they are now."""

    plugins: Plugins
    load: Loader
    config: Config


class Desk:
    """One server's project. Its methods may be called from any thread.

    The log is closed whenever nobody looks at it: a process opens it once, and while it is open it
    cannot be compacted. One that is given stays open. `env` tells whether this process works inside
    a run; `news`, where who executes runs is in this process, returns what is set when something happens.
    """

    def __init__(
        self,
        place: Place,
        env: Mapping[str, str] = os.environ,
        *,
        log: Log | None = None,
        kit: Kit | None = None,
        news: Callable[[], trio.Event] | None = None,
    ) -> None:
        self.place, self.env, self.news = place, env, news
        self._lock = threading.Lock()
        self._log = log
        self._users = 0 if log is None else 1
        self._kit = kit

    @contextmanager
    def log(self, *, create: bool = False) -> Generator[Log]:
        """Open the project's log, or share it with the calls that have it open."""
        with self._lock:
            log = self._log = self._log or self.place.log(create=create)
            self._users += 1
        try:
            yield log
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    self._log = None
                    log.close()

    def kit(self) -> Kit:
        """Return the plugins, loaded once, with the settings as they are now."""
        project = self.place.project()
        with self._lock:
            if self._kit is None:
                self._kit = Kit(*tools(project)[:3])
                return self._kit
        return self._kit._replace(config=read_config(project.root))


class Visit(NamedTuple):
    """One call: where, by whom, and the environment that tells whether who calls works inside a run."""

    desk: Desk
    place: ToolPlace
    env: Mapping[str, str]

    @classmethod
    def of(cls, desk: Desk, client: str, env: Mapping[str, str] | None = None) -> "Visit":
        return cls(desk, ToolPlace(desk.place.home, client), desk.env if env is None else env)
