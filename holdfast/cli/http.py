"""Whether `holdfast serve` serves HTTP as well, and where."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

from holdfast.config import ServeConfig

if TYPE_CHECKING:
    from holdfast.web import Address

NEEDED = ("starlette", "hypercorn", "jinja2")


def address_of(given: str | None, config: ServeConfig) -> "Address | None":
    """Return the address that was given, else the one in the settings; None where there is neither.

    Raises BadAddress, ExtraMissing.
    """
    from holdfast.web import Address, ExtraMissing

    wanted = config.http if given is None else given
    if wanted is False:
        return None
    address = Address.parse("" if wanted is True else wanted)
    for name in NEEDED:
        if find_spec(name) is None:
            raise ExtraMissing(name)
    return address
