"""What leaving another history means for all that was open in it."""

from msgspec.structs import replace

from holdfast.eventlog import NONE, RunForked

from . import purse
from .folds import after
from .pmap import PMap
from .state import ENDED, Child, Gate, State, Step, Timer


def forked(state: State, event: RunForked, time: int) -> State:
    """Leave another history: nobody owns the fork, and what was open there is put off."""
    shift = event.shift
    return after(
        state,
        time,
        run=event.run,
        forked=event,
        base=state.offset,
        edits=(*event.edits, *state.edits),
        source=event.source or state.source,
        code=event.code or state.code,
        parent=event.parent,
        parent_key=event.parent_key,
        folder=event.folder or state.folder,
        checkout=(state.checkout or state.folder) if event.folder else state.checkout,
        snapshot=event.snapshot or state.snapshot,
        head=event.head or state.head,
        restoring=b"",
        workspaces=PMap({w.key: replace(w, restoring=b"") for w in state.workspaces.values()}),
        effects=event.effects,
        status="running",
        output=NONE,
        error=None,
        owner="",
        waiting=(),
        paused=None,
        steps=PMap({key: _left(step, event) for key, step in state.steps.items()}),
        gates=PMap({k: _put_off(g, shift) for k, g in state.gates.items() if g.kind != "budget"}),
        purse=purse.left(state, event),
        timers=PMap({t.key: Timer(t.key, t.until + shift) for t in state.timers.values()}),
        children=PMap({key: _parted(child, event) for key, child in state.children.items()}),
    )


def _left(step: Step, event: RunForked) -> Step:
    if step.key in event.retried:
        return replace(
            step,
            status="retrying",
            failures=0,
            not_before=0,
            error=None,
            journal=0,
            place=0,
            left=(),
        )
    left = event.reason in ("fork", "rewind") and step.status not in ENDED
    if left and (step.session or step.journal):
        # that conversation is the origin's, in its own folder
        step = replace(step, session="", journal=0)
    return replace(step, not_before=step.not_before + event.shift) if step.not_before else step


def _put_off(gate: Gate, shift: int) -> Gate:
    is_open = gate.decision is None and gate.expires_at
    return replace(gate, expires_at=gate.expires_at + shift) if is_open else gate


def _parted(child: Child, event: RunForked) -> Child:
    """A child at work stays with the history that it was started in; the fork gets one of its own."""
    if child.status != "running" or event.reason == "accept":
        return child
    if not child.run:
        return child
    return replace(child, run="", origin=child.run, before=child.origin)
