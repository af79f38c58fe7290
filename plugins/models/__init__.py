"""Back ends that answer a model call."""

from .litellm_backend import LitellmModel

__all__ = ["LitellmModel"]
