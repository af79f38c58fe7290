"""Dollars and tokens, counted together."""

import msgspec

from holdfast.eventlog import Usage


class Amount(msgspec.Struct, frozen=True, gc=False):
    """Dollars and tokens; of a limit, 0 is any amount."""

    usd: float = 0.0
    tokens: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.usd + other.usd, self.tokens + other.tokens)

    def __sub__(self, other: "Amount") -> "Amount":
        return Amount(self.usd - other.usd, self.tokens - other.tokens)

    def times(self, count: int) -> "Amount":
        return Amount(self.usd * count, self.tokens * count)

    def limited_by(self, limit: "Amount") -> "Amount":
        """Return of this what there is a limit for."""
        return Amount(self.usd if limit.usd else 0.0, self.tokens if limit.tokens else 0)

    @property
    def is_some(self) -> bool:
        return self.usd > 0 or self.tokens > 0

    def told(self) -> str:
        """Return it in words."""
        parts = [f"${self.usd:.4g}"] if self.usd else []
        parts += [f"{self.tokens} tokens"] if self.tokens else []
        return ", ".join(parts) or "nothing"


def amount_of(usage: Usage | None) -> Amount:
    """Return the dollars of a usage, and its tokens, those read and written together."""
    if usage is None:
        return Amount()
    return Amount(usage.cost_usd, usage.input_tokens + usage.output_tokens)
