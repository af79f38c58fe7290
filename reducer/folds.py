"""Making the next state: what every event changes, and the shapes that most events have."""

from typing import Any

from msgspec.structs import replace

from .pmap import PMap
from .state import State, Step


def after(state: State, time: int, **changes: Any) -> State:
    """Return the state one event later, with these fields changed."""
    changes.setdefault("resolved", ())
    now = max(state.now, time)
    return replace(state, offset=state.offset + 1, now=now, **changes)


def with_step(state: State, step: Step, time: int, resolved: tuple[str, ...]) -> State:
    """`_after` for a changed step: spelled out, because this is most of what a replay does."""
    return replace(
        state,
        steps=state.steps.set(step.key, step),
        resolved=resolved,
        offset=state.offset + 1,
        now=time if time > state.now else state.now,  # noqa: FURB136 - max() takes twice as long
    )


def changed(items: PMap[Any], key: str, change: dict[str, Any]) -> PMap[Any]:
    """Return a map with one item changed, if it is there."""
    old = items.get(key)
    return items if old is None else items.set(key, replace(old, **change))
