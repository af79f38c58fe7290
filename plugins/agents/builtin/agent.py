"""The loop: ask the model, make the calls that it wants, until it is done or a limit is reached.

Everything is written to the journal before it is acted upon. So after a crash no finished call is made
again, no answer is paid twice, and of a call that was at work the model is told.
"""

import json
from contextlib import suppress
from typing import Any, Final

import msgspec
import trio
from msgspec.structs import replace

from holdfast.eventlog import Usage

from ...errors import BadOptions, Crashed, MissingFolder, NoOutput, OutputInvalid, WorkError
from ...models.json_output import parse, unwrapped
from ...types import (
    AgentResult,
    AgentTask,
    Emit,
    Message,
    ModelCall,
    ModelResult,
    Needs,
    Offers,
    Progress,
    Readiness,
    ToolSetting,
)
from ..cli import no_forks, options_of
from .bounded import brief, clean
from .conversation import (
    CUT_OFF,
    INTERRUPTED,
    Answered,
    Asked,
    Began,
    Conversation,
    Finished,
    Open,
    Said,
    added,
    entry_of,
    told,
    with_ids,
)
from .limits import Options, check_spent
from .toolbox import Toolbox
from .words import system_prompt

PAUSES_S = (1.0, 5.0, 20.0)
"""How long to wait before a model is asked again that did not answer."""


class Builtin:
    """A model of any provider with tools for files and commands. It keeps nothing between tasks.

    In a sandbox its commands and searches are confined, and its own hands keep to the same bounds. The
    model is asked by this process, with or without a network in there.
    """

    needs: Final = Needs(network=False)

    async def run(self, task: AgentTask, emit: Emit) -> AgentResult:
        """Do the task, or go on with it where its journal ends."""
        options = options_of(task, Options)
        no_forks(task, "builtin")
        if not task.model:
            raise BadOptions(
                "the agent builtin has no model of its own: name one, as in "
                'model="anthropic/claude-sonnet-4-5"'
            )
        if not task.folder.is_dir():
            raise MissingFolder(str(task.folder), program="builtin", reason="no such folder")
        return await _Work(task, task.model, options, emit).go()

    def readiness(self) -> Readiness:
        """Tell that it needs nothing but a model."""
        return Readiness(True, "part of Holdfast; needs a model that calls tools, and its key")


class _Work:
    """One execution of a task."""

    def __init__(self, task: AgentTask, model: str, options: Options, emit: Emit) -> None:
        offers = task.offers or _all_offers()
        setting = ToolSetting(folder=task.folder, env=task.env, permissions=task.permissions)
        self._task, self._options, self._emit = task, options, emit
        self._model, self._name = offers.model(model), model
        self._tools = Toolbox(offers.tools(), setting, task.schema, options.tools)
        self._talk = Conversation(task.journal.entries)
        wants_data = task.schema is not None
        prompt = system_prompt(
            self._tools.tools, task.permissions, wants_data=wants_data, more=options.system
        )
        self._system = Message("system", prompt)

    async def go(self) -> AgentResult:
        talk = self._talk
        while True:
            if (open_call := talk.open_call) is not None:
                await self._make(open_call)
            elif talk.was_cut_off:
                await self._note(Asked(CUT_OFF))
            elif (answer := talk.final) is None and talk.messages:
                await self._ask()
            elif answer is None or self._task.journal.is_rejected:
                await self._note(Asked(self._task.prompt))
            else:
                return self._result(answer)

    async def _note(self, said: Said, usage: Usage | None = None, *, text: str = "") -> None:
        """Write down what was said or done, and only then count on it."""
        await self._task.journal.append(entry_of(said, usage, text=text))
        self._talk.add(said, usage)

    # --- the model -----------------------------------------------------------------------------

    async def _ask(self) -> None:
        check_spent(self._options, self._talk.turns, self._talk.usage, self._name)
        call = ModelCall(
            model=self._name,
            messages=[self._system, *self._talk.messages],
            params=self._options.params,
            tools=self._tools.offers(),
        )
        result = await self._answer(call)
        calls = with_ids(result.calls, self._talk.turns)
        said = Answered(clean(result.text), calls, result.stop, result.extra)
        await self._note(said, result.usage, text=brief(result.text))

    async def _answer(self, call: ModelCall) -> ModelResult:
        """Ask, and again after a pause where nothing came: all that was done so far is worth that."""
        spent = Usage()
        for pause_s in (*PAUSES_S, None):
            try:
                result = await self._model.call(call, self._emit)
            except (Crashed, NoOutput) as error:
                spent = added(spent, error.usage)
                if pause_s is None:
                    error.usage = spent
                    raise
                self._emit(Progress("retry", f"asks again in {pause_s:g} s: {error}"))
                await trio.sleep(pause_s)
            except WorkError as error:
                error.usage = added(spent, error.usage)
                raise
            else:
                return replace(result, usage=added(spent, result.usage))
        raise AssertionError("the last try returns or raises")

    # --- the tools -----------------------------------------------------------------------------

    async def _make(self, open_call: Open) -> None:
        call, number = open_call.call, open_call.number
        if open_call.began:
            finished = Finished(number, INTERRUPTED, ok=False)
        else:
            self._emit(
                Progress("tool", told(call).partition("] ")[2], _data(call.name, call.arguments))
            )
            if self._tools.has_effect(call):
                await self._note(Began(number), text=told(call))
            finished = await self._tools.perform(call, number)
            self._emit(Progress("tool_result", brief(finished.result)))
        await self._note(finished, text=told(call, finished.result))

    # --- the end -------------------------------------------------------------------------------

    def _result(self, answer: Answered) -> AgentResult:
        """Return the answer; what was paid is in the journal already."""
        if self._task.schema is None:
            return AgentResult(text=answer.text)
        if (call := self._talk.final_call) is not None:
            output = unwrapped(json.loads(call.arguments), self._task.schema)
            return AgentResult(text=answer.text or call.arguments, output=output)
        try:
            return AgentResult(text=answer.text, output=parse(answer.text, self._task.schema))
        except ValueError as error:
            raise OutputInvalid(
                f"it ended with {brief(answer.text, 200)!r} and handed over no answer. "
                "Call final_answer with it.",
                detail=answer.text,
            ) from error


def _data(name: str, arguments: str) -> dict[str, Any]:
    """Return a call for the transcript; what is long, or no plain data, is in the journal."""
    given: Any = brief(arguments)
    if len(arguments) <= 1000:
        with suppress(ValueError, OverflowError):
            found = json.loads(arguments)
            msgspec.msgpack.encode(found)
            given = found
    return {"name": name, "input": given}


def _all_offers() -> Offers:
    """Load what is installed: outside of an engine nobody has done so."""
    from ...manager import Plugins

    return Plugins.load()
