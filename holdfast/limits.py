"""How much may be at work at once, over all runs of one process."""

from collections import Counter
from collections.abc import Callable

from holdfast.reducer import AgentCall, ModelAsk, StepRequest, WorkspaceCall


class Limits:
    """Slots for attempts: one kind for each agent, each model, shell commands, functions and git."""

    def __init__(
        self, *, steps: int = 1024, shell: int = 8, agent: int = 8, model: int = 64, git: int = 8
    ) -> None:
        self._room = {"step": steps, "shell": shell, "agent": agent, "model": model, "git": git}
        self._taken: Counter[str] = Counter()
        self.freed: Callable[[], None] = lambda: None

    def slot(self, request: StepRequest) -> str:
        """Return the name of the slot that the request needs."""
        match request.call:
            case AgentCall(agent=name):
                return f"agent/{name}"
            case ModelAsk(model=name):
                return f"model/{name}"
            case call:
                return "git" if isinstance(call, WorkspaceCall) else request.kind

    def has_room(self, request: StepRequest) -> bool:
        slot = self.slot(request)
        return self._taken[slot] < self._room[slot.partition("/")[0]]

    def acquire(self, request: StepRequest) -> bool:
        """Take a slot if there is one."""
        if not self.has_room(request):
            return False
        self.take(request)
        return True

    def take(self, request: StepRequest) -> None:
        """Take a slot in any case."""
        self._taken[self.slot(request)] += 1

    def release(self, request: StepRequest) -> None:
        """Give a slot back; whoever waits for one is told when there was none."""
        slot = self.slot(request)
        self._taken[slot] -= 1
        if self._taken[slot] == self._room[slot.partition("/")[0]] - 1:
            self.freed()
