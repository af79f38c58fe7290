"""The open waits for signals, and who of those that wait for the same one is the next to get it.

A run may have thousands of them, so nobody looks through them all for a signal.
"""

from msgspec.structs import replace

from .state import State, Wait


def with_wait(state: State, wait: Wait) -> State:
    """Return the state with one more open wait, the newest."""
    state = without_wait(state, wait.key)
    place = _place(wait.signal, wait.correlation)
    keys = (*(state.listeners.get(place) or ()), wait.key)
    return replace(
        state,
        waits=state.waits.set(wait.key, wait),
        listeners=state.listeners.set(place, keys),
    )


def without_wait(state: State, key: str) -> State:
    """Return the state without a wait, which may be over or never have been."""
    wait = state.waits.get(key)
    if wait is None:
        return state
    place = _place(wait.signal, wait.correlation)
    keys = state.listeners[place]
    at = keys.index(key)
    keys = keys[:at] + keys[at + 1 :]
    left = state.listeners.set(place, keys) if keys else state.listeners.delete(place)
    return replace(state, waits=state.waits.delete(key), listeners=left)


def next_to_get(state: State, signal: str, correlation: str) -> str | None:
    """Return the key of the oldest wait for a signal, if there is one."""
    keys = state.listeners.get(_place(signal, correlation))
    return keys[0] if keys else None


def _place(signal: str, correlation: str) -> str:
    return f"{len(signal)} {signal}{correlation}"  # both may have any characters
