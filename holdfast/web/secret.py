"""The word in the address of the pages, which only those know who were told it: a capability.

Cookies would do no better: a browser gives those of one port of a machine to every other, so that any server
which an agent starts would get them.
"""

import hmac
import secrets

PAGES = "/debug"


class Secret:
    """Made at each start, and kept by nobody. It is in no message and no `repr`."""

    def __init__(self) -> None:
        self._word = secrets.token_urlsafe(32)

    @property
    def root(self) -> str:
        """The path that all pages are below."""
        return f"{PAGES}/{self._word}"

    def below(self, path: str) -> str | None:
        """Return what of a path is below the root, or None, in a time that tells nothing about the word."""
        _, start, word, *rest = [*path.split("/", 3), "", ""][:4]
        is_known = hmac.compare_digest(word.encode(errors="replace"), self._word.encode())
        return f"/{''.join(rest)}" if is_known and f"/{start}" == PAGES else None
