"""Takes secrets out of values and texts before they are written to the log."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from holdfast.reducer import InputHasSecret, SecretRules

if TYPE_CHECKING:
    from holdfast.plugins import Plugins


class Redactor:
    """Knows the secrets of an environment, what tokens look like, and the plugins that redact.

    Most values hold no secret: they are searched as they are, and come back as the same object.
    """

    def __init__(self, environ: Mapping[str, str], plugins: "Plugins | None" = None) -> None:
        self._rules = SecretRules(environ.items())
        self._hint = self._rules.hint
        self._plugins = plugins if plugins is not None and plugins.redacts else None

    def value(self, raw: bytes) -> bytes:
        """Return MessagePack bytes with every string, byte string and key in them redacted."""
        if self._hint(raw) is None and self._plugins is None:
            return raw
        plain = msgspec.msgpack.decode(raw)
        redacted = self._plain(plain)
        return raw if redacted == plain else msgspec.msgpack.encode(redacted)

    def text(self, text: str) -> str:
        """Return the text without the secrets in it. Raises RedactionFailed for a broken plugin."""
        redacted = self._rules.text(text)
        return redacted if self._plugins is None else self._plugins.redact(redacted)

    def refuse(self, workflow: str, field: str, raw: bytes) -> None:
        """Raise InputHasSecret for a value that would not be what was given, once it is redacted."""
        redacted = self.value(raw)
        if redacted is not raw:
            raise InputHasSecret(workflow, field, repr(msgspec.msgpack.decode(redacted))[:200])

    def built_in(self) -> "Redactor":
        """Return this without the plugins, to tell of a plugin that is broken."""
        bare: Redactor = Redactor.__new__(Redactor)
        bare._rules, bare._hint, bare._plugins = self._rules, self._hint, None
        return bare

    def _plain(self, value: Any) -> Any:
        match value:
            case str():
                return self.text(value)
            case bytes():
                return self._bytes(value)
            case list() | tuple():
                return type(value)(map(self._plain, value))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - may hold anything
            case dict():
                return self._mapping(value)  # pyright: ignore[reportUnknownArgumentType] - may hold anything
            case _:
                return value

    def _mapping(self, mapping: dict[Any, Any]) -> dict[Any, Any]:
        redacted: dict[Any, Any] = {}
        for key, value in mapping.items():
            place = self._plain(key)
            while place in redacted:  # two secrets as keys: neither may take the other's place
                place += type(place)(b"+") if isinstance(place, bytes) else "+"
            redacted[place] = self._plain(value)
        return redacted

    def _bytes(self, data: bytes) -> bytes:
        redacted = self._rules.redact(data)
        if self._plugins is None:
            return redacted
        try:
            text = redacted.decode()
        except UnicodeDecodeError:
            return redacted  # no text, which is all that a plugin is asked about
        return self._plugins.redact(text).encode()
