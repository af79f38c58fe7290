"""A persistent dictionary: `set` answers with a new map, and the old one stays as it was.

The newest version owns a plain dict; an older one holds the one difference to its successor and takes
the dict over when it is read (Baker's trick: H. G. Baker, "Shallow Binding Makes Functional Arrays
Fast", 1991). So a fold that only ever looks at the newest version pays for a dict, a reader of an old
version pays for the way back, and both see the same. Not for use by two threads at once.
"""

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar, cast

V = TypeVar("V")
_ABSENT = object()


class PMap(Generic[V]):
    __slots__ = ("_items", "_key", "_newer", "_value")

    def __init__(self, items: Mapping[str, V] | None = None) -> None:
        self._items: dict[str, V] | None = dict(items or {})
        self._newer: PMap[V] | None = None
        self._key = ""
        self._value: object = None

    def set(self, key: str, value: V) -> "PMap[V]":
        """Return this map with `key` bound to `value`."""
        items = self._items if self._items is not None else self._reroot()
        newer = object.__new__(type(self))
        newer._items, newer._newer = items, None
        self._items, self._newer = None, newer
        self._key, self._value = key, items.get(key, _ABSENT)
        items[key] = value
        return newer

    def delete(self, key: str) -> "PMap[V]":
        """Return this map without `key`, which may be absent."""
        items = self._items if self._items is not None else self._reroot()
        if key not in items:
            return self
        newer = self.set(key, items[key])
        del items[key]
        return newer

    def _reroot(self) -> dict[str, V]:
        """Take the dict over from the newest version; each version on the way keeps a difference."""
        path: list[PMap[V]] = [self]
        while path[-1]._items is None:
            path.append(cast(PMap[V], path[-1]._newer))
        newest = path.pop()
        items = cast(dict[str, V], newest._items)
        for older in reversed(path):
            newest._key, newest._value = older._key, items.get(older._key, _ABSENT)
            if older._value is _ABSENT:
                del items[older._key]
            else:
                items[older._key] = cast(V, older._value)
            newest._items, newest._newer = None, older
            older._items, older._newer, older._value = items, None, None
            newest = older
        return items

    def _read(self) -> dict[str, V]:
        return self._items if self._items is not None else self._reroot()

    def get(self, key: str) -> V | None:
        return self._read().get(key)

    def __getitem__(self, key: str) -> V:
        return self._read()[key]

    def __contains__(self, key: object) -> bool:
        return key in self._read()

    def __len__(self) -> int:
        return len(self._read())

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._read()))

    def values(self) -> list[V]:
        return list(self._read().values())

    def items(self) -> list[tuple[str, V]]:
        return list(self._read().items())

    def copy(self) -> "PMap[V]":
        """Return the same map with a dict of its own, so that no version of one slows the other's."""
        return PMap(self._read())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PMap):
            return False
        return dict(self.items()) == dict(cast(PMap[object], other).items())

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"PMap({dict(self.items())!r})"
