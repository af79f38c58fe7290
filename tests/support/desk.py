"""Plays a workflow of the pack without git, clock and disk, up to its end or to where people decide.

Merges go well; what agents and commands say is what the test says. The history that comes of it is
driven anew at the end, as a replay does.
"""

from collections.abc import Callable
from typing import Any

from holdfast import ShellResult
from holdfast.reducer import AgentCall, FunctionCall, ShellCall, StepRequest, Workflow
from tests.support.player import Player

Act = Callable[[str], Any]
"""Gets a prompt; returns the answer, or raises."""
Sh = Callable[[str, str], str]
"""Gets the key of a command's step and the command; returns its output, or raises ValueError(output)."""


class Desk(Player):
    """A run whose steps are answered by functions; a person's part is left to the test."""

    def __init__(self, workflow: Workflow, act: Act, sh: Sh = lambda _key, _line: "", **given: Any):
        self.act, self.sh = act, sh
        self.prompts: list[str] = []
        self.calls: list[AgentCall] = []
        everything = {"test": "run tests", **given}
        super().__init__(
            workflow, {key: each for key, each in everything.items() if each is not None}
        )
        self.go_on()

    def go_on(self) -> "Desk":
        """Answer steps, the oldest first, until people are asked or the run has ended."""
        while steps := [key for key in self.open if isinstance(self.request(key), StepRequest)]:
            self._do(steps[0], self.request(steps[0]))
        return self

    def says(self, value: Any) -> "Desk":
        """Answer the one gate that is open, and go on."""
        (gate,) = self.open
        self.answer(gate, value)
        return self.go_on()

    def _do(self, key: str, request: StepRequest) -> None:
        match request.call:
            case AgentCall(prompt=prompt):
                self.calls.append(request.call)
                self.prompts.append(prompt)
                try:
                    self.answer(key, self.act(prompt))
                except ValueError as error:
                    self.fail(key, str(error))
            case ShellCall(command=command):
                line = command if isinstance(command, str) else " ".join(command)
                try:
                    self.answer(key, ShellResult(0, self.sh(key, line), "", 0.0))
                except ValueError as error:
                    self.answer(key, ShellResult(1, str(error), "", 0.0))
            case FunctionCall(function=function, args=args):
                self.answer(key, function(*args))
            case _:
                self.answer(key)
