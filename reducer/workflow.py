"""`@workflow`: an async function with a name, a typed input and a typed output."""

import inspect
import keyword
from collections.abc import Callable, Coroutine
from typing import Any, overload

import msgspec

from holdfast.eventlog import Budget

from .errors import InputInvalid, NotAWorkflow

Function = Callable[..., Coroutine[Any, Any, Any]]


class Workflow:
    """A workflow: its function, and its parameters after `run` as a type that checks an input.

    `budget` is that of runs which are started without one, in a project that has none.
    """

    def __init__(
        self, function: Function, name: str | None = None, budget: float | Budget | None = None
    ) -> None:
        if not inspect.iscoroutinefunction(function):
            raise NotAWorkflow(
                f"{function.__qualname__!r} is no async function. Write: "
                f"@workflow async def {function.__name__}(run: Run, ...)"
            )
        self.function = function
        self.name = name or function.__name__
        self.budget = _allowed(self.name, budget)
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__
        self.input_type = _input_type(function, self.name)

    @property
    def reference(self) -> str:
        """Where the function stands, as `FILE:NAME`."""
        return f"{self.function.__code__.co_filename}:{self.name}"

    @property
    def description(self) -> str:
        """The first line of the docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    @property
    def output(self) -> Any:
        return _hints(self.function).get("return", Any)

    def check(self, given: Any) -> dict[str, Any]:
        """Return the input as plain data, with defaults filled in; raise InputInvalid."""
        try:
            checked = msgspec.convert(given, self.input_type)
        except msgspec.ValidationError as error:
            raise InputInvalid(self.name, str(error), self.signature()) from error
        plain: dict[str, Any] = msgspec.to_builtins(checked)
        return plain

    def arguments(self, recorded: Any) -> dict[str, Any]:
        """Return the arguments of the function for a recorded input; raise InputInvalid."""
        try:
            checked = msgspec.convert(recorded, self.input_type)
        except msgspec.ValidationError as error:
            raise InputInvalid(self.name, str(error), self.signature()) from error
        return {name: getattr(checked, name) for name in self.input_type.__struct_fields__}

    def signature(self) -> str:
        """Return the input in words: `goal: str, tests: str = ''`."""
        parameters = list(inspect.signature(self.function).parameters.values())[1:]
        return ", ".join(str(parameter) for parameter in parameters) or "nothing"

    def __repr__(self) -> str:
        return f"<workflow {self.name}>"


@overload
def workflow(function: Function) -> Workflow: ...
@overload
def workflow(
    *, name: str | None = None, budget: float | Budget | None = None
) -> Callable[[Function], Workflow]: ...


def workflow(
    function: Function | None = None,
    *,
    name: str | None = None,
    budget: float | Budget | None = None,
) -> Workflow | Callable[[Function], Workflow]:
    """Make an async function a workflow. Its first parameter is the `Run`; the others its input.

    A run of it has the `budget`, dollars or a Budget, where neither who starts it nor the project's
    settings say another.
    """
    if function is not None:
        return Workflow(function, name, budget)
    return lambda function: Workflow(function, name, budget)


def _allowed(name: str, budget: float | Budget | None) -> Budget | None:
    """Return a budget as it was written: dollars, or a Budget."""
    if budget is None:
        return None
    given = budget if isinstance(budget, Budget) else Budget(usd=float(budget))
    if given.usd < 0 or given.tokens < 0 or not (given.usd or given.tokens):
        raise NotAWorkflow(
            f"workflow {name!r} has budget={budget!r}, which allows nothing. Write dollars, as in "
            "budget=5, or Budget(usd=..., tokens=...)"
        )
    return given


def _hints(function: Function) -> dict[str, Any]:
    return inspect.get_annotations(function, eval_str=True)


def _input_type(function: Function, name: str) -> type[msgspec.Struct]:
    """Build a Struct from the parameters after the first, so that msgspec checks an input."""
    parameters = list(inspect.signature(function).parameters.values())
    if not parameters:
        raise NotAWorkflow(
            f"workflow {name!r} takes no run. Write: async def {name}(run: Run, ...)"
        )
    hints = _hints(function)
    fields: list[Any] = []
    for parameter in parameters[1:]:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise NotAWorkflow(
                f"workflow {name!r} takes {parameter}: name every input, so that it can be checked."
            )
        fields.append(_field(parameter, hints.get(parameter.name, Any)))
    title = f"{name}_input" if name.isidentifier() and not keyword.iskeyword(name) else "input"
    return msgspec.defstruct(title, fields, kw_only=True, forbid_unknown_fields=True, frozen=True)


def _field(parameter: inspect.Parameter, type_: Any) -> Any:
    if parameter.default is parameter.empty:
        return (parameter.name, type_)
    default = parameter.default
    if isinstance(default, list | dict | set | bytearray):
        return (parameter.name, type_, msgspec.field(default_factory=default.copy))
    return (parameter.name, type_, default)
