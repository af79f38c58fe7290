"""The least that the work takes: a bare loop that puts one event a step into LMDB."""

import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from struct import Struct
from typing import TYPE_CHECKING, Any

import msgspec

from .. import raw
from ..sample import Sample, peak_bytes
from . import crash, work

if TYPE_CHECKING:
    import lmdb

GROUP = 100  # events of a fan-out that share a commit
FORKS = 50
RUN, FORK, WARM, FIRST_OF_MANY = 1, 2, 3, 10
_key = Struct(">QQ").pack


class Store:
    """Events by run and number."""

    def __init__(self, env: "lmdb.Environment", db: "lmdb._Database") -> None:
        self._env, self._db = env, db

    def commit(self, events: Iterable[tuple[int, int, Any]]) -> None:
        """Write events, each of a run and a number in it, and flush them."""
        with self._env.begin(write=True) as txn:
            for run, index, event in events:
                txn.put(_key(run, index), msgspec.msgpack.encode(event), db=self._db)

    def results(self, run: int) -> list[Any]:
        """Read what all steps of a run returned."""
        with self._env.begin() as txn:
            cursor, prefix = txn.cursor(self._db), _key(run, 0)[:8]
            cursor.set_range(prefix)
            rows = cursor.iternext()
            return [msgspec.msgpack.decode(value) for key, value in rows if key[:8] == prefix]

    def used_bytes(self) -> int:
        """Return the bytes of the pages in use."""
        with self._env.begin() as txn:
            stat = txn.stat(self._db)
        return (stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"]) * stat["psize"]


@contextmanager
def opened(folder: Path, *, warm: bool = True) -> Generator[Store]:
    """Open a store in a folder, and write something short."""
    path = folder / "lmdb"
    path.mkdir(exist_ok=True)
    with raw.opened(path) as (env, db):
        store = Store(env, db)
        if warm:
            one_by_one(store, WARM, range(work.WARM))
        yield store


def one_by_one(store: Store, run: int, steps: Iterable[int]) -> None:
    for index in steps:
        store.commit([(run, index, work.step(index))])


def sequence(folder: Path, *, steps: int) -> Sample:
    """Commit one event a step, and leave them in the folder."""
    with opened(folder) as store:
        size, began = store.used_bytes(), time.perf_counter()
        one_by_one(store, RUN, range(steps))
        seconds = time.perf_counter() - began
        size = store.used_bytes() - size
    return {"seconds": seconds, "bytes": size, "resident": peak_bytes()}


def fanout(folder: Path, *, steps: int) -> Sample:
    """Commit the events of many steps together."""
    with opened(folder) as store:
        began = time.perf_counter()
        for start in range(0, steps, GROUP):
            indexes = range(start, min(start + GROUP, steps))
            store.commit([(RUN, index, work.step(index)) for index in indexes])
        return {"seconds": time.perf_counter() - began}


def runs(folder: Path, *, runs: int, steps: int) -> Sample:
    """Commit a step of every run together, then the next."""
    with opened(folder) as store:
        began = time.perf_counter()
        for index in range(steps):
            store.commit([(FIRST_OF_MANY + run, index, work.step(index)) for run in range(runs)])
        return {"seconds": time.perf_counter() - began}


def resume(folder: Path, *, steps: int) -> Sample:
    return crash.resume("raw_lmdb", folder, steps)


def first(folder: Path, *, steps: int) -> Sample:
    """Commit steps until one hangs."""
    work.watch.get_stuck(steps, crash.told(folder))
    with opened(folder, warm=False) as store:
        one_by_one(store, RUN, range(steps + 1))
    raise AssertionError("it hangs until it is killed")


def second(folder: Path, *, steps: int) -> Sample:
    """Read what is there, and do the step that is missing."""
    with opened(folder, warm=False) as store:
        one_by_one(store, RUN, range(len(store.results(RUN)), steps + 1))
    return {"at": work.watch.first(steps)}


def replay(folder: Path, *, steps: int) -> Sample:
    """Read all results of the run in the folder."""
    with opened(folder) as store:
        began = time.perf_counter()
        results = store.results(RUN)
        seconds = time.perf_counter() - began
    assert len(results) == steps, len(results)
    return {"seconds": seconds}


def fork(folder: Path, *, steps: int) -> Sample:
    """Commit which run a fork leaves and where, which is all that a fork needs."""
    middle = steps // 2
    with opened(folder) as store:
        size, began = store.used_bytes(), time.perf_counter()
        for index in range(FORKS):
            store.commit([(FORK, index, (RUN, middle))])
        seconds = (time.perf_counter() - began) / FORKS
        size = store.used_bytes() - size
        work.watch.arm()
        began = time.monotonic()
        store.commit([(FORK, FORKS, (RUN, middle))])
        inherited = store.results(RUN)[:middle]
        one_by_one(store, FIRST_OF_MANY, [len(inherited)])
        first = work.watch.first(middle) - began
    return {"seconds": seconds, "bytes": size / FORKS, "first": first}
