"""What `holdfast serve` prints; what it does is in tests/engine and tests/processes."""

import socket
import sys
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


def test_the_unit_serves_http_where_that_was_asked_for(cli: Cli) -> None:
    assert cli("serve", "--unit", "--http", "8000").out.count('"serve" "--http" "8000"\n') == 1
    assert cli("serve", "--http", "--unit").out.count('"serve" "--http" ""\n') == 1


@pytest.mark.parametrize("setting", [None, '"0.0.0.0:8000"'])
def test_http_for_other_machines_is_refused_before_anything_is_written(
    cli: Cli, setting: str | None
) -> None:
    (cli.folder / "holdfast.toml").write_text(f"[serve]\nhttp = {setting}\n" if setting else "")

    told = cli("serve", *([] if setting else ["--http", "0.0.0.0:8000"]), status=2)

    assert told.err.startswith("error[bad_address]: HTTP cannot be served at '0.0.0.0:8000'")
    assert "other machines could reach it" in told.err
    assert not [*(cli.folder / ".holdfast").iterdir()]


def test_http_without_the_extra_says_how_to_install_it(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "hypercorn", None)
    (cli.folder / "holdfast.toml").write_text("[serve]\nhttp = true\n")

    told = cli("serve", status=2)

    assert told.err.startswith("error[extra_missing]")
    assert "pip install 'holdfast[web]'" in told.err
    assert not [*(cli.folder / ".holdfast").iterdir()]


def test_an_address_that_somebody_has_is_told(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        told = cli("serve", "--http", str(port), status=1)

    assert told.err.startswith(f"error[address_taken]: HTTP cannot be served at '127.0.0.1:{port}'")
    assert "--http PORT" in told.err


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
