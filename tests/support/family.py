"""A run with forks, written straight into a log: what each of them did is known to the letter."""

import hashlib
from collections.abc import Sequence

import msgspec

from holdfast.eventlog import (
    ApprovalRequested,
    ChildStarted,
    Edit,
    EffectHeld,
    Event,
    Log,
    RunClaimed,
    RunForked,
    RunReleased,
    RunStarted,
    RunSucceeded,
    StepReused,
    StepStarted,
    StepSucceeded,
    Usage,
    Value,
    pack,
)

HOUR = 3_600_000_000_000


def raw(value: object, blobs: dict[bytes, bytes] | None = None) -> Value:
    """Return a recorded value; a large one goes to `blobs`."""
    return pack(msgspec.msgpack.encode(value), {} if blobs is None else blobs)


def step(
    key: str,
    result: object,
    *,
    prompt: str = "do it",
    model: str = "small",
    cost: float = 0.01,
    blobs: dict[bytes, bytes] | None = None,
) -> list[Event]:
    """Return what a model step leaves in the log."""
    read = msgspec.msgpack.encode({"prompt": prompt, "model": model})
    mark = hashlib.sha256(read).digest()[:16]
    reads = pack(read, {} if blobs is None else blobs)
    used = Usage(10, 5, 0, cost)
    return [
        StepStarted(key, "model", mark, reads),
        StepSucceeded(key, raw(result, blobs), 1, 1.0, used),
    ]


def write_run(log: Log, run: str, *events: Event, blobs: dict[bytes, bytes] | None = None) -> int:
    """Write a run of these events and return its branch."""
    started = RunStarted(run, "mend", input=raw({"goal": "x"}), code=b"c")
    return log.create_run(run, [started, *events], actor="cli:ada", time=HOUR, blobs=blobs or {})


def fork(
    log: Log,
    run: str,
    origin: int,
    at: int,
    *events: Event,
    reason: str = "fork",
    edits: Sequence[Edit] = (),
    retried: Sequence[str] = (),
    first: Sequence[Event] = (),
) -> int:
    """Write a fork of a branch and return its own; with `first` it begins anew."""
    forked = RunForked(
        run, reason, log.branch(origin).run, origin, at, log.head(origin),
        edits=list(edits), retried=list(retried), effects="hold",
    )  # fmt: skip
    return log.create_run(
        run, [*first, forked, *events], actor="cli:bea", time=2 * HOUR, parent=origin,
        offset=0 if first else at, reason=reason, replaces=reason == "rewind",
    )  # fmt: skip


def write_family(log: Log) -> None:
    """Write `demo`, rewound once, with the forks `try` (and `deep` of it) and `other`."""
    demo = write_run(
        log, "demo", RunClaimed("me"), *step("plan", "1. look\n2. mend"), *step("review", "bad"),
        *step("report", "done"), RunSucceeded(raw("done")),
    )  # fmt: skip
    edits = [Edit("model", raw("big"), "review"), Edit("result", raw(1), "plan")]
    attempt = fork(
        log, "try", demo, 4, *step("review", "good", model="big"),
        StepReused("report", "model", b"r", "demo", result=raw("done")),
        ChildStarted("kid", "try/kid"), ApprovalRequested("ship", raw("v1")), EffectHeld("deploy"),
        RunReleased("me", "waiting", ["ship", "deploy"]), edits=edits,
    )  # fmt: skip
    fork(log, "deep", attempt, 6)
    fork(log, "demo", demo, 2, *step("plan", "3. run"), reason="rewind", retried=["plan"])
    start = RunStarted("other", "mend", input=raw({"goal": "y"}), code=b"c")
    fork(log, "other", demo, 0, first=[start], edits=[Edit("input", raw({"goal": "y"}))])
