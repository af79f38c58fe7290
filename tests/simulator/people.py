"""People: they approve, deny, signal and cancel from processes of their own, whenever they like."""

import msgspec
import trio

from holdfast.errors import EngineError, NothingToRetry, RunBusy, RunEnded, StepAmbiguous
from holdfast.eventlog import NONE
from holdfast.reducer import ENDED, Gate
from holdfast.runs import decide_gate, request_cancel, send_signal
from holdfast.travel import Change, fork, retry_change
from tests.simulator.generic import PRICE, generic
from tests.simulator.world import World, runs_of

MOST_FORKS = 4


class Mood:
    """How wild a history is: chances, each for one moment at which the thing may happen."""

    def __init__(self, world: World) -> None:
        chance = world.chance
        self.interferes = chance.choice([0, 0.02, 0.1, 0.3])
        self.disk = chance.choice([0, 0, 0, 0.01, 0.05])
        self.cancels = chance.choice([0, 0, 0, 0, 0.05])
        self.kills = chance.choice([0, 0.5, 0.9])
        self.interrupts = chance.choice([0, 0.1, 0.3])
        self.competes = chance.choice([0, 0, 0.3, 0.7])
        self.travels = world.travels.choice([0, 0, 0.1, 0.3])


class People:
    """All people around one run and its children."""

    def __init__(self, world: World, root: str, signals: list[str]) -> None:
        self.world, self.root = world, root
        self.mood = Mood(world)
        self.cancelled = False
        self._signals = signals  # all that any of the runs will ever wait for

    def interfere(self) -> None:
        """Perhaps do something at this very moment."""
        if self.world.chance.random() < self.mood.interferes:
            self.act()

    async def live(self) -> None:
        """Do something now and then, and go home some time."""
        for _ in range(200):
            await trio.sleep(self.world.chance.choice([0.01, 0.4, 3, 15]))
            self.act()

    def act(self) -> bool:
        """Do one thing, if there is one to do."""
        chance = self.world.chance
        runs = [r for r in runs_of(self.world, self.root) if self._goes_on(r)]
        if not runs:
            return False
        run = chance.choice(runs)
        if not self.world.calm and self.world.travels.random() < self.mood.travels:
            return self._travel()
        if chance.random() < self.mood.cancels:
            return self._cancel(run)
        if self._signals and chance.random() < 0.1:
            return self._send(run, chance.choice(self._signals))
        return self._decide(run) or self._signal(run)

    def act_on_all(self) -> bool:
        """Do all that there is to do; return whether there was something."""
        did = False
        for run in list(runs_of(self.world, self.root)):
            while self._goes_on(run) and (self._decide(run) or self._signal(run)):
                did = True
        return did

    def _goes_on(self, run: str) -> bool:
        return self.world.state(run).status not in ENDED

    def _cancel(self, run: str) -> bool:
        self.cancelled = True
        self.world.note(f"somebody cancels {run}")
        request_cancel(self.world.log, run, "cli:anna", "enough")
        return True

    def _travel(self) -> bool:
        """Fork, rewind or retry the run or a fork of it, at any frame."""
        chance, log = self.world.travels, self.world.log
        roots = [run for run in runs_of(self.world, self.root) if "/" not in run]
        if len(roots) >= MOST_FORKS:
            return False
        run = chance.choice(roots)
        reason = chance.choice(["fork", "fork", "rewind", "retry"])
        reuse = chance.choice([None, True])
        try:
            if reason == "retry":
                change = retry_change(log, run)
            else:
                change = Change(reason, chance.randint(1, log.run(run).head), reuse=reuse)  # type: ignore[arg-type]
            self.world.note(f"somebody travels: {reason} {run} {change.at} {reuse}")
            fork(log, lambda _: generic, run, change, actor="cli:anna", now=self.world.now())
        except (RunBusy, RunEnded, NothingToRetry, StepAmbiguous) as error:
            self.world.note(f"is refused: {error}")
            return False
        return True

    def _decide(self, run: str) -> bool:
        gates = [g for g in self.world.state(run).open_gates if _mood(g) != "silent"]
        if not gates:
            return False
        gate = self.world.chance.choice(gates)
        voted = {vote.by for vote in gate.votes}
        by = next(who for who in ("anna", "ben", "carl") if who not in voted)
        approved, edits = _mood(gate) == "yes", NONE
        if gate.kind == "budget":
            approved = True
            if more := self.world.purses.choice([0, 1, 3]):  # else as much again
                edits = msgspec.Raw(msgspec.msgpack.encode({"usd": more * PRICE}))
        elif gate.kind != "approval":
            approved = self.world.chance.random() < 0.7
        self.world.note(f"{by} decides {run} {gate.key}: {approved}")
        try:
            decide_gate(
                self.world.log, run, gate.key, approved=approved, by=by, actor=f"cli:{by}",
                now=self.world.now(), edits=edits,
            )  # fmt: skip
        except EngineError as error:
            self.world.blame(f"{by} could not decide {run} {gate.key}: {error}")
        return True

    def _signal(self, run: str) -> bool:
        waits = self.world.state(run).waits.values()
        if not waits:
            return False
        return self._send(run, self.world.chance.choice(waits).signal)

    def _send(self, run: str, signal: str) -> bool:
        self.world.note(f"somebody signals {run} {signal}")
        send_signal(self.world.log, run, signal, f"payload of {signal}", "cli:anna")
        return True


def _mood(gate: Gate) -> str:
    """Return what people will say: it stands in the gate's name, so that it is the same each time."""
    name = gate.key.rpartition("/")[2]
    return name.rstrip("0123456789")
