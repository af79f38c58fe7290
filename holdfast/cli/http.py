"""Whether `holdfast serve` serves HTTP as well, and where."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.config import ServeConfig
    from holdfast.project import Project
    from holdfast.web.hosting import Hosting

NEEDED = ("starlette", "hypercorn")


def hosting(given: str | None, config: "ServeConfig", project: "Project") -> "Hosting | None":
    """Take the address that was given, else the one in the settings; None where there is neither.

    Raises BadAddress, ExtraMissing, AddressTaken, TokenUnsafe.
    """
    from holdfast.web import Address, ExtraMissing

    wanted = config.http if given is None else given
    if wanted is False:
        return None
    address = Address.parse("" if wanted is True else wanted)
    for name in NEEDED:
        if find_spec(name) is None:
            raise ExtraMissing(name)
    from holdfast.web.hosting import Hosting

    return Hosting.open(address, project.home)
