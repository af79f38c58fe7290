"""The debugger's pages: HTML made here, of what the tools answer."""

from .app import make_pages

__all__ = ["make_pages"]
