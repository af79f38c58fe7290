"""The bytes of every event type. They are never edited: logs that hold them are out there."""

import msgspec
import pytest

from holdfast import eventlog
from holdfast.eventlog import (
    KNOWN,
    AnswerCarried,
    ApprovalCarried,
    ApprovalDecided,
    ApprovalRequested,
    AttemptFailed,
    Ballot,
    Budget,
    BudgetReached,
    CancelRequested,
    ChildFinished,
    ChildStarted,
    Codec,
    DoubtRaised,
    Edit,
    EffectHeld,
    Event,
    Failure,
    FellBack,
    GateEscalated,
    GateExpired,
    GateReminded,
    Journaled,
    LoopExhausted,
    Noted,
    QuestionAnswered,
    QuestionAsked,
    Reserved,
    RestoreStarted,
    Role,
    RunCancelled,
    RunClaimed,
    RunContinued,
    RunFailed,
    RunForked,
    RunPaused,
    RunReleased,
    RunStarted,
    RunSucceeded,
    RunUnpaused,
    ScheduleAdded,
    SchedulePaused,
    ScheduleRemoved,
    ScheduleTicked,
    ScheduleUnpaused,
    SessionOpened,
    SignalAwaited,
    SignalReceived,
    SnapshotMissed,
    StepCancelled,
    StepDeferred,
    StepFailed,
    StepReused,
    StepStarted,
    StepSucceeded,
    TimerFired,
    TimerSet,
    Usage,
    WorkspaceDrifted,
    WorkspaceRestored,
    WorkspaceSeen,
)

V = msgspec.Raw(b"\xa1v")
F = Failure("c", "m", "T", "d")
U = Usage(1, 2, 3, 0.5)

GOLDEN: list[tuple[Event, bytes]] = [
    (
        RunStarted(
            "r",
            "w",
            "w.py",
            b"\x01",
            V,
            b"\x02",
            "/r",
            "p",
            "k",
            "hold",
            b"\x03",
            [Edit("model", V, "k")],
            4,
            Budget(2.5, 9, 0.5, 4),
        ),
        b"\x8f\xa4type\xabrun.started\xa3run\xa1r\xa8workflow\xa1w\xa6source\xa4w.py\xa4code\xc4\x01\x01\xa5input\xa1v\xa4seed\xc4\x01\x02\xa6folder\xa2/r\xa6parent\xa1p\xaaparent_key\xa1k\xa7effects\xa4hold\xa4tree\xc4\x01\x03\xa5edits\x91\x83\xa4what\xa5model\xa5value\xa1v\xa3key\xa1k\xa9continues\x04\xa6budget\x84\xa3usd\xcb@\x04\x00\x00\x00\x00\x00\x00\xa6tokens\t\xa8each_usd\xcb?\xe0\x00\x00\x00\x00\x00\x00\xabeach_tokens\x04",
    ),
    (
        RunForked(
            "r",
            "fork",
            "o",
            2,
            3,
            4,
            5,
            [Edit("model", V, "k")],
            ["k"],
            "hold",
            b"\x01",
            "w.py",
            "p",
            "k",
            "rerun",
            "/w",
            b"\x02",
            b"\x03",
            b"\x04",
            b"\x05",
        ),
        b"\xde\x00\x15\xa4type\xaarun.forked\xa3run\xa1r\xa6reason\xa4fork\xa6origin\xa1o\xa6branch\x02\xa2at\x03\xa5until\x04\xa5shift\x05\xa5edits\x91\x83\xa4what\xa5model\xa5value\xa1v\xa3key\xa1k\xa7retried\x91\xa1k\xa7effects\xa4hold\xa4code\xc4\x01\x01\xa6source\xa4w.py\xa6parent\xa1p\xaaparent_key\xa1k\xacchanged_code\xa5rerun\xa6folder\xa2/w\xa8snapshot\xc4\x01\x02\xa4left\xc4\x01\x03\xa4head\xc4\x01\x04\xa6merged\xc4\x01\x05",
    ),
    (
        StepReused(
            "k",
            "shell",
            b"\x01",
            "o",
            "failed",
            V,
            b"\x02",
            False,
            b"\x03",
            4,
            5,
            V,
            F,
            2,
            1.5,
            U,
            "s",
            V,
            b"\x06",
            7,
            b"\x08",
            "w",
            b"\x08",
            by="a:m",
        ),
        b"\xde\x00\x19\xa4type\xabstep.reused\xa3key\xa1k\xa4kind\xa5shell\xabfingerprint\xc4\x01\x01\xa6origin\xa1o\xa6status\xa6failed\xa5reads\xa1v\xa4code\xc4\x01\x02\xa5files\xc2\xa4tree\xc4\x01\x03\xa7started\x04\xa8finished\x05\xa6result\xa1v\xa5error\x84\xa4code\xa1c\xa7message\xa1m\xa4type\xa1T\xa6detail\xa1d\xa7attempt\x02\xa7seconds\xcb?\xf8\x00\x00\x00\x00\x00\x00\xa5usage\x84\xacinput_tokens\x01\xadoutput_tokens\x02\xadcached_tokens\x03\xa8cost_usd\xcb?\xe0\x00\x00\x00\x00\x00\x00\xa7session\xa1s\xaatranscript\xa1v\xa8snapshot\xc4\x01\x06\xa5begun\x07\xa6unseen\xc4\x01\x08\xa9workspace\xa1w\xa4head\xc4\x01\x08\xa2by\xa3a:m",
    ),
    (EffectHeld("k"), b"\x82\xa4type\xb0step.effect_held\xa3key\xa1k"),
    (
        ApprovalCarried("k", "o", [Ballot("ada", True, 9, "fine", V)], b"\x05"),
        b"\x85\xa4type\xb0approval.carried\xa3key\xa1k\xa6origin\xa1o\xa7ballots\x91\x85\xa2by\xa3ada\xa8approved\xc3\xa4time\t\xa4note\xa4fine\xa5edits\xa1v\xa6digest\xc4\x01\x05",
    ),
    (
        StepStarted(
            "k",
            "shell",
            b"\x01\x02",
            V,
            b"\x03",
            2,
            False,
            "w",
            by="a:m",
            reserved=Reserved(0.5, 4, True),
        ),
        b"\x8b\xa4type\xacstep.started\xa3key\xa1k\xa4kind\xa5shell\xabfingerprint\xc4\x02\x01\x02\xa5reads\xa1v\xa4code\xc4\x01\x03\xa7attempt\x02\xa5files\xc2\xa9workspace\xa1w\xa2by\xa3a:m\xa8reserved\x83\xa3usd\xcb?\xe0\x00\x00\x00\x00\x00\x00\xa6tokens\x04\xa7guessed\xc3",
    ),
    (
        ChildStarted("k", "r", b"\x01", "o", 7, "w", reserved=Reserved(0.5, 4, True)),
        b"\x88\xa4type\xadchild.started\xa3key\xa1k\xa3run\xa1r\xabfingerprint\xc4\x01\x01\xa6origin\xa1o\xa2at\x07\xa9workspace\xa1w\xa8reserved\x83\xa3usd\xcb?\xe0\x00\x00\x00\x00\x00\x00\xa6tokens\x04\xa7guessed\xc3",
    ),
    (
        RunClaimed("o", "h", 7, roles=[Role("p", "a", "m", ["b"], "read", V)]),
        b"\x85\xa4type\xabrun.claimed\xa5owner\xa1o\xa4host\xa1h\xa3pid\x07\xa5roles\x91\x86\xa4name\xa1p\xa5agent\xa1a\xa5model\xa1m\xa8fallback\x91\xa1b\xabpermissions\xa4read\xa7options\xa1v",
    ),
    (
        RunReleased("o", "waiting", ["g"], F, True),
        b"\x86\xa4type\xacrun.released\xa5owner\xa1o\xa6reason\xa7waiting\xa7waiting\x91\xa1g\xa5error\x84\xa4code\xa1c\xa7message\xa1m\xa4type\xa1T\xa6detail\xa1d\xa6served\xc3",
    ),
    (RunSucceeded(V), b"\x82\xa4type\xadrun.succeeded\xa6output\xa1v"),
    (
        RunFailed(F),
        b"\x82\xa4type\xaarun.failed\xa5error\x84\xa4code\xa1c\xa7message\xa1m\xa4type\xa1T\xa6detail\xa1d",
    ),
    (CancelRequested("why"), b"\x82\xa4type\xb4run.cancel_requested\xa6reason\xa3why"),
    (RunCancelled("why"), b"\x82\xa4type\xadrun.cancelled\xa6reason\xa3why"),
    (
        StepSucceeded("k", V, 2, 1.5, U, "s", V, b"\x04", b"\x05"),
        b"\x8a\xa4type\xaestep.succeeded\xa3key\xa1k\xa6result\xa1v\xa7attempt\x02\xa7seconds\xcb?\xf8\x00\x00\x00\x00\x00\x00\xa5usage\x84\xacinput_tokens\x01\xadoutput_tokens\x02\xadcached_tokens\x03\xa8cost_usd\xcb?\xe0\x00\x00\x00\x00\x00\x00\xa7session\xa1s\xaatranscript\xa1v\xa8snapshot\xc4\x01\x04\xa4head\xc4\x01\x05",
    ),
    (
        AttemptFailed("k", F, 2, 9, 1.5, U, "s", V, b"\x04", b"\x05"),
        b"\x8b\xa4type\xb3step.attempt_failed\xa3key\xa1k\xa5error\x84\xa4code\xa1c\xa7message\xa1m\xa4type\xa1T\xa6detail\xa1d\xa7attempt\x02\xa8retry_at\t\xa7seconds\xcb?\xf8\x00\x00\x00\x00\x00\x00\xa5usage\x84\xacinput_tokens\x01\xadoutput_tokens\x02\xadcached_tokens\x03\xa8cost_usd\xcb?\xe0\x00\x00\x00\x00\x00\x00\xa7session\xa1s\xaatranscript\xa1v\xa8snapshot\xc4\x01\x04\xa4head\xc4\x01\x05",
    ),
    (
        StepFailed("k", F, 2, 1.5, U, "s", V, b"\x04", b"\x05"),
        b"\x8a\xa4type\xabstep.failed\xa3key\xa1k\xa5error\x84\xa4code\xa1c\xa7message\xa1m\xa4type\xa1T\xa6detail\xa1d\xa7attempt\x02\xa7seconds\xcb?\xf8\x00\x00\x00\x00\x00\x00\xa5usage\x84\xacinput_tokens\x01\xadoutput_tokens\x02\xadcached_tokens\x03\xa8cost_usd\xcb?\xe0\x00\x00\x00\x00\x00\x00\xa7session\xa1s\xaatranscript\xa1v\xa8snapshot\xc4\x01\x04\xa4head\xc4\x01\x05",
    ),
    (
        StepDeferred("k", 9, "429", 2, b"\x04", b"\x05", usage=U),
        b"\x88\xa4type\xadstep.deferred\xa3key\xa1k\xa5until\t\xa6reason\xa3429\xa7attempt\x02\xa8snapshot\xc4\x01\x04\xa4head\xc4\x01\x05\xa5usage\x84\xacinput_tokens\x01\xadoutput_tokens\x02\xadcached_tokens\x03\xa8cost_usd\xcb?\xe0\x00\x00\x00\x00\x00\x00",
    ),
    (
        StepCancelled("k", "lost", 2),
        b"\x84\xa4type\xaestep.cancelled\xa3key\xa1k\xa6reason\xa4lost\xa7attempt\x02",
    ),
    (
        SessionOpened("k", "s", 2),
        b"\x84\xa4type\xb3step.session_opened\xa3key\xa1k\xa7session\xa1s\xa7attempt\x02",
    ),
    (
        Journaled("k", "began", V, "t", 2, U),
        b"\x87\xa4type\xaestep.journaled\xa3key\xa1k\xa4kind\xa5began\xa5entry\xa1v\xa4text\xa1t\xa7attempt\x02\xa5usage\x84\xacinput_tokens\x01\xadoutput_tokens\x02\xadcached_tokens\x03\xa8cost_usd\xcb?\xe0\x00\x00\x00\x00\x00\x00",
    ),
    (DoubtRaised("k", 2), b"\x83\xa4type\xb1step.doubt_raised\xa3key\xa1k\xa7attempt\x02"),
    (
        ApprovalRequested("k", V, b"\x05", ["ada"], 2, 9, "return", "escalate", 7, ["bo"], V, 3),
        b"\x8d\xa4type\xb2approval.requested\xa3key\xa1k\xa7subject\xa1v\xa6digest\xc4\x01\x05\xa2by\x91\xa3ada\xa5count\x02\xaaexpires_at\t\xa7on_deny\xa6return\xa9on_expire\xa8escalate\xa5every\x07\xabescalate_to\x91\xa2bo\xa4form\xa1v\xa6months\x03",
    ),
    (
        ApprovalDecided("k", True, "ada", "fine", V, b"\x05"),
        b"\x87\xa4type\xb0approval.decided\xa3key\xa1k\xa8approved\xc3\xa2by\xa3ada\xa4note\xa4fine\xa5edits\xa1v\xa6digest\xc4\x01\x05",
    ),
    (
        SignalAwaited("k", "s", "7"),
        b"\x84\xa4type\xaesignal.awaited\xa3key\xa1k\xa6signal\xa1s\xabcorrelation\xa17",
    ),
    (
        SignalReceived("s", V, "7"),
        b"\x84\xa4type\xafsignal.received\xa6signal\xa1s\xa7payload\xa1v\xabcorrelation\xa17",
    ),
    (TimerSet("k", 9), b"\x83\xa4type\xa9timer.set\xa3key\xa1k\xa5until\t"),
    (TimerFired("k"), b"\x82\xa4type\xabtimer.fired\xa3key\xa1k"),
    (
        ChildFinished("k", "r", "failed", V, F, usage=U),
        b"\x87\xa4type\xaechild.finished\xa3key\xa1k\xa3run\xa1r\xa6status\xa6failed\xa6output\xa1v\xa5error\x84\xa4code\xa1c\xa7message\xa1m\xa4type\xa1T\xa6detail\xa1d\xa5usage\x84\xacinput_tokens\x01\xadoutput_tokens\x02\xadcached_tokens\x03\xa8cost_usd\xcb?\xe0\x00\x00\x00\x00\x00\x00",
    ),
    (LoopExhausted("k", 3), b"\x83\xa4type\xaeloop.exhausted\xa3key\xa1k\xa3max\x03"),
    (Noted("k", "t", V), b"\x84\xa4type\xa4note\xa3key\xa1k\xa4text\xa1t\xa4data\xa1v"),
    (
        WorkspaceSeen(b"\x01", b"\x02", b"\x03", "w"),
        b"\x85\xa4type\xaeworkspace.seen\xa4tree\xc4\x01\x01\xa6commit\xc4\x01\x02\xa4head\xc4\x01\x03\xa9workspace\xa1w",
    ),
    (
        WorkspaceDrifted(b"\x01", b"\x02", b"\x03", b"\x04", "w"),
        b"\x86\xa4type\xb1workspace.drifted\xa8expected\xc4\x01\x01\xa5found\xc4\x01\x02\xa6commit\xc4\x01\x03\xa4head\xc4\x01\x04\xa9workspace\xa1w",
    ),
    (
        RestoreStarted(b"\x01", b"\x02", b"\x03", "left", "w"),
        b"\x86\xa4type\xb9workspace.restore_started\xa4tree\xc4\x01\x01\xa5found\xc4\x01\x02\xa6commit\xc4\x01\x03\xa6reason\xa4left\xa9workspace\xa1w",
    ),
    (
        WorkspaceRestored(b"\x01", "w", b"\x05"),
        b"\x84\xa4type\xb2workspace.restored\xa4tree\xc4\x01\x01\xa9workspace\xa1w\xa4head\xc4\x01\x05",
    ),
    (
        SnapshotMissed("k", F),
        b"\x83\xa4type\xb9workspace.snapshot_missed\xa3key\xa1k\xa5error\x84\xa4code\xa1c\xa7message\xa1m\xa4type\xa1T\xa6detail\xa1d",
    ),
    (GateReminded("k", 9), b"\x83\xa4type\xadgate.reminded\xa3key\xa1k\xa5until\t"),
    (
        GateEscalated("k", ["bo"], 9),
        b"\x84\xa4type\xaegate.escalated\xa3key\xa1k\xa2to\x91\xa2bo\xa5until\t",
    ),
    (GateExpired("k"), b"\x82\xa4type\xacgate.expired\xa3key\xa1k"),
    (
        QuestionAsked("k", V, V, b"\x05", ["ada"], 9, "remind", 7, ["bo"], 3),
        b"\x8b\xa4type\xaequestion.asked\xa3key\xa1k\xa8question\xa1v\xa4form\xa1v\xa6digest\xc4\x01\x05\xa2by\x91\xa3ada\xaaexpires_at\t\xa9on_expire\xa6remind\xa5every\x07\xabescalate_to\x91\xa2bo\xa6months\x03",
    ),
    (
        QuestionAnswered("k", V, "ada", "fine", b"\x05"),
        b"\x86\xa4type\xb1question.answered\xa3key\xa1k\xa6answer\xa1v\xa2by\xa3ada\xa4note\xa4fine\xa6digest\xc4\x01\x05",
    ),
    (
        AnswerCarried("k", "o", V, "ada", 9, "fine", b"\x05"),
        b"\x88\xa4type\xb7question.answer_carried\xa3key\xa1k\xa6origin\xa1o\xa6answer\xa1v\xa2by\xa3ada\xa4time\t\xa4note\xa4fine\xa6digest\xc4\x01\x05",
    ),
    (RunPaused("why"), b"\x82\xa4type\xaarun.paused\xa6reason\xa3why"),
    (RunUnpaused("why"), b"\x82\xa4type\xacrun.unpaused\xa6reason\xa3why"),
    (
        ScheduleAdded("n", "c", "z", "w", "w.py", 9, V, "/r", "all", "queue"),
        b"\x8b\xa4type\xaeschedule.added\xa8schedule\xa1n\xa4cron\xa1c\xa4zone\xa1z\xa8workflow\xa1w\xa6source\xa4w.py\xa4next\t\xa5input\xa1v\xa6folder\xa2/r\xa6missed\xa3all\xa7overlap\xa5queue",
    ),
    (
        ScheduleTicked(7, "started", 9, "r", 2, F),
        b"\x87\xa4type\xafschedule.ticked\xa4tick\x07\xa7outcome\xa7started\xa4next\t\xa3run\xa1r\xa6others\x02\xa5error\x84\xa4code\xa1c\xa7message\xa1m\xa4type\xa1T\xa6detail\xa1d",
    ),
    (SchedulePaused(), b"\x81\xa4type\xafschedule.paused"),
    (ScheduleUnpaused(9), b"\x82\xa4type\xb1schedule.unpaused\xa4next\t"),
    (ScheduleRemoved(), b"\x81\xa4type\xb0schedule.removed"),
    (RunContinued(V), b"\x82\xa4type\xadrun.continued\xa5input\xa1v"),
    (
        FellBack("k", 2, "b:m", "a", "rate_limited", 8, 9),
        b"\x88\xa4type\xaestep.fell_back\xa3key\xa1k\xa5place\x02\xa2by\xa3b:m\xa4left\xa1a\xa6reason\xacrate_limited\xa5until\x08\xaanot_before\t",
    ),
    (
        BudgetReached("k[budget]", "k", V, 2.5, 9),
        b"\x86\xa4type\xaebudget.reached\xa3key\xa9k[budget]\xa4step\xa1k\xa7subject\xa1v\xa3usd\xcb@\x04\x00\x00\x00\x00\x00\x00\xa6tokens\t",
    ),
]

DEFAULTS: list[tuple[Event, bytes]] = [
    (
        ApprovalRequested("k", V, b"\x05", ["ada"], 2, 9, "return", "escalate", 7, ["bo"], V),
        b"\x8c\xa4type\xb2approval.requested\xa3key\xa1k\xa7subject\xa1v\xa6digest\xc4\x01\x05\xa2by\x91\xa3ada\xa5count\x02\xaaexpires_at\t\xa7on_deny\xa6return\xa9on_expire\xa8escalate\xa5every\x07\xabescalate_to\x91\xa2bo\xa4form\xa1v",
    ),
    (
        QuestionAsked("k", V, V, b"\x05", ["ada"], 9, "remind", 7, ["bo"]),
        b"\x8a\xa4type\xaequestion.asked\xa3key\xa1k\xa8question\xa1v\xa4form\xa1v\xa6digest\xc4\x01\x05\xa2by\x91\xa3ada\xaaexpires_at\t\xa9on_expire\xa6remind\xa5every\x07\xabescalate_to\x91\xa2bo",
    ),
    (
        RunReleased("o", "waiting", ["g"], F),
        b"\x85\xa4type\xacrun.released\xa5owner\xa1o\xa6reason\xa7waiting\xa7waiting\x91\xa1g\xa5error\x84\xa4code\xa1c\xa7message\xa1m\xa4type\xa1T\xa6detail\xa1d",
    ),
    (
        RunStarted(
            "r",
            "w",
            "w.py",
            b"\x01",
            V,
            b"\x02",
            "/r",
            "p",
            "k",
            "hold",
            b"\x03",
            [Edit("model", V, "k")],
        ),
        b"\x8d\xa4type\xabrun.started\xa3run\xa1r\xa8workflow\xa1w\xa6source\xa4w.py\xa4code\xc4\x01\x01\xa5input\xa1v\xa4seed\xc4\x01\x02\xa6folder\xa2/r\xa6parent\xa1p\xaaparent_key\xa1k\xa7effects\xa4hold\xa4tree\xc4\x01\x03\xa5edits\x91\x83\xa4what\xa5model\xa5value\xa1v\xa3key\xa1k",
    ),
    (SignalReceived("s", V), b"\x83\xa4type\xafsignal.received\xa6signal\xa1s\xa7payload\xa1v"),
    (SignalAwaited("k", "s"), b"\x83\xa4type\xaesignal.awaited\xa3key\xa1k\xa6signal\xa1s"),
    (
        ApprovalRequested("k", V, b"\x05", ["ada"], 2, 9, "return"),
        b"\x88\xa4type\xb2approval.requested\xa3key\xa1k\xa7subject\xa1v\xa6digest\xc4\x01\x05\xa2by\x91\xa3ada\xa5count\x02\xaaexpires_at\t\xa7on_deny\xa6return",
    ),
    (
        StepReused(
            "k",
            "shell",
            b"\x01",
            "o",
            "failed",
            V,
            b"\x02",
            False,
            b"\x03",
            4,
            5,
            V,
            F,
            2,
            1.5,
            U,
            "s",
            V,
            b"\x06",
            7,
            b"\x08",
            "w",
            b"\x08",
        ),
        b"\xde\x00\x18\xa4type\xabstep.reused\xa3key\xa1k\xa4kind\xa5shell\xabfingerprint\xc4\x01\x01\xa6origin\xa1o\xa6status\xa6failed\xa5reads\xa1v\xa4code\xc4\x01\x02\xa5files\xc2\xa4tree\xc4\x01\x03\xa7started\x04\xa8finished\x05\xa6result\xa1v\xa5error\x84\xa4code\xa1c\xa7message\xa1m\xa4type\xa1T\xa6detail\xa1d\xa7attempt\x02\xa7seconds\xcb?\xf8\x00\x00\x00\x00\x00\x00\xa5usage\x84\xacinput_tokens\x01\xadoutput_tokens\x02\xadcached_tokens\x03\xa8cost_usd\xcb?\xe0\x00\x00\x00\x00\x00\x00\xa7session\xa1s\xaatranscript\xa1v\xa8snapshot\xc4\x01\x06\xa5begun\x07\xa6unseen\xc4\x01\x08\xa9workspace\xa1w\xa4head\xc4\x01\x08",
    ),
    (
        StepStarted("k", "shell", b"\x01\x02", V, b"\x03", 2, False, "w"),
        b"\x89\xa4type\xacstep.started\xa3key\xa1k\xa4kind\xa5shell\xabfingerprint\xc4\x02\x01\x02\xa5reads\xa1v\xa4code\xc4\x01\x03\xa7attempt\x02\xa5files\xc2\xa9workspace\xa1w",
    ),
    (
        ChildStarted("k", "r", b"\x01", "o", 7, "w"),
        b"\x87\xa4type\xadchild.started\xa3key\xa1k\xa3run\xa1r\xabfingerprint\xc4\x01\x01\xa6origin\xa1o\xa2at\x07\xa9workspace\xa1w",
    ),
    (RunClaimed("o", "h", 7), b"\x84\xa4type\xabrun.claimed\xa5owner\xa1o\xa4host\xa1h\xa3pid\x07"),
    (
        StepDeferred("k", 9, "429", 2, b"\x04", b"\x05"),
        b"\x87\xa4type\xadstep.deferred\xa3key\xa1k\xa5until\t\xa6reason\xa3429\xa7attempt\x02\xa8snapshot\xc4\x01\x04\xa4head\xc4\x01\x05",
    ),
    (
        ChildFinished("k", "r", "failed", V, F),
        b"\x86\xa4type\xaechild.finished\xa3key\xa1k\xa3run\xa1r\xa6status\xa6failed\xa6output\xa1v\xa5error\x84\xa4code\xa1c\xa7message\xa1m\xa4type\xa1T\xa6detail\xa1d",
    ),
    (
        RunForked(
            "r",
            "fork",
            "o",
            2,
            3,
            4,
            5,
            [Edit("model", V, "k")],
            ["k"],
            "hold",
            b"\x01",
            "w.py",
            "p",
            "k",
            "rerun",
            "/w",
            b"\x02",
            b"\x03",
        ),
        b"\xde\x00\x13\xa4type\xaarun.forked\xa3run\xa1r\xa6reason\xa4fork\xa6origin\xa1o\xa6branch\x02\xa2at\x03\xa5until\x04\xa5shift\x05\xa5edits\x91\x83\xa4what\xa5model\xa5value\xa1v\xa3key\xa1k\xa7retried\x91\xa1k\xa7effects\xa4hold\xa4code\xc4\x01\x01\xa6source\xa4w.py\xa6parent\xa1p\xaaparent_key\xa1k\xacchanged_code\xa5rerun\xa6folder\xa2/w\xa8snapshot\xc4\x01\x02\xa4left\xc4\x01\x03",
    ),
    (
        StepReused(
            "k",
            "shell",
            b"\x01",
            "o",
            "failed",
            V,
            b"\x02",
            False,
            b"\x03",
            4,
            5,
            V,
            F,
            2,
            1.5,
            U,
            "s",
            V,
            b"\x06",
            7,
            b"\x08",
        ),
        b"\xde\x00\x16\xa4type\xabstep.reused\xa3key\xa1k\xa4kind\xa5shell\xabfingerprint\xc4\x01\x01\xa6origin\xa1o\xa6status\xa6failed\xa5reads\xa1v\xa4code\xc4\x01\x02\xa5files\xc2\xa4tree\xc4\x01\x03\xa7started\x04\xa8finished\x05\xa6result\xa1v\xa5error\x84\xa4code\xa1c\xa7message\xa1m\xa4type\xa1T\xa6detail\xa1d\xa7attempt\x02\xa7seconds\xcb?\xf8\x00\x00\x00\x00\x00\x00\xa5usage\x84\xacinput_tokens\x01\xadoutput_tokens\x02\xadcached_tokens\x03\xa8cost_usd\xcb?\xe0\x00\x00\x00\x00\x00\x00\xa7session\xa1s\xaatranscript\xa1v\xa8snapshot\xc4\x01\x06\xa5begun\x07\xa6unseen\xc4\x01\x08",
    ),
    (
        StepStarted("k", "shell", b"\x01\x02", V, b"\x03", 2, False),
        b"\x88\xa4type\xacstep.started\xa3key\xa1k\xa4kind\xa5shell\xabfingerprint\xc4\x02\x01\x02\xa5reads\xa1v\xa4code\xc4\x01\x03\xa7attempt\x02\xa5files\xc2",
    ),
    (
        ChildStarted("k", "r", b"\x01", "o", 7),
        b"\x86\xa4type\xadchild.started\xa3key\xa1k\xa3run\xa1r\xabfingerprint\xc4\x01\x01\xa6origin\xa1o\xa2at\x07",
    ),
    (
        StepSucceeded("k", V, 2, 1.5, U, "s", V, b"\x04"),
        b"\x89\xa4type\xaestep.succeeded\xa3key\xa1k\xa6result\xa1v\xa7attempt\x02\xa7seconds\xcb?\xf8\x00\x00\x00\x00\x00\x00\xa5usage\x84\xacinput_tokens\x01\xadoutput_tokens\x02\xadcached_tokens\x03\xa8cost_usd\xcb?\xe0\x00\x00\x00\x00\x00\x00\xa7session\xa1s\xaatranscript\xa1v\xa8snapshot\xc4\x01\x04",
    ),
    (
        AttemptFailed("k", F, 2, 9, 1.5, U, "s", V, b"\x04"),
        b"\x8a\xa4type\xb3step.attempt_failed\xa3key\xa1k\xa5error\x84\xa4code\xa1c\xa7message\xa1m\xa4type\xa1T\xa6detail\xa1d\xa7attempt\x02\xa8retry_at\t\xa7seconds\xcb?\xf8\x00\x00\x00\x00\x00\x00\xa5usage\x84\xacinput_tokens\x01\xadoutput_tokens\x02\xadcached_tokens\x03\xa8cost_usd\xcb?\xe0\x00\x00\x00\x00\x00\x00\xa7session\xa1s\xaatranscript\xa1v\xa8snapshot\xc4\x01\x04",
    ),
    (
        StepFailed("k", F, 2, 1.5, U, "s", V, b"\x04"),
        b"\x89\xa4type\xabstep.failed\xa3key\xa1k\xa5error\x84\xa4code\xa1c\xa7message\xa1m\xa4type\xa1T\xa6detail\xa1d\xa7attempt\x02\xa7seconds\xcb?\xf8\x00\x00\x00\x00\x00\x00\xa5usage\x84\xacinput_tokens\x01\xadoutput_tokens\x02\xadcached_tokens\x03\xa8cost_usd\xcb?\xe0\x00\x00\x00\x00\x00\x00\xa7session\xa1s\xaatranscript\xa1v\xa8snapshot\xc4\x01\x04",
    ),
    (
        StepDeferred("k", 9, "429", 2, b"\x04"),
        b"\x86\xa4type\xadstep.deferred\xa3key\xa1k\xa5until\t\xa6reason\xa3429\xa7attempt\x02\xa8snapshot\xc4\x01\x04",
    ),
    (
        WorkspaceSeen(b"\x01", b"\x02", b"\x03"),
        b"\x84\xa4type\xaeworkspace.seen\xa4tree\xc4\x01\x01\xa6commit\xc4\x01\x02\xa4head\xc4\x01\x03",
    ),
    (
        WorkspaceDrifted(b"\x01", b"\x02", b"\x03", b"\x04"),
        b"\x85\xa4type\xb1workspace.drifted\xa8expected\xc4\x01\x01\xa5found\xc4\x01\x02\xa6commit\xc4\x01\x03\xa4head\xc4\x01\x04",
    ),
    (
        RestoreStarted(b"\x01", b"\x02", b"\x03", "left"),
        b"\x85\xa4type\xb9workspace.restore_started\xa4tree\xc4\x01\x01\xa5found\xc4\x01\x02\xa6commit\xc4\x01\x03\xa6reason\xa4left",
    ),
    (
        WorkspaceRestored(b"\x01"),
        b"\x82\xa4type\xb2workspace.restored\xa4tree\xc4\x01\x01",
    ),
    (
        RunForked(
            "r",
            "fork",
            "o",
            2,
            3,
            4,
            5,
            [Edit("model", V, "k")],
            ["k"],
            "hold",
            b"\x01",
            "w.py",
            "p",
            "k",
            "rerun",
        ),
        b"\xde\x00\x10\xa4type\xaarun.forked\xa3run\xa1r\xa6reason\xa4fork\xa6origin\xa1o\xa6branch\x02\xa2at\x03\xa5until\x04\xa5shift\x05\xa5edits\x91\x83\xa4what\xa5model\xa5value\xa1v\xa3key\xa1k\xa7retried\x91\xa1k\xa7effects\xa4hold\xa4code\xc4\x01\x01\xa6source\xa4w.py\xa6parent\xa1p\xaaparent_key\xa1k\xacchanged_code\xa5rerun",
    ),
    (
        StepReused(
            "k",
            "shell",
            b"\x01",
            "o",
            "failed",
            V,
            b"\x02",
            False,
            b"\x03",
            4,
            5,
            V,
            F,
            2,
            1.5,
            U,
            "s",
            V,
            b"\x06",
            7,
        ),
        b"\xde\x00\x15\xa4type\xabstep.reused\xa3key\xa1k\xa4kind\xa5shell\xabfingerprint\xc4\x01\x01\xa6origin\xa1o\xa6status\xa6failed\xa5reads\xa1v\xa4code\xc4\x01\x02\xa5files\xc2\xa4tree\xc4\x01\x03\xa7started\x04\xa8finished\x05\xa6result\xa1v\xa5error\x84\xa4code\xa1c\xa7message\xa1m\xa4type\xa1T\xa6detail\xa1d\xa7attempt\x02\xa7seconds\xcb?\xf8\x00\x00\x00\x00\x00\x00\xa5usage\x84\xacinput_tokens\x01\xadoutput_tokens\x02\xadcached_tokens\x03\xa8cost_usd\xcb?\xe0\x00\x00\x00\x00\x00\x00\xa7session\xa1s\xaatranscript\xa1v\xa8snapshot\xc4\x01\x06\xa5begun\x07",
    ),
    (
        AttemptFailed("k", F, 2, 9, 1.5, U, "s", V),
        b"\x89\xa4type\xb3step.attempt_failed\xa3key\xa1k\xa5error\x84\xa4code\xa1c\xa7message\xa1m\xa4type\xa1T\xa6detail\xa1d\xa7attempt\x02\xa8retry_at\t\xa7seconds\xcb?\xf8\x00\x00\x00\x00\x00\x00\xa5usage\x84\xacinput_tokens\x01\xadoutput_tokens\x02\xadcached_tokens\x03\xa8cost_usd\xcb?\xe0\x00\x00\x00\x00\x00\x00\xa7session\xa1s\xaatranscript\xa1v",
    ),
    (
        StepFailed("k", F, 2, 1.5, U, "s", V),
        b"\x88\xa4type\xabstep.failed\xa3key\xa1k\xa5error\x84\xa4code\xa1c\xa7message\xa1m\xa4type\xa1T\xa6detail\xa1d\xa7attempt\x02\xa7seconds\xcb?\xf8\x00\x00\x00\x00\x00\x00\xa5usage\x84\xacinput_tokens\x01\xadoutput_tokens\x02\xadcached_tokens\x03\xa8cost_usd\xcb?\xe0\x00\x00\x00\x00\x00\x00\xa7session\xa1s\xaatranscript\xa1v",
    ),
    (
        StepDeferred("k", 9, "429", 2),
        b"\x85\xa4type\xadstep.deferred\xa3key\xa1k\xa5until\t\xa6reason\xa3429\xa7attempt\x02",
    ),
    (
        WorkspaceSeen(b"\x01"),
        b"\x82\xa4type\xaeworkspace.seen\xa4tree\xc4\x01\x01",
    ),
    (
        RestoreStarted(b"\x01", b"\x02", b"\x03"),
        b"\x84\xa4type\xb9workspace.restore_started\xa4tree\xc4\x01\x01\xa5found\xc4\x01\x02\xa6commit\xc4\x01\x03",
    ),
    (
        RunStarted("r", "w", "w.py", b"\x01", V, b"\x02", "/r", "p", "k", "hold"),
        b"\x8b\xa4type\xabrun.started\xa3run\xa1r\xa8workflow\xa1w\xa6source\xa4w.py\xa4code\xc4\x01\x01\xa5input\xa1v\xa4seed\xc4\x01\x02\xa6folder\xa2/r\xa6parent\xa1p\xaaparent_key\xa1k\xa7effects\xa4hold",
    ),
    (
        RunStarted("r", "w", "w.py", b"\x01", V, b"\x02", "/r", "p", "k"),
        b"\x8a\xa4type\xabrun.started\xa3run\xa1r\xa8workflow\xa1w\xa6source\xa4w.py\xa4code\xc4\x01\x01\xa5input\xa1v\xa4seed\xc4\x01\x02\xa6folder\xa2/r\xa6parent\xa1p\xaaparent_key\xa1k",
    ),
    (
        StepStarted("k", "shell", b"\x01\x02", V, b"\x03", 2),
        b"\x87\xa4type\xacstep.started\xa3key\xa1k\xa4kind\xa5shell\xabfingerprint\xc4\x02\x01\x02\xa5reads\xa1v\xa4code\xc4\x01\x03\xa7attempt\x02",
    ),
    (
        ChildStarted("k", "r", b"\x01"),
        b"\x84\xa4type\xadchild.started\xa3key\xa1k\xa3run\xa1r\xabfingerprint\xc4\x01\x01",
    ),
    (RunStarted("r", "w"), b"\x83\xa4type\xabrun.started\xa3run\xa1r\xa8workflow\xa1w"),
    (RunSucceeded(), b"\x81\xa4type\xadrun.succeeded"),
    (
        StepStarted("k", "shell", b"\x01"),
        b"\x84\xa4type\xacstep.started\xa3key\xa1k\xa4kind\xa5shell\xabfingerprint\xc4\x01\x01",
    ),
    (StepSucceeded("k"), b"\x82\xa4type\xaestep.succeeded\xa3key\xa1k"),
    (
        RunFailed(Failure("c", "m")),
        b"\x82\xa4type\xaarun.failed\xa5error\x82\xa4code\xa1c\xa7message\xa1m",
    ),
    (ApprovalRequested("k"), b"\x82\xa4type\xb2approval.requested\xa3key\xa1k"),
]


@pytest.mark.parametrize(("event", "golden"), GOLDEN + DEFAULTS, ids=lambda v: type(v).__name__)
def test_an_event_is_stored_as_it_always_was(event: Event, golden: bytes) -> None:
    assert msgspec.msgpack.encode(event) == golden
    record = Codec().decode(0, b"\x96\x01\x02\x03\xa1e\x01" + golden)
    assert record.event == event


def test_every_event_type_has_golden_bytes() -> None:
    assert {type(event) for event, _ in GOLDEN} == set(KNOWN)


def test_every_event_class_is_known_and_its_tag_is_its_own() -> None:
    classes = {kind for kind in vars(eventlog).values() if isinstance(kind, type)}
    events = {kind for kind in classes if issubclass(kind, Event) and kind is not Event}
    tags = {kind.__struct_config__.tag for kind in KNOWN}

    assert events == set(KNOWN)
    assert len(tags) == len(KNOWN)


def test_all_golden_fields_differ_from_their_defaults() -> None:
    for event, golden in GOLDEN:
        stored = msgspec.msgpack.decode(golden)
        assert set(stored) == {"type", *event.__struct_fields__}, type(event).__name__
