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
    InputHasSecret,
    InputInvalid,
    LoopExhausted,
    NotAWorkflow,
    NotDurable,
    NotRecordable,
    RunEnding,
    StepFailed,
    WorkflowDiverged,
    WorkflowError,
)
from .outcome import decode
from .plan import Item, Plan, Planner
from .pool import Agenda, Pool
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
    Request,
    ShellCall,
    SignalRequest,
    StepRequest,
    TimerRequest,
)
from .results import Decision, ShellResult
from .run import Run
from .secrets import SecretRules
from .state import ENDED, Child, Gate, State, Step, Timer, Vote, Wait
from .tasks import Cancelled
from .workflow import Workflow, workflow

__all__ = [
    "ENDED",
    "STEP_EDITS",
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
    "Driver",
    "Ended",
    "Fail",
    "FunctionCall",
    "Gate",
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
    "Plan",
    "Planner",
    "Policy",
    "Pool",
    "Request",
    "Reuse",
    "Run",
    "RunEnding",
    "SecretRules",
    "ShellCall",
    "ShellResult",
    "Side",
    "SignalRequest",
    "Start",
    "State",
    "Step",
    "StepDecision",
    "StepFailed",
    "StepRequest",
    "Timer",
    "TimerRequest",
    "Vote",
    "Wait",
    "Workflow",
    "WorkflowDiverged",
    "WorkflowError",
    "after_failure",
    "aligned",
    "changed_fields",
    "compare",
    "decide",
    "decode",
    "differences",
    "digest",
    "digest_source",
    "diverged",
    "edited_result",
    "fingerprint",
    "follow",
    "named",
    "names",
    "nanoseconds",
    "redrive",
    "reduce",
    "replay",
    "side_of",
    "take",
    "within",
    "workflow",
]
