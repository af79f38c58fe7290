"""Why a run is where it is: what it waits for, or what it failed for, and the command that goes on from there."""

from collections.abc import Iterator
from typing import NamedTuple

from holdfast.eventlog import Failure, Log, NoSuchRun, RunRow
from holdfast.reducer import ENDED, Gate, State, Step
from holdfast.runs import read_state

from .gates import commands, expiry, kind_of, people
from .place import Place
from .rows import is_alive
from .words import moment, one_line


class Reason(NamedTuple):
    """One thing, since when (ns), and what to type next. `kind` is for programs."""

    kind: str
    text: str
    since: int
    command: str


def reasons(place: Place, log: Log, row: RunRow, state: State, now: int) -> list[Reason]:
    """Return why a run is where it is, what matters most first; at least one."""
    return [*_Why(place, log, row, state, now).reasons()]


class _Why:
    def __init__(self, place: Place, log: Log, row: RunRow, state: State, now: int) -> None:
        self.place, self.log, self.row, self.state, self.now = place, log, row, state, now
        self.run = log.name_of(row.branch)
        self.alive = is_alive(log, row)

    def command(self, *words: str) -> str:
        return self.place.command(*words)

    def reasons(self) -> Iterator[Reason]:
        """Yield what holds, the most telling first."""
        if self.row.status in ENDED:
            yield from self._ended()
            return
        yield from [*self._rules(), *self._waits()] or [self._ready()]

    def _ready(self) -> Reason:
        if self.alive:
            return self._reason("at_work", "is being executed, and begins what comes next", "watch")
        return self._reason("ready", "waits for nothing any more: it can go on", "resume")

    def _reason(self, kind: str, text: str, verb: str, since: int = 0) -> Reason:
        """Return a reason whose command is one of a run as a whole."""
        run = root_of(self.log, self.row) if verb == "resume" else self.run
        return Reason(kind, text, since or self.state.now, self.command(verb, run))

    # --- ended -------------------------------------------------------------------------------------

    def _ended(self) -> Iterator[Reason]:
        match self.row.status:
            case "failed":
                yield self._failed()
            case "cancelled":
                why = f": {one_line(self.state.cancelling, 200)}" if self.state.cancelling else ""
                yield self._reason("cancelled", f"was cancelled{why}", "fork")
            case "continued":
                text = "ended this history, and goes on in a fresh one"
                yield Reason("continued", text, self.state.now, self.command("show", self.row.run))
            case _:
                yield self._reason("succeeded", "succeeded", "show")

    def _failed(self) -> Reason:
        error = self.state.error
        code = error.code if error is not None else ""
        message = one_line(error.message, 400) if error is not None else "nobody knows why"
        text = f"failed: [{code}] {message}"
        since = self.state.now
        for gate in self.state.gates.values():
            if code in ("approval_denied", "gate_expired") and repr(gate.key) in message:
                return Reason(code, text, since, self.command("rewind", self.run, "--to", gate.key))
        for child in self.state.children.values():
            if code == "child_failed" and child.run and repr(child.run) in message:
                return Reason(code, text, since, self.command("why", child.run))
        if code == "loop_exhausted":
            loop = next((key for key in self.state.passed if repr(key) in message), "")
            if loop:
                again = self.command("rewind", self.run, "--to", loop)
                return Reason(code, f"{text}. With a higher max=, do it again", since, again)
        return Reason(code or "failed", text, since, self._retry(message))

    def _retry(self, message: str) -> str:
        failed = [step.key for step in self.state.steps.values() if step.status == "failed"]
        named = [key for key in failed if repr(key) in message] or failed
        return self.command("retry", self.run, *named[-1:])

    # --- what holds for the run as a whole ---------------------------------------------------------

    def _rules(self) -> Iterator[Reason]:
        from holdfast.pausing import paused_with

        state, row = self.state, self.row
        if state.error is not None and not row.owner:
            yield self._stopped()
        elif row.status == "running" and not self.alive:
            yield self._interrupted()
        if state.cancelling is not None:
            why = f": {one_line(state.cancelling, 200)}" if state.cancelling else ""
            verb = "watch" if self.alive else "resume"
            yield self._reason("cancelling", f"is being cancelled{why}", verb)
        elif paused := paused_with(self.log, row):
            yield self._paused(paused)
        if self.alive:
            for step in state.steps.values():
                if step.status == "running":
                    yield self._at_work(step)

    def _stopped(self) -> Reason:
        error = self.state.error
        assert error is not None, "it was looked at"
        option = {"workflow_diverged": ["--accept"], "files_edited": ["--keep-edits"]}
        diverged = error.code == "workflow_diverged"  # changed code is accepted run by run
        run = self._origin(error) if diverged else root_of(self.log, self.row)
        command = self.command("resume", run, *option.get(error.code, []))
        mend = "" if error.code in option else ". When that is mended, go on"
        text = f"stopped: [{error.code}] {one_line(error.message, 400)}{mend}"
        return Reason(error.code, text, self.state.now, command)

    def _origin(self, error: Failure) -> str:
        """Return the run that an error is of: a parent stops with that of its child."""
        run, state = self.run, self.state
        while True:
            children = (c.run for c in state.children.values() if c.run and c.status not in ENDED)
            states = (_state(self.log, child) for child in children)
            below = next((s for s in states if s is not None and _is_of(s, error)), None)
            if below is None:
                return run
            run, state = below.run, below

    def _interrupted(self) -> Reason:
        row = self.row
        who = f"process {row.pid} on {row.host}, which executed it, is gone"
        text = f"was interrupted: {who if row.owner else 'nobody executes it'}"
        return self._reason("owner_dead" if row.owner else "interrupted", text, "resume")

    def _paused(self, run: str) -> Reason:
        state = self.state if run == self.row.run else _state(self.log, run)
        pause = state.paused if state is not None else None
        why = f": {one_line(pause.reason, 200)}" if pause and pause.reason else ""
        with_it = "" if run == self.row.run else f" with {run}"
        since = pause.since if pause else self.state.now
        return Reason("paused", f"is paused{with_it}{why}", since, self.command("unpause", run))

    def _at_work(self, step: Step) -> Reason:
        again = f", attempt {step.attempt}" if step.attempt > 1 else ""
        text = f"is at work on {step.key!r} ({step.kind}{again})"
        return self._reason("at_work", text, "watch", step.started)

    # --- what it waits for -------------------------------------------------------------------------

    def _waits(self) -> Iterator[Reason]:
        for gate in self.state.open_gates:
            yield self._gate(gate)
        for wait in self.state.waits.values():
            key = ["--key", wait.correlation] if wait.correlation else []
            keyed = f" with key {wait.correlation!r}" if key else ""
            command = self.command("signal", self.run, wait.signal, *key)
            yield Reason("signal", f"waits for signal {wait.signal!r}{keyed}", wait.since, command)
        for child in self.state.children.values():
            if child.run and child.status not in ENDED:
                yield from self._child(child.run)
        for step in self.state.steps.values():
            if step.status in ("deferred", "retrying"):
                yield self._put_off(step)
        for timer in self.state.timers.values():
            text = f"waits until {moment(timer.until)} ({one_line(timer.key)})"
            yield self._timed("timer", text, timer.until)

    def _gate(self, gate: Gate) -> Reason:
        kind = kind_of(gate.kind)
        about = f": {kind.about}" if kind.about else ""
        so_far = f" ({len(gate.votes)} of {gate.count} so far)" if gate.count > 1 else ""
        ends = expiry(gate.expires_at, gate.on_expire, self.now)
        text = (
            f"waits for {kind.wanted} {gate.key!r} of {people(gate.by, gate.also)}{so_far}{about}"
        )
        text = f"{text}, {ends}" if ends else text
        if gate.expires_at and gate.expires_at <= self.now and gate.on_expire != "remind":
            return self._reason(gate.kind, text, "watch" if self.alive else "resume", gate.opened)
        command = commands(self.place, self.run, gate.kind, gate.key)[0]
        return Reason(gate.kind, text, gate.opened, command)

    def _child(self, run: str) -> Iterator[Reason]:
        try:
            row = self.log.run(run)
        except NoSuchRun:
            return  # it was asked for and is not there yet
        state = read_state(self.log, row.branch)
        for reason in _Why(self.place, self.log, row, state, self.now).reasons():
            if row.status in ENDED:
                text = f"its child {run} {reason.text}, which it has yet to take in"
                yield self._reason("child", text, "watch" if self.alive else "resume", reason.since)
                return
            yield reason._replace(text=f"its child {run} {reason.text}")

    def _put_off(self, step: Step) -> Reason:
        error = f": {one_line(step.error.message, 200)}" if step.error is not None else ""
        if step.status == "deferred":
            text = f"the server of {step.key!r} asked to wait until {moment(step.not_before)}"
            return self._timed("rate_limit", text, step.not_before)
        again = f"{step.key!r} failed, and is tried again at {moment(step.not_before)}{error}"
        return self._timed("retrying", again, step.not_before)

    def _timed(self, kind: str, text: str, until: int) -> Reason:
        over = "" if until > self.now else ", which is over"
        return self._reason(kind, text + over, "watch" if self.alive else "resume")


def root_of(log: Log, row: RunRow) -> str:
    """Return the run to be resumed for a run to go on: its topmost parent that goes on."""
    run = log.name_of(row.branch)
    while row.parent_run:
        try:
            row = log.run(row.parent_run)
        except NoSuchRun:
            break
        if row.status in ENDED:
            break
        run = row.run
    return run


def _is_of(state: State, error: Failure) -> bool:
    own = state.error
    return own is not None and (own.code, own.message) == (error.code, error.message)


def _state(log: Log, run: str) -> State | None:
    try:
        return read_state(log, log.branch_of(run))
    except NoSuchRun:
        return None
