"""What `holdfast serve` prints; what it does is in tests/engine and tests/processes."""

from pathlib import Path

import pytest

from holdfast.cli.served import Teller
from holdfast.serving import Happening

from .conftest import Cli


def test_the_unit_starts_this_program_for_this_project_whatever_its_folder_is_called(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = tmp_path / '100% $HOME "here"'
    (odd / ".holdfast").mkdir(parents=True)
    monkeypatch.chdir(odd)
    monkeypatch.setenv("PATH", "/opt/$x/bin:/bin")

    unit = cli("serve", "--unit").out

    start = next(line for line in unit.splitlines() if line.startswith("ExecStart="))
    assert start.endswith('/100%% $$HOME \\"here\\"/.holdfast" "serve"')
    assert 'Environment="PATH=/opt/$x/bin:/bin"' in unit
    assert f"WorkingDirectory={tmp_path}/100%% $HOME" in unit
    assert "WantedBy=default.target" in unit
    assert not list((odd / ".holdfast").iterdir())


def test_each_thing_that_happens_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    tell = Teller(as_json=False)

    tell(Happening("r", "goes on", "there is news"))
    tell(Happening("r", "waiting", "go"))
    tell(Happening("r", "stopped", "two\nlines", "not_a_workflow"))
    tell(Happening("r", "succeeded"))

    lines = [line.partition(" ")[2] for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "r goes on: there is news",
        "r waiting: go",
        "r stopped: [not_a_workflow] two lines",
        "r succeeded",
    ]


def test_with_json_each_line_has_the_same_fields(capsys: pytest.CaptureFixture[str]) -> None:
    import json

    tell = Teller(as_json=True)

    tell(Happening("r", "stopped", "gone", "not_a_workflow"))
    tell.tell("serving", detail="process 1")

    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [list(line) for line in told] == [["time", "what", "run", "detail", "code"]] * 2
    assert [line["run"] for line in told] == ["r", None]
    assert [line["code"] for line in told] == ["not_a_workflow", None]
