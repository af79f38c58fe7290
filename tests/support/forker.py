"""Runs `holdfast` in a fork of a process that has imported it: as real as a process, and as fast
as a call, also where the command dies by a signal.

Reads requests from standard input, one JSON array of arguments a line; answers each with
[status, stdout, stderr], where a status below zero is a signal.
"""

import json
import os
import sys
import tempfile

from holdfast.cli.app import main


def answer(args: list[str]) -> tuple[int, str, str]:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if not child:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            try:
                main(args)
            except SystemExit as end:
                sys.stdout.flush()
                os._exit(int(end.code or 0))
            os._exit(99)
        _, status = os.waitpid(child, 0)
        texts = [_text(file.fileno()) for file in (out, err)]
    return os.waitstatus_to_exitcode(status), texts[0], texts[1]


def _text(descriptor: int) -> str:
    return os.pread(descriptor, 1 << 22, 0).decode(errors="replace")


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
