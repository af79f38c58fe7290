"""One line for an author: every rule that concerns a plugin, an agent or a model, as pytest tests."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..types import (
    Agent,
    AgentResult,
    AgentTask,
    Message,
    Model,
    ModelCall,
    ModelResult,
    Sandbox,
    ToolOffer,
)
from .agents import AGENT_RULES
from .kit import Rule, agent_task
from .models import MODEL_RULES
from .plugin import PLUGIN_RULES
from .sandboxes import SANDBOX_RULES

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"answer": {"type": "string"}},
    "required": ["answer"],
}
TOOL = ToolOffer("look", "Look at a place.", SCHEMA)
Case = str | Callable[[Path], Any]


def check_agent(make: Callable[[], Agent], **cases: AgentTask | None) -> AgentResult:
    """Check an agent by every rule whose cases are given; return what came of the case `works`.

    Cases: `works` (ends well), `schema` (the same with a schema), `goes_on` (is given the session of
    `works`), `hangs` (goes on for minutes), `missing` (no program), `lost` (an unknown session),
    `empty` (says nothing), `fails`.
    """
    result: AgentResult = _check_all(AGENT_RULES, make, cases)
    return result


def check_model(make: Callable[[], Model], **cases: ModelCall | None) -> ModelResult:
    """Check a model back end likewise.

    Cases: `works`, `schema`, `tools` (it calls one), `hangs`, `limited`, `empty`, `fails`.
    """
    result: ModelResult = _check_all(MODEL_RULES, make, cases)
    return result


def check_sandbox(make: Callable[[], Sandbox], folder: Path) -> None:
    """Check a sandbox by what programs can do in it; it works in an empty folder of its own."""
    _check_all(SANDBOX_RULES, make, {"folder": folder})


def check_plugin(plugin: object) -> None:
    """Check what holds for a plugin, whatever it offers: a module, or an object with hooks."""
    _check_all(PLUGIN_RULES, plugin, {})


def conformance(subject: Any, **cases: Case) -> Callable[..., None]:
    """Return a pytest test with one variant for each rule.

    `subject` is an agent, a model or a sandbox (a class, or a function that makes one), or a plugin: a
    module with hooks. A case is a prompt, or a function from a fresh folder to an AgentTask, or to a ModelCall.
    See `check_agent` and `check_model` for the names of the cases.
    """
    import pytest

    rules, to_case = _rules_for(subject)
    _refuse_unknown(rules, cases)
    chosen = [rule for rule in rules if rule.applies({"folder": Path, **cases})]

    def test(rule: Rule, tmp_path: Path) -> None:
        given = {n: to_case(n, cases[n], tmp_path) for n in rule.needs if n in cases}
        _check(rule, subject, {"folder": tmp_path, **given})

    each = pytest.mark.parametrize("rule", chosen, ids=[rule.name for rule in chosen])
    tests: Callable[..., None] = each(test)
    return tests


def _rules_for(
    subject: Any,
) -> tuple[tuple[Rule, ...], Callable[[str, Case, Path], AgentTask | ModelCall]]:
    if inspect.ismodule(subject) or not callable(subject):
        return PLUGIN_RULES, _model_call
    made = subject()
    if hasattr(made, "run"):
        return AGENT_RULES, _agent_task
    if hasattr(made, "call"):
        return MODEL_RULES, _model_call
    if hasattr(made, "wrap"):
        return SANDBOX_RULES, _model_call
    return PLUGIN_RULES, _model_call


def _agent_task(name: str, case: Case, folder: Path) -> AgentTask:
    if isinstance(case, str):
        return agent_task(folder, case, schema=SCHEMA if name == "schema" else None)
    task: AgentTask = case(folder)
    return task


def _model_call(name: str, case: Case, folder: Path) -> ModelCall:
    if isinstance(case, str):
        schema = SCHEMA if name == "schema" else None
        tools = [TOOL] if name == "tools" else []
        messages = [Message("user", case)]
        return ModelCall(model="conformance", messages=messages, schema=schema, tools=tools)
    call: ModelCall = case(folder)
    return call


def _refuse_unknown(rules: tuple[Rule, ...], cases: Mapping[str, object]) -> None:
    known = {name for rule in rules for name in rule.needs}
    if strange := sorted(cases.keys() - known):
        raise TypeError(
            f"no rule has the case {strange[0]!r}; there are: {', '.join(sorted(known))}"
        )


def _check_all(rules: tuple[Rule, ...], subject: Any, cases: Mapping[str, Any]) -> Any:
    _refuse_unknown(rules, cases)
    results = {rule.name: _check(rule, subject, cases) for rule in rules if rule.applies(cases)}
    return results.get("works")


def _check(rule: Rule, subject: Any, cases: Mapping[str, Any]) -> Any:
    return rule.check(subject, *(cases[name] for name in rule.needs))
