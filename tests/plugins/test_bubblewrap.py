"""Programs that try to get out of the sandbox, and those that only want to work in it."""

import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from select import poll

import pytest
import trio

from holdfast.plugins import (
    Confinement,
    Crashed,
    MissingBinary,
    MissingFolder,
    SandboxFailed,
    SandboxUnavailable,
    marks,
)
from holdfast.plugins.confining import Confined, confined
from holdfast.plugins.process import run_process
from holdfast.plugins.sandboxes import Bubblewrap, bubblewrap
from holdfast.plugins.testing import check_sandbox
from tests.support.cage import READY, SANDBOX, Cage, needs_bubblewrap

pytestmark = needs_bubblewrap

CONNECT = """
import socket, sys
try:
    socket.create_connection(("127.0.0.1", {port}), timeout=5).close()
except OSError as error:
    sys.exit(str(error))
"""


@pytest.fixture
def cage(tmp_path: Path) -> Cage:
    return Cage(tmp_path)


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process of the same user that is none of the sandbox's business."""
    env = {**os.environ, "TOP_SECRET": "known to nobody"}
    with subprocess.Popen(["sleep", "600"], env=env) as process:
        yield process
        process.kill()


def command_lines() -> str:
    """Return the command lines of all processes."""
    lines = (Path("/proc") / name / "cmdline" for name in os.listdir("/proc") if name.isdecimal())
    found: list[str] = []
    for line in lines:
        with suppress(FileNotFoundError, ProcessLookupError):
            found.append(line.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return "\n".join(found)


# --- what must not work ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["repository/new", "home/new", "new", "repository/code.py"])
async def test_nothing_outside_of_the_folder_can_be_written(cage: Cage, name: str) -> None:
    before = (cage.repo.root / "code.py").read_text()

    await cage(f"echo changed > {cage.base / name}")

    assert (cage.repo.root / "code.py").read_text() == before
    assert name == "repository/code.py" or not (cage.base / name).exists()


@pytest.mark.parametrize("folder", ["/usr", "/etc", "/var", "/opt", "/sys", "/proc/sys"])
async def test_the_machine_is_read_only(cage: Cage, folder: str) -> None:
    told = await cage(f"touch {folder}/holdfast-was-here")

    assert told.code != 0
    assert not Path(folder, "holdfast-was-here").exists()


async def test_not_even_root_can_set_what_the_kernel_runs_outside(cage: Cage) -> None:
    told = await cage.python(
        "import os; os.open('/proc/sys/kernel/core_pattern', os.O_WRONLY)"  # writes nothing
    )

    assert told.code == 1
    assert "Read-only" in told.err or "Permission" in told.err


async def test_the_home_is_empty_but_for_what_is_allowed(cage: Cage) -> None:
    (cage.home / "notes").write_text("mine")

    told = await cage("ls -A ~; cat ~/.ssh/id", read=(cage.home / "notes",))

    assert told.out == "notes"
    assert "private key" not in repr(told)


async def test_a_link_leads_nowhere(cage: Cage) -> None:
    (cage.worktree / "secret").symlink_to(cage.home / ".ssh" / "id")
    (cage.worktree / "away").symlink_to(cage.repo.root)

    told = await cage("cat secret; echo changed > away/code.py; echo changed > away/.git/config")

    assert "private key" not in repr(told)
    assert (cage.repo.root / "code.py").read_text() == "1\n"
    assert "changed" not in (cage.git_dir / "config").read_text()


async def test_a_program_is_found_through_links_between_folders(cage: Cage) -> None:
    installed = cage.base / "a" / "folder" / "deep" / "below" / "the" / "others" / "tool"
    hop = cage.base / "versions" / "tool"
    environment = cage.base / "environment"
    for folder in (installed.parent, hop.parent, environment / "bin"):
        folder.mkdir(parents=True)
    installed.write_text("#!/bin/sh\necho found\n")
    installed.chmod(0o755)
    hop.symlink_to(installed)
    (environment / "bin" / "tool").symlink_to(hop)

    for read in ((), (environment,), (environment, hop.parent)):
        told = await cage([str(environment / "bin" / "tool")], read=read)

        assert told.out == "found"


async def test_a_link_that_one_step_leaves_shows_the_next_one_nothing(cage: Cage) -> None:
    allowed = cage.worktree / "cache"

    await cage(f"ln -s {cage.home}/.ssh cache")
    told = await cage("cat cache/id", read=(allowed,), write=(allowed,))

    assert "private key" not in repr(told)


async def test_the_log_cannot_be_seen_nor_replaced(cage: Cage) -> None:
    log = cage.holdfast / "log" / "data.mdb"

    for folder in (cage.worktree, cage.repo.root):
        told = await cage(
            f"cat {log}; ls {log.parent}; mkdir {log.parent}; umount {cage.holdfast}; mv {cage.holdfast} x",
            folder=folder,
        )

        assert told.code != 0
        assert "all that happened" not in repr(told)
    assert log.read_text() == "all that happened"


async def test_nothing_can_be_put_where_the_log_is_hidden(cage: Cage) -> None:
    told = await cage("mkdir .holdfast/log", folder=cage.repo.root)

    assert told.code != 0
    assert "Read-only file system" in told.err


async def test_paths_in_what_is_hidden_cannot_be_allowed(cage: Cage) -> None:
    log = cage.holdfast / "log"

    told = await cage(f"cat {log}/data.mdb", read=(log,), write=(log,))

    assert "all that happened" not in repr(told)


async def test_the_network_is_off_unless_allowed(cage: Cage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        script = CONNECT.format(port=server.getsockname()[1])

        assert (await cage.python(script)).code == 1
        assert (await cage.python(script, network=True)).code == 0


async def test_sockets_of_services_are_out_of_reach(
    cage: Cage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(cage.base)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as service:
        service.bind("service")
        service.listen()

        told = await cage.python(
            f"import os, socket; os.chdir('{cage.base}'); socket.socket(socket.AF_UNIX).connect('service')"
        )

    assert told.code == 1


@pytest.mark.parametrize(
    "way",
    [
        "setsid sleep {n} &",
        "nohup sleep {n} >/dev/null 2>&1 &",
        "(setsid sh -c 'sleep {n} & sleep {n} &') &",
        "env -i setsid sleep {n} >/dev/null 2>&1 &",
    ],
)
async def test_nothing_outlives_its_step(cage: Cage, way: str) -> None:
    lasting = f"60{uuid.uuid4().int % 10**9}"

    await cage(way.format(n=lasting) + " true")

    assert lasting not in command_lines()


async def test_other_processes_can_neither_be_seen_nor_ended(
    cage: Cage, bystander: subprocess.Popen[bytes]
) -> None:
    told = await cage(
        f"kill -9 {bystander.pid}; cat /proc/{bystander.pid}/environ; cat /proc/[0-9]*/environ"
    )

    assert "known to nobody" not in repr(told)
    assert bystander.poll() is None


async def test_a_namespace_in_the_sandbox_uncovers_nothing(cage: Cage) -> None:
    script = (
        f"umount {cage.holdfast}; umount {cage.home}; mount -o remount,rw /usr; touch /usr/here"
    )

    told = await cage(
        ["unshare", "-Urm", "sh", "-c", f"{script}; cat {cage.holdfast}/log/*; cat ~/.ssh/id"]
    )

    assert told.code != 0
    assert "all that happened" not in repr(told)
    assert "private key" not in repr(told)
    assert not Path("/usr/here").exists()


# --- git --------------------------------------------------------------------------------------

PLANT = """
echo 'touch {proof}' > /tmp/hook; chmod +x /tmp/hook
for place in {common}/hooks {own}/hooks .git/hooks; do cp /tmp/hook $place/pre-commit; done
git config core.hooksPath /tmp; git config core.fsmonitor {hook}; git config alias.st '!{hook}'
git config --worktree core.fsmonitor {hook}
printf '[core]\\n\\tfsmonitor = {hook}\\n' | tee -a {common}/config {own}/config.worktree {own}/config
echo {evil} > {own}/commondir; echo {evil}/.git > {own}/gitdir
rm -f .git; mv .git gone; echo 'gitdir: {evil}' > .git
mv {own} {own}-gone; mv {common} {common}-gone; rm -rf {common}/refs/holdfast
true
"""


async def test_git_outside_runs_nothing_that_was_planted_inside(cage: Cage) -> None:
    proof = cage.base / "escaped"
    hook = cage.worktree / "hook"
    hook.write_text(f"#!/bin/sh\ntouch {proof}\n")
    hook.chmod(0o755)
    evil = cage.worktree / "evil"
    cage.git_outside("init", "-q", str(evil))
    with (evil / ".git" / "config").open("a") as file:
        file.write(f"[core]\n\tfsmonitor = {hook}\n")
    cage.git_outside("update-ref", "refs/holdfast/kept", "HEAD")
    script = PLANT.format(
        proof=proof, common=cage.git_dir, own=cage.own_git_dir, hook=hook, evil=evil / ".git"
    )
    steering = [cage.git_dir / "config", cage.own_git_dir / "commondir", cage.worktree / ".git"]
    before = [path.read_text() for path in steering]

    await cage(script)

    assert [path.read_text() for path in steering] == before
    assert (cage.own_git_dir / "config.worktree").read_text() == ""
    cage.git_outside("add", "-A")
    cage.git_outside("status")
    cage.git_outside("commit", "-qm", "outside")
    assert not proof.exists()
    assert (cage.git_dir / "refs" / "holdfast" / "kept").exists()


async def test_the_users_own_checkout_can_be_read_by_git_and_not_steered(cage: Cage) -> None:
    told = await cage(
        "git log --oneline && git status && echo 2 > code.py && git diff --stat; "
        "git add -A; echo x > .git/config; echo .. > .git/commondir; mv .git away",
        folder=cage.repo.root,
    )

    assert "code.py" in told.out
    assert "Read-only file system" in told.err
    assert not (cage.git_dir / "commondir").exists()
    assert cage.repo.git("status", "--porcelain").splitlines()[0].endswith("code.py")


async def test_a_git_link_that_was_planted_shows_nothing(cage: Cage) -> None:
    """What a worktree says of its repository counts only where that says the same."""
    plain = cage.base / "plain"
    plain.mkdir()
    secrets = cage.home / ".ssh"
    await cage(
        f"echo 'gitdir: {plain}/worktrees/x' > .git; mkdir -p worktrees/x; echo {secrets} > worktrees/x/commondir; "
        f"echo {plain}/.git > worktrees/x/gitdir",
        folder=plain,
    )

    told = await cage(f"cat {secrets}/id; ls {secrets}; touch {secrets}/new", folder=plain)

    assert "private key" not in repr(told)
    assert sorted(path.name for path in secrets.iterdir()) == ["id"]


async def test_anothers_worktree_cannot_be_claimed(cage: Cage) -> None:
    plain = cage.base / "plain"
    plain.mkdir()
    (plain / ".git").write_text(f"gitdir: {cage.own_git_dir}\n")

    told = await cage(f"ls {cage.git_dir}; touch {cage.git_dir}/refs/heads/new", folder=plain)

    assert "objects" not in told.out
    assert not (cage.git_dir / "refs" / "heads" / "new").exists()


async def test_git_as_a_link_is_refused(cage: Cage) -> None:
    plain = cage.base / "plain"
    plain.mkdir()
    (plain / ".git").symlink_to(cage.home)

    with pytest.raises(SandboxFailed, match="is a link, which a confined program could replace"):
        await cage("true", folder=plain)


@pytest.mark.skipif(os.geteuid() == 0, reason="root needs privileges for it that it does not have")
async def test_agents_can_make_a_sandbox_of_their_own_within(cage: Cage) -> None:
    told = await cage(
        "bwrap --unshare-user --unshare-pid --ro-bind / / --bind $PWD $PWD --proc /proc --dev /dev touch made"
    )

    assert told.code == 0, told
    assert (cage.worktree / "made").exists()


async def test_a_worktree_can_be_committed_in(cage: Cage) -> None:
    told = await cage("echo 2 > code.py && git commit -qam two && git log --oneline | wc -l")

    assert (told.code, told.out) == (0, "2"), told
    assert cage.repo.git("log", "-1", "--format=%s", "one") == "two"
    assert cage.git_outside("status", "--porcelain") == ""


# --- what must work -----------------------------------------------------------------------------


def test_it_conforms(tmp_path: Path) -> None:
    check_sandbox(Bubblewrap, tmp_path)


async def test_what_goes_in_and_out_is_unchanged(cage: Cage) -> None:
    told = await cage("cat; echo bad >&2; exit 9", stdin=b"x" * 300_000)

    assert (told.code, len(told.out), told.err) == (9, 300_000, "bad")
    assert (await cage("kill -9 $$")).code == 128 + 9


async def test_a_missing_program_or_folder_is_told_as_ever(cage: Cage) -> None:
    with pytest.raises(MissingBinary, match="cannot start 'no-such-program': No such file"):
        await cage(["no-such-program"])
    with pytest.raises(MissingBinary, match="chmod"):
        await cage(["./code.py"])
    with pytest.raises(MissingFolder):
        await cage(["true"], folder=cage.base / "nowhere")


async def test_a_cancelled_program_has_time_to_say_goodbye(cage: Cage) -> None:
    script = textwrap.dedent("""
        import pathlib, signal, sys, time
        def goodbye(*_):
            time.sleep(0.2); pathlib.Path("goodbye").touch(); sys.exit(0)
        signal.signal(signal.SIGTERM, goodbye)
        print("ready", flush=True)
        time.sleep(600)
    """)
    ready = trio.Event()

    async def work() -> None:
        with confined(Confined(SANDBOX, cage.confinement())):
            await run_process(
                [sys.executable, "-c", script],
                folder=cage.worktree,
                env=cage.env,
                on_stdout=lambda _: ready.set(),
            )

    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(work)
            await ready.wait()
            nursery.cancel_scope.cancel()

    assert (cage.worktree / "goodbye").exists()
    assert not marks.find(mark=cage.mark)


async def test_the_stubborn_are_killed(cage: Cage) -> None:
    ready = trio.Event()

    async def work() -> None:
        with confined(Confined(SANDBOX, cage.confinement())):
            await run_process(
                "trap '' TERM; echo ready; while :; do sleep 60; done",
                folder=cage.worktree,
                env=cage.env,
                on_stdout=lambda _: ready.set(),
                grace_s=0.2,
            )

    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(work)
            await ready.wait()
            nursery.cancel_scope.cancel()

    assert not marks.find(mark=cage.mark)


async def test_it_does_not_end_with_the_thread_that_another_program_was_started_in(
    cage: Cage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trio._core._thread_cache.IDLE_TIMEOUT", 0.01)

    told = await cage("sleep 0.3; echo there")

    assert (told.code, told.out) == (0, "there")


def test_everything_in_it_ends_with_the_engine(cage: Cage) -> None:
    script = textwrap.dedent(f"""
        import trio
        from pathlib import Path
        from holdfast.plugins import Confinement
        from holdfast.plugins.confining import Confined, confined
        from holdfast.plugins.process import run_process
        from holdfast.plugins.sandboxes import Bubblewrap

        async def main():
            folder = Path({str(cage.worktree)!r})
            with confined(Confined(Bubblewrap(), Confinement(folder=folder))):
                await run_process(
                    "(setsid sleep 600 &); echo ready; sleep 600",
                    folder=folder, env={cage.env!r}, on_stdout=lambda d: print(d, flush=True),
                )

        trio.run(main)
    """)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as engine:
        assert engine.stdout is not None
        engine.stdout.readline()
        inside = marks.find(mark=cage.mark)
        watched = [os.pidfd_open(pid) for pid in inside]
        engine.send_signal(signal.SIGKILL)

    for ended in watched:
        waiting = poll()
        waiting.register(ended)
        assert waiting.poll(20_000)
        os.close(ended)
    assert len(inside) >= 4


def test_a_fork_bomb_is_held_where_the_user_is_not_root(tmp_path: Path) -> None:
    bomb = "i=0; while [ $i -lt 200 ]; do sleep 60 & i=$((i+1)); done; echo all"
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("the kernel does not hold root, and there is no setpriv to be somebody else")
    command = [
        *(nobody if os.geteuid() == 0 else []),
        *[
            "bwrap",
            *bubblewrap.NAMESPACES,
            "--ro-bind",
            "/",
            "/",
            "--proc",
            "/proc",
            "--dev",
            "/dev",
        ],
        *["--", "/bin/sh", "-c", bubblewrap.LIMITED, "40", "/bin/sh", "-c", bomb],
    ]

    done = subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode != 0
    assert "fork" in done.stderr
    assert "all" not in done.stdout


def test_root_is_told_that_a_fork_bomb_is_not_held() -> None:
    assert ("fork bomb" in READY.detail) == (os.geteuid() == 0)


@pytest.mark.parametrize(("call", "good"), [("pidfd_open", 0), ("dup", 2)])
async def test_a_program_that_cannot_be_held_is_ended_and_nothing_of_it_stays_open(
    cage: Cage, monkeypatch: pytest.MonkeyPatch, call: str, good: int
) -> None:
    real, calls = getattr(os, call), list[int]()
    await cage("true")
    before = os.listdir("/proc/self/fd")

    def one_too_many(descriptor: int) -> int:
        if len(calls) == good:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        calls.append(descriptor)
        return int(real(descriptor))

    monkeypatch.setattr(os, call, one_too_many)
    with pytest.raises(
        Crashed, match=r"Too many open files\. The machine may lack memory or files"
    ):
        await cage("(setsid sleep 600 &) touch begun; sleep 600")

    assert not marks.find(mark=cage.mark)
    assert os.listdir("/proc/self/fd") == before


# --- errors -------------------------------------------------------------------------------------


async def test_a_folder_that_holds_the_home_cannot_be_confined(cage: Cage) -> None:
    with pytest.raises(SandboxFailed, match=r"would hold nothing back: .* is in it"):
        await cage("true", folder=cage.base)


async def test_a_sandbox_that_cannot_be_made_is_no_result_of_the_program(cage: Cage) -> None:
    shutil.rmtree(cage.worktree)
    cage.worktree.mkdir()
    (cage.home / "busy").write_text("")

    class Wrong(Bubblewrap):
        def wrap(self, argv, env, folder, within):  # type: ignore[no-untyped-def]
            wrapped = super().wrap(argv, env, folder, within)
            wrapped.argv.insert(1, "--no-such-option")
            return wrapped

    with (
        confined(Confined(Wrong(), cage.confinement())),
        pytest.raises(SandboxFailed, match="could not be made: 'bwrap: "),
    ):
        await run_process("true", folder=cage.worktree, env=cage.env)


def test_without_bwrap_it_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    sandbox = Bubblewrap()

    assert "apt install bubblewrap" in sandbox.readiness().detail
    with pytest.raises(SandboxUnavailable, match="cannot work here: the program 'bwrap'"):
        sandbox.wrap(["true"], {}, tmp_path, Confinement(folder=tmp_path))


def test_a_bwrap_that_makes_no_namespaces_is_told_with_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bwrap"
    program.write_text(
        "#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2; exit 1\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    told = Bubblewrap().readiness()

    assert not told.ready
    assert "made no sandbox: 'bwrap: No permissions to create new namespace'" in told.detail


def test_it_is_tried_once_in_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = Bubblewrap()
    first = sandbox.readiness()

    monkeypatch.setenv("PATH", "/nowhere")

    assert sandbox.readiness() is first
