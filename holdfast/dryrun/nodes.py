"""The tree that a dry run shows: what each step, gate and loop is, in words. Pure."""

import datetime
from typing import Any, Literal

import msgspec

from holdfast.reducer import (
    AgentCall,
    ApprovalRequest,
    CeilingRequest,
    ChildRequest,
    CloseCall,
    CommitCall,
    FunctionCall,
    Length,
    MarkersCall,
    MergeCall,
    ModelAsk,
    NoteRequest,
    OpenCall,
    QuestionRequest,
    Request,
    ShellCall,
    SignalRequest,
    StepRequest,
    TimerRequest,
    doer,
)

LONGEST = 400  # characters of a text
Status = Literal["done", "failed", "not needed", "open"]


class Node(msgspec.Struct):
    """One thing that the workflow does. `kind` is "workflow", "loop", "iteration", "parallel", "race",
    "branch", "agent", "model", "shell", "step", "approval", "question", "signal", "timer", "child",
    "note", "workspace", "commit", "markers", "merge" or "close".

    `by` is who does it, `does` what it is asked, `sample` the result that the workflow was given, and
    `notes` are what else it says. A loop has its ceiling in `max`. What was begun together with something that
    ended a race is "not needed".
    """

    name: str
    kind: str
    key: str = ""
    by: str = ""
    does: str = ""
    notes: list[str] = []
    sample: Any = None
    status: Status = "open"
    max: int | None = None
    children: list["Node"] = []


def describe(node: Node, request: Request, now: int) -> None:
    """Fill in what a request says."""
    match request:
        case StepRequest():
            node.kind, node.by, node.does = request.kind, doer(request), _asked(request)
            node.notes = _notes(request)
        case ApprovalRequest():
            node.kind, node.does, node.notes = "approval", text(request.subject), _of_gate(request)
        case QuestionRequest():
            node.kind, node.does, node.notes = "question", text(request.question), _of_gate(request)
        case SignalRequest(correlation=key):
            node.kind, node.notes = "signal", [f"key {key}"] if key else []
        case TimerRequest(until=until):
            node.kind, node.does = "timer", length(max(0, until - now))
        case ChildRequest(workflow=workflow, budget=budget):
            node.kind, node.does = "child", workflow.rpartition("/")[2]
            node.notes = [f"budget ${budget.usd:g}"] if budget and budget.usd else []
        case NoteRequest(text=said):
            node.kind, node.does = "note", text(said)
        case CeilingRequest():
            node.notes = ["the ceiling is reached"]
        case _:
            raise AssertionError(f"nobody describes {request!r}")


def text(value: object) -> str:
    """Return a value as a short text."""
    if value is None:
        return ""
    said = value if isinstance(value, str) else repr(value)
    return said if len(said) <= LONGEST else f"{said[:LONGEST]}..."


def length(ns: int) -> str:
    """Return a time in words."""
    return str(datetime.timedelta(seconds=round(ns / 1_000_000_000)))


def _asked(request: StepRequest) -> str:
    match request.call:
        case AgentCall(prompt=prompt):
            return text(prompt)
        case ModelAsk(messages=messages):
            last = messages[-1] if messages else ""
            return text(last[1] if isinstance(last, tuple) else last)
        case ShellCall(command=command):
            return text(command if isinstance(command, str) else " ".join(command))
        case FunctionCall(function=function, args=args, kwargs=kwargs):
            given = [text(one) for one in map(repr, args)]
            given += [f"{name}={text(repr(value))}" for name, value in kwargs.items()]
            called = getattr(function, "__qualname__", None) or type(function).__qualname__
            return f"{called.rpartition('.')[2]}({', '.join(given)})"
        case OpenCall(base=base):
            return f"from {base}" if base else ""
        case CommitCall(message=message) | MergeCall(message=message):
            return text(message)
        case MarkersCall() | CloseCall():
            return ""


def _notes(request: StepRequest) -> list[str]:
    policy, call = request.policy, request.call
    notes = ["EFFECT outside the workspace"] if policy.effect else []
    if policy.timeout and not isinstance(call, ModelAsk):
        notes.append(f"within {length(policy.timeout)}")
    if policy.budget is not None:
        notes.append(f"budget ${policy.budget.usd:g}")
    if policy.fallback:
        notes.append(f"else {', '.join(choice.name for choice in policy.fallback)}")
    match call:
        case AgentCall(role=role, permissions=permissions, sandbox=sandbox):
            named = role if isinstance(role, str) else " or ".join(role)
            notes += [f"role {named}"] if named else []
            notes += [f"may {permissions}"] if permissions and permissions != "full" else []
            notes += [f"sandbox {sandbox}"] if sandbox else []
        case ModelAsk(role=role):
            notes += [f"role {role}"] if role else []
        case ShellCall(sandbox=sandbox, check=check):
            notes += [f"sandbox {sandbox}"] if sandbox else []
            notes += [] if check else ["may fail"]
        case MergeCall(into=into):
            notes += [f"into {into}"] if into else []
        case _:
            pass
    return notes


def _of_gate(request: ApprovalRequest | QuestionRequest) -> list[str]:
    who = " or ".join(request.by) or "anybody"
    count = request.count if isinstance(request, ApprovalRequest) else 1
    notes = [f"{count} of {who}" if count > 1 else f"by {who}"]
    if request.expires:
        notes.append(f"within {_span(request.expires)}, then {request.on_expire}")
    return notes


def _span(expires: Length) -> str:
    """Return the time that a gate is open, its calendar months first."""
    months = f"{expires.months} mo" if expires.months else ""
    return " ".join(filter(None, [months, length(expires.ns) if expires.ns else ""]))
