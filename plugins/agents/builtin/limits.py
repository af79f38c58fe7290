"""What a step may ask of the `builtin` agent, and how much of it."""

from typing import Annotated, Any

import msgspec

from holdfast.eventlog import Usage

from ...errors import BadOptions, LimitReached

_Count = Annotated[int, msgspec.Meta(ge=1)]


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The options of a step: at most so many model calls (`turns`), tokens in and out, US dollars.

    `params` go to the model's provider. `tools` are the only ones to offer. `system` is said to the model
    before everything else, after our own words.
    """

    turns: _Count = 50
    tokens: _Count | None = None
    budget_usd: Annotated[float, msgspec.Meta(gt=0)] | None = None
    params: dict[str, Any] = {}
    tools: list[str] | None = None
    system: str = ""


def check_spent(options: Options, turns: int, used: Usage, model: str) -> None:
    """Raise LimitReached where another model call would be one too many.

    A bound that cannot be held, because nobody knows the price, is no bound: BadOptions.
    """
    if turns >= options.turns:
        raise LimitReached("turns", options.turns, turns)
    tokens = used.input_tokens + used.output_tokens
    if options.tokens is not None and tokens >= options.tokens:
        raise LimitReached("tokens", options.tokens, tokens)
    if options.tokens is not None and turns and not tokens:
        raise BadOptions(
            f"the option tokens={options.tokens} cannot be held: {model!r} does not tell what it used. "
            "Bound its turns instead."
        )
    if options.budget_usd is None:
        return
    if used.cost_usd >= options.budget_usd:
        raise LimitReached("budget_usd", options.budget_usd, round(used.cost_usd, 6))
    if turns and not used.cost_usd:
        raise BadOptions(
            f"the option budget_usd={options.budget_usd} cannot be held: no price is known for {model!r}. "
            "Bound its turns or tokens instead."
        )
