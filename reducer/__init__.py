"""What happened means this: events to state, workflow code to requests, both pure."""

from . import fingerprint
from .changes import Change, named
from .code import NoSuchFunction, digest, digest_source
from .compare import Comparison, Difference, Side, compare, side_of
from .decide import Decision as StepDecision
from .decide import Diverge, Fail, Hold, Reuse, Start, after_failure, decide
from .differences import Pair, aligned, changed_fields, differences
from .driver import Driver, Ended
from .durations import nanoseconds
from .edits import STEP_EDITS, edited_result, names, within
from .errors import (
    ApprovalDenied,
    BadName,
    ChildFailed,
    GateExpired,
    InputHasSecret,
    InputInvalid,
    LoopExhausted,
    NotAWorkflow,
    NotDurable,
    NotRecordable,
    RunEnding,
    Skipped,
    StepFailed,
    WorkflowDiverged,
    WorkflowError,
)
from .files import (
    RECORDED_KINDS,
    Accept,
    Edits,
    FilesDecision,
    Refuse,
    Restore,
    decide_files,
    is_to_begin_anew,
    left_behind,
    session_to_continue,
)
from .frame_changes import FrameChange, about, frame_changes
from .frames import Frames, first_bad
from .outcome import decode
from .plan import Item, Plan, Planner
from .pool import Agenda, Pool
from .proof import Divergence, Proof, prove
from .redrive import Mismatch, diverged, follow, redrive, take
from .reduce import reduce, replay
from .requests import (
    AgentCall,
    ApprovalRequest,
    CancelRequest,
    CeilingRequest,
    ChildRequest,
    FunctionCall,
    ModelAsk,
    NoteRequest,
    Policy,
    QuestionRequest,
    Request,
    ShellCall,
    SignalRequest,
    StepRequest,
    TimerRequest,
)
from .results import Decision, ShellResult
from .run import Run
from .secrets import SecretRules
from .state import ENDED, Child, Gate, Pause, State, Step, Timer, Vote, Wait
from .suspended import Stack, Suspended, raised, suspended
from .tasks import Cancelled
from .tree import is_tree, known_as
from .wait_events import NOBODY, after_expiry
from .workflow import Workflow, workflow

__all__ = [
    "ENDED",
    "NOBODY",
    "RECORDED_KINDS",
    "STEP_EDITS",
    "Accept",
    "Agenda",
    "AgentCall",
    "ApprovalDenied",
    "ApprovalRequest",
    "BadName",
    "CancelRequest",
    "Cancelled",
    "CeilingRequest",
    "Change",
    "Child",
    "ChildFailed",
    "ChildRequest",
    "Comparison",
    "Decision",
    "Difference",
    "Diverge",
    "Divergence",
    "Driver",
    "Edits",
    "Ended",
    "Fail",
    "FilesDecision",
    "FrameChange",
    "Frames",
    "FunctionCall",
    "Gate",
    "GateExpired",
    "Hold",
    "InputHasSecret",
    "InputInvalid",
    "Item",
    "LoopExhausted",
    "Mismatch",
    "ModelAsk",
    "NoSuchFunction",
    "NotAWorkflow",
    "NotDurable",
    "NotRecordable",
    "NoteRequest",
    "Pair",
    "Pause",
    "Plan",
    "Planner",
    "Policy",
    "Pool",
    "Proof",
    "QuestionRequest",
    "Refuse",
    "Request",
    "Restore",
    "Reuse",
    "Run",
    "RunEnding",
    "SecretRules",
    "ShellCall",
    "ShellResult",
    "Side",
    "SignalRequest",
    "Skipped",
    "Stack",
    "Start",
    "State",
    "Step",
    "StepDecision",
    "StepFailed",
    "StepRequest",
    "Suspended",
    "Timer",
    "TimerRequest",
    "Vote",
    "Wait",
    "Workflow",
    "WorkflowDiverged",
    "WorkflowError",
    "about",
    "after_expiry",
    "after_failure",
    "aligned",
    "changed_fields",
    "compare",
    "decide",
    "decide_files",
    "decode",
    "differences",
    "digest",
    "digest_source",
    "diverged",
    "edited_result",
    "fingerprint",
    "first_bad",
    "follow",
    "frame_changes",
    "is_to_begin_anew",
    "is_tree",
    "known_as",
    "left_behind",
    "named",
    "names",
    "nanoseconds",
    "prove",
    "raised",
    "redrive",
    "reduce",
    "replay",
    "session_to_continue",
    "side_of",
    "suspended",
    "take",
    "within",
    "workflow",
]
