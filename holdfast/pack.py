"""The workflows that come with Holdfast, offered through the same hook as anybody's."""

from collections.abc import Mapping

from holdfast.plugins import hookimpl


@hookimpl
def holdfast_workflows() -> Mapping[str, str]:
    return {
        "audit": "holdfast.workflows.audit:audit",
        "best-of": "holdfast.workflows.best_of:best_of",
        "debug": "holdfast.workflows.debug:debug",
        "grill-me": "holdfast.workflows.grill_me:grill_me",
        "implement": "holdfast.workflows.implement:implement",
        "improve-coverage": "holdfast.workflows.improve_coverage:improve_coverage",
        "kanban": "holdfast.workflows.kanban:kanban",
        "mission": "holdfast.workflows.mission:mission",
        "plan": "holdfast.workflows.plan:plan",
        "ralph": "holdfast.workflows.ralph:ralph",
        "research": "holdfast.workflows.research:research",
        "research-plan-implement": (
            "holdfast.workflows.research_plan_implement:research_plan_implement"
        ),
        "review": "holdfast.workflows.review:review",
        "tickets": "holdfast.workflows.write_tickets:tickets",
    }
