"""What a turn used, as agents count it: some count what came from a cache in, some beside."""

from holdfast.eventlog import Usage

from ..cli import Json


def counted(counts: Json) -> Usage:
    """Return the counts as ours: what came from a cache is part of the input, thoughts of the output."""
    fresh, said = (
        _number(counts, "inputTokens", "input_tokens"),
        _number(counts, "outputTokens", "output_tokens"),
    )
    cached = _number(counts, "cachedReadTokens", "cachedInputTokens")
    beside = cached + _number(counts, "cachedWriteTokens", "cacheWriteInputTokens")
    thoughts = _number(counts, "thoughtTokens", "reasoningOutputTokens")
    over = _number(counts, "totalTokens") - fresh - said
    if beside and over >= beside:
        fresh, over = fresh + beside, over - beside
    return Usage(fresh, said + (thoughts if over >= thoughts else 0), cached)


def _number(counts: Json, *names: str) -> int:
    found = (counts.get(name) for name in names)
    return next((each for each in found if isinstance(each, int)), 0)
