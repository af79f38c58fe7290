"""What to type next, where several commands say the same."""

from holdfast.servers import server_of

from .place import Place


def going_on(place: Place, run: str) -> str:
    """Say who goes on with a run that something has just happened to, and that nobody executes."""
    if server_of(place.project().log_folder):
        return "holdfast serve goes on with it"
    return f"go on with: {place.command('resume', run)}"
