"""Doing one attempt at a step: the place where the world is touched.

`perform` returns what came of it as data, or raises; it knows neither log nor state. Cancelled by
trio, it leaves nothing running.
"""

import inspect
import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import trio

from holdfast.eventlog import Failure, HoldfastError, Usage
from holdfast.plugins import (
    MARK,
    AgentTask,
    Emit,
    Journal,
    OutputInvalid,
    Plugins,
    Progress,
    WorkError,
    nested,
)
from holdfast.plugins.confining import confined
from holdfast.plugins.process import run_process
from holdfast.plugins.where import last_line
from holdfast.reducer import (
    AgentCall,
    FunctionCall,
    ModelAsk,
    ShellCall,
    ShellResult,
    Step,
    StepRequest,
    fingerprint,
    is_exit,
    session_to_continue,
)

from .conversing import model_call, reply
from .sandboxing import Rules, surroundings
from .traces import trace_of
from .where import at_work_in

TAIL_CHARACTERS = 2000


class Done(msgspec.Struct, frozen=True):
    """A successful attempt: its value, not yet encoded, and what it used."""

    value: Any
    usage: Usage | None = None
    session: str = ""


class Job(msgspec.Struct, frozen=True):
    """One attempt to make. `step` is the record of the step so far, this attempt included.

    `redact` takes secrets out of a text that is cut: half of a secret is not recognised later.
    """

    request: StepRequest
    step: Step
    folder: Path
    mark: str
    redact: Callable[[str], str] = str
    env: Mapping[str, str] = {}
    sandbox: Rules = Rules()
    journal: Journal | None = None


class TimedOut(WorkError):
    code = "timeout"


class CommandFailed(WorkError):
    code = "exit_status"


class StepExited(WorkError):
    code = "step_exited"

    def __init__(self, function: str, error: BaseException) -> None:
        super().__init__(
            f"{function} raised {last_line(error)}, which is to end a program or a task, and here ended the "
            "step. Let it return, or raise an Exception; run a script that exits with run.shell().",
            detail=trace_of(error)[-2 * TAIL_CHARACTERS :],
        )


async def perform(job: Job, plugins: Plugins, emit: Emit) -> Done:
    """Do one attempt, within the time-outs of the step's policy."""
    policy = job.request.policy
    if not policy.timeout and not policy.idle_timeout:
        return await _dispatch(job, plugins, emit)
    idle_s = policy.idle_timeout / 1e9 or float("inf")
    with trio.move_on_after(policy.timeout / 1e9 or float("inf")) as whole:
        with trio.move_on_after(idle_s) as idle:

            def emit_and_live_on(progress: Progress) -> None:
                idle.deadline = trio.current_time() + idle_s
                emit(progress)

            return await _dispatch(job, plugins, emit_and_live_on)
    limit_s = policy.timeout / 1e9 if whole.cancelled_caught else idle_s
    kind = "timeout" if whole.cancelled_caught else "idle_timeout"
    raise TimedOut(
        f"no end within {kind} of {limit_s:g} s. Raise {kind}=, or ask for less at once."
    )


async def _dispatch(job: Job, plugins: Plugins, emit: Emit) -> Done:
    call = job.request.call
    match call:
        case FunctionCall(function=function, args=args, kwargs=kwargs):
            at_work_in.set(job.folder)
            return Done(await _call(function, args, kwargs))
        case ShellCall():
            return Done(await _shell(call, job, plugins, emit))
        case AgentCall():
            return await _agent(call, job, plugins, emit)
        case ModelAsk():
            return await _model(call, job, plugins, emit)
        case _:
            raise AssertionError(f"a workspace does {call!r} itself")


async def _call(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    try:
        if inspect.iscoroutinefunction(function):
            return await function(*args, **kwargs)
        # A thread cannot be stopped: a cancelled one is left to end by itself, and its result is dropped.
        call = partial(function, *args, **kwargs)
        return await trio.to_thread.run_sync(call, abandon_on_cancel=True)
    except BaseException as error:
        if not is_exit(error):
            raise
        raise StepExited(getattr(function, "__qualname__", repr(function)), error) from error


async def _shell(call: ShellCall, job: Job, plugins: Plugins, emit: Emit) -> ShellResult:
    out, err = bytearray(), bytearray()

    def collect(into: bytearray) -> Callable[[bytes], None]:
        def take(data: bytes) -> None:
            into.extend(data)
            emit(Progress("raw", data.decode(errors="replace")))

        return take

    around = await surroundings(call, job.sandbox, job.folder, plugins)
    began = time.monotonic()
    with confined(around.confined):
        code = await run_process(
            call.command,
            folder=job.folder / call.folder,
            env=environment(job.mark, {**around.env, **job.env, **call.env}),
            on_stdout=collect(out),
            on_stderr=collect(err),
        )
    stdout, stderr = out.decode(errors="replace"), err.decode(errors="replace")
    result = ShellResult(code, stdout, stderr, round(time.monotonic() - began, 6))
    if call.check and code != 0:
        stdout, stderr = job.redact(stdout), job.redact(stderr)
        last = (stderr.strip() or stdout.strip()).rpartition("\n")[2][:200]
        detail = f"{stdout[-TAIL_CHARACTERS:]}\n{stderr[-TAIL_CHARACTERS:]}".strip()
        why = f"{call.command!r} ended with status {code}{': ' if last else ''}{last}"
        raise CommandFailed(why, detail=detail)
    return result


async def _agent(call: AgentCall, job: Job, plugins: Plugins, emit: Emit) -> Done:
    agent = plugins.agent(call.agent)
    session, journal = session_to_continue(job.step), job.journal or Journal()
    around = await surroundings(call, job.sandbox, job.folder, plugins, agent)
    task = AgentTask(
        prompt=_prompt(call.prompt, job.step, continues=bool(session or journal.entries)),
        folder=job.folder / call.folder,
        env=environment(job.mark, {**around.env, **job.env}),
        model=call.model,
        schema=fingerprint.schema(job.request.output),
        session=session or None,
        permissions=call.permissions or "full",
        options=call.options,
        journal=journal,
        offers=plugins,
    )
    with confined(around.confined):
        result = await plugins.run_agent(call.agent, task, emit)
    value = _typed(job.request.output, result.text, result.output, result.usage, result.session)
    return Done(value, result.usage, result.session)


def _prompt(prompt: str, step: Step, *, continues: bool) -> str:
    if step.error is not None and step.error.code == "output_invalid":
        reason = (
            f"The last answer was not usable: {step.error.message}\n"
            "Answer again, with data that fits what was asked for."
        )
        return reason if continues else f"{prompt}\n\n{reason}"
    if continues:
        return f"You were interrupted. Look at what is done and go on with this task:\n\n{prompt}"
    return prompt


async def _model(call: ModelAsk, job: Job, plugins: Plugins, emit: Emit) -> Done:
    output = job.request.output
    result = await plugins.call_model(model_call(call, job.request, job.step), emit)
    if call.tools:
        return Done(reply(call, output, result), result.usage)
    return Done(_typed(output, result.text, result.output, result.usage), result.usage)


def _typed(output: Any, text: str, data: Any, usage: Usage | None, session: str = "") -> Any:
    """Return the answer as the wanted type, or raise OutputInvalid with the reason."""
    if fingerprint.schema(output) is None:
        return text
    try:
        return msgspec.convert(data, output)
    except msgspec.ValidationError as error:
        raise OutputInvalid(
            f"the answer does not fit {getattr(output, '__name__', output)}: {error}",
            detail=text,
            usage=usage,
            session=session,
        ) from error


def environment(mark: str, env: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a step's processes, with the mark that finds them again."""
    return {**env, MARK: nested(mark, os.environ)}


def failure(error: BaseException, redact: Callable[[str], str] = str) -> Failure:
    """Return the record of an exception, without the secrets that `redact` knows."""
    kind = type(error).__qualname__
    if isinstance(error, WorkError):
        return Failure(error.code, redact(str(error)), kind, redact(error.detail))
    if isinstance(error, HoldfastError):
        return Failure(error.code, redact(str(error)), kind)
    trace = redact(trace_of(error))
    return Failure("exception", redact(f"{kind}: {error}"), kind, trace[-2 * TAIL_CHARACTERS :])


def retryable(error: Exception) -> bool:
    """Whether another attempt can help: not when a program is missing or the value is no data."""
    return error.retryable if isinstance(error, WorkError) else not isinstance(error, HoldfastError)
