"""The command line. Only what a command needs is imported, so that the quick ones are quick."""

from .app import main

__all__ = ["main"]
