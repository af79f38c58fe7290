"""Plugins are found through entry points, and a broken one harms nobody but itself."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from holdfast.eventlog import Record
from holdfast.eventlog.events import TimerFired
from holdfast.plugins import (
    Agent,
    AgentResult,
    AgentTask,
    BrokenPlugin,
    Emit,
    Model,
    ModelCall,
    ModelResult,
    Needs,
    Plugins,
    Readiness,
    RedactionFailed,
    Tool,
    ToolSetting,
    UnknownAgent,
    UnknownModel,
    UnknownSandbox,
    hookimpl,
)
from holdfast.reducer import State
from tests.support.installed import install


class Echo:
    """Answers with the prompt; as an agent and as a model."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    async def run(self, task: AgentTask, emit: Emit) -> AgentResult:
        return AgentResult(text=task.prompt)

    async def call(self, call: ModelCall, emit: Emit) -> ModelResult:
        return ModelResult(text=call.messages[-1].content)

    def readiness(self) -> Readiness:
        return Readiness(True, "always")


def plugin(name: str, **hooks: Callable[..., object]) -> ModuleType:
    """Make a plugin with these hooks, as a module would have them."""
    module = ModuleType(name)
    for hook, function in hooks.items():
        setattr(module, hook, hookimpl(function))
    return module


def loaded(*plugins: object) -> Plugins:
    return Plugins.load(*plugins, installed=False)


def reasons(plugins: Plugins, name: str) -> list[str]:
    return [row.broken for row in plugins.listing() if row.plugin == name and row.broken]


def test_importing_the_package_imports_neither_trio_nor_litellm() -> None:
    code = "import holdfast.plugins as p, sys; p.Plugins.load(); print(*sys.modules)"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert not {"trio", "litellm", "rich"} & set(done.stdout.split())


def test_the_bundled_agents_are_offered_through_the_same_hooks() -> None:
    plugins = loaded()

    assert isinstance(plugins.agent("claude-code"), Agent)
    assert isinstance(plugins.agent("command"), Agent)
    row = plugins.listing()[0]
    assert (row.plugin, row.distribution) == ("bundled", "holdfast")
    assert {"agent claude-code", "agent command"} <= set(row.offers)


def test_the_bundled_tools_are_offered_through_the_same_hook() -> None:
    plugins = loaded()

    assert [*plugins.tools()] == ["read", "list", "glob", "grep", "write", "edit", "shell"]
    assert {"tool edit", "tool shell"} <= set(plugins.listing()[0].offers)


async def nothing(arguments: dict[str, Any], setting: ToolSetting) -> str:
    return ""


GOOD_TOOL = Tool(description="Do nothing", schema={"type": "object"}, run=nothing)


@pytest.mark.parametrize(
    ("offered", "reason"),
    [
        ({"x": 1}, "holdfast_tools offers 'x', but 1 is not a Tool"),
        (
            {"two words": GOOD_TOOL},
            "holdfast_tools offers 'two words', which no model can call: use A-Z a-z 0-9 _ -",
        ),
        (
            {"shell": GOOD_TOOL},
            "holdfast_tools offers 'shell', and so does 'bundled' of 'holdfast', which is used",
        ),
    ],
)
def test_a_tool_that_no_model_could_call_is_left_out(offered: Any, reason: str) -> None:
    plugins = loaded(plugin("odd", holdfast_tools=lambda: offered))
    before = plugins.tools()["shell"]

    assert reasons(plugins, "odd") == [reason]
    assert plugins.tools()["shell"] is before is not GOOD_TOOL


def test_an_unknown_agent_is_refused_with_those_that_exist() -> None:
    with pytest.raises(UnknownAgent, match=r"'nobody'.*claude-code,.* command.*holdfast plugins"):
        loaded().agent("nobody")


def test_an_unknown_sandbox_is_refused_with_those_that_exist() -> None:
    with pytest.raises(
        UnknownSandbox, match=r"'cage'; there are: none, bubblewrap\. .*holdfast plugins"
    ):
        loaded().sandbox("cage")


@pytest.mark.parametrize("name", sorted(loaded().agents()))
def test_every_bundled_agent_says_what_it_needs_in_a_sandbox(name: str) -> None:
    assert isinstance(getattr(loaded().agent(name), "needs", None), Needs)


def test_the_longest_prefix_of_a_models_name_answers() -> None:
    def models() -> Mapping[str, Model]:
        return {"acme/": Echo("wide"), "acme/large-": Echo("narrow")}

    plugins = loaded(plugin("acme", holdfast_models=models))

    assert getattr(plugins.model("acme/large-1"), "name", "") == "narrow"
    assert getattr(plugins.model("acme/small"), "name", "") == "wide"


def test_a_model_that_nobody_answers_for_is_refused() -> None:
    plugins = Plugins([])

    with pytest.raises(UnknownModel, match="'acme/large'; there are: none"):
        plugins.model("acme/large")


def test_workflows_are_listed_as_references_without_importing_them() -> None:
    workflows = {"tidy": "no_such_module:tidy"}
    plugins = loaded(plugin("pack", holdfast_workflows=lambda: workflows))

    assert plugins.workflows() == workflows
    assert [row.offers for row in plugins.listing() if row.plugin == "pack"] == [["workflow tidy"]]


def test_redactors_follow_one_another() -> None:
    plugins = loaded(
        plugin("first", holdfast_redact=lambda text: text.replace("key", "[key]")),
        plugin("second", holdfast_redact=lambda text: text.upper()),
    )

    assert plugins.redact("a key") == "A [KEY]"


@pytest.mark.parametrize(
    ("redact", "reason"),
    [
        (lambda text: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda text: None, "holdfast_redact returned NoneType, not str"),
    ],
)
def test_a_failing_redactor_lets_nothing_through(
    redact: Callable[[str], object], reason: str
) -> None:
    plugins = loaded(plugin("leaky", holdfast_redact=lambda text: redact(text)))

    with pytest.raises(RedactionFailed, match=f"'leaky'.*{reason}"):
        plugins.redact("a key")
    assert reasons(plugins, "leaky") == [reason]


def test_an_observer_that_fails_stops_nobody_and_is_reported_once() -> None:
    seen: list[Record] = []

    def fail(record: Record) -> None:
        raise OSError("no network")

    def see(record: Record) -> None:
        seen.append(record)

    plugins = loaded(plugin("bad", holdfast_event=fail), plugin("good", holdfast_event=see))
    record = Record(1, 1, 1, 0, "engine", 1, TimerFired(key="nap"))

    plugins.observe(record, State(), bytes)
    plugins.observe(record, State(), bytes)

    assert seen == [record, record]
    assert reasons(plugins, "bad") == ["OSError: no network"]


def raising() -> Mapping[str, Agent]:
    raise RuntimeError("first line\nlast line")


def exiting() -> Mapping[str, Agent]:
    sys.exit("not today")


@pytest.mark.parametrize(
    ("hook", "function", "reason"),
    [
        ("holdfast_agents", raising, "last line"),
        ("holdfast_agents", exiting, "SystemExit: not today"),
        ("holdfast_agents", lambda: [Echo()], "holdfast_agents returned list, not a mapping"),
        (
            "holdfast_agents",
            lambda: {"odd": SimpleNamespace(run=print)},
            "holdfast_agents offers 'odd', but its `run` is not an async method",
        ),
        (
            "holdfast_agents",
            lambda: {"odd": SimpleNamespace(run=Echo().run)},
            "holdfast_agents offers 'odd', but it has no method `readiness`",
        ),
        (
            "holdfast_agents",
            lambda: {7: Echo()},
            "holdfast_agents offers 7, but its name is not a text",
        ),
        (
            "holdfast_workflows",
            lambda: {"tidy": "no_colon"},
            "holdfast_workflows offers 'tidy', but 'no_colon' is not a text like 'module:function'",
        ),
        (
            "holdfast_sandboxes",
            lambda: {"odd": Echo()},
            "holdfast_sandboxes offers 'odd', but it has no method `wrap`, or an async one",
        ),
        (
            "holdfast_sandboxes",
            lambda: {"none": Echo()},
            "holdfast_sandboxes offers 'none', which stands for nothing of the kind",
        ),
        (
            "holdfast_agents",
            lambda: {"command": Echo()},
            "holdfast_agents offers 'command', and so does 'bundled' of 'holdfast', which is used",
        ),
    ],
)
def test_what_a_broken_hook_offers_is_left_out_and_the_reason_is_told(
    hook: str, function: Callable[[], object], reason: str
) -> None:
    plugins = loaded(plugin("odd", **{hook: function}))

    assert reasons(plugins, "odd") == [reason]
    assert plugins.agent("command").readiness().ready


def test_the_good_offers_of_a_plugin_stand_beside_its_bad_one() -> None:
    plugins = loaded(plugin("mixed", holdfast_agents=lambda: {"bad": 1, "good": Echo()}))

    assert plugins.agent("good").readiness().ready
    with pytest.raises(UnknownAgent, match=r"Broken plugins.*mixed .*'bad'"):
        plugins.agent("bad")


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (plugin("odd", holdfast_agent=lambda: {1: 1}), "unknown hook 'holdfast_agent'"),
        (plugin("odd", holdfast_redact=lambda words: ""), "words"),
        (ModuleType("odd"), "mark its hook functions with holdfast.plugins.hookimpl"),
    ],
)
def test_a_plugin_that_does_not_fit_the_hooks_is_reported(broken: object, reason: str) -> None:
    assert reason in reasons(loaded(broken), "odd")[0]


def test_of_two_plugins_with_one_name_the_first_stays() -> None:
    first = plugin("twin", holdfast_agents=lambda: {"one": Echo()})
    second = plugin("twin", holdfast_agents=lambda: {"two": Echo()})

    plugins = loaded(first, second)

    assert plugins.agent("one").readiness().ready
    assert reasons(plugins, "twin") == [
        "a plugin of 'this program' has the same name and is used, not this one"
    ]


GOOD = """
    from holdfast.plugins import hookimpl

    @hookimpl
    def holdfast_workflows():
        return {"tidy": "good_pack:tidy"}
"""


def test_installed_plugins_are_found_and_the_broken_ones_harm_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "good-pack", "[holdfast]\ntidy = good_pack\n", good_pack=GOOD)
    install(tmp_path, "no-module", "[holdfast]\ngone = no_such_module\n")
    install(tmp_path, "bad-import", "[holdfast]\nbad = bad_import\n", bad_import="1 / 0")
    install(tmp_path, "bad-file", "[holdfast]\nthis line is damaged\n")
    install(tmp_path, "others", "[console_scripts]\nthis line is damaged\n")
    monkeypatch.syspath_prepend(tmp_path)

    plugins = Plugins.load()

    rows = {row.distribution: row for row in plugins.listing() if not row.broken}
    assert rows["good-pack"].offers == ["workflow tidy"]
    assert rows["good-pack"].version == "1.2"
    broken = {each.distribution: each for each in plugins.broken}
    assert broken["no-module"] == BrokenPlugin(
        "gone", "no-module", "ModuleNotFoundError: No module named 'no_such_module'"
    )
    assert broken["bad-import"].reason == "ZeroDivisionError: division by zero"
    assert "bad-file" in broken
    assert "others" not in broken
    assert plugins.agent("command").readiness().ready
