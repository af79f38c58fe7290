"""Errors of the engine and the command line.

HoldfastError
  EngineError
    RunBusy             another live process executes the run
    RunReplaced         another process took the run over: this one stopped
    RunEnded            the run is over, so this cannot be done to it
    NoSuchGate          nothing of this name waits for a decision
    GateAmbiguous       several gates wait: say which
    NotAllowed          the gate is for others
    AlreadyDecided      who decided once cannot decide otherwise
  ProjectError          no project here, or its folder cannot be used
  NothingToDebug        the workflow waits for nothing at that frame, so it has no line to look at
  BadCheck              what was to be checked is no expression
  CheckFailed           the expression raised
"""

import shlex
from collections.abc import Sequence

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

    def __init__(self, run: str, open_gates: Sequence[str]) -> None:
        super().__init__(
            f"run {run!r} waits at {len(open_gates)} gates: {', '.join(map(repr, open_gates))}. "
            f"Say which: holdfast approve {shlex.quote(run)} GATE"
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


class ProjectError(HoldfastError):
    code = "project"
    exit_status = 2


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
