"""A run as data: the objects that `--json` prints, documented in the README."""

from typing import Any

from holdfast.eventlog import Log, RunRow
from holdfast.reducer import NEVER, Gate, State, Step, limit_of, used_by

from .forks import fork_object
from .rows import error_object, is_alive, usage_object
from .values import decoded, fields, shown
from .words import rfc3339


def run_object(log: Log, state: State) -> dict[str, Any]:
    """Return what `run` and `resume` print: how a run stands."""
    return {
        "run": state.run,
        "workflow": state.workflow,
        "status": state.status,
        "output": decoded(log, state.output),
        "error": error_object(state.error),
        "offset": state.offset,
        "waiting": list(state.waiting),
        "usage": usage_object(state.usage),
        "budget": budget_object(state),
    }


def budget_object(state: State) -> dict[str, Any] | None:
    """Return a run's budget and what counts as used of it: by itself, by its children, by lost attempts."""
    if state.purse.budget is None:
        return None
    limit, used = limit_of(state), used_by(state)
    reserved = state.purse.reserved.values()
    return {
        "usd": limit.usd or None,
        "tokens": limit.tokens or None,
        "used_usd": used.usd,
        "used_tokens": used.tokens,
        "reserved_usd": sum(each.usd for each in reserved),
        "reserved_tokens": sum(each.tokens for each in reserved),
    }


def show_object(log: Log, state: State, row: RunRow) -> dict[str, Any]:
    """Return what `show` prints: all that is known of a run."""
    return {
        **run_object(log, state),
        "input": decoded(log, state.input),
        "source": state.source,
        "folder": state.folder,
        "started": rfc3339(state.started),
        "updated": rfc3339(state.now),
        "owner_alive": is_alive(log, row),
        "cancelling": state.cancelling,
        "paused": pause_object(state),
        "forked": fork_object(log, state.forked),
        "effects": state.effects or None,
        "continues": f"{row.run}@{state.continues}" if state.continues else None,
        "parent": state.parent or None,
        "steps": [step_object(log, step) for step in state.steps.values()],
        "gates": [gate_object(log, gate) for gate in state.gates.values()],
        "timers": [
            {"key": timer.key, "until": rfc3339(timer.until)} for timer in state.timers.values()
        ],
        "signals": [
            {
                "key": wait.key,
                "signal": wait.signal,
                "correlation": wait.correlation or None,
                "since": rfc3339(wait.since),
            }
            for wait in state.waits.values()
        ],
        "workspaces": [
            {"key": ws.key, "head": ws.head.hex() or None, "snapshot": ws.snapshot.hex() or None}
            for ws in state.workspaces.values()
        ],
        "children": [
            {"key": child.key, "run": child.run, "status": child.status}
            for child in state.children.values()
        ],
    }


def pause_object(state: State) -> dict[str, Any] | None:
    if state.paused is None:
        return None
    return {"reason": state.paused.reason, "since": rfc3339(state.paused.since)}


def step_object(log: Log, step: Step) -> dict[str, Any]:
    return {
        "key": step.key,
        "kind": step.kind,
        "status": step.status,
        "attempts": step.attempt,
        "seconds": step.seconds,
        "result": shown(log, step.result),
        "error": error_object(step.error),
        "usage": usage_object(step.usage),
        "session": step.session or None,
        "journal": step.journal,
        "snapshot": step.snapshot.hex() or None,
        "workspace": step.workspace or None,
        "offset": step.offset,
        "started": rfc3339(step.started),
        "finished": rfc3339(step.finished),
        "reused": step.reused,
        "origin": step.origin or None,
        "by": step.by or None,
        "left": [
            {
                "by": one.by,
                "reason": one.reason,
                "until": rfc3339(one.until if one.until < NEVER else 0),
            }
            for one in step.left
        ],
    }


def gate_object(log: Log, gate: Gate) -> dict[str, Any]:
    return {
        "key": gate.key,
        "kind": gate.kind,
        "open": gate.decision is None,
        "subject": decoded(log, gate.subject),
        "digest": gate.digest.hex() or None,
        "form": decoded(log, gate.form),
        "by": list(gate.by),
        "escalated_to": list(gate.also),
        "count": gate.count,
        "origin": gate.origin or None,
        "opened": rfc3339(gate.opened),
        "expires": rfc3339(gate.expires_at),
        "on_expire": gate.on_expire if gate.expires_at else None,
        "decision": vote_object(log, gate.decision),
        "votes": [vote_object(log, vote) for vote in gate.votes],
    }


def vote_object(log: Log, vote: Any) -> dict[str, Any] | None:
    return None if vote is None else {**fields(log, vote), "time": rfc3339(vote.time)}
