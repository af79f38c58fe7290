"""An observer: shown every record after it was written."""

from .shared import COMMANDS, Files

PLUGIN = '''\
"""What this package offers to Holdfast: a line of JSON for each step that ends, in a file."""

import json
import os

from holdfast.eventlog import Record, StepFailed, StepSucceeded
from holdfast.plugins import hookimpl
from holdfast.reducer import State

HOLDFAST_HOOKS = 1


@hookimpl
def holdfast_event(record: Record, state: State) -> None:
    """Write the step's end to the file $$${VARIABLE}_FILE; without one, do nothing.

    The run waits meanwhile: what takes longer, a call over the network, belongs in a thread.
    """
    path = os.environ.get("${VARIABLE}_FILE")
    if path is None or not isinstance(record.event, StepSucceeded | StepFailed):
        return
    event = record.event
    line = {
        "run": state.run,
        "step": event.key,
        "ok": isinstance(event, StepSucceeded),
        "seconds": event.seconds,
        "cost_usd": event.usage.cost_usd if event.usage else 0.0,
    }
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\\n")
'''

TEST = '''\
"""The observer: what it writes, and that no event whatever harms the run."""

import json
from pathlib import Path

import pytest
from holdfast.plugins.testing import conformance, sample_records
from holdfast.reducer import State

from $package import plugin

test_plugin_conforms = conformance(plugin)


def test_the_end_of_a_step_is_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "lines"
    monkeypatch.setenv("${VARIABLE}_FILE", str(file))

    for record in sample_records():
        plugin.holdfast_event(record, State(run="r"))

    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(line["run"], line["ok"]) for line in lines] == [("r", True), ("r", False)]
'''

README = f"""\
# $distribution

An observer for Holdfast: it writes a line of JSON to
`${{VARIABLE}}_FILE` for each step that ends.

{COMMANDS}
`src/$package/plugin.py` is all of it. `record.event` is one of the events of `holdfast.eventlog`, and `state` the
run by then. What it raises is shown by `holdfast plugins` and changes nothing for the run.
"""

FILES: Files = {
    "src/$package/plugin.py": PLUGIN,
    "tests/test_plugin.py": TEST,
    "README.md": README,
}
