"""Notifications: what people are told, and that each is delivered, also by the next process."""

import base64
import hashlib
import hmac
import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trio

from holdfast import Run, workflow
from holdfast.cli.gates import KINDS
from holdfast.plugins.notifications import (
    KEPT_S,
    Message,
    Notifications,
    Outbox,
    Sender,
    Target,
    fault_of,
    notifications,
    undelivered,
)
from holdfast.plugins.testing import conformance
from tests.support.lab import Lab

KEY = b"0123456789abcdef01234567"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
ALL = ("waiting", "failed", "done")
MESSAGE = Message("msg_1", "done", "run.succeeded", 9 * 10**9, "r is done", "holdfast show r", {
    "run": "r", "workflow": "w"
})  # fmt: skip


class Receiver:
    """A server on the loopback that answers as it is told, and keeps what it got."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.got.append((headers, self.rfile.read(length)))
                status, more = receiver.answers.pop(0) if receiver.answers else (204, {})
                self.send_response(status)
                for name, value in {"content-length": "0", **more}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def told(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setenv("no_proxy", "*")
    receiver = Receiver()
    yield receiver
    receiver.close()


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def sender_of(tmp_path: Path, target: Target, clock: Clock, **environ: str) -> Sender:
    return Sender(target, Outbox(tmp_path / "notify"), {"PATH": os.defpath, **environ}, clock)


def waiting_files(tmp_path: Path) -> list[Path]:
    return [*(tmp_path / "notify").glob("*.json")]


def notifier(tmp_path: Path, *targets: Target) -> Notifications:
    return Notifications(targets, tmp_path / "notify", {"PATH": os.defpath}, threads=False)


def send(plugin: Notifications) -> None:
    for sender in plugin.senders:
        sender.step()


@workflow
async def asks(run: Run) -> str:
    await run.approve("go", {"version": 7}, by=["anna"])
    return await run.ask("why", "Why?")


@workflow
async def breaks(run: Run) -> None:
    await run.step("work", fail, retries=0)


def fail() -> None:
    raise ValueError("no luck")


@workflow
async def parent(run: Run) -> None:
    await run.child(asks)


@workflow
async def patient(run: Run) -> None:
    await run.approve(
        "go", expires=100, by=["anna"], on_expire="escalate", escalate_to=["bo"], on_deny="return"
    )


@pytest.fixture
def lab(tmp_path: Path, receiver: Receiver) -> Iterator[Lab]:
    plugin = notifier(tmp_path, Target(ALL, webhook=receiver.url))
    lab = Lab(tmp_path, plugin)
    lab.send = lambda: send(plugin)  # type: ignore[attr-defined]
    yield lab
    lab.log.close()


async def test_a_run_that_waits_is_told_with_the_command_that_goes_on(
    lab: Any, receiver: Receiver, autojump_clock: object
) -> None:
    await lab.run(asks)
    lab.send()

    (told,) = receiver.told
    assert (told["type"], told["timestamp"]) == ("run.waiting", "2027-01-15T08:00:00Z")
    assert told["data"] == {
        "text": "r waits for approval ('go'), by anna",
        "command": "holdfast approve r go",
        "run": "r",
        "workflow": "asks",
        "folder": str(lab.folder),
        "offset": 2,
        "status": "waiting",
        "gate": "go",
        "kind": "approval",
        "subject": '{"version":7}',
        "by": ["anna"],
        "expires": None,
    }


async def test_a_question_an_end_and_a_failure_are_told_once_each(
    lab: Any, receiver: Receiver, autojump_clock: object
) -> None:
    from holdfast.runs import answer_question

    await lab.run(asks)
    lab.approve()
    await lab.resume()
    answer_question(lab.log, "r", None, "so", by="anna", actor="cli:anna")
    await lab.resume()
    await lab.run(breaks, run="b")
    lab.send()

    assert [(told["type"], told["data"]["command"]) for told in receiver.told] == [
        ("run.waiting", "holdfast approve r go"),
        ("run.waiting", "holdfast answer r why"),
        ("run.succeeded", "holdfast show r"),
        ("run.failed", "holdfast why b"),
    ]
    assert receiver.told[-1]["data"]["error"]["code"] == "step_failed"
    assert "no luck" in receiver.told[-1]["data"]["text"]


async def test_a_gate_that_is_passed_on_is_told_with_the_people_who_may_decide_now(
    lab: Any, receiver: Receiver, autojump_clock: object
) -> None:
    await lab.run(patient)
    await trio.sleep(100)
    await lab.resume()
    lab.send()

    assert [(told["type"], told["data"]["by"]) for told in receiver.told] == [
        ("run.waiting", ["anna"]),
        ("run.escalated", ["anna", "bo"]),
    ]


async def test_a_child_tells_what_it_waits_for_and_leaves_its_end_to_its_parent(
    lab: Any, receiver: Receiver, autojump_clock: object
) -> None:
    from holdfast.runs import request_cancel

    lab.workflows[asks.reference] = asks
    await lab.run(parent)
    request_cancel(lab.log, "r", "cli:anna")
    await lab.resume()
    lab.send()

    assert [(told["type"], told["data"]["run"]) for told in receiver.told] == [
        ("run.waiting", "r/asks"),
        ("run.cancelled", "r"),
    ]


async def test_only_what_is_asked_for_is_sent(
    tmp_path: Path, receiver: Receiver, autojump_clock: object
) -> None:
    plugin = notifier(tmp_path, Target(("failed",), webhook=receiver.url))
    lab = Lab(tmp_path, plugin)
    await lab.run(asks)
    await lab.run(breaks, run="b")
    send(plugin)
    lab.log.close()

    assert [told["type"] for told in receiver.told] == ["run.failed"]


def test_a_webhook_is_signed_as_standard_webhooks_says(tmp_path: Path, receiver: Receiver) -> None:
    sender = sender_of(
        tmp_path, Target(ALL, webhook=receiver.url, secret_env="S"), Clock(), S=SECRET
    )
    sender.put(MESSAGE)
    assert sender.step() is None

    ((headers, body),) = receiver.got
    stamp = headers["webhook-timestamp"]
    signed = b".".join([headers["webhook-id"].encode(), stamp.encode(), body])
    expected = base64.b64encode(hmac.digest(KEY, signed, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert (headers["webhook-id"], stamp) == ("msg_1", "1800000000")
    assert headers["content-type"] == "application/json"
    assert waiting_files(tmp_path) == []


def test_the_signature_is_that_of_the_specifications_example() -> None:
    from holdfast.plugins.notifications import sign

    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    told = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert told == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_receiver_is_tried_again_with_the_same_id_ever_less_often(
    tmp_path: Path, receiver: Receiver, status: int
) -> None:
    clock = Clock()
    sender = sender_of(tmp_path, Target(ALL, webhook=receiver.url), clock)
    receiver.answers = [(status, {}), (status, {}), (status, {"retry-after": "60"})]
    sender.put(MESSAGE)

    pauses = []
    while (pause := sender.step()) is not None:
        pauses.append(pause)
        assert sender.step() == pause  # not before its time
        clock.now += pause

    assert pauses == [1.0, 2.0, 60.0]
    assert {headers["webhook-id"] for headers, _ in receiver.got} == {"msg_1"}
    assert len(receiver.got) == 4


def test_a_receiver_that_is_not_there_is_tried_for_a_day_and_then_it_is_told(
    tmp_path: Path, receiver: Receiver
) -> None:
    clock = Clock()
    begun = clock.now
    sender = sender_of(tmp_path, Target(ALL, webhook="http://127.0.0.1:1/"), clock)
    sender.put(MESSAGE)

    while (pause := sender.step()) is not None:
        clock.now += pause

    assert KEPT_S - 600 < clock.now - begun <= KEPT_S
    (job,) = undelivered(tmp_path / "notify")
    assert job.message == MESSAGE
    assert "refused" in job.why
    assert waiting_files(tmp_path) == []


@pytest.mark.parametrize("answer", [(400, {}), (410, {}), (302, {"location": "/elsewhere"})])
def test_a_receiver_that_declines_is_not_asked_again(
    tmp_path: Path, receiver: Receiver, answer: tuple[int, dict[str, str]]
) -> None:
    sender = sender_of(tmp_path, Target(ALL, webhook=receiver.url), Clock())
    receiver.answers = [answer]
    sender.put(MESSAGE)

    assert sender.step() is None
    assert len(receiver.got) == 1
    assert undelivered(tmp_path / "notify")[0].why == f"it answered {answer[0]}"


def test_what_a_process_left_is_sent_by_the_next_and_only_once(
    tmp_path: Path, receiver: Receiver
) -> None:
    target = Target(ALL, webhook=receiver.url)
    outbox, clock = Outbox(tmp_path / "notify"), Clock()
    held = outbox.put(MESSAGE, target, clock.now)
    other = sender_of(tmp_path, target, clock)
    other.take_over()
    assert other.step() is None  # its process lives
    assert receiver.got == []
    held.let_go()  # as its end does

    late = [sender_of(tmp_path, target, clock) for _ in range(2)]
    for sender in late:
        sender.take_over()
        sender.step()

    assert [headers["webhook-id"] for headers, _ in receiver.got] == ["msg_1"]


def test_a_command_gets_the_message_in_full_and_in_short(tmp_path: Path) -> None:
    command = 'cat > body; echo "$HOLDFAST_EVENT $HOLDFAST_RUN: $HOLDFAST_COMMAND" > short'
    sender = sender_of(tmp_path, Target(ALL, command=command, folder=str(tmp_path)), Clock())
    sender.put(MESSAGE)

    assert sender.step() is None
    assert (tmp_path / "short").read_text() == "run.succeeded r: holdfast show r\n"
    assert (tmp_path / "body").read_bytes() == MESSAGE.body()


@pytest.mark.parametrize(("status", "again"), [(1, False), (75, True)])
def test_a_command_says_by_its_status_whether_to_try_again(
    tmp_path: Path, status: int, again: bool
) -> None:
    command = f"cat >&2 <<< x; echo 'no paper' >&2; exit {status}".replace("cat >&2 <<< x; ", "")
    sender = sender_of(tmp_path, Target(ALL, command=command), Clock())
    sender.put(MESSAGE)

    assert sender.step() == (1.0 if again else None)
    whys = [job.why for job in undelivered(tmp_path / "notify")]
    assert whys == ([] if again else [f"it ended with status {status}: no paper"])


def test_the_desktop_is_told_through_its_own_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "notify-send"
    program.write_text(f'#!/bin/sh\nprintf "%s|" "$@" > {tmp_path}/shown\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.defpath}")
    sender = sender_of(tmp_path, Target(ALL, desktop=True), Clock())
    sender.put(MESSAGE)

    assert sender.step() is None
    shown = "--app-name=Holdfast|--|Holdfast|r is done\nholdfast show r|"
    assert (tmp_path / "shown").read_text() == shown


def test_what_cannot_be_sent_to_is_broken_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    desktop = Target(ALL, desktop=True)
    unsigned = Target(ALL, webhook="https://example.org", secret_env="S")

    assert "neither notify-send" in fault_of(desktop, {})
    assert fault_of(unsigned, {}) == "the environment has no S, with which to sign"
    assert "no secret of Standard Webhooks" in fault_of(unsigned, {"S": "whsec_%"})
    assert "no secret of Standard Webhooks" in fault_of(unsigned, {"S": "whsec_"})
    chosen = notifications([desktop, unsigned, Target(ALL, command="true")], tmp_path, {})
    assert chosen.plugin is not None
    assert [sender.target.command for sender in chosen.plugin.senders] == ["true"]
    assert len(chosen.sources) == 3
    assert notifications([desktop], tmp_path, {}).plugin is None


def test_a_thread_sends_while_the_process_does_other_things(
    tmp_path: Path, receiver: Receiver
) -> None:
    sender = sender_of(tmp_path, Target(ALL, webhook=receiver.url), Clock())
    sender.start()
    sender.put(MESSAGE)
    sender.wait_tried(60)

    assert len(receiver.got) == 1
    assert waiting_files(tmp_path) == []


def test_the_commands_of_notifications_are_those_of_the_inbox() -> None:
    from holdfast.plugins.notifications.messages import WANTED

    assert set(WANTED) == set(KINDS)
    answered = {kind for kind, about in KINDS.items() if about.verbs[0] == "answer"}
    assert answered == {"question"}


test_the_plugin_conforms = conformance(
    Notifications([Target((), command="true")], Path("notify"), {}, threads=False)
)
