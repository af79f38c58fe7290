"""What a user meets when something is wrong: a clear error, nothing lost, and a way to go on."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import lmdb
import msgspec
import pytest

from holdfast.eventlog import Log, RunReleased, StepSucceeded
from tests.support.site import Ended, Site

TABLE = '''
    import os
    import trio
    from msgspec import Struct
    from holdfast import Run, workflow


    class Plan(Struct):
        parts: list[str]


    def much(size: int) -> bytes:
        return os.urandom(size)


    def command(*words: str) -> dict:
        return {"command": [*words]}


    async def first(run: Run) -> str:
        return (await run.shell("first", 'echo first | tee -a "$SIDE"')).stdout


    @workflow
    async def large(run: Run, size: int) -> int:
        await first(run)
        result = await run.step("much", much, size)
        again = await run.shell("print", "head -c %d /dev/zero | tr '\\\\0' x" % (size // 10))
        return len(result) + len(again.stdout)


    @workflow
    async def echo(run: Run, text: str) -> str:
        await first(run)
        return await run.agent("echo", text, agent="command", options=command("cat"))


    @workflow
    async def typed(run: Run, answer: str) -> list[str]:
        await first(run)
        said = command("sh", "-c", f"cat >> asked; echo '{answer}'")
        plan = await run.agent("plan", "Plan", agent="command", options=said, output=Plan)
        return plan.parts


    @workflow
    async def asking(run: Run) -> str:
        said = await first(run)
        await run.approve("go")
        return said


    @workflow
    async def foreign(run: Run) -> str:
        said = await first(run)
        await trio.sleep(0.01)
        return said


    @workflow
    async def nobody(run: Run) -> str:
        await first(run)
        return await run.agent("code", "Do it", agent="nobody")


    @workflow
    async def missing(run: Run) -> str:
        await first(run)
        return await run.agent("code", "Do it", agent="command", options=command("no-such-program"))


    @workflow
    async def pick(run: Run, count: int, names: list[str] = []) -> int:
        await first(run)
        return count
'''


@pytest.fixture
def table(site: Site) -> Site:
    site.write("table.py", TABLE)
    return site


def finished(site: Site, run: str = "r") -> list[str]:
    return sorted(site.keys(run, StepSucceeded))


def fits(ended: Ended, status: int, code: str, *words: str) -> None:
    """Check an error's exit status, its stable code, and that its message says the words."""
    assert (ended.status, ended.error[0]) == (status, code), ended
    for word in words:
        assert word.lower() in ended.error[1].lower()
    assert "Traceback" not in ended.err


def run_failed(ended: Ended, code: str, *words: str) -> None:
    """Check that the run itself failed, for a step's reason."""
    told = ended.json["error"]
    assert (ended.status, ended.json["status"]) == (1, "failed"), ended
    assert code in (told["code"], told["type"]), told
    for word in words:
        assert word in told["message"]


# --- values ------------------------------------------------------------------------------------


def test_a_result_of_fifty_megabytes_is_kept_whole(table: Site) -> None:
    size = 50_000_000

    ended = table.call("run", "table.py:large", "-i", f"size={size}", "--id", "r", "--json")

    assert (ended.status, ended.json["output"]) == (0, size + size // 10)
    [much] = [e for e in table.events("r", StepSucceeded) if e.key == "much"]
    with Log.open(table.log_folder) as log:
        assert len(log.load(much.result)) > size
    assert table.verified()


def test_a_result_above_the_limit_fails_its_step_and_says_where_to_put_it(table: Site) -> None:
    ended = table.call("run", "table.py:large", "-i", "size=300000000", "--id", "r", "--json")

    run_failed(ended, "value_too_large", "300000", "file in the workspace")
    assert finished(table) == ["first"]


def test_text_of_every_plane_goes_through_an_agent_unchanged(table: Site) -> None:
    planes = "".join(chr((plane << 16) + low) for plane in range(17) for low in (0x61, 0xFFFD))
    text = f"\x01\t\x7f\x85\u2028\ufeff{planes} e\u0301 \u202eend"
    given = table.folder / "input.json"
    given.write_bytes(msgspec.json.encode({"text": text}))

    ended = table.call("run", "table.py:echo", "--input", f"@{given}", "--id", "r", "--json")

    assert (ended.status, ended.json["output"]) == (0, text)


@pytest.mark.parametrize("answer", ["I would rather not.", '{"parts": "all"}', '{"parts": ['])
def test_an_answer_that_is_not_the_wanted_type_goes_back_with_the_reason_and_then_fails(
    table: Site, answer: str
) -> None:
    ended = table.call("run", "table.py:typed", "-i", f"answer={answer}", "--id", "r", "--json")

    run_failed(ended, "output_invalid")
    assert finished(table) == ["first"]
    asked = (table.folder / "asked").read_text()
    assert asked.count("The last answer was not usable") == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-i", "count=many"], "Expected `int`, got `str` - at `$.count`"),
        (["--input", '{"count": 1, "names": [2]}'], "Expected `str`, got `int` - at `$.names[0]`"),
        (["--input", '{"count": 1, "nmaes": []}'], "unknown field `nmaes`"),
        ([], "missing required field `count`"),
    ],
)
def test_a_wrong_input_is_refused_before_anything_is_written(
    table: Site, words: list[str], told: str
) -> None:
    ended = table.call("run", "table.py:pick", *words, "--json")

    fits(ended, 2, "input_invalid", told, "count: int, names: list[str] = []")
    assert not table.home.exists()


# --- workflows and plugins ---------------------------------------------------------------------


def test_a_workflow_that_awaits_something_foreign_stops_and_goes_on_when_mended(
    table: Site,
) -> None:
    ended = table.call("run", "table.py:foreign", "--id", "r", "--json")

    fits(ended, 1, "not_durable", "table.py", "run.sleep()")
    assert finished(table) == ["first"]
    assert [e.reason for e in table.events("r", RunReleased)] == ["stopped"]
    table.write("table.py", TABLE.replace("await trio.sleep(0.01)", "await run.sleep(0.01)"))
    resumed = table.call("resume", "r", "--json")
    assert (resumed.status, resumed.json["output"]) == (0, "first\n")
    assert table.lines() == ["first"]


@pytest.mark.parametrize(
    ("workflow", "code", "words"),
    [
        ("nobody", "unknown_agent", ["'nobody'", "command", "holdfast plugins"]),
        ("missing", "missing_binary", ["'no-such-program'", "Install it"]),
    ],
)
def test_an_agent_that_cannot_be_had_fails_its_step_at_once_and_keeps_what_was_done(
    table: Site, workflow: str, code: str, words: list[str]
) -> None:
    ended = table.call("run", f"table.py:{workflow}", "--id", "r", "--json")

    run_failed(ended, code, *words)
    assert finished(table) == ["first"]
    assert table.call("show", "r", "--json").json["steps"][-1]["attempts"] == 1
    assert table.verified()


# --- the disk ----------------------------------------------------------------------------------


class Disk:
    """A small disk of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def mount(self, options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.folder)]
        subprocess.run(command, check=True, capture_output=True)

    def fill(self) -> None:
        """Take all the room that is left."""
        with (self.folder / "filler").open("wb", buffering=0) as filler:
            try:
                while filler.write(bytes(4096)):
                    pass
            except OSError:
                return


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    made = Disk(tmp_path / "disk")
    made.folder.mkdir()
    try:
        made.mount("size=4m")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"mounting is not allowed here: {error.stderr.decode().strip()}")
    yield made
    subprocess.run(["umount", "-l", str(made.folder)], check=True)


@pytest.fixture
def small(disk: Disk, tmp_path: Path) -> Iterator[Site]:
    """A project whose log is on the small disk."""
    made = Site(tmp_path / "project", home=disk.folder / ".holdfast")
    made.write("table.py", TABLE)
    yield made
    made.close()


def test_a_disk_that_fills_up_stops_the_run_which_goes_on_when_there_is_room(
    disk: Disk, small: Site
) -> None:
    ended = small.call("run", "table.py:large", "-i", "size=8000000", "--id", "r", "--json")

    fits(ended, 1, "log_unwritable", "the disk is full", "holdfast resume")
    assert finished(small) == ["first"]
    disk.mount("remount,size=64m")
    resumed = small.call("resume", "r", "--json")
    assert (resumed.status, resumed.json["output"]) == (0, 8_800_000)
    assert small.lines() == ["first"]
    assert small.verified()


def test_on_a_full_disk_nothing_begins_and_everything_can_be_read(disk: Disk, small: Site) -> None:
    assert small.call("run", "table.py:asking", "--id", "r").status == 3
    disk.fill()

    resumed = small.call("resume", "r", "--json")
    fits(resumed, 1, "log_unwritable", "No space left on device")
    assert small.call("show", "r", "--json").json["status"] == "waiting"
    (disk.folder / "filler").unlink()
    assert small.call("approve", "r").status == 0
    assert small.call("resume", "r", "--json").json["output"] == "first\n"


def test_a_disk_that_is_full_from_the_start_is_told(disk: Disk, small: Site) -> None:
    disk.fill()

    fits(small.call("run", "table.py:asking", "--json"), 2, "project", "No space left", "Make room")


def test_a_read_only_disk_can_be_read_and_says_why_nothing_begins(
    disk: Disk, small: Site
) -> None:
    assert small.call("run", "table.py:asking", "--id", "r").status == 3
    disk.mount("remount,ro")

    for command in (["run", "table.py:asking"], ["resume", "r"], ["approve", "r"]):
        fits(small.call(*command, "--json"), 1, "log_unwritable", "read-only")
    assert small.call("ps", "--json").json[0]["status"] == "waiting"
    assert small.verified()
    disk.mount("remount,rw")
    assert small.call("approve", "r").status == 0
    assert small.call("resume", "r", "--json").json["output"] == "first\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_write_access_is_told(table: Site) -> None:
    table.folder.chmod(0o555)

    fits(table.call("run", "table.py:asking", "--json"), 2, "project", "Permission denied")


# --- the log file ------------------------------------------------------------------------------


def cut_short(data: Path) -> None:
    os.truncate(data, 5 * 4096)


def make_newer(data: Path) -> None:
    with lmdb.Environment(str(data.parent), map_size=1 << 30, max_dbs=20) as env:
        meta = env.open_db(b"meta", create=False)
        with env.begin(write=True) as txn:
            txn.put(b"format", b"99", db=meta)


@pytest.mark.parametrize(
    ("harm", "code", "words"),
    [
        (cut_short, "log_damaged", ["data.mdb has 20480 of", "backup"]),
        (make_newer, "log_too_new", ["format 99", "pip install -U holdfast"]),
    ],
)
def test_a_log_that_cannot_be_read_is_left_alone_until_it_is_mended(
    table: Site, harm: Callable[[Path], None], code: str, words: list[str]
) -> None:
    assert table.call("run", "table.py:asking", "--id", "r").status == 3
    data = table.log_folder / "data.mdb"
    shutil.copy(data, table.folder / "backup")
    harm(data)
    harmed = data.read_bytes()

    for command in (["run", "table.py:asking"], ["resume", "r"], ["ps"], ["approve", "r"]):
        fits(table.call(*command, "--json"), 1, code, *words)
    assert data.read_bytes() == harmed
    shutil.copy(table.folder / "backup", data)
    assert table.call("approve", "r").status == 0
    assert table.call("resume", "r", "--json").json["output"] == "first\n"
    assert table.verified()
