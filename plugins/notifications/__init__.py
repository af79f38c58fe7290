"""Notifications: telling people, outside of the terminal, that a run waits for them, failed or is done."""

from .desktop import lacking
from .messages import Message, message_of
from .observer import FOLDER, Notifications, notifications
from .outbox import KEPT_S, Job, Outbox, undelivered
from .sender import Sender
from .targets import Target, fault_of
from .webhook import sign

__all__ = [
    "FOLDER",
    "KEPT_S",
    "Job",
    "Message",
    "Notifications",
    "Outbox",
    "Sender",
    "Target",
    "fault_of",
    "lacking",
    "message_of",
    "notifications",
    "sign",
    "undelivered",
]
