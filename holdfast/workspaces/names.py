"""Names that people choose, as names that file systems and refs can bear; different ones stay apart."""

import hashlib
import re

LONGEST = 48
_PLAIN = re.compile(r"[a-z0-9](?:[a-z0-9_-]|\.(?=[a-z0-9_-])){0,47}")
_MARKED = re.compile(r".*-[0-9a-f]{8}")


def safe_name(name: str) -> str:
    """Return a plain name as it is, and any other as what is plain of it and a digest.

    Upper case is not plain: two names that differ only in case are one folder on some machines.
    """
    is_plain = _PLAIN.fullmatch(name) and not _MARKED.fullmatch(name) and not name.endswith(".lock")
    return name if is_plain else f"{_slug(name)}-{short_digest(name)}"


def short_digest(text: str) -> str:
    """Return eight characters that tell texts apart."""
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:8]


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:LONGEST].strip("-") or "x"
