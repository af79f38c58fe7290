"""What one run used, where a harness only counts the whole session."""

from holdfast.eventlog import Usage


def less(total: Usage | None, before: Usage | None) -> Usage | None:
    """Return what came on top of `before`, or None where that is not known: nothing counts twice."""
    if total is None or before is None:
        return None
    return Usage(
        input_tokens=max(0, total.input_tokens - before.input_tokens),
        output_tokens=max(0, total.output_tokens - before.output_tokens),
        cached_tokens=max(0, total.cached_tokens - before.cached_tokens),
        cost_usd=max(0.0, total.cost_usd - before.cost_usd),
    )
