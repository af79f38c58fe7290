"""How much may be at work at once, over all runs of one process: first come, first served."""

from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Mapping

from holdfast.reducer import AgentCall, ModelAsk, StepRequest, WorkspaceCall

from .config import LimitsConfig

Slots = tuple[str, ...]


class Ticket:
    """A place in line: `call` is called when the last of the slots is had."""

    __slots__ = ("call", "had", "slots")

    def __init__(self, slots: Slots, call: Callable[[], None]) -> None:
        self.slots = slots
        self.call = call
        self.had = 0  # how many of the slots, from the first

    @property
    def wanted(self) -> str:
        return self.slots[self.had]


class Limits:
    """Slots for attempts: of each run, each agent, each model, of shell commands, functions and git.

    Each slot has a line of those that wait for it. Who needs several takes them one after the other, in
    the same order as everybody: so nobody blocks anybody for good, everybody's turn comes, and a run
    that is at its own limit stands in nobody's way.
    """

    def __init__(
        self,
        *,
        steps: int = 1024,
        shell: int = 8,
        agent: int = 8,
        model: int = 64,
        git: int = 8,
        run: int | None = None,
        agents: Mapping[str, int] = {},
        models: Mapping[str, int] = {},
    ) -> None:
        self._room = {"step": steps, "shell": shell, "agent": agent, "model": model, "git": git}
        self._named = {f"agent/{name}": room for name, room in agents.items()}
        self._named |= {f"model/{name}": room for name, room in models.items()}
        self._run = run
        self._taken: Counter[str] = Counter()
        self._tickets: dict[Hashable, Ticket] = {}
        self._lines: dict[str, OrderedDict[Hashable, None]] = {}

    @classmethod
    def of(cls, limits: LimitsConfig) -> "Limits":
        """Return the limits of a project's settings."""
        return cls(
            steps=limits.steps,
            shell=limits.shell,
            agent=limits.agent,
            model=limits.model,
            run=limits.run,
            agents=limits.agents,
            models=limits.models,
        )

    def slots(self, request: StepRequest, run: Hashable) -> Slots:
        """Return what an attempt of a run needs: maybe of its run, of its kind, maybe of its model."""
        needed = [] if self._run is None else [f"run/{run}"]
        match request.call:
            case AgentCall(agent=name, model=model):
                needed.append(f"agent/{name}")
                if model is not None and f"model/{model}" in self._named:
                    needed.append(f"model/{model}")
            case ModelAsk(model=name):
                needed.append(f"model/{name}")
            case call:
                needed.append("git" if isinstance(call, WorkspaceCall) else request.kind)
        return (*needed,)

    def acquire(self, who: Hashable, slots: Slots, call: Callable[[], None]) -> bool:
        """Take the slots if there is room; else wait in line, and be called when all are had.

        Who waits already for the same keeps his place.
        """
        old = self._tickets.get(who)
        if old is not None:
            if old.slots == slots:
                return False
            self.leave(who)
        ticket = Ticket(slots, call)
        if self._has_all(who, ticket):
            return True
        self._tickets[who] = ticket
        return False

    def take(self, slots: Slots) -> None:
        """Take slots in any case."""
        self._taken.update(slots)

    def leave(self, who: Hashable) -> None:
        """Wait no more, and give back what was had."""
        ticket = self._tickets.pop(who, None)
        if ticket is not None:
            self._step_out(who, ticket.wanted)
            self.release(ticket.slots[: ticket.had])

    def release(self, slots: Slots) -> None:
        """Give slots back, and let those go on who waited for them."""
        self._taken.subtract(slots)
        for slot in slots:
            while slot in self._lines and self._free(slot) > 0:
                who = next(iter(self._lines[slot]))
                self._step_out(who, slot)
                self._go_on(who, self._tickets[who])

    def _go_on(self, who: Hashable, ticket: Ticket) -> None:
        """Give somebody the slot for which he was the first in line."""
        self._had_one(ticket)
        if self._has_all(who, ticket):
            del self._tickets[who]
            ticket.call()

    def _has_all(self, who: Hashable, ticket: Ticket) -> bool:
        """Take what there is room for, and stand in line for the first slot of which there is none."""
        while ticket.had < len(ticket.slots):
            slot = ticket.wanted
            if slot in self._lines or self._free(slot) <= 0:
                self._lines.setdefault(slot, OrderedDict())[who] = None
                return False
            self._had_one(ticket)
        return True

    def _had_one(self, ticket: Ticket) -> None:
        self._taken[ticket.wanted] += 1
        ticket.had += 1

    def _step_out(self, who: Hashable, slot: str) -> None:
        line = self._lines[slot]
        del line[who]
        if not line:
            del self._lines[slot]

    def _free(self, slot: str) -> int:
        kind, _, _ = slot.partition("/")
        room = self._run or 0 if kind == "run" else self._named.get(slot, self._room[kind])
        return room - self._taken[slot]
