"""The sandboxes that come with Holdfast."""

from .bubblewrap import Bubblewrap

__all__ = ["Bubblewrap"]
