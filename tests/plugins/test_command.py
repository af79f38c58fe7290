"""The command agent: any program that reads a prompt."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from holdfast.plugins import (
    AgentResult,
    BadOptions,
    Crashed,
    MissingBinary,
    OutputInvalid,
    Progress,
)
from holdfast.plugins.agents import Command
from holdfast.plugins.agents import command as command_module
from holdfast.plugins.testing import agent_task, check_agent


def script(source: str) -> dict[str, Any]:
    return {"command": [sys.executable, "-c", source]}


async def run(folder: Path, source: str, **fields: Any) -> AgentResult:
    task = agent_task(folder, "Count to three.", options=script(source), **fields)
    return await Command().run(task, lambda _progress: None)


def test_it_conforms(tmp_path: Path) -> None:
    answers = "import sys; print('heard', sys.stdin.read())"
    hangs = "import time; print('ready', flush=True); time.sleep(600)"

    result = check_agent(
        Command,
        works=agent_task(tmp_path, "hello", options=script(answers)),
        hangs=agent_task(tmp_path, "hello", options=script(hangs)),
    )

    assert result.text == "heard hello"


async def test_it_works_in_the_folder_and_its_output_is_shown_line_by_line(tmp_path: Path) -> None:
    shown: list[Progress] = []
    task = agent_task(
        tmp_path, "", options={"command": "sh -c 'echo one; echo two; echo odd >&2; touch made'"}
    )

    result = await Command().run(task, shown.append)

    assert result == AgentResult(text="one\ntwo")
    assert (tmp_path / "made").exists()
    assert [each.text for each in shown if each.kind == "text"] == ["one", "two"]
    assert [each.text for each in shown if each.kind == "raw"] == ["odd"]


async def test_a_wanted_schema_is_in_the_prompt_and_the_last_json_is_the_output(
    tmp_path: Path,
) -> None:
    schema = {"type": "object", "title": "Tally"}
    source = "import sys; assert 'Tally' in sys.stdin.read(); print('so:\\n{\"n\": 3}')"

    result = await run(tmp_path, source, schema=schema)

    assert result.output == {"n": 3}


async def test_an_answer_without_the_wanted_json_is_invalid(tmp_path: Path) -> None:
    with pytest.raises(OutputInvalid, match="'three'"):
        await run(tmp_path, "print('three')", schema={"type": "object"})


async def test_it_is_told_which_model_and_permissions_were_asked_for(tmp_path: Path) -> None:
    source = "import os; print(os.environ['HOLDFAST_MODEL'], os.environ['HOLDFAST_PERMISSIONS'])"

    result = await run(tmp_path, source, model="acme/large", permissions="read")

    assert result.text == "acme/large read"


async def test_a_failure_ends_with_what_the_program_said_about_it(tmp_path: Path) -> None:
    with pytest.raises(Crashed, match=r"exit code 3: no tokens left") as caught:
        await run(tmp_path, "import sys; print('no tokens left', file=sys.stderr); exit(3)")

    assert caught.value.detail == "no tokens left"


async def test_endless_output_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_module, "OUTPUT_CHARACTERS", 1000)

    with pytest.raises(Crashed, match="more than 1000 characters"):
        await run(tmp_path, "while True: print('again')")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, "missing required field `command`"),
        ({}, 'Write for example: options={"command": ...}'),
        ({"command": 3}, "Expected `str | array`, got `int`"),
        ({"command": "x", "comand": "y"}, "unknown field `comand`"),
        ({"command": []}, "is empty"),
        ({"command": "say 'hello"}, "No closing quotation"),
    ],
)
async def test_wrong_options_are_refused_by_name(
    options: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(BadOptions, match=re.escape(reason)):
        await Command().run(agent_task(tmp_path, "", options=options), lambda _progress: None)


async def test_a_missing_program_is_named(tmp_path: Path) -> None:
    task = agent_task(tmp_path, "", options={"command": "no-such-agent --fast"})

    with pytest.raises(MissingBinary, match="'no-such-agent'"):
        await Command().run(task, lambda _progress: None)
