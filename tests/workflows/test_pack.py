"""All workflows of the pack: what each one has to have before it may be in it."""

from pathlib import Path

import msgspec
import pytest

from holdfast.cli.commands.workflows import described
from holdfast.config import LimitsConfig
from holdfast.loading import from_file, from_module
from holdfast.pack import holdfast_workflows
from holdfast.reducer.check import check
from holdfast.workflows.common import Report

PACK = dict(holdfast_workflows())


@pytest.mark.parametrize("name", PACK)
def test_a_workflow_of_the_pack_is_described_bounded_durable_and_told(name: str) -> None:
    workflow = from_module(PACK[name])
    file = Path(workflow.function.__code__.co_filename)

    assert workflow.name == name
    assert workflow.description.endswith(".")
    assert workflow.budget is not None
    assert workflow.budget.usd > 0
    assert issubclass(workflow.output, Report)
    for given in described(name, workflow, LimitsConfig())["inputs"]:
        assert given["description"], f"{given['name']} of {name}"
    assert [finding for finding in check(file.read_text(), file.name) if not finding.note] == []


@pytest.mark.parametrize("name", PACK)
def test_a_workflow_of_the_pack_can_be_copied_and_run_by_its_file(
    name: str, tmp_path: Path
) -> None:
    file = Path(from_module(PACK[name]).function.__code__.co_filename)
    copy = tmp_path / file.name
    copy.write_text(file.read_text())

    assert from_file(copy, None).name == name


def test_reports_are_read_back_as_they_were_written() -> None:
    report = Report(title="T", left=["x"])

    assert msgspec.convert(msgspec.to_builtins(report), Report) == report
