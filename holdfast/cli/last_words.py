"""What is said when a damaged page of the log ends the process.

LMDB reads its file as memory. Where the disk cannot deliver a page, or the file was cut short, the
kernel ends the reader by SIGBUS; where a page makes no sense, LMDB itself may end it by SIGABRT. No
`except` sees either, so a function is left with the C library that says it and exits.
"""

import ctypes
import os
import signal

from holdfast.eventlog import LogDamaged

_Handler = ctypes.CFUNCTYPE(None, ctypes.c_int)
_kept: list[object] = []  # the C library holds no reference


def prepare(log_folder: str, *, as_json: bool) -> None:
    """From now on, tell of a log that ends this process, and exit as for any damaged log."""
    fatal = {
        number: _said(log_folder, number, as_json) for number in (signal.SIGBUS, signal.SIGABRT)
    }

    def tell(number: int) -> None:
        os.write(1 if as_json else 2, fatal[signal.Signals(number)])
        os._exit(LogDamaged.exit_status)

    handler = _Handler(tell)
    _kept[:] = [handler]
    install = ctypes.CDLL(None).signal
    install.argtypes, install.restype = [ctypes.c_int, _Handler], ctypes.c_void_p
    for number in fatal:
        install(number, handler)


def _said(log_folder: str, number: signal.Signals, as_json: bool) -> bytes:
    """Return the words beforehand: when they are needed, the less is done the better."""
    from .values import encoded

    error = LogDamaged(log_folder, f"a page of it cannot be read ({number.name})")
    if as_json:
        return encoded({"error": {"code": error.code, "message": str(error)}}) + b"\n"
    return f"error[{error.code}]: {error}\n".encode(errors="backslashreplace")
