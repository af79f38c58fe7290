"""What can happen, as data: every event type, and nothing about what it means.

An event is stored as a MessagePack map with its tag in `type`. Tags and field types never change;
new fields have defaults. Times are integers, nanoseconds since 1970 in UTC. `key` is a step's name
path within its run. `Value` fields hold one MessagePack value, or a reference to a blob (values.py).
"""

import msgspec

Value = msgspec.Raw
NONE = msgspec.Raw(b"\xc0")


class Failure(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Why something did not work: a stable code for programs, a message for people."""

    code: str
    message: str
    type: str = ""
    detail: str = ""


class Usage(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What one attempt used; tokens are counts, money is US dollars."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cost_usd: float = 0.0


class Budget(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """How much may be used: US dollars, and tokens, those read and written together. 0: any amount.

    `each_usd` and `each_tokens` are what to set aside for one attempt; 0: as is estimated. `used_usd` and
    `used_tokens` were used before, in the histories that the run went on from.
    """

    usd: float = 0.0
    tokens: int = 0
    each_usd: float = 0.0
    each_tokens: int = 0
    used_usd: float = 0.0
    used_tokens: int = 0


class Reserved(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What is set aside of a budget for something at work. `guessed`: all that was left, for nobody
    knows yet what such a thing uses."""

    usd: float = 0.0
    tokens: int = 0
    guessed: bool = False


class Role(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Who does what a workflow leaves to a role. `fallback` names agents, "agent:model", models or roles."""

    name: str
    agent: str = ""
    model: str = ""
    fallback: list[str] = []
    permissions: str = ""
    options: Value = NONE
    sandbox: str = ""


class Event(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", gc=False):
    """One immutable fact, in the past tense."""


# --- the run -----------------------------------------------------------------------------------


class Edit(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What a fork does otherwise. `what` is "result", "prompt", "agent" or "model" of the steps that
    `key` names, in which `*` stands for any text; or "input", or "workflow", of the run."""

    what: str
    value: Value
    key: str = ""


class RunStarted(Event, frozen=True, tag="run.started"):
    """First of every run. `source` is the file or plugin that the workflow came from."""

    run: str
    workflow: str
    source: str = ""
    code: bytes = b""  # digest of the workflow's source, to tell an edit from impurity
    input: Value = NONE
    seed: bytes = b""  # all that is random in the run is derived from it
    folder: str = ""  # the repository that it works in
    parent: str = ""  # the run that started it as a child, at parent_key
    parent_key: str = ""
    effects: str = ""  # "hold": its parent is a fork whose effects ask first
    tree: bytes = b""  # stands for the files that a child found, see the reducer
    edits: list[Edit] = []  # of a child's steps: its parent is a fork that does them otherwise
    continues: int = 0  # the branch with the history that ended for this one to begin
    budget: Budget | None = None


class RunForked(Event, frozen=True, tag="run.forked"):
    """First of a fork's own events: it left the history of `origin`, whose branch is `branch`.

    What the origin recorded before `at` stands wherever the run still asks for it; of what it
    recorded from there up to `until`, results whose fingerprint stands are taken over.
    """

    run: str
    reason: str  # "fork", "rewind", "retry", "accept"
    origin: str
    branch: int
    at: int
    until: int
    shift: int = 0  # ns by which what was open at `at` is put off: the frame's time is now
    edits: list[Edit] = []
    retried: list[str] = []  # keys of failed steps to be tried again
    effects: str = ""  # "hold": every effect asks first; "repeat": one that happened before asks
    code: bytes = b""
    source: str = ""
    parent: str = ""  # of a child that was forked with its parent
    parent_key: str = ""
    changed_code: str = "keep"  # "rerun": functions whose own source changed are called again
    folder: str = ""  # a worktree of its own, in which it works from now on
    snapshot: bytes = b""  # git tree of the files at `at`, where only what came later tells it
    left: bytes = b""  # git tree that the origin left in its folder; empty: nobody knows
    head: bytes = b""  # commit that was checked out there at `at`
    merged: bytes = b""  # commit to which its own merges alone brought the branch since


class RunClaimed(Event, frozen=True, tag="run.claimed"):
    """The newest claim says who may execute the run; `owner` names a kernel file lock."""

    owner: str
    host: str = ""
    pid: int = 0
    roles: list[Role] = []  # as the project has them now: for all steps that have not begun


class RunReleased(Event, frozen=True, tag="run.released"):
    """The owner let go in good order: all that is left is waiting, or it was interrupted."""

    owner: str
    reason: str  # "waiting", "interrupted", "stopped"
    waiting: list[str] = []  # keys of what is waited for
    error: Failure | None = None  # why it stopped, where it could not go on
    served: bool = False  # left to `holdfast serve`, which goes on with it when it next can


class RunSucceeded(Event, frozen=True, tag="run.succeeded"):
    output: Value = NONE


class RunFailed(Event, frozen=True, tag="run.failed"):
    error: Failure


class RunContinued(Event, frozen=True, tag="run.continued"):
    """This history is over, and the run goes on in a fresh one, with another input."""

    input: Value = NONE


class CancelRequested(Event, frozen=True, tag="run.cancel_requested"):
    reason: str = ""


class RunCancelled(Event, frozen=True, tag="run.cancelled"):
    reason: str = ""


class RunPaused(Event, frozen=True, tag="run.paused"):
    """It begins no new step from here on; those at work come to their end. Its children neither."""

    reason: str = ""


class RunUnpaused(Event, frozen=True, tag="run.unpaused"):
    """It may begin new steps again."""

    reason: str = ""


# --- steps -------------------------------------------------------------------------------------


class StepStarted(Event, frozen=True, tag="step.started"):
    """Written before the effect, so that a crash leaves proof that it may have happened."""

    key: str
    kind: (
        str  # "step", "shell", "agent", "model", "workspace", "commit", "markers", "merge", "close"
    )
    fingerprint: bytes  # digest of all that the step reads
    reads: Value = NONE  # what the fingerprint was made of, for people and for differences
    code: bytes = b""  # digest of a function's own source
    attempt: int = 1
    files: bool = True  # it may read and change the workspace's files
    workspace: str = (
        ""  # key of the step that opened the worktree it works in; empty: the run's folder
    )
    by: str = ""  # the agent, with its model, or the model that makes this attempt
    reserved: Reserved | None = None  # what was set aside for it, where there is a budget


class StepReused(Event, frozen=True, tag="step.reused"):
    """A fork took over what a step came to in the history that it left, or in an edit.

    `status` is "succeeded", "failed" or "cancelled". `started` and `finished` are the times at which it
    really happened; `tree` stands for the files that it saw, see the reducer. `begun` is the offset at
    which it would have begun here: in a race that is before others end.
    """

    key: str
    kind: str
    fingerprint: bytes
    origin: str  # the run that did the work; empty for an edit
    status: str = "succeeded"
    reads: Value = NONE
    code: bytes = b""
    files: bool = True
    tree: bytes = b""
    started: int = 0
    finished: int = 0
    result: Value = NONE
    error: Failure | None = None
    attempt: int = 1
    seconds: float = 0.0
    usage: Usage | None = None
    session: str = ""
    transcript: Value = NONE
    snapshot: bytes = b""
    begun: int = 0
    unseen: bytes | None = None  # what stood for the files before they were looked at; None: `tree`
    workspace: str = ""
    head: bytes = b""
    by: str = ""


class StepSucceeded(Event, frozen=True, tag="step.succeeded"):
    key: str
    result: Value = NONE
    attempt: int = 1
    seconds: float = 0.0
    usage: Usage | None = None
    session: str = ""  # an agent's own session, to continue it
    transcript: Value = NONE
    snapshot: bytes = b""  # git tree of the workspace afterwards
    head: bytes = b""  # what was checked out there then, where that is another commit than before


class AttemptFailed(Event, frozen=True, tag="step.attempt_failed"):
    """One try failed and another will follow, not before `retry_at`."""

    key: str
    error: Failure
    attempt: int = 1
    retry_at: int = 0
    seconds: float = 0.0
    usage: Usage | None = None
    session: str = ""
    transcript: Value = NONE
    snapshot: bytes = b""
    head: bytes = b""


class StepFailed(Event, frozen=True, tag="step.failed"):
    """The last try failed: the workflow sees it as an exception."""

    key: str
    error: Failure
    attempt: int = 1
    seconds: float = 0.0
    usage: Usage | None = None
    session: str = ""
    transcript: Value = NONE
    snapshot: bytes = b""
    head: bytes = b""


class StepDeferred(Event, frozen=True, tag="step.deferred"):
    """The server asked for patience (rate limit, overload): waits, and counts as no try."""

    key: str
    until: int
    reason: str = ""
    attempt: int = 1
    snapshot: bytes = b""
    head: bytes = b""
    usage: Usage | None = None


class FellBack(Event, frozen=True, tag="step.fell_back"):
    """Another agent or model goes on with a step: the one at work could not, because of `reason`.

    `place` counts those that the step may be given to; 0 is the first choice. `until` is when the one
    that was left may be asked again; 0: not any more.
    """

    key: str
    place: int
    by: str
    left: str = ""
    reason: str = ""
    until: int = 0
    not_before: int = 0


class StepCancelled(Event, frozen=True, tag="step.cancelled"):
    """Its result was no longer wanted: the loser of a race, a sibling of a failure."""

    key: str
    reason: str = ""
    attempt: int = 1


class SessionOpened(Event, frozen=True, tag="step.session_opened"):
    """The agent told the id of its session, so that a crash can resume it."""

    key: str
    session: str
    attempt: int = 1


class Journaled(Event, frozen=True, tag="step.journaled"):
    """An agent wrote something down before it went on: what it needs to go on after a crash.

    Its entries make the step's journal, in their order. `kind` and `text` are the agent's words for
    people; `usage` is what it paid to get there, and is told nowhere else.
    """

    key: str
    kind: str
    entry: Value = NONE
    text: str = ""
    attempt: int = 1
    usage: Usage | None = None


class EffectHeld(Event, frozen=True, tag="step.effect_held"):
    """An effect in a fork asks before it happens, maybe again: a gate, until a person decides."""

    key: str


class BudgetReached(Event, frozen=True, tag="budget.reached"):
    """The next attempt at `step` may not fit what is left: a gate, until a person decides.

    `key` is "[budget]" for the run's budget, "STEP[budget]" for a step's own; `usd` and `tokens` are it.
    """

    key: str
    step: str = ""
    subject: Value = NONE  # the figures, for people
    usd: float = 0.0
    tokens: int = 0


class DoubtRaised(Event, frozen=True, tag="step.doubt_raised"):
    """An effect was started and its outcome is unknown: a gate, until a person decides."""

    key: str
    attempt: int = 1


# --- files -------------------------------------------------------------------------------------


class WorkspaceSeen(Event, frozen=True, tag="workspace.seen"):
    """The files were looked at, before a step began to work on them: they are the git tree `tree`.

    `commit` keeps them; `head` is what was checked out. `workspace` says whose files, as in StepStarted.
    """

    tree: bytes
    commit: bytes = b""
    head: bytes = b""
    workspace: str = ""


class WorkspaceDrifted(Event, frozen=True, tag="workspace.drifted"):
    """They are others than were recorded: somebody edited them meanwhile, and the run goes on with that."""

    expected: bytes
    found: bytes
    commit: bytes = b""
    head: bytes = b""
    workspace: str = ""


class RestoreStarted(Event, frozen=True, tag="workspace.restore_started"):
    """Written before files are brought back to `tree`; those that were `found` are kept by `commit`."""

    tree: bytes
    found: bytes
    commit: bytes
    reason: str = ""  # "left", "interrupted", "retried"
    workspace: str = ""


class WorkspaceRestored(Event, frozen=True, tag="workspace.restored"):
    """The files are those of `tree` again; `head` is checked out, where that is another than before."""

    tree: bytes
    workspace: str = ""
    head: bytes = b""


class SnapshotMissed(Event, frozen=True, tag="workspace.snapshot_missed"):
    """The files could not be recorded, before step `key` or after it; that does not fail the step."""

    key: str
    error: Failure


# --- waiting -----------------------------------------------------------------------------------


class ApprovalRequested(Event, frozen=True, tag="approval.requested"):
    key: str
    subject: Value = NONE
    digest: bytes = b""  # of the subject: an approval holds for what was seen
    by: list[str] = []  # who may decide; empty: anybody
    count: int = 1  # how many different people must approve
    expires_at: int = 0
    on_deny: str = "raise"  # or "return", "skip"
    on_expire: str = "deny"  # or "halt", "escalate", "remind"
    every: int = 0  # ns: how long it was to wait, or between two reminders
    escalate_to: list[str] = []
    form: Value = NONE  # JSON Schema of the edits that may come with an approval
    months: int = 0  # of the calendar, that it was to wait before `every`


class ApprovalDecided(Event, frozen=True, tag="approval.decided"):
    key: str
    approved: bool
    by: str
    note: str = ""
    edits: Value = NONE
    digest: bytes = b""


class Ballot(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One person's word on a gate, as it was given at `time`."""

    by: str
    approved: bool
    time: int
    note: str = ""
    edits: Value = NONE


class ApprovalCarried(Event, frozen=True, tag="approval.carried"):
    """A fork took over a decision of the run `origin`: what was approved is unchanged."""

    key: str
    origin: str
    ballots: list[Ballot]
    digest: bytes = b""


class QuestionAsked(Event, frozen=True, tag="question.asked"):
    key: str
    question: Value = NONE
    form: Value = NONE  # JSON Schema of the answer
    digest: bytes = b""  # of question and form: an answer holds for what was asked
    by: list[str] = []  # who may answer; empty: anybody
    expires_at: int = 0
    on_expire: str = "halt"  # or "escalate", "remind"
    every: int = 0  # ns: how long it was to wait, or between two reminders
    escalate_to: list[str] = []
    months: int = 0  # of the calendar, that it was to wait before `every`


class QuestionAnswered(Event, frozen=True, tag="question.answered"):
    key: str
    answer: Value
    by: str
    note: str = ""
    digest: bytes = b""


class AnswerCarried(Event, frozen=True, tag="question.answer_carried"):
    """A fork took over an answer of the run `origin`, given at `time`: the question is unchanged."""

    key: str
    origin: str
    answer: Value
    by: str
    time: int
    note: str = ""
    digest: bytes = b""


class GateReminded(Event, frozen=True, tag="gate.reminded"):
    """Nobody has decided for a while, so whoever may is told again; the next time at `until`."""

    key: str
    until: int


class GateEscalated(Event, frozen=True, tag="gate.escalated"):
    """Nobody decided in time, so the people `to` may as well, until `until`."""

    key: str
    to: list[str]
    until: int


class GateExpired(Event, frozen=True, tag="gate.expired"):
    """Nobody decided in time, and the workflow sees that as an exception."""

    key: str


class SignalAwaited(Event, frozen=True, tag="signal.awaited"):
    key: str
    signal: str
    correlation: str = ""  # only a signal with this key is meant


class SignalReceived(Event, frozen=True, tag="signal.received"):
    signal: str
    payload: Value = NONE
    correlation: str = ""  # the key that it was sent with


class TimerSet(Event, frozen=True, tag="timer.set"):
    key: str
    until: int


class TimerFired(Event, frozen=True, tag="timer.fired"):
    key: str


# --- the rest of a workflow ----------------------------------------------------------------------


class ChildStarted(Event, frozen=True, tag="child.started"):
    """With an `origin`, a run, the child is a fork of it at offset `at`: it left with its parent."""

    key: str
    run: str
    fingerprint: bytes = b""
    origin: str = ""
    at: int = 0
    workspace: str = ""
    reserved: Reserved | None = None  # its own budget, set aside from that of its parent


class ChildFinished(Event, frozen=True, tag="child.finished"):
    """Exactly one of `output` (status "succeeded") and `error` means something."""

    key: str
    run: str
    status: str
    output: Value = NONE
    error: Failure | None = None
    usage: Usage | None = None  # what it and its own children used


class LoopExhausted(Event, frozen=True, tag="loop.exhausted"):
    """The ceiling was reached before the condition held."""

    key: str
    max: int


class Noted(Event, frozen=True, tag="note"):
    key: str
    text: str
    data: Value = NONE


# --- schedules: each one has a branch of its own, without a run ------------------------------------


class ScheduleAdded(Event, frozen=True, tag="schedule.added"):
    """First of every schedule: when it starts runs of which workflow. `next` is its first tick.

    `missed` says what becomes of ticks at which nobody served, `overlap` of one at which the run before
    goes on still.
    """

    schedule: str
    cron: str
    zone: str
    workflow: str
    source: str
    next: int
    input: Value = NONE
    folder: str = ""
    missed: str = "once"  # or "skip", "all"
    overlap: str = "skip"  # or "queue", "allow"


class ScheduleTicked(Event, frozen=True, tag="schedule.ticked"):
    """Its time came, and this was done about it: exactly once, since it is said at the schedule's head.

    The run that was "started" was written in the same commit. `others` are ticks before this one that
    were missed and that this one stands for. `next` is the tick to come, 0 where there is none any more.
    """

    tick: int
    outcome: str  # "started", "queued", "overlapped", "missed", "refused"
    next: int
    run: str = ""
    others: int = 0
    error: Failure | None = None


class SchedulePaused(Event, frozen=True, tag="schedule.paused"):
    """It starts nothing until it is unpaused; what would have been started meanwhile is left out."""


class ScheduleUnpaused(Event, frozen=True, tag="schedule.unpaused"):
    next: int


class ScheduleRemoved(Event, frozen=True, tag="schedule.removed"):
    """It starts nothing any more; its runs are left alone."""


class UnknownEvent(msgspec.Struct, frozen=True, gc=False):
    """An event of a newer version: kept as its bytes, so that it survives a round trip.

    `version` is the schema version of those bytes; they are written again under it.
    """

    type: str
    raw: msgspec.Raw
    version: int = 1


KNOWN: tuple[type[Event], ...] = (
    RunStarted,
    RunForked,
    RunClaimed,
    RunReleased,
    RunSucceeded,
    RunFailed,
    RunContinued,
    CancelRequested,
    RunCancelled,
    RunPaused,
    RunUnpaused,
    StepStarted,
    StepReused,
    StepSucceeded,
    AttemptFailed,
    StepFailed,
    StepDeferred,
    FellBack,
    StepCancelled,
    SessionOpened,
    Journaled,
    EffectHeld,
    BudgetReached,
    DoubtRaised,
    WorkspaceSeen,
    WorkspaceDrifted,
    RestoreStarted,
    WorkspaceRestored,
    SnapshotMissed,
    ApprovalRequested,
    ApprovalDecided,
    ApprovalCarried,
    QuestionAsked,
    QuestionAnswered,
    AnswerCarried,
    GateReminded,
    GateEscalated,
    GateExpired,
    SignalAwaited,
    SignalReceived,
    TimerSet,
    TimerFired,
    ChildStarted,
    ChildFinished,
    LoopExhausted,
    Noted,
    ScheduleAdded,
    ScheduleTicked,
    SchedulePaused,
    ScheduleUnpaused,
    ScheduleRemoved,
)

AnyEvent = (
    RunStarted
    | RunForked
    | RunClaimed
    | RunReleased
    | RunSucceeded
    | RunFailed
    | RunContinued
    | CancelRequested
    | RunCancelled
    | RunPaused
    | RunUnpaused
    | StepStarted
    | StepReused
    | StepSucceeded
    | AttemptFailed
    | StepFailed
    | StepDeferred
    | FellBack
    | StepCancelled
    | SessionOpened
    | Journaled
    | EffectHeld
    | BudgetReached
    | DoubtRaised
    | WorkspaceSeen
    | WorkspaceDrifted
    | RestoreStarted
    | WorkspaceRestored
    | SnapshotMissed
    | ApprovalRequested
    | ApprovalDecided
    | ApprovalCarried
    | QuestionAsked
    | QuestionAnswered
    | AnswerCarried
    | GateReminded
    | GateEscalated
    | GateExpired
    | SignalAwaited
    | SignalReceived
    | TimerSet
    | TimerFired
    | ChildStarted
    | ChildFinished
    | LoopExhausted
    | Noted
    | ScheduleAdded
    | ScheduleTicked
    | SchedulePaused
    | ScheduleUnpaused
    | ScheduleRemoved
    | UnknownEvent
)


class Record(msgspec.Struct, frozen=True, gc=False):
    """An event with its place: `seq` in the log, `offset` in its branch.

    `time` is in nanoseconds since 1970, UTC. `actor` is who wrote it: `engine`, `cli:<user>`,
    `mcp:<client>`, `web:<user>`. `version` is the schema version that the event was written with.
    """

    seq: int
    branch: int
    offset: int
    time: int
    actor: str
    version: int
    event: AnyEvent
