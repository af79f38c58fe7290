"""What a secret looks like and what stands in its place. Pure: the environment is an argument.

The rules work on bytes, so that encoded values are searched without decoding them.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator

_NAME = re.compile(
    r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL)S?(?![A-Z])", re.IGNORECASE
)
_SHORTEST = 8
_COMMON = b" .,:/\"'()"

# Each kind of token begins with something that nothing else begins with.
_PATTERNS = rb"""
      \bsk-(?=[\w-]*\d)[\w-]{12,}                                     # OpenAI, Anthropic, OpenRouter
    | \b[rs]k_(?:live|test)_\w{16,}                                   # Stripe
    | \bgh[opsur]_\w{16,} | \bgithub_pat_\w{20,} | \bglpat-[\w-]{16,} # GitHub, GitLab
    | \bhf_[A-Za-z0-9]{20,} | \bnpm_[A-Za-z0-9]{20,}                  # Hugging Face, npm
    | \bA[KS]IA[A-Z0-9]{16}\b | \bAIza[\w-]{30,}                      # AWS, Google
    | \bxox[a-z]-[\w-]{10,}                                           # Slack
    | \beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]+                          # JSON Web Token
    | (?<=[Bb]earer[ ])(?=[^\s"']*\d)[\w.~+/=-]{8,}
    | (?<=[?&]key=)[\w-]{8,}
    | -----BEGIN[ ][A-Z ]*PRIVATE[ ]KEY(?:[ ]BLOCK)?-----[\s\S]*?(?:-----END[^-]+-----|\Z)
"""
# The same beginnings, each as a rare character and what is around it: a search for one of a few
# characters is several times as fast as one for a choice of words. What stands before a string in an
# encoded value may be a letter, so no word boundaries here.
_HINT = rb"""
      -(?:(?<=sk-)[\w-]{12}|(?<=glpat-)|(?<=xox[a-z]-)|----BEGIN[ ])
    | _(?:(?<=[rs]k_)(?:live|test)_|(?<=gh[opsur]_)\w{16}|(?<=github_)pat_|(?<=hf_)\w{20}|(?<=npm_)\w{20})
    | I(?:(?<=AI)za|(?<=A[KS]I)A[A-Z0-9]{16})
    | J(?<=eyJ)[\w-]{10}
    | =(?<=[?&]key=)
    | Bearer[ ] | bearer[ ]
"""


class SecretRules:
    """Finds the values that are secret by the name they go under, and what looks like a token."""

    def __init__(self, named: Iterable[tuple[str, object]]) -> None:
        """Take names with values: those of the environment, or the parameters of a call."""
        self._names = {form: name for name, value in named for form in _forms(name, value)}
        longest_first = sorted(self._names, key=lambda form: (-len(form), form))
        known = b"|".join(b"(?:" + re.escape(form) + b")" for form in longest_first)
        self._find = re.compile((known + b"|" if known else b"") + _PATTERNS, re.VERBOSE)
        self.hint = _hint(longest_first)

    def redact(self, data: bytes) -> bytes:
        """Return the data with `[redacted:NAME]` or `[redacted]` for every secret in it."""
        return data if self.hint(data) is None else self._find.sub(self._instead, data)

    def text(self, text: str) -> str:
        """Return the text with `[redacted:NAME]` or `[redacted]` for every secret in it."""
        data = text.encode("utf-8", "surrogatepass")
        redacted = self.redact(data)
        return text if redacted == data else redacted.decode("utf-8", "surrogatepass")

    def _instead(self, found: re.Match[bytes]) -> bytes:
        name = self._names.get(found[0])
        return b"[redacted]" if name is None else f"[redacted:{name}]".encode()


def _hint(known: Iterable[bytes]) -> Callable[[bytes], object]:
    """Return a fast search that finds something wherever there may be a secret, and at times more."""
    return re.compile(b"|".join([_HINT, *map(_anchored, known)]), re.VERBOSE).search


def _anchored(form: bytes) -> bytes:
    """Return a pattern for the secret that begins with the rarest of its characters."""
    at = min(range(len(form)), key=lambda i: (form[i : i + 1].islower(), form[i] in _COMMON, i))
    upto, rest = form[: at + 1], form[at + 1 :]
    return re.escape(form[at : at + 1]) + b"(?<=" + re.escape(upto) + b")" + re.escape(rest)


def _forms(name: str, value: object) -> Iterator[bytes]:
    """Yield a secret as it stands, and as it stands within JSON where that differs."""
    if not isinstance(value, str) or not _NAME.search(name):
        return
    value = value.strip()
    if len(value) >= _SHORTEST:
        yield value.encode("utf-8", "surrogateescape")
        yield json.dumps(value)[1:-1].encode()
        yield json.dumps(value, ensure_ascii=False)[1:-1].encode("utf-8", "surrogateescape")
