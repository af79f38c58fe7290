"""What an author gets wrong is named, with the distribution and the line, and harms nobody else."""

import asyncio
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.plugins import (
    HOOKS_VERSION,
    AdapterBroken,
    AgentResult,
    AgentTask,
    Message,
    ModelCall,
    PluginRow,
    Plugins,
    Readiness,
    RedactionFailed,
    hookimpl,
    ready,
)
from tests.cli.conftest import Cli, cli, folder
from tests.support.installed import install

__all__ = ["cli", "folder"]

AGENT = """
    from holdfast.plugins import AgentResult, Readiness, hookimpl

    class Agent:
        async def run(self, task, emit):
            return AgentResult(text="hello")

        def readiness(self):
            return Readiness(True, "always")

"""
ODD = "@hookimpl\ndef holdfast_agents(): return {'odd': Odd()}"
TOO_NEW = (
    f"it was made for version 99 of the hooks, and this Holdfast has version {HOOKS_VERSION}. "
    "Install a newer Holdfast, or an older version of the plugin"
)
# What the plugin's module says, what is said about it, and the text of the line that is named.
MISTAKES: dict[str, tuple[str, str, str]] = {
    "a hook that is not there": (
        "@hookimpl\ndef holdfast_agent(): return {}",
        "unknown hook 'holdfast_agent'. Did you mean 'holdfast_agents'?",
        "@hookimpl",
    ),
    "a hook like no other": (
        "@hookimpl\ndef xyzzy(): return {}",
        "unknown hook 'xyzzy'. There are: holdfast_agents, ",
        "@hookimpl",
    ),
    "no mark": (
        "def holdfast_agents(): return {}",
        "holdfast_agents is not marked: write @hookimpl above it",
        "def holdfast_agents",
    ),
    "nothing": ("x = 1", "mark its hook functions with holdfast.plugins.hookimpl", ""),
    "a wrong argument": (
        "@hookimpl\ndef holdfast_redact(words): return words",
        "holdfast_redact asks for words, and is given text",
        "@hookimpl",
    ),
    "an argument where there is none": (
        "@hookimpl\ndef holdfast_agents(config): return {}",
        "holdfast_agents asks for config, and is given nothing",
        "@hookimpl",
    ),
    "an argument by keyword": (
        "@hookimpl\ndef holdfast_redact(*, text): return text",
        "holdfast_redact asks for text (by keyword only), and is given text",
        "@hookimpl",
    ),
    "an async hook": (
        "@hookimpl\nasync def holdfast_agents(): return {}",
        "holdfast_agents is async, and hooks are plain functions: write def",
        "@hookimpl",
    ),
    "a generator": (
        "@hookimpl\ndef holdfast_agents(): yield {}",
        "holdfast_agents has a `yield`: return everything at once",
        "@hookimpl",
    ),
    "a wrapper": (
        "@hookimpl(wrapper=True)\ndef holdfast_redact(text):\n    return (yield)",
        "holdfast_redact is a wrapper, and each plugin is asked alone",
        "@hookimpl(wrapper=True)",
    ),
    "a list": (
        "@hookimpl\ndef holdfast_agents(): return [Agent()]",
        "holdfast_agents returned list, not a mapping",
        "@hookimpl",
    ),
    "nothing returned": (
        "@hookimpl\ndef holdfast_agents(): pass",
        "holdfast_agents returned NoneType, not a mapping",
        "@hookimpl",
    ),
    "a class": (
        "@hookimpl\ndef holdfast_agents(): return {'odd': Agent}",
        "holdfast_agents offers 'odd', but it is a class: offer an object, Agent()",
        "class Agent",
    ),
    "no method": (
        "class Odd: pass\n" + ODD,
        "holdfast_agents offers 'odd', but it has no method `run`",
        "class Odd",
    ),
    "no readiness": (
        "class Odd:\n  async def run(self, task, emit): pass\n" + ODD,
        "holdfast_agents offers 'odd', but it has no method `readiness`",
        "class Odd",
    ),
    "a sync run": (
        "class Odd(Agent):\n  def run(self, task, emit): pass\n" + ODD,
        "holdfast_agents offers 'odd', but its `run` is not an async method",
        "class Odd",
    ),
    "a run of one argument": (
        "class Odd(Agent):\n  async def run(self, task): pass\n" + ODD,
        "holdfast_agents offers 'odd', but its `run` cannot be called as run(task, emit)",
        "class Odd",
    ),
    "an async readiness": (
        "class Odd(Agent):\n  async def readiness(self): pass\n" + ODD,
        "holdfast_agents offers 'odd', but its `readiness` is async: write def",
        "class Odd",
    ),
    "a readiness that wants something": (
        "class Odd(Agent):\n  def readiness(self, more): pass\n" + ODD,
        "holdfast_agents offers 'odd', but its `readiness` wants arguments",
        "class Odd",
    ),
    "a name that is taken": (
        "@hookimpl\ndef holdfast_agents(): return {'codex': Agent()}",
        "holdfast_agents offers 'codex', and so does 'bundled' of 'holdfast', which is used",
        "@hookimpl",
    ),
    "a hook that raises": (
        "@hookimpl\ndef holdfast_agents():\n  return {'odd': Agent().colour}",
        "AttributeError: 'Agent' object has no attribute 'colour'",
        "  return {'odd'",
    ),
    "a hook that exits": (
        "import sys\n@hookimpl\ndef holdfast_agents():\n  sys.exit('no')",
        "SystemExit: no",
        "  sys.exit('no')",
    ),
    "an import that fails": (
        "import no_such_thing",
        "No module named 'no_such_thing'",
        "import no",
    ),
    "an import that raises": ("1 / 0", "ZeroDivisionError: division by zero", "1 / 0"),
    "an import that exits": ("raise SystemExit(3)", "SystemExit: 3", "raise SystemExit"),
    "a syntax error": ("def (:", "SyntaxError: ", "def (:"),
    "a name of a newer Holdfast": (
        "from holdfast.plugins import Teleporter",
        ". It may have been made for a newer Holdfast",
        "from holdfast.plugins import Teleporter",
    ),
    "a newer contract": ("HOLDFAST_HOOKS = 99", TOO_NEW, ""),
    "a contract that is no number": (
        "HOLDFAST_HOOKS = 'new'",
        f"HOLDFAST_HOOKS is 'new', not a number like {HOOKS_VERSION}",
        "",
    ),
}


def listed(folder: Path, source: str) -> PluginRow:
    """Install a distribution with this plugin, and return what is said about it."""
    text = textwrap.dedent(AGENT) + source
    install(folder, "acme", "[holdfast]\nacme = acme_plugin\n", acme_plugin=text)
    plugins = Plugins.load()
    (row,) = (row for row in plugins.listing() if row.distribution == "acme" and row.broken)
    assert plugins.agent("command").readiness().ready
    return row


@pytest.fixture(autouse=True)
def _fresh_modules() -> Iterator[None]:
    """Each test has modules of its own, under the same names."""
    yield
    for name in ("acme_plugin", "alpha_plugin", "beta_plugin"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_with_its_line_and_the_rest_goes_on(
    mistake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, reason, line = MISTAKES[mistake]
    monkeypatch.syspath_prepend(tmp_path)

    row = listed(tmp_path, source)

    assert (row.plugin, reason in row.broken) == ("acme", True), row.broken
    lines = (textwrap.dedent(AGENT) + source).splitlines()
    number = max((i for i, each in enumerate(lines, 1) if each.startswith(line)), default=0)
    assert row.where == (f"{tmp_path}/acme_plugin.py:{number}" if line else "")


def test_of_two_distributions_the_first_by_name_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = textwrap.dedent(AGENT) + "@hookimpl\ndef holdfast_agents(): return {'odd': Agent()}\n"
    install(tmp_path, "beta", "[holdfast]\nbeta = beta_plugin\n", beta_plugin=source)
    install(tmp_path, "alpha", "[holdfast]\nalpha = alpha_plugin\n", alpha_plugin=source)
    monkeypatch.syspath_prepend(tmp_path)

    plugins = Plugins.load()

    (row,) = (row for row in plugins.listing() if row.broken)
    assert row.distribution == "beta"
    assert (
        row.broken == "holdfast_agents offers 'odd', and so does 'alpha' of 'alpha', which is used"
    )
    assert type(plugins.agent("odd")).__module__ == "alpha_plugin"


def test_the_command_shows_a_mistake_with_its_line(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "from holdfast.plugins import hookimpl\n\n@hookimpl\ndef holdfast_agent(): return {}\n"
    install(cli.folder, "acme", "[holdfast]\nacme = acme_plugin\n", acme_plugin=source)
    monkeypatch.syspath_prepend(cli.folder)

    told = cli("plugins", status=1)

    line = next(line for line in told.out.splitlines() if line.startswith("acme"))
    said = r"acme +acme +broken: unknown hook 'holdfast_agent'\. Did you mean 'holdfast_agents'\?"
    assert re.match(said, line)
    assert line.endswith("acme_plugin.py:3)")
    (row,) = (row for row in cli.json("plugins", status=1) if row["plugin"] == "acme")
    assert row["distribution"] == "acme"
    assert row["where"].endswith("acme_plugin.py:3")
    assert cli.json("run", "w.py:ask_somebody")["output"] == "one\ntwo"


def offering(hook: str, name: str, worker: object) -> Plugins:
    class Odd:
        pass

    setattr(Odd, hook, hookimpl(lambda self: {name: worker}))
    return Plugins.load(Odd(), installed=False)


class Worker:
    """Does what the test says, as an agent and as a model."""

    def __init__(self, work: Callable[[Any], object], say: Callable[[], object] = str) -> None:
        self.work, self.say = work, say

    async def run(self, task: Any, emit: Any) -> Any:
        return self.work(emit)

    async def call(self, call: Any, emit: Any) -> Any:
        return self.work(emit)

    def readiness(self) -> Any:
        return self.say()


def exiting(_: object) -> None:
    raise SystemExit("enough")


def cancelling(_: object) -> None:
    raise asyncio.CancelledError("enough")


@pytest.mark.parametrize(
    ("work", "fault"),
    [
        (lambda emit: "hello", "returned str, not AgentResult"),
        (lambda emit: AgentResult(text=b"x"), "returned AgentResult(text=b'x'), which is not str"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        (lambda emit: emit("hello"), "called emit with str, not Progress"),
        (exiting, "raised SystemExit: enough"),
        (cancelling, "raised asyncio.exceptions.CancelledError: enough"),
    ],
)
async def test_an_agent_that_breaks_its_word_is_named(
    work: Callable[[Any], object], fault: str, tmp_path: Path
) -> None:
    plugins = offering("holdfast_agents", "odd", Worker(work))
    task = AgentTask(prompt="", folder=tmp_path, env={})

    with pytest.raises(AdapterBroken) as caught:
        await plugins.run_agent("odd", task, lambda _: None)

    said = "agent 'odd', which is offered by 'Odd' of 'this program', " + fault
    assert str(caught.value).startswith(said)
    assert "test_mistakes.py:" in str(caught.value)
    assert "holdfast.plugins.testing" in str(caught.value)


async def test_a_model_that_breaks_its_word_is_named() -> None:
    plugins = offering("holdfast_models", "odd/", Worker(lambda emit: None))
    call = ModelCall(model="odd/large", messages=[Message("user", "hello")])

    with pytest.raises(
        AdapterBroken, match=r"back end of 'odd/large'.* returned NoneType, not Mod"
    ):
        await plugins.call_model(call, lambda _: None)


@pytest.mark.parametrize(
    ("say", "detail"),
    [
        (lambda: 1 / 0, "its readiness failed: ZeroDivisionError: division by zero"),
        (lambda: exiting(0), "its readiness failed: SystemExit: enough"),
        (lambda: "yes", "its readiness returned str, not Readiness"),
    ],
)
def test_a_readiness_that_fails_is_not_ready(say: Callable[[], object], detail: str) -> None:
    found = ready(Worker(str, say))

    assert (found.ready, found.detail.startswith(detail)) == (False, True), found
    assert "test_mistakes.py:" in found.detail


def test_a_good_readiness_is_handed_on() -> None:
    good = Readiness(True, "1.2")

    assert ready(Worker(str, lambda: good)) is good


def test_a_redactor_or_an_observer_that_exits_ends_nothing() -> None:
    class Odd:
        @hookimpl
        def holdfast_redact(self, text: str) -> str:
            raise SystemExit("enough")

        @hookimpl
        def holdfast_event(self) -> None:
            raise SystemExit("enough")

    plugins = Plugins.load(Odd(), installed=False)

    plugins.observe(*_anything())
    with pytest.raises(RedactionFailed, match="SystemExit: enough"):
        plugins.redact("a key")
    assert [broken.reason for broken in plugins.broken] == ["SystemExit: enough"] * 2
    assert all("test_mistakes.py:" in broken.where for broken in plugins.broken)


def _anything() -> Any:
    from holdfast.plugins.testing import sample_records
    from holdfast.reducer import State

    return sample_records()[0], State(), bytes
