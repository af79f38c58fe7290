"""An agent of the Agent Client Protocol that does what a script says: also all that it should not do.

As a program it takes the script's file; what it was told is written beside it, a message a line. A script
is {method: [steps]}; a step is one of

    reply, error     how the request is answered
    update           an update of the session
    send             any message, as it is
    say              an update, for a text that the agent says
    ask              [method, params]: asked of the client; the answer is written down
    print, stderr    a line that is no message; as many bytes as `big` says follow it
    exit, kill       end with this status; at once, as by a signal
    write            [name, text]: a file in the folder that it runs in
    deaf             close standard input
    hang             until it is ended; `stop` instead until the turn is cancelled, then answer that
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Json = dict[str, Any]
SESSION = "s-1"


class Player:
    def __init__(self, script: Path) -> None:
        self.steps: dict[str, list[Json]] = json.loads(script.read_text())
        self.told = script.with_suffix(".told").open("a")
        self.asked = 100

    def read(self) -> Json:
        line = sys.stdin.buffer.readline()
        if not line:
            sys.exit(0)
        self.told.write(line.decode())
        self.told.flush()
        message: Json = json.loads(line)
        return message

    def send(self, **message: Any) -> None:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()

    def run(self) -> None:
        while True:
            message = self.read()
            for step in self.steps.get(message.get("method", ""), []):
                for name, value in step.items():
                    do: Callable[[Json, Any], None] = getattr(self, f"do_{name}")
                    do(message, value)

    def do_reply(self, message: Json, result: Any) -> None:
        self.send(id=message["id"], result=result)

    def do_error(self, message: Json, error: Any) -> None:
        self.send(id=message["id"], error=error)

    def do_update(self, message: Json, update: Any) -> None:
        params = {"sessionId": SESSION, "update": update}
        self.send(method="session/update", params=params)

    def do_send(self, message: Json, told: Any) -> None:
        self.send(**told)

    def do_say(self, message: Json, text: str) -> None:
        content = {"type": "text", "text": text}
        self.do_update(message, {"sessionUpdate": "agent_message_chunk", "content": content})

    def do_ask(self, message: Json, question: Any) -> None:
        self.asked += 1
        self.send(id=self.asked, method=question[0], params=question[1])
        self.read()

    def do_print(self, message: Json, text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def do_big(self, message: Json, size: int) -> None:
        self.do_print(message, "x" * size)

    def do_stderr(self, message: Json, text: str) -> None:
        sys.stderr.write(text + "\n")

    def do_exit(self, message: Json, code: int) -> None:
        sys.exit(code)

    def do_kill(self, message: Json, number: int) -> None:
        os.kill(os.getpid(), number)

    def do_write(self, message: Json, file: Any) -> None:
        Path(file[0]).write_text(file[1])

    def do_deaf(self, message: Json, _: Any) -> None:
        os.close(0)

    def do_hang(self, message: Json, _: Any) -> None:
        time.sleep(600)

    def do_stop(self, message: Json, _: Any) -> None:
        signal.signal(
            signal.SIGTERM, signal.SIG_IGN
        )  # asked politely first, it has no need of that
        while self.read().get("method") != "session/cancel":
            pass
        self.do_reply(message, {"stopReason": "cancelled"})


if __name__ == "__main__":
    Player(Path(sys.argv[1])).run()
