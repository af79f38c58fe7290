"""Tools that give a run what it waits for: a person's word, a signal, an end."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from holdfast.eventlog import Log
from holdfast.insiders import refuse_insider
from holdfast.pausing import pause as write_pause
from holdfast.pausing import unpause as write_unpause
from holdfast.reducer import Gate
from holdfast.runs import answer_question, decide_gate, request_cancel, send_signal

from . import shapes
from .arguments import Resume, Run
from .desk import Visit
from .errors import BadArguments
from .standing import done
from .tool import Asked, Tool


class Decide(Asked, frozen=True):
    run: Run
    decision: Annotated[
        Literal["approve", "deny", "edit", "answer"],
        Meta(description="edit: approve with `edits`; answer: a question, with `answer`."),
    ]
    by: Annotated[
        str, Meta(min_length=1, description="The person whose decision this is. Ask them.")
    ]
    gate: Annotated[str | None, Meta(description="May be left out where only one is open.")] = None
    note: Annotated[str, Meta(description="Why.")] = ""
    edits: Annotated[
        Any, Meta(description="What is to be done otherwise, as the gate's form says.")
    ] = None
    answer: Annotated[Any, Meta(description="What is answered, as the question's form says.")] = (
        None
    )
    digest: Annotated[str, Meta(description="Only if what is asked for still has this digest.")] = (
        ""
    )
    add_usd: Annotated[float, Meta(ge=0, description="Of a budget: how many dollars more.")] = 0.0
    add_tokens: Annotated[int, Meta(ge=0, description="Of a budget: how many tokens more.")] = 0
    resume: Resume = True  # fmt: skip


def decide(visit: Visit, asked: Decide) -> dict[str, Any]:
    """Give a person's decision on what a run waits for, in that person's name.

    Decide nothing that no person told you: show them the subject first. A process that works inside a
    run is refused here for that run and all that belongs to it.
    """
    _refuse_mixed(asked)
    with visit.desk.log() as log:
        refuse_insider(log, asked.run, visit.env)
        found = (
            _answered(visit, log, asked) if asked.decision == "answer" else _word(visit, log, asked)
        )
        people = {asked.by, *(vote.by for vote in found.votes)}
        missing = max(0, found.count - len(people)) if asked.decision in ("approve", "edit") else 0
        return {
            "gate": found.key,
            "decision": asked.decision,
            "by": asked.by,
            "missing": missing,
            **done(visit, log, asked.run, resume=asked.resume and not missing),
        }


def _refuse_mixed(asked: Decide) -> None:
    """Refuse what would be left unread: a word that is not heard must not look like one that was."""
    more = asked.add_usd or asked.add_tokens
    for given, name, belongs in (
        (asked.answer is not None, "answer", asked.decision == "answer"),
        (asked.edits is not None, "edits", asked.decision in ("approve", "edit") and not more),
        (bool(more), "add_usd and add_tokens", asked.decision == "approve"),
        (bool(asked.digest), "digest", asked.decision != "answer"),
    ):
        if given and not belongs:
            raise _mixed(f"{name} has no meaning here, with decision {asked.decision!r}")
    if asked.decision == "edit" and asked.edits is None:
        raise _mixed("there are no edits")


def _mixed(problem: str) -> BadArguments:
    takes = "edits with decision edit; answer with decision answer; add_usd with decision approve"
    return BadArguments("decide", problem, takes)


def _word(visit: Visit, log: Log, asked: Decide) -> Gate:
    more = {"usd": asked.add_usd, "tokens": asked.add_tokens}
    is_more = bool(asked.add_usd or asked.add_tokens)
    given = msgspec.Raw(msgspec.msgpack.encode(more if is_more else asked.edits))
    return decide_gate(
        log, asked.run, asked.gate, approved=asked.decision != "deny", by=asked.by,
        actor=visit.place.actor, note=asked.note, edits=given, digest=asked.digest,
        kind="budget" if is_more else "",
    )  # fmt: skip


def _answered(visit: Visit, log: Log, asked: Decide) -> Gate:
    return answer_question(
        log, asked.run, asked.gate, asked.answer, by=asked.by, actor=visit.place.actor, note=asked.note
    )  # fmt: skip


class Signal(Asked, frozen=True):
    run: Run
    name: Annotated[str, Meta(description="What the workflow waits for.")]
    payload: Any = None
    key: Annotated[str, Meta(description="For whoever waits for it with this key.")] = ""
    resume: Resume = True


def signal(visit: Visit, asked: Signal) -> dict[str, Any]:
    """Send a signal to a run. It is kept when nothing waits for it yet."""
    with visit.desk.log() as log:
        send_signal(log, asked.run, asked.name, asked.payload, visit.place.actor, key=asked.key)
        return done(visit, log, asked.run, resume=asked.resume)


class Cancel(Asked, frozen=True):
    run: Run
    reason: str = ""


def cancel(visit: Visit, asked: Cancel) -> dict[str, Any]:
    """Cancel a run. Its clean-up still happens, in a background process where none executes it."""
    with visit.desk.log() as log:
        request_cancel(log, asked.run, visit.place.actor, asked.reason)
        return done(visit, log, asked.run, resume=True)


class Pause(Asked, frozen=True):
    run: Run
    reason: str = ""


def pause(visit: Visit, asked: Pause) -> dict[str, Any]:
    """Let a run and its children begin no new step for now; what is at work comes to its end."""
    with visit.desk.log() as log:
        write_pause(log, asked.run, visit.place.actor, asked.reason)
        return done(visit, log, asked.run, resume=False)


class Unpause(Pause, frozen=True):
    resume: Resume = True


def unpause(visit: Visit, asked: Unpause) -> dict[str, Any]:
    """Let a paused run go on."""
    with visit.desk.log() as log:
        write_unpause(log, asked.run, visit.place.actor, asked.reason)
        return done(visit, log, asked.run, resume=asked.resume)


TOOLS = [
    Tool("decide", Decide, shapes.Decided, "destroys", decide),
    Tool("signal", Signal, shapes.Done, "adds", signal),
    Tool("cancel", Cancel, shapes.Done, "destroys", cancel),
    Tool("pause", Pause, shapes.Done, "adds", pause),
    Tool("unpause", Unpause, shapes.Done, "adds", unpause),
]
