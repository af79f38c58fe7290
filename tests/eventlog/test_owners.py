"""An owner lives as long as its process, and not a moment longer."""

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.eventlog import LogUnwritable, Owner, owner_alive

Start = Callable[..., "subprocess.Popen[str]"]

OWN = """
    import sys
    from holdfast.eventlog import Owner
    owner = Owner.acquire(sys.argv[1])
    print(owner.token, flush=True)
    sys.stdin.readline()
"""


def own(start: Start, folder: Path) -> tuple["subprocess.Popen[str]", str]:
    process = start(OWN, folder)
    assert process.stdout
    return process, process.stdout.readline().strip()


def test_an_owner_is_alive_until_it_closes(tmp_path: Path) -> None:
    owner = Owner.acquire(tmp_path)
    assert owner_alive(tmp_path, owner.token)

    owner.close()
    owner.close()

    assert not owner_alive(tmp_path, owner.token)
    assert [*(tmp_path / "owners").iterdir()] == []


def test_owners_of_one_process_are_told_apart(tmp_path: Path) -> None:
    with Owner.acquire(tmp_path) as one, Owner.acquire(tmp_path) as two:
        one.close()

        assert not owner_alive(tmp_path, one.token)
        assert owner_alive(tmp_path, two.token)


def test_a_killed_process_is_dead_at_once_and_its_file_removed(
    tmp_path: Path, start: Start
) -> None:
    process, token = own(start, tmp_path)
    assert owner_alive(tmp_path, token)

    process.kill()
    process.wait()

    assert (tmp_path / "owners" / token).exists()
    assert not owner_alive(tmp_path, token)
    assert not (tmp_path / "owners" / token).exists()


def test_a_stopped_process_is_alive(tmp_path: Path, start: Start) -> None:
    process, token = own(start, tmp_path)

    process.send_signal(signal.SIGSTOP)

    assert owner_alive(tmp_path, token)


def test_the_programs_that_an_owner_started_do_not_keep_it_alive(
    tmp_path: Path, start: Start
) -> None:
    code = """
        import subprocess, sys
        from holdfast.eventlog import Owner
        owner = Owner.acquire(sys.argv[1])
        child = subprocess.Popen(["sleep", "60"], stdout=subprocess.DEVNULL, close_fds=False)
        print(owner.token, child.pid, flush=True)
        sys.stdin.readline()
    """
    process = start(code, tmp_path)
    assert process.stdout
    token, child = process.stdout.readline().split()

    process.kill()
    process.wait()

    try:
        assert not owner_alive(tmp_path, token)
    finally:
        subprocess.run(["kill", child], check=True)


@pytest.mark.parametrize("token", ["", "0" * 16, "../secret", "/etc/passwd", "A" * 16])
def test_what_is_no_token_is_nobody(tmp_path: Path, token: str) -> None:
    (tmp_path / "secret").write_text("keep")

    assert not owner_alive(tmp_path, token)
    assert (tmp_path / "secret").exists()


def test_where_no_owner_can_be_made_the_log_is_told_to_be_unwritable(tmp_path: Path) -> None:
    (tmp_path / "owners").touch()

    with pytest.raises(LogUnwritable, match="cannot be written: File exists"):
        Owner.acquire(tmp_path)
