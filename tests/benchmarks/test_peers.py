"""The comparison shows what was measured, what is missing and what failed; nothing here measures."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from benchmarks.__main__ import main
from benchmarks.peers import work
from benchmarks.peers.compare import SampleFailed, compare, take
from benchmarks.peers.results import Column, Row, Sizes, document, ratio, rows_of
from benchmarks.peers.systems import FLOOR, HOLDFAST, PEERS, System, chosen
from benchmarks.peers.table import text
from benchmarks.sample import ROOT, Bench, Sample

ROW = Row("sequence", "a step", "ms", "sequence", "seconds", 1e3)
OTHER = System("other", "Other", "other_module", "never", lacks={"fork": "it knows none"})
ABSENT = System("absent", "Absent", "absent_module", "never", ("holdfast-has-no-such-peer",))
FIELDS = ("seconds", "bytes", "resident", "first")


def column(system: System, *samples: float) -> Column:
    return Column(system, samples={"sequence": list(samples)} if samples else {})


def line_of(start: str, shown: str) -> str:
    return next(line for line in shown.splitlines() if line.startswith(start))


def sampled(what: str, folder: Path, arguments: Mapping[str, int]) -> Sample:
    """Stand in for a process: others take twice what Holdfast takes, and cannot resume."""
    assert folder.is_dir()
    assert arguments["steps"] > 0
    module, _, task = what.removeprefix("peers.").partition(":")
    if (module, task) == ("other_module", "resume"):
        raise SampleFailed(what, "ended with status 1: Traceback\nLost: it was not there\n")
    return dict.fromkeys(FIELDS, 1.0 if module == HOLDFAST.module else 2.0)


def test_a_ratio_is_the_median_of_those_of_the_rounds() -> None:
    ours, theirs = column(HOLDFAST, 1.0, 2.0, 4.0), column(OTHER, 3.0, 2.0, 8.0)

    assert ratio(ROW, theirs, ours) == 2.0


@pytest.mark.parametrize("samples", [[], [0.0, 1.0]])
def test_there_is_no_ratio_to_nothing(samples: list[float]) -> None:
    assert ratio(ROW, column(OTHER, 1.0, 1.0), column(HOLDFAST, *samples)) is None


def test_the_table_marks_who_takes_less_than_holdfast() -> None:
    columns = [column(HOLDFAST, 2.0), column(FLOOR, 1.0), column(OTHER, 5.0)]

    shown = text([ROW], columns)

    assert line_of("a step", shown).split() == ["a", "step", "ms", "1", "0.5*", "2.5"]


def test_each_system_says_when_it_flushes_and_what_it_does_not_do() -> None:
    shown = text([ROW], [column(HOLDFAST, 2.0), column(OTHER)])

    assert f"  flush: {HOLDFAST.flush}" in shown.splitlines()
    assert "  no fork (-): it knows none" in shown.splitlines()


def test_what_is_not_installed_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    rows, columns = compare(
        Bench(tmp_path, quick=True), [HOLDFAST, FLOOR, ABSENT], lambda _: None, sampled
    )

    assert text(rows, columns).endswith("Absent: not installed: pip install 'holdfast[peers]'")
    assert line_of("peak memory", text(rows, columns)).split()[-2:] == ["1", "2"]


def test_a_program_that_is_not_there_is_missing_with_the_command_that_brings_it() -> None:
    system = replace(OTHER, program="holdfast-has-no-such-program", get_program="fetch it")

    assert system.missing() == (
        "not installed: no 'holdfast-has-no-such-program' on the PATH: fetch it"
    )


def test_who_fails_shows_an_error_and_no_figures(tmp_path: Path) -> None:
    rows, columns = compare(Bench(tmp_path, quick=True), [HOLDFAST, OTHER], lambda _: None, sampled)

    shown = text(rows, columns)
    assert line_of("kill -9", shown).split()[-2:] == ["1", "ERROR"]
    assert line_of("fork, bytes", shown).split()[-2:] == ["1", "-"]
    assert "  ERROR in resume: Lost: it was not there" in shown.splitlines()


def test_the_document_keeps_all_samples_and_errors(tmp_path: Path) -> None:
    rows, columns = compare(Bench(tmp_path, quick=True), [HOLDFAST, OTHER], lambda _: None, sampled)

    other = document(rows, columns)["systems"][1]
    assert other["samples"]["memory"] == [2e-6, 2e-6]
    assert other["ratios"]["memory"] == 2.0
    assert other["ratios"]["resume"] is None
    assert other["errors"]["resume"].endswith("Lost: it was not there\n")


def test_a_process_that_fails_tells_what_it_wrote(tmp_path: Path) -> None:
    with pytest.raises(SampleFailed, match=r"(?s)no_such:task ended with status 1: .*no_such"):
        take("peers.no_such:task", tmp_path, {"steps": 1})


def test_only_takes_the_peers_that_are_named_beside_holdfast_and_the_floor() -> None:
    assert [system.name for system in chosen("burr, dbos")] == ["holdfast", "floor", "dbos", "burr"]
    assert chosen("") == (HOLDFAST, FLOOR, *PEERS)


def test_a_peer_that_nobody_knows_is_wrong_usage() -> None:
    result = CliRunner().invoke(main, ["peers", "--only", "nobody"])

    assert result.exit_code == 2
    assert "no peer is named 'nobody'; there are dbos, langgraph, restate, burr" in result.output


def test_every_system_has_its_module_and_every_row_its_task() -> None:
    modules = {path.stem for path in Path(ROOT, "benchmarks/peers").glob("*.py")}

    assert {system.module for system in (HOLDFAST, FLOOR, *PEERS)} <= modules
    assert len({row.name for row in rows_of(Sizes(steps=10, runs=5))}) == 10


def test_a_watch_tells_a_step_that_is_executed_again() -> None:
    watch = work.Watch()
    watch.saw(3)

    assert watch.first(3) > 0
    with pytest.raises(ValueError, match="step 3 was executed first, not 4"):
        watch.first(4)
