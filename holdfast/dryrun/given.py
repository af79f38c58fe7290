"""The samples that somebody gave: by a step's key, a pattern, or its name wherever it is. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

NOTHING = object()


class Given:
    """Samples by key. `unused` are the names that no step had."""

    def __init__(self, samples: Mapping[str, Any] = {}) -> None:
        self._samples = dict(samples)
        self._used: set[str] = set()

    def of(self, key: str) -> Any:
        """Return the sample for a step, or NOTHING. Its whole key counts first, then the order given."""
        for name in self._names(key):
            self._used.add(name)
            return self._samples[name]
        return NOTHING

    @property
    def unused(self) -> list[str]:
        return [name for name in self._samples if name not in self._used]

    def _names(self, key: str) -> Iterator[str]:
        if key in self._samples:
            yield key
        for name in self._samples:
            if _pattern(name).fullmatch(key):
                yield name


def _pattern(name: str) -> re.Pattern[str]:
    """Return what a name stands for: `*` for any text, and it may stand within anything."""
    inner = ".*".join(map(re.escape, name.split("*")))
    return re.compile(f"(?:.*/)?{inner}", re.DOTALL)


def fitted(value: Any, type_: Any) -> Any:
    """Return a given sample as a value of the type. Raises ValidationError."""
    if type_ is Any:
        return value
    try:
        return msgspec.json.decode(msgspec.json.encode(value), type=type_)
    except TypeError:  # a type that msgspec does not know is taken as it is, as in a run
        return value
