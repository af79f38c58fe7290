"""What happened: the events of a project and the log that keeps them."""

from .errors import HoldfastError

__all__ = ["HoldfastError"]
