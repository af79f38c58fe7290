"""The HTTP side of `holdfast serve`: an optional extra, of which `web.hosting` is loaded when it is used."""

from .address import Address
from .errors import ExtraMissing

__all__ = ["Address", "ExtraMissing"]
