"""The pages and the skill name only what there is, and are short enough to be read."""

import ast
import inspect
import re
import shlex
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest

from holdfast import Run, Workspace, pack
from holdfast.cli.app import cli as commands
from holdfast.cli.place import Place
from holdfast.config import Config
from holdfast.docs import TOPICS, NoSuchTopic, read_topic, topics
from holdfast.loading import Loader
from holdfast.mcp.server import TOOLS
from holdfast.onboarding import skill
from holdfast.onboarding.choosing import CHOICES
from holdfast.reducer.check import check
from tests.cli.conftest import ROOT, Cli

CALLED = {"run": Run, "ws": Workspace}
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NOTHING_TO_RUN = click.Context(commands, info_name="holdfast", obj=Place())


def fences(text: str, language: str) -> list[str]:
    return [body for found, body in FENCE.findall(text) if found == language]


def parsed(line: str) -> click.Context:
    """Return a command line as the command takes it, without doing it."""
    words = shlex.split(line, comments=True)
    assert words.pop(0) == "holdfast", line
    context: click.Context = NOTHING_TO_RUN
    command: click.Command = commands
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name, found, words = command.resolve_command(context, words)
        assert found is not None, line
        context, command = click.Context(found, context, name), found
    return command.make_context(context.info_name, words, parent=NOTHING_TO_RUN)


@pytest.mark.parametrize("topic", TOPICS)
def test_a_page_fits_a_context_window_and_says_what_it_is_about(topic: str) -> None:
    text = read_topic(topic)

    assert len(text.splitlines()) < 150
    assert max(map(len, text.splitlines())) < 700  # the skill's description is one line
    assert "{workflows}" not in text
    if topic != "skill":
        assert text.startswith(f"# {topic}: ")
        assert set(re.findall(r"^```(\w+)$", text, re.MULTILINE)) <= {"sh", "python", "toml", "py"}


@pytest.mark.parametrize("topic", TOPICS)
def test_every_command_of_a_page_is_one_that_the_program_takes(topic: str) -> None:
    for block in fences(read_topic(topic), "sh"):
        for line in block.splitlines():
            parsed(line)


@pytest.mark.parametrize("topic", TOPICS)
def test_every_command_in_the_prose_of_a_page_exists_with_its_options(topic: str) -> None:
    for line in re.findall(r"`(holdfast [a-z][^`]*)`", FENCE.sub("", read_topic(topic))):
        _check_options(line)


def test_every_command_of_the_readme_exists_with_its_options() -> None:
    text = (ROOT / "README.md").read_text()
    prose = re.findall(r"`(holdfast [a-z][^`]*)`", FENCE.sub("", text))
    shown = re.findall(r"^(?:\$ |  )?(holdfast [a-z].*?)(?:  +.*| &&.*)?$", text, re.MULTILINE)
    listed = [each for line in shown for each in _each(line)]

    assert set(commands.list_commands(NOTHING_TO_RUN)) <= {line.split()[1] for line in listed}
    for line in [*prose, *listed]:
        _check_options(line)


def _each(line: str) -> list[str]:
    """Return the commands of a line of the list, where `|` parts them, without its brackets."""
    first, *others = re.split(r" \| (?=[a-z])", re.sub(r"[\[\]]|\|(?=-)", " ", line))
    return [first, *(f"holdfast {each.removeprefix('holdfast ')}" for each in others)]


def _check_options(line: str) -> None:
    words = shlex.split(line)
    command: click.Command = commands
    while isinstance(command, click.Group) and len(words) > 1 and words[1].isalpha():
        found = command.get_command(NOTHING_TO_RUN, words.pop(1))
        assert found is not None, line
        command = found
    known = {option for param in command.params for option in (*param.opts, *param.secondary_opts)}
    assert {word for word in words if word.startswith("-")} <= known, line


@pytest.mark.parametrize("topic", TOPICS)
def test_every_workflow_of_a_page_loads_and_passes_the_check(topic: str, tmp_path: Path) -> None:
    for number, block in enumerate(fences(read_topic(topic), "python")):
        path = tmp_path / f"page{number}.py"
        path.write_text(block)

        assert check(block, path.name) == []
        Loader({})(str(path))
        for call in _calls(block):
            _check_call(*call)


def _calls(source: str) -> Iterator[tuple[str, str, list[str | None]]]:
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(ast.Attribute(ast.Name(of), name), _, keywords) if of in CALLED:
                yield of, name, [keyword.arg for keyword in keywords]
            case _:
                pass


@pytest.mark.parametrize("topic", TOPICS)
def test_every_call_in_the_prose_of_a_page_exists_with_its_options(topic: str) -> None:
    prose = FENCE.sub("", read_topic(topic))
    for of, name, given in re.findall(r"`(run|ws)\.(\w+)(?:\(([^`]*?)\))?", prose):
        _check_call(of, name, re.findall(r"(\w+)=", given))


def _check_call(of: str, name: str, keywords: list[Any]) -> None:
    function = getattr(CALLED[of], name, None)
    assert function is not None, f"there is no {of}.{name}"
    if not keywords:
        return
    takes = inspect.signature(function).parameters
    if not any(each.kind is inspect.Parameter.VAR_KEYWORD for each in takes.values()):
        assert set(keywords) <= takes.keys(), f"{of}.{name}"


@pytest.mark.parametrize("topic", TOPICS)
def test_the_settings_of_a_page_are_settings(topic: str) -> None:
    for block in fences(read_topic(topic), "toml"):
        msgspec.convert(tomllib.loads(block), Config)


def test_every_code_of_the_errors_page_is_one_that_is_told() -> None:
    codes = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", read_topic("errors"), re.MULTILINE)
    sources = "".join(
        path.read_text()
        for part in ("eventlog", "reducer", "plugins", "holdfast")
        for path in (ROOT / part).rglob("*.py")
    )

    for code in re.findall(r"\w+", " ".join(codes)):
        assert f'"{code}"' in sources, code


def test_every_page_that_is_named_somewhere_is_there() -> None:
    texts = [read_topic(topic) for topic in TOPICS] + [(ROOT / "README.md").read_text()]
    texts += [path.read_text() for path in (ROOT / "holdfast").rglob("*.py")]

    named = set(re.findall(r"`?holdfast docs ([a-z]+)", "\n".join(texts)))

    assert {"writing", "roles", "skill"} <= named <= set(TOPICS)


def test_the_page_of_the_server_names_each_tool() -> None:
    rows = re.findall(r"^\| (`.*?) \|", read_topic("mcp"), re.MULTILINE)

    assert set(re.findall(r"`(\w+)`", " ".join(rows))) == TOOLS.keys()


# --- the skill -----------------------------------------------------------------------------------


def test_the_skill_begins_as_the_standard_wants() -> None:
    _, front, body = skill().split("---\n", 2)
    fields = dict(line.split(": ", 1) for line in front.splitlines())

    assert fields.keys() == {"name", "description"}
    assert fields["name"] == "holdfast"
    assert 1 <= len(fields["description"]) <= 1024
    assert ": " not in fields["description"], "plain YAML ends there"
    assert body.strip().startswith("# ")


def test_the_skill_names_only_tools_that_there_are() -> None:
    table = skill().partition("## Tools")[2].partition("## Which workflow")[0]
    rows = re.findall(r"^\|[^|]*\| (`[^|]*) \|", table, re.MULTILINE)
    called = re.findall(r"`(\w+)`(?: (?:returns|with|for))", skill())

    assert set(re.findall(r"`(\w+)`", " ".join(rows))) | set(called) <= TOOLS.keys()


def test_the_skill_and_the_page_have_each_shipped_workflow_and_no_other() -> None:
    shipped = pack.holdfast_workflows()

    assert CHOICES.keys() == shipped.keys(), "holdfast/onboarding/choosing.py has a line for each"
    for name, choice in CHOICES.items():
        workflow = Loader(shipped)(name)
        inputs = inspect.signature(workflow.function).parameters
        assert set(choice.inputs) <= inputs.keys(), name
        required = [each.name for each in inputs.values() if each.default is each.empty][1:]
        assert set(required) <= set(choice.inputs), name
        for text in (skill(), read_topic("workflows")):
            assert f"| {choice.words} | `{name}` | `" in text


def test_the_texts_are_part_of_the_package() -> None:
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    for package in ("docs", "onboarding"):
        patterns = tool["package-data"][f"holdfast.{package}"]
        texts = [*(ROOT / "holdfast" / package).glob("*.md")]
        assert texts
        assert all(any(fnmatch(text.name, each) for each in patterns) for text in texts)


# --- the command ---------------------------------------------------------------------------------


def test_docs_lists_the_topics_and_prints_one(cli: Cli) -> None:
    listed = cli("docs")

    for topic in topics():
        assert re.search(rf"^{topic.name} +{re.escape(topic.about)}$", listed.out, re.MULTILINE)
        assert 20 < len(topic.about) < 100
    assert cli("docs", "loops").out == read_topic("loops")
    assert cli("docs", "config").out == read_topic("roles")
    assert cli.json("docs", "skill")["text"] == skill()
    assert [row["name"] for row in cli.json("docs")] == list(TOPICS)


def test_an_unknown_topic_is_answered_with_the_nearest(cli: Cli) -> None:
    near = cli.json("docs", "aproval", status=2)["error"]

    assert near["code"] == NoSuchTopic.code == "no_such_topic"
    assert "'aproval'" in near["message"]
    assert "one of these: approvals?" in near["message"]
    assert "writing, steps" in cli("docs", "zzz", status=2).err
