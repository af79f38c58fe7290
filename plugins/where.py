"""Where in a plugin's code something is: `path:line`, and what a traceback says at its end."""

import inspect
import traceback
from pathlib import Path

import pluggy

_SILENT = (str(Path(__file__).parent), str(Path(pluggy.__file__).parent), "<frozen ")


def last_line(error: BaseException) -> str:
    """Return the last line of the error's traceback."""
    return "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]


def raised_at(error: BaseException) -> str:
    """Return the line of the plugin's code that raised it, or nothing where only ours did."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(_SILENT) and "importlib" not in frame.filename
    ]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def defined_at(thing: object) -> str:
    """Return the line at which a function, or the class of an object, is defined; or nothing."""
    function = inspect.unwrap(thing) if callable(thing) else thing
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    if code is not None:
        return f"{code.co_filename}:{code.co_firstlineno}"
    kind = thing if isinstance(thing, type) else type(thing)
    try:
        return f"{inspect.getsourcefile(kind)}:{inspect.getsourcelines(kind)[1]}"
    except (OSError, TypeError):  # built in, or its source is not at hand
        return ""
