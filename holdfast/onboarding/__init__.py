"""Setting a project up for the coding agents that are used there: `holdfast init`."""

from .clients import CLIENTS, Client
from .errors import NoClients, NotConfirmed, OnboardingError, UnknownClient
from .plan import Plan, Step, Wanted, make_plan
from .roles import starter_roles
from .skill import skill, workflow_table
from .undo import Undo, make_undo

__all__ = [
    "CLIENTS",
    "Client",
    "NoClients",
    "NotConfirmed",
    "OnboardingError",
    "Plan",
    "Step",
    "Undo",
    "UnknownClient",
    "Wanted",
    "make_plan",
    "make_undo",
    "skill",
    "starter_roles",
    "workflow_table",
]
