"""What to type next, where several commands say the same."""

from holdfast.eventlog import Log, RunRow
from holdfast.servers import server_of

from .place import Place
from .reasons import root_of
from .rows import is_alive


def going_on(place: Place, log: Log, row: RunRow) -> str:
    """Say who goes on with a run that something has just happened to; empty where somebody executes it.

    A child goes on with its topmost parent: by itself it would leave that one waiting.
    """
    root = root_of(log, row)
    if is_alive(log, row) or is_alive(log, log.run(root)):
        return ""
    if server_of(place.project().log_folder):
        return "holdfast serve goes on with it"
    return f"go on with: {place.command('resume', root)}"
