"""The HTTP side of `serve` and all of `holdfast web`: an optional extra, whose `hosting` is loaded when used."""

from .address import Address
from .errors import ExtraMissing

__all__ = ["Address", "ExtraMissing"]
