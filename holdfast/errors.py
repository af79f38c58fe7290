"""Errors of the engine and the command line.

HoldfastError
  EngineError
    RunBusy             another live process executes the run
    RunReplaced         another process took the run over: this one stopped
    RunEnded            the run is over, so this cannot be done to it
    AlreadyServed       another process serves the project
    ScheduleInvalid     a schedule that says what nobody understands
    ScheduleExists      there is one of this name
    NoSuchGate          nothing of this name waits for a decision
    GateAmbiguous       several gates wait: say which
    NotAllowed          the gate is for others
    AlreadyDecided      who decided once cannot decide otherwise
    GateClosed          somebody has decided it before
    GateOverdue         its time has run out
    NotPaused           it goes on already
    RunCancelling       nobody waits for a word any more
    NameReserved        nobody is called that
    SubjectChanged      what was seen is not what is asked for now
    EditsInvalid        the edits do not fit what the gate takes
    AnswerInvalid       the answer does not fit the question
    NotAnApproval       a question is answered, not approved
    NotAQuestion        the other way round
    NoSuchStep          the run has no step of this name
    EditTooLate         what is to be edited lies before the fork point
    ResultInvalid       a given result does not fit its step
    NothingToRetry      nothing has failed
    StepAmbiguous       several steps have failed: say which
    NoFiles             the run's files were not recorded then
    FilesEdited         files are to be brought back, and somebody has edited them
  NoSuchFrame           the run has no such offset
  ProjectError          no project here, or its folder cannot be used
    FolderNotUtf8       no record can hold the name of its folder
  InsideRun             a step of a run wants to decide what is for people to decide in that run
  InSandbox             this process is confined by a step: the log is not for it
  ConfigInvalid         holdfast.toml cannot be read, or says what nobody understands
  NothingToDebug        the workflow waits for nothing at that frame, so it has no line to look at
  BadCheck              what was to be checked is no expression
  CheckFailed           the expression raised
  CommandBroken         the command to be tried could not be run
"""

import shlex
from collections.abc import Sequence
from pathlib import Path

from holdfast.eventlog import HoldfastError


class EngineError(HoldfastError):
    code = "engine"


class RunBusy(EngineError):
    code = "run_busy"

    def __init__(self, run: str, *, host: str, pid: int) -> None:
        super().__init__(
            f"run {run!r} is being executed by process {pid} on {host!r}. Watch it with: "
            f"holdfast watch {shlex.quote(run)} (or take it over with: holdfast resume {shlex.quote(run)} --takeover)"
        )
        self.run, self.host, self.pid = run, host, pid


class RunReplaced(EngineError):
    code = "run_replaced"

    def __init__(self, run: str, owner: str) -> None:
        super().__init__(
            f"run {run!r} was taken over by another process ({owner}); this one stopped and wrote "
            f"nothing more. Watch the run with: holdfast watch {shlex.quote(run)}"
        )
        self.run, self.owner = run, owner


class AlreadyServed(EngineError):
    code = "already_served"

    def __init__(self, log: str, pid: int) -> None:
        super().__init__(
            f"process {pid} serves the runs of the log {log!r} already, and one is enough. "
            f"To replace it, end it first: kill {pid}"
        )
        self.log, self.pid = log, pid


class RunEnded(EngineError):
    code = "run_ended"
    exit_status = 2

    def __init__(self, run: str, status: str, wanted: str) -> None:
        super().__init__(
            f"run {run!r} has {status}, so it cannot be {wanted}. Look at it with: holdfast show {shlex.quote(run)}"
        )
        self.run, self.status = run, status


class RunTooNew(EngineError):
    code = "run_too_new"

    def __init__(self, run: str, count: int) -> None:
        super().__init__(
            f"run {run!r} has {count} events of a newer Holdfast, whose meaning is unknown here. "
            "Go on with the version that wrote them: pip install -U holdfast"
        )
        self.run, self.count = run, count


class NoSuchGate(EngineError):
    code = "no_such_gate"
    exit_status = 2

    def __init__(self, run: str, gate: str | None, open_gates: Sequence[str]) -> None:
        named = "no open gate" if gate is None else f"no open gate {gate!r}"
        there = f" Open are: {', '.join(map(repr, open_gates))}." if open_gates else ""
        super().__init__(
            f"run {run!r} has {named}.{there} See what it waits for with: holdfast show {shlex.quote(run)}"
        )
        self.run, self.gate, self.open_gates = run, gate, list(open_gates)


class GateAmbiguous(EngineError):
    code = "gate_ambiguous"
    exit_status = 2

    def __init__(self, run: str, open_gates: Sequence[str], verb: str = "approve") -> None:
        super().__init__(
            f"run {run!r} waits at {len(open_gates)} gates: {', '.join(map(repr, open_gates))}. "
            f"Say which: holdfast {verb} {shlex.quote(run)} GATE"
        )
        self.run, self.open_gates = run, list(open_gates)


class NotAllowed(EngineError):
    code = "not_allowed"
    exit_status = 2

    def __init__(self, gate: str, who: str, allowed: Sequence[str]) -> None:
        super().__init__(
            f"{who!r} may not decide {gate!r}: it is for {', '.join(map(repr, allowed))}. "
            "Decide as one of them with --by"
        )
        self.gate, self.who, self.allowed = gate, who, list(allowed)


class AlreadyDecided(EngineError):
    code = "already_decided"
    exit_status = 2

    def __init__(self, run: str, gate: str, who: str) -> None:
        super().__init__(
            f"{who!r} has approved {gate!r} before, and that stands. Deny it as somebody else with "
            f"--by, or stop the run with: holdfast cancel {shlex.quote(run)}"
        )
        self.run, self.gate, self.who = run, gate, who


class GateClosed(EngineError):
    code = "gate_closed"
    exit_status = 2

    def __init__(self, run: str, gate: str, kind: str, by: str, approved: bool) -> None:
        done = "answered" if kind == "question" else "approved" if approved else "denied"
        who = "nobody decided it in time" if by == "engine" else f"{by!r} has {done} it before"
        super().__init__(
            f"gate {gate!r} of run {run!r} is closed: {who}, and that stands. To decide otherwise, go "
            f"back: holdfast rewind {shlex.quote(run)} --to {shlex.quote(gate)}"
        )
        self.run, self.gate, self.by = run, gate, by


class GateOverdue(EngineError):
    code = "gate_overdue"
    exit_status = 2

    def __init__(self, run: str, gate: str) -> None:
        super().__init__(
            f"the time of gate {gate!r} of run {run!r} has run out, so nobody's word counts any more. Let "
            f"the run go on: holdfast resume {shlex.quote(run)}"
        )
        self.run, self.gate = run, gate


class RunCancelling(EngineError):
    code = "run_cancelling"
    exit_status = 2

    def __init__(self, run: str, done: str) -> None:
        super().__init__(
            f"run {run!r} is being cancelled, so nothing of it can be {done} any more. See what became of it "
            f"with: holdfast show {shlex.quote(run)}"
        )
        self.run = run


class NotPaused(EngineError):
    code = "not_paused"
    exit_status = 2

    def __init__(self, run: str, parent: str) -> None:
        if parent:
            how = f"its parent {parent!r} is: holdfast unpause {shlex.quote(parent)}"
        else:
            how = f"see what it waits for: holdfast why {shlex.quote(run)}"
        super().__init__(f"run {run!r} is not paused; {how}")
        self.run, self.parent = run, parent


class NameReserved(EngineError):
    code = "name_reserved"
    exit_status = 2

    def __init__(self, who: str) -> None:
        super().__init__(
            f"{who!r} is nobody's name: 'engine' stands for nobody having decided in time. Say who you "
            "are with --by"
        )
        self.who = who


class SubjectChanged(EngineError):
    code = "subject_changed"
    exit_status = 2

    def __init__(self, run: str, gate: str, digest: str) -> None:
        super().__init__(
            f"what gate {gate!r} of run {run!r} asks for is not what you saw: its digest is {digest[:16]} now. "
            f"Look at it again with: holdfast show {shlex.quote(run)}"
        )
        self.run, self.gate, self.digest = run, gate, digest


class EditsInvalid(EngineError):
    code = "edits_invalid"
    exit_status = 2

    def __init__(self, run: str, gate: str, problems: Sequence[object]) -> None:
        lines = "".join(f"\n  {problem}" for problem in problems)
        super().__init__(
            f"the edits do not fit what gate {gate!r} of run {run!r} takes, and nothing was written:{lines}"
        )
        self.run, self.gate, self.problems = run, gate, list(problems)


class AnswerInvalid(EngineError):
    code = "answer_invalid"
    exit_status = 2

    def __init__(self, run: str, gate: str, problems: Sequence[object]) -> None:
        lines = "".join(f"\n  {problem}" for problem in problems)
        super().__init__(
            f"the answer does not fit question {gate!r} of run {run!r}, and nothing was written:{lines}"
        )
        self.run, self.gate, self.problems = run, gate, list(problems)


class NotAQuestion(EngineError):
    code = "not_a_question"
    exit_status = 2

    def __init__(self, run: str, gate: str) -> None:
        super().__init__(
            f"{gate!r} of run {run!r} is no question, so it is approved or denied: "
            f"holdfast approve {shlex.quote(run)} {shlex.quote(gate)}"
        )
        self.run, self.gate = run, gate


class NotAnApproval(EngineError):
    code = "not_an_approval"
    exit_status = 2

    def __init__(self, run: str, gate: str) -> None:
        super().__init__(
            f"{gate!r} of run {run!r} is a question, so it is answered: "
            f"holdfast answer {shlex.quote(run)} {shlex.quote(gate)}"
        )
        self.run, self.gate = run, gate


class InsideRun(HoldfastError):
    code = "inside_run"
    exit_status = 2

    def __init__(self, run: str, inside: str, deed: str = "decides") -> None:
        what, instead = _INSIDE[deed]
        super().__init__(
            f"this process works inside run {inside!r}, so it cannot {what.format(run=run)}: "
            f"the two belong together. {instead.format(name=shlex.quote(run))}"
        )
        self.run, self.inside, self.deed = run, inside, deed


_INSIDE = {
    "decides": (
        "decide what run {run!r} waits for",
        "Leave the decision to a person, who finds it with: holdfast inbox",
    ),
    "allows": (
        "let effects of run {run!r} happen unasked",
        "Leave that out: each effect asks then, and a person finds it with: holdfast inbox",
    ),
    "accepts": (
        "accept changed code for run {run!r}",
        "Leave that to a person, who says: holdfast resume {name} --accept",
    ),
    "retries": (
        "try again what people were asked about in run {run!r}",
        "Leave that to a person, who says: holdfast retry {name}",
    ),
}


class ProjectError(HoldfastError):
    code = "project"
    exit_status = 2


class FolderNotUtf8(ProjectError):
    code = "folder_not_utf8"

    def __init__(self, folder: str) -> None:
        super().__init__(
            f"the project's folder {folder!r} has a name that is not UTF-8, so that no "
            "record of a run can hold it. Rename that part of it with mv, or work in a copy elsewhere"
        )
        self.folder = folder


class InSandbox(HoldfastError):
    code = "in_sandbox"
    exit_status = 2

    def __init__(self, sandbox: str) -> None:
        super().__init__(
            f"this is inside of the sandbox {sandbox!r} of a step, which has no access to the project's "
            "log: a step cannot start runs, nor decide its own gates. Do it from outside"
        )
        self.sandbox = sandbox


class NoSuchFrame(HoldfastError):
    code = "no_such_frame"
    exit_status = 2

    def __init__(self, run: str, at: int, offset: int, *, first: int = 0) -> None:
        super().__init__(
            f"run {run!r} has {offset} events, so there is no frame {at}. "
            f"Choose --at from {first} to {offset}"
        )
        self.run, self.at, self.offset = run, at, offset


class NoSuchStep(EngineError):
    code = "no_such_step"
    exit_status = 2

    def __init__(self, run: str, key: str, near: Sequence[str], what: str = "step") -> None:
        meant = f" Did you mean: {', '.join(map(repr, near))}?" if near else ""
        super().__init__(
            f"run {run!r} has no {what} {key!r}.{meant} See its steps with: holdfast show {shlex.quote(run)}"
        )
        self.run, self.key, self.near = run, key, list(near)


class EditTooLate(EngineError):
    code = "edit_too_late"
    exit_status = 2

    def __init__(self, run: str, key: str, at: int, began: int) -> None:
        super().__init__(
            f"step {key!r} of run {run!r} began at {began}, before frame {at}, so an edit of it would "
            f"change nothing. Leave --at out, or choose --at {began} or earlier"
        )
        self.run, self.key, self.at, self.began = run, key, at, began


class ResultInvalid(EngineError):
    code = "result_invalid"
    exit_status = 2

    def __init__(self, run: str, key: str, reason: str) -> None:
        super().__init__(
            f"the result given for step {key!r} of run {run!r} does not fit what the step returns: {reason}. "
            "Nothing was written"
        )
        self.run, self.key, self.reason = run, key, reason


class NothingToRetry(EngineError):
    code = "nothing_to_retry"
    exit_status = 2

    def __init__(self, run: str, status: str) -> None:
        super().__init__(
            f"run {run!r} is {status} and has not failed, so there is nothing to retry. Go on with it: "
            f"holdfast resume {shlex.quote(run)} (or name a failed step: holdfast retry {shlex.quote(run)} STEP)"
        )
        self.run, self.status = run, status


class StepAmbiguous(EngineError):
    code = "step_ambiguous"
    exit_status = 2

    def __init__(self, run: str, keys: Sequence[str]) -> None:
        super().__init__(
            f"run {run!r} has {len(keys)} failed steps: {', '.join(map(repr, keys))}. Say which to try "
            f"again: holdfast retry {shlex.quote(run)} STEP"
        )
        self.run, self.keys = run, list(keys)


class FilesEdited(EngineError):
    code = "files_edited"
    exit_status = 2

    def __init__(self, run: str, folder: str, paths: Sequence[str]) -> None:
        shown = ", ".join(map(repr, paths[:5])) + (", ..." if len(paths) > 5 else "")
        super().__init__(
            f"run {run!r} has to bring files in {folder!r} back to what they were, and somebody has "
            f"edited them since it worked there: {shown}. Nothing was changed. Go on with them as they "
            f"are: holdfast resume {shlex.quote(run)} --keep-edits (or bring the files back, the edits "
            f"kept in a snapshot: holdfast resume {shlex.quote(run)} --discard-edits)"
        )
        self.run, self.folder, self.paths = run, folder, list(paths)


class NoFiles(EngineError):
    code = "no_files"
    exit_status = 2

    def __init__(self, run: str, when: str) -> None:
        super().__init__(
            f"run {run!r} has no record of its files {when}: they are recorded where agents and commands "
            "work in a git repository, before the first and after each. See what happened with: "
            f"holdfast log {shlex.quote(run)}"
        )
        self.run, self.when = run, when


class ScheduleInvalid(EngineError):
    code = "schedule_invalid"
    exit_status = 2

    def __init__(self, field: str, given: str, why: str) -> None:
        super().__init__(f"{given!r} cannot be the {field} of a schedule: {why}.")
        self.field, self.given = field, given


class ScheduleExists(EngineError):
    code = "schedule_exists"
    exit_status = 2

    def __init__(self, schedule: str) -> None:
        super().__init__(
            f"there is a schedule {schedule!r}. Give another name with --id, or remove that one first: "
            f"holdfast schedule remove {shlex.quote(schedule)}"
        )
        self.schedule = schedule


class CommandBroken(HoldfastError):
    code = "command_broken"
    exit_status = 2

    def __init__(self, run: str, frame: int, command: str, status: int) -> None:
        super().__init__(
            f"{command!r} could not be run on the files of frame {frame} of run {run!r}: the shell ended "
            f"with status {status}. Try it there by hand: "
            f"holdfast files {shlex.quote(run)} --at {frame} --extract FOLDER"
        )
        self.run, self.frame, self.command, self.status = run, frame, command, status


class ConfigInvalid(HoldfastError):
    code = "config_invalid"
    exit_status = 2

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{str(path)!r} {why}. Mend it, or take it away: all of it is optional.")
        self.path = path


class NothingToDebug(HoldfastError):
    code = "nothing_to_debug"
    exit_status = 2

    def __init__(self, run: str, frame: int, why: str) -> None:
        super().__init__(
            f"the workflow of run {run!r} {why} at frame {frame}, so there is no line to look at. "
            f"Choose another frame with --at; find one with: holdfast replay {shlex.quote(run)} --step"
        )
        self.run, self.frame = run, frame


class BadCheck(HoldfastError):
    code = "bad_check"
    exit_status = 2

    def __init__(self, check: str, reason: str) -> None:
        super().__init__(
            f"{check!r} is no Python expression: {reason}. Write one about the state, such as: "
            "--check 'state.usage.cost_usd < 1'"
        )
        self.check, self.reason = check, reason


class CheckFailed(HoldfastError):
    code = "check_failed"
    exit_status = 2

    def __init__(self, run: str, frame: int, check: str, error: Exception) -> None:
        super().__init__(
            f"{check!r} cannot be evaluated at frame {frame} of run {run!r}: "
            f"{type(error).__name__}: {error}. Let it hold for what is not there yet "
            "(state.steps.get(KEY), state.result(KEY)), or leave frames out with --from and --to. "
            f"Look at the frame with: holdfast show {shlex.quote(run)} --at {frame}"
        )
        self.run, self.frame, self.check, self.error = run, frame, check, error
