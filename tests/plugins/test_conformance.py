"""The conformance kit: a sound adapter passes, and each rule finds the one that breaks it alone."""

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import msgspec
import pytest
import trio

from holdfast.eventlog import Record, UnknownEvent, Usage
from holdfast.plugins import (
    AdapterBroken,
    AgentResult,
    AgentTask,
    BadOptions,
    Confinement,
    Crashed,
    Emit,
    Message,
    MissingBinary,
    MissingFolder,
    ModelCall,
    ModelResult,
    NoOutput,
    Plugins,
    Progress,
    RateLimited,
    Readiness,
    Sandbox,
    SessionLost,
    Tool,
    ToolCall,
    ToolOffer,
    ToolSetting,
    Wrapped,
    bundled,
    hookimpl,
    marks,
)
from holdfast.plugins.agents import Command
from holdfast.plugins.sandboxes import Bubblewrap
from holdfast.plugins.testing import (
    AGENT_RULES,
    MODEL_RULES,
    PLUGIN_RULES,
    SANDBOX_RULES,
    Rule,
    agent_task,
    check_agent,
    check_model,
    check_plugin,
    check_sandbox,
    check_tool,
    conformance,
    kit,
)
from tests.support.cage import needs_bubblewrap

Work = Callable[[AgentTask, Emit], Any]


class Sound:
    """An agent and a model that keep every rule; the prompt says what they do."""

    async def run(self, task: AgentTask, emit: Emit) -> AgentResult:
        self.check(task)
        text = await self.say(task.prompt, emit)
        output = {"answer": text} if task.schema else None
        return AgentResult(text=text, output=output, session=self.session(task), usage=Usage(1, 2))

    async def call(self, call: ModelCall, emit: Emit) -> ModelResult:
        text = await self.say(call.messages[-1].content, emit)
        if call.tools and call.messages[-1].role != "tool":
            return self.use(call.tools)
        return ModelResult(text=text, output={"answer": text} if call.schema else None)

    def use(self, tools: list[ToolOffer]) -> ModelResult:
        return ModelResult(text="", calls=[ToolCall("c1", tools[0].name, "{}")], stop="calls")

    def readiness(self) -> Readiness:
        return Readiness(True, "always")

    def check(self, task: AgentTask) -> None:
        self.check_folder(task)
        self.check_options(task)
        if task.session == "gone":
            self.lose()
        if task.permissions != "full":
            self.refuse(task.permissions)

    def check_folder(self, task: AgentTask) -> None:
        if not task.folder.exists():
            raise MissingFolder(str(task.folder), program="sound", reason="no such folder")

    def check_options(self, task: AgentTask) -> None:
        if task.options:
            raise BadOptions(f"there are no options, and these are: {task.options}")

    def session(self, task: AgentTask) -> str:
        return "s"

    def lose(self) -> None:
        raise SessionLost("there is no session 'gone'")

    def refuse(self, permissions: str) -> None:
        raise BadOptions(f"{permissions!r} is none of 'full'")

    async def say(self, prompt: str, emit: Emit) -> str:
        match prompt:
            case "hang":
                emit(Progress("text", "begun"))
                await self.hang()
            case "missing":
                self.miss()
            case "limit":
                self.limit()
            case "empty":
                return self.silent()
            case "fail":
                self.fail()
            case _:
                pass
        return self.answer(emit)

    def answer(self, emit: Emit) -> str:
        emit(Progress("text", "hello"))
        return "hello"

    async def hang(self) -> None:
        await trio.sleep_forever()

    def miss(self) -> None:
        raise MissingBinary("no program 'sound'. Install it")

    def limit(self) -> None:
        raise RateLimited("slow down", until=1)

    def silent(self) -> str:
        raise NoOutput("it said nothing")

    def fail(self) -> None:
        raise Crashed("it ended badly")


class Leaving(Sound):
    """Leaves a process behind when the task ends well."""

    left: ClassVar[list["subprocess.Popen[bytes]"]] = []

    async def run(self, task: AgentTask, emit: Emit) -> AgentResult:
        result = await super().run(task, emit)
        if task.prompt == "work":
            self.start(task)
        return result

    def start(self, task: AgentTask) -> None:
        self.left.append(subprocess.Popen(["sleep", "600"], env=task.env))


def with_flaw(base: type[Sound] = Sound, **methods: Any) -> Callable[[], Any]:
    return type("Flawed", (base,), methods)


def plain_run(self: Sound, task: AgentTask, emit: Emit) -> Any:
    return Sound.run(self, task, emit)


def plain_call(self: Sound, call: ModelCall, emit: Emit) -> Any:
    return Sound.call(self, call, emit)


async def ends_by_itself(self: Sound) -> None:
    return


async def without_data(self: Sound, call: ModelCall, emit: Emit) -> ModelResult:
    return msgspec.structs.replace(await Sound.call(self, call, emit), output=None)


async def run_without_data(self: Sound, task: AgentTask, emit: Emit) -> AgentResult:
    self.check(task)
    return AgentResult(text=await self.say(task.prompt, emit), session="s")


def raises(error: Exception) -> Callable[..., Any]:
    def fail(*_: object) -> Any:
        raise error

    return fail


def quiet(self: Sound, emit: Emit) -> str:
    return "hello"


def mute(self: Sound, emit: Emit) -> str:
    emit(Progress("thinking", "..."))
    return " \n"


def not_ready(self: Sound) -> Readiness:
    return Readiness(True, "")


AGENTS: Mapping[str, Callable[[], Any]] = {
    "has-its-methods": with_flaw(run=plain_run),
    "tells-its-readiness": with_flaw(readiness=not_ready),
    "works": with_flaw(answer=mute),
    "shows-what-it-does": with_flaw(answer=quiet),
    "leaves-nothing-running": Leaving,
    "keeps-to-permissions-or-refuses": with_flaw(refuse=raises(Crashed("no"))),
    "refuses-unknown-options": with_flaw(check_options=lambda self, task: None),
    "refuses-a-missing-folder": with_flaw(check_folder=lambda self, task: None),
    "answers-with-data": with_flaw(run=run_without_data),
    "goes-on-with-a-session": with_flaw(session=lambda self, task: "" if task.session else "s"),
    "is-cancelled-clean": with_flaw(hang=ends_by_itself),
    "names-a-missing-program": with_flaw(miss=raises(FileNotFoundError("sound"))),
    "names-a-lost-session": with_flaw(lose=lambda self: None),
    "names-an-empty-answer": with_flaw(silent=lambda self: ""),
    "names-a-failure": with_flaw(fail=raises(ValueError("no"))),
}
MODELS: Mapping[str, Callable[[], Any]] = {
    "has-its-methods": with_flaw(call=plain_call),
    "tells-its-readiness": with_flaw(readiness=not_ready),
    "works": with_flaw(answer=mute),
    "shows-what-it-says": with_flaw(answer=quiet),
    "answers-with-data": with_flaw(call=without_data),
    "calls-tools-and-reads-results": with_flaw(use=lambda self, tools: ModelResult(text="no")),
    "is-cancelled": with_flaw(hang=ends_by_itself),
    "names-a-rate-limit": with_flaw(limit=raises(Crashed("slow down"))),
    "names-an-empty-answer": with_flaw(silent=lambda self: ""),
    "names-a-failure": with_flaw(fail=raises(ValueError("no"))),
}


def plugin(**hooks: Callable[..., object]) -> ModuleType:
    module = ModuleType("odd")
    for hook, function in hooks.items():
        setattr(module, hook, hookimpl(function))
    return module


def only_known(record: Record) -> None:
    if isinstance(record.event, UnknownEvent):
        raise TypeError("what is this?")


PLUGINS: Mapping[str, ModuleType] = {
    "loads-and-offers": plugin(holdfast_workflows=lambda: {"tidy": "no colon"}),
    "tells-its-readiness": plugin(
        holdfast_agents=lambda: {"odd": with_flaw(readiness=not_ready)()}
    ),
    "has-workflows-that-run": plugin(holdfast_workflows=lambda: {"tidy": "holdfast:nothing"}),
    "observes-every-event": plugin(holdfast_event=lambda record: only_known(record)),
    "redacts-text-to-text": plugin(holdfast_redact=lambda text: text + "."),
}


def tasks(folder: Path) -> dict[str, AgentTask]:
    """Return every case, each with a mark of its own."""
    prompts = {"works": "work", "goes_on": "work", "hangs": "hang", "missing": "missing"}
    prompts |= {"empty": "empty", "fails": "fail"}
    cases = {name: agent_task(folder, prompt) for name, prompt in prompts.items()}
    cases["schema"] = agent_task(folder, "data", schema={"type": "object"})
    cases["lost"] = agent_task(folder, "work", session="gone")
    return cases


def calls() -> dict[str, ModelCall]:
    prompts = {"works": "work", "hangs": "hang", "limited": "limit", "empty": "empty"}
    prompts |= {"fails": "fail", "schema": "data", "tools": "work"}
    return {
        name: ModelCall(
            model="acme/large",
            messages=[Message("user", prompt)],
            schema={"type": "object"} if name == "schema" else None,
            tools=[ToolOffer("look", "Look.", {"type": "object"})] if name == "tools" else [],
        )
        for name, prompt in prompts.items()
    }


def broken(
    rules: tuple[Rule, ...], subject: object, make: Callable[[], Mapping[str, Any]]
) -> dict[str, str]:
    """Return the rules that are broken, each with what is said about it."""
    found: dict[str, str] = {}
    for rule in rules:
        given = make()
        try:
            rule.check(subject, *(given[name] for name in rule.needs))
        except AssertionError as error:
            found[rule.name] = str(error)
    return found


def end(agents: type[Leaving] = Leaving) -> None:
    while agents.left:
        process = agents.left.pop()
        process.kill()
        process.wait()


def test_a_sound_agent_passes_and_its_result_comes_back(tmp_path: Path) -> None:
    assert check_agent(Sound, **tasks(tmp_path)).text == "hello"


def test_an_agent_takes_the_permissions_that_it_tells(tmp_path: Path) -> None:
    works = agent_task(tmp_path, "hi")

    check_agent(with_flaw(permissions_with=lambda self, options: {"full"}), works=works)
    with pytest.raises(AssertionError, match=r"tells \['full', 'read'\], and it takes \['full'\]"):
        check_agent(with_flaw(permissions_with=lambda self, options: ["read", "full"]), works=works)


@pytest.mark.parametrize("told", [lambda self, options: 1 / 0, lambda self, options: None])
def test_an_agent_that_fails_to_tell_its_permissions_is_named(told: Callable[..., Any]) -> None:
    agent = with_flaw(permissions_with=told)()
    plugins = Plugins.load(plugin(holdfast_agents=lambda: {"odd": agent}), installed=False)

    with pytest.raises(AdapterBroken, match=r"agent 'odd', .* in permissions_with"):
        plugins.permissions("odd", {})


def test_a_sound_model_passes_and_its_result_comes_back() -> None:
    assert check_model(Sound, **calls()).text == "hello"


def test_what_is_bundled_passes_as_a_plugin() -> None:
    check_plugin(bundled)


@pytest.mark.parametrize("rule", [rule.name for rule in AGENT_RULES])
def test_each_rule_finds_the_agent_that_breaks_it_alone(rule: str, tmp_path: Path) -> None:
    if rule == "leaves-nothing-running" and not marks.can_see_marks():
        pytest.skip("needs /proc")

    found = broken(AGENT_RULES, AGENTS[rule], lambda: tasks(tmp_path))
    end()

    assert found.keys() == {rule}


@pytest.mark.parametrize("rule", [rule.name for rule in MODEL_RULES])
def test_each_rule_finds_the_model_that_breaks_it_alone(rule: str) -> None:
    assert broken(MODEL_RULES, MODELS[rule], calls).keys() == {rule}


@pytest.mark.parametrize("rule", [rule.name for rule in PLUGIN_RULES])
def test_each_rule_finds_the_plugin_that_breaks_it_alone(rule: str) -> None:
    assert broken(PLUGIN_RULES, PLUGINS[rule], dict).keys() == {rule}


class Leaky(Sandbox):
    """Bubblewrap, with a hole where a subclass makes one."""

    def __init__(self) -> None:
        self._sound = Bubblewrap()

    def wrap(
        self, argv: Sequence[str], env: Mapping[str, str], folder: Path, within: Confinement
    ) -> Wrapped:
        inner, wider = self.program([*argv]), self.widen(within)
        return self._sound.wrap(inner, env, folder, wider)

    def readiness(self) -> Readiness:
        return self._sound.readiness()

    def program(self, argv: list[str]) -> list[str]:
        return argv

    def widen(self, within: Confinement) -> Confinement:
        return within


def leaking(**methods: Any) -> Callable[[], Any]:
    return type("Leaking", (Leaky,), methods)


class Letting(Leaky):
    """Lets a program that starts a session of its own out, and takes its mark away."""

    def wrap(
        self, argv: Sequence[str], env: Mapping[str, str], folder: Path, within: Confinement
    ) -> Wrapped:
        wrapped = super().wrap(argv, env, folder, within)
        if "setsid" not in argv[-1]:
            return wrapped
        return Wrapped(["env", "-i", f"PATH={env['PATH']}", *argv], wrapped.complaint)


def also_outside(self: Leaky, within: Confinement) -> Confinement:
    return msgspec.structs.replace(within, write=(within.folder.parent / "outside",))


SANDBOXES: Mapping[str, Callable[[], Any]] = {
    "works-here": leaking(readiness=lambda self: Readiness(False, "not today")),
    "passes-on-exit-codes": leaking(
        program=lambda self, argv: ["sh", "-c", '"$@"; exit 0', "sh", *argv]
    ),
    "passes-on-input-and-output": leaking(
        program=lambda self, argv: ["sh", "-c", '"$@" </dev/null', "sh", *argv]
    ),
    "lets-programs-work-in-their-folder": leaking(
        program=lambda self, argv: ["sh", "-c", 'cd hidden; "$@"', "sh", *argv]
    ),
    "guards-what-is-outside": leaking(widen=also_outside),
    "hides-what-is-hidden": leaking(
        widen=lambda self, within: msgspec.structs.replace(within, hidden=())
    ),
    "leaves-nothing-running": Letting,
}


@needs_bubblewrap
@pytest.mark.parametrize("rule", [rule.name for rule in SANDBOX_RULES[1:]])
def test_each_rule_finds_the_sandbox_that_breaks_it_alone(rule: str, tmp_path: Path) -> None:
    found = broken(SANDBOX_RULES, SANDBOXES[rule], lambda: {"folder": tmp_path})

    assert found.keys() == {rule}


@pytest.mark.parametrize(
    ("made", "fault"),
    [
        (SimpleNamespace(readiness=print), "has no method `wrap`"),
        (SimpleNamespace(wrap=Leaky.widen, readiness=print), "its `wrap` cannot be called as"),
    ],
)
def test_what_is_no_sandbox_is_named(made: Any, fault: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=fault):
        check_sandbox(lambda: made, tmp_path)


async def in_another_thread(self: Sound, task: AgentTask, emit: Emit) -> AgentResult:
    await trio.to_thread.run_sync(emit, Progress("text", "hello"))
    return AgentResult(text="hello")


def returns(result: object, *shown: object) -> Callable[..., Any]:
    async def run(self: Sound, task: AgentTask, emit: Callable[[Any], None]) -> Any:
        for each in shown:
            emit(each)
        return result

    return run


@pytest.mark.parametrize(
    ("run", "fault"),
    [
        (returns("hello"), "it returned str, not AgentResult"),
        (returns(AgentResult(text=None)), r"text=None\), which is not str"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        (returns(AgentResult(text="x", usage={})), "which is not Usage or None"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        (returns(AgentResult(text="x", usage=Usage(-1))), "strange numbers"),
        (returns(AgentResult(text="x", output=1)), "there is output, and no schema"),
        (returns(AgentResult(text="x"), "hello"), "emit was called with 'hello'"),
        (returns(AgentResult(text="x"), Progress("tool", "", {"x": print})), "not plain data"),
        (in_another_thread, "in another thread than trio's"),
    ],
)
def test_each_fault_of_a_result_is_named(run: Work, fault: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=fault):
        check_agent(with_flaw(run=run), works=agent_task(tmp_path, "work"))


def test_data_has_to_be_plain(tmp_path: Path) -> None:
    run = returns(AgentResult(text="x", output=object()))
    works = agent_task(tmp_path, "data", schema={"type": "object"})

    with pytest.raises(AssertionError, match="the output is not plain data"):
        check_agent(with_flaw(run=run), works=works)


def test_cancelling_may_raise_nothing_else(tmp_path: Path) -> None:
    async def hang(self: Sound) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise OSError("the pipe is closed")

    with pytest.raises(OSError, match="the pipe is closed"):
        check_agent(with_flaw(hang=hang), hangs=agent_task(tmp_path, "hang"))


@pytest.mark.parametrize(
    ("made", "fault"),
    [
        (SimpleNamespace(readiness=print), "has no method 'run'"),
        (SimpleNamespace(run=Sound().run), "has no method 'readiness'"),
        (SimpleNamespace(run=Sound().readiness, readiness=print), "is not an async method"),
        (SimpleNamespace(run=Sound().run, readiness=Sound().run), "readiness is async"),
        (SimpleNamespace(run=Sound().hang, readiness=print), "cannot be called with two"),
    ],
)
def test_what_is_no_agent_is_named(made: Any, fault: str) -> None:
    with pytest.raises(AssertionError, match=fault):
        check_agent(lambda: made)


async def echo(given: dict[str, Any], setting: ToolSetting) -> str:
    return str(given["text"])


async def forty_two(given: dict[str, Any], setting: ToolSetting) -> Any:
    return 42


TEXT = {"type": "object", "properties": {"text": {"type": "string"}}}


def tool(**fields: Any) -> Tool:
    good = Tool(description="Say it again", schema=TEXT, run=echo)
    return msgspec.structs.replace(good, **fields)


def test_a_tool_that_keeps_the_rules_passes(tmp_path: Path) -> None:
    setting = ToolSetting(folder=tmp_path, env={}, permissions="read")

    assert check_tool(tool(), works={"text": "hello"}, setting=setting) == "hello"


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"run": forty_two}, "it returned 42, not a text"),
        ({"run": str}, "its `run` is not an async function"),
        ({"schema": {"type": "string"}}, "its schema is not that of an object"),
        ({"schema": {"type": "object", "properties": {}}}, r"its schema has no \['text'\]"),
        ({"schema": TEXT | {"x": object()}}, "its schema is not plain data"),
        ({"description": ""}, "it has no description"),
        ({"needs": "all"}, "it needs 'all'"),
    ],
)
def test_each_fault_of_a_tool_is_named(fields: dict[str, Any], fault: str, tmp_path: Path) -> None:
    setting = ToolSetting(folder=tmp_path, env={}, permissions="read")

    with pytest.raises(AssertionError, match=fault):
        check_tool(tool(**fields), works={"text": "hello"}, setting=setting)


def test_work_without_end_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kit, "TASK_LIMIT_S", 0.01)

    with pytest.raises(AssertionError, match=r"not ended after 0.01 s"):
        check_agent(Sound, works=agent_task(tmp_path, "hang"))
    with pytest.raises(AssertionError, match=r"not ended after 0.01 s"):
        check_agent(Sound, fails=agent_task(tmp_path, "hang"))


def test_a_case_that_no_rule_knows_is_refused() -> None:
    with pytest.raises(TypeError, match=r"no rule has the case 'work'; there are: .*works"):
        conformance(Sound, work="hello")


def script(source: str, **fields: Any) -> Callable[[Path], AgentTask]:
    command = [sys.executable, "-c", source]
    return lambda folder: agent_task(folder, "hello", options={"command": command}, **fields)


class ModelOnly:
    def __init__(self) -> None:
        self.call, self.readiness = Sound().call, Sound().readiness


test_the_command_agent_conforms = conformance(
    Command,
    works=script("import sys; print('heard', sys.stdin.read())"),
    schema=script("print('{\"n\": 1}')", schema={"type": "object"}),
    hangs=script("import time; print('ready', flush=True); time.sleep(600)"),
    missing=lambda folder: agent_task(folder, "x", options={"command": "no-such-program-here"}),
    fails=script("import sys; sys.exit(3)"),
)
test_one_line_is_enough_for_a_model = conformance(
    ModelOnly, works="work", schema="data", hangs="hang", fails="fail"
)
test_one_line_is_enough_for_a_sandbox = needs_bubblewrap(conformance(Bubblewrap))
test_one_line_is_enough_for_a_plugin = conformance(bundled)
