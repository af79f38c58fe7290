"""Write the golden log of a format, once: `python tests/golden/make.py tests/golden/log-1`.

What is committed is never written again: it stands for the logs that are out there.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from holdfast.eventlog import (
    Batch,
    Failure,
    Log,
    Noted,
    RunClaimed,
    RunFailed,
    RunReleased,
    RunStarted,
    RunSucceeded,
    StepStarted,
    StepSucceeded,
    TimerSet,
    UnknownEvent,
    Usage,
    pack,
)

encode = msgspec.msgpack.encode


def fill(log: Log) -> None:
    """Write a bit of everything: branches, a fork, blobs, timers, an event that nobody knows."""
    blobs: dict[bytes, bytes] = {}
    prompt = pack(encode({"prompt": "Mend the tests. " * 200}), blobs)
    one = log.create_run(
        "one",
        [RunStarted("one", "mend", source="mend.py", input=msgspec.Raw(encode({"goal": "ü"})))],
        actor="cli:ada",
        time=1_700_000_000_000_000_000,
    )
    two = log.create_run(
        "two", [RunStarted("two", "plan")], actor="mcp:codex", time=1_700_000_000_000_000_001
    )
    log.write(
        [
            Batch(
                one,
                [RunClaimed("0123456789abcdef", "host", 7)],
                1,
                "engine",
                1_700_000_000_000_000_002,
            ),
            Batch(
                two,
                [RunClaimed("0123456789abcdef", "host", 7)],
                1,
                "engine",
                1_700_000_000_000_000_003,
            ),
            Batch(
                one,
                [
                    StepStarted("code", "agent", b"\x01" * 16, prompt, b"\x02" * 16),
                    StepSucceeded(
                        "code", msgspec.Raw(encode("done")), 1, 1.5, Usage(10, 20, 5, 0.25), "s-1"
                    ),
                ],
                2,
                "engine",
                1_700_000_000_000_000_004,
                blobs,
            ),
        ]
    )
    log.append(
        two,
        [RunFailed(Failure("boom", "it broke", "ValueError"))],
        expected=2,
        actor="engine",
        time=1_700_000_000_000_000_005,
    )
    later = UnknownEvent(
        "later.thing", msgspec.Raw(encode({"type": "later.thing", "n": [1, None]})), 2
    )
    log.append(
        one,
        [later, TimerSet("nap", 1_800_000_000_000_000_000)],
        expected=4,
        actor="engine",
        time=1_700_000_000_000_000_006,
    )
    fork = log.create_run(
        "fork",
        [RunReleased("0123456789abcdef", "waiting", ["nap"])],
        actor="web:bob",
        time=1_700_000_000_000_000_007,
        parent=one,
        offset=6,
        reason="another way",
    )
    log.append(
        one, [RunSucceeded(prompt)], expected=6, actor="engine", time=1_700_000_000_000_000_008
    )
    log.append(
        fork, [Noted("n", "the end")], expected=7, actor="engine", time=1_700_000_000_000_000_009
    )


def describe(log: Log) -> dict[str, Any]:
    """Return all that the log tells, as plain data that JSON holds."""
    branches = log.branches()
    told = {
        "root": log.root().hex(),
        "branches": [msgspec.structs.asdict(row) for row in branches],
        "runs": [msgspec.structs.asdict(row) for row in log.runs()],
        "due": [msgspec.structs.asdict(timer) for timer in log.due(2**63)],
        "records": {
            row.run: [described(log, record) for record in log.records(row.branch)]
            for row in branches
        },
    }
    plain: dict[str, Any] = json.loads(msgspec.json.encode(told, order="sorted"))
    return plain


def described(log: Log, record: Any) -> dict[str, Any]:
    event = record.event
    fields = msgspec.structs.asdict(event)
    for name, value in fields.items():
        if isinstance(value, msgspec.Raw):
            fields[name] = msgspec.msgpack.decode(log.load(value))
    return {**msgspec.structs.asdict(record), "event": {"is": type(event).__name__, **fields}}


def main(target: Path) -> None:
    target.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder:
        with Log.open(Path(folder) / "log") as log:
            fill(log)
            log.copy(Path(folder) / "copy")
            text = json.dumps(describe(log), indent=1, sort_keys=True, ensure_ascii=False)
        shutil.copy(Path(folder) / "copy" / "data.mdb", target / "data.mdb")
    (target / "expected.json").write_text(text + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
