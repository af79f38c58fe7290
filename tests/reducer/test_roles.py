"""Who does what a workflow leaves to a role."""

from typing import Any

import pytest

from holdfast.eventlog import Role
from holdfast.reducer import (
    AgentCall,
    Choice,
    ModelAsk,
    Policy,
    Run,
    StepRequest,
    WorkflowError,
    acting,
    changes_of_roles,
    doer,
    fingerprint,
    unresolved,
    workflow,
)
from holdfast.reducer.roles import resolved
from tests.support.player import Player, raw

ROLES = [
    Role("default", "codex", "gpt-5"),
    Role("planner", "claude-code", "opus", ["codex", "cheap"], "read", raw({"max_turns": 3})),
    Role("cheap", model="m/small", fallback=["m/other", "big"]),
    Role("big", model="m/big"),
]


def agent(agent: str = "", **fields: Any) -> StepRequest:
    return StepRequest("k", "agent", AgentCall("do", agent, **fields), Policy(), str)


def model(model: str = "", **fields: Any) -> StepRequest:
    return StepRequest("k", "model", ModelAsk([("user", "hi")], model, **fields), Policy(), str)


def resolve(request: StepRequest, roles: list[Role] = ROLES) -> StepRequest:
    found = resolved(request, roles)
    assert isinstance(found, StepRequest)
    return found


@pytest.mark.parametrize(
    ("request_", "who"),
    [
        (agent(), "codex:gpt-5"),
        (agent(model="mini"), "codex:mini"),
        (agent("gemini"), "gemini"),
        (agent(role="planner"), "claude-code:opus"),
        (agent("codex", role="planner"), "codex"),
        (agent("claude-code", role="planner", model="haiku"), "claude-code:haiku"),
        (agent(role="cheap"), "codex:m/small"),
        (agent(role=("reviewer", "planner", "default")), "claude-code:opus"),
        (agent(role=("reviewer", "default", "planner")), "codex:gpt-5"),
        (agent("gemini", role=("reviewer", "default")), "gemini"),
        (model("m/one"), "m/one"),
        (model(role="cheap"), "m/small"),
        (model("m/one", role="cheap"), "m/one"),
    ],
)
def test_what_is_written_wins_over_the_role(request_: StepRequest, who: str) -> None:
    assert doer(resolve(request_)) == who


def test_without_roles_an_agent_s_task_is_claude_code_s() -> None:
    assert doer(resolve(agent(), [])) == "claude-code"


def test_options_and_permissions_are_the_role_s_where_its_agent_works() -> None:
    call = resolve(agent(role="planner")).call
    other = resolve(agent("codex", role="planner", permissions="full")).call

    assert isinstance(call, AgentCall)
    assert isinstance(other, AgentCall)
    assert (call.permissions, call.options) == ("read", {"max_turns": 3})
    assert (other.permissions, other.options) == ("full", {})


def test_a_fallback_is_an_agent_an_agent_with_a_model_or_a_role() -> None:
    written = agent("a", fallback=("b", "c:x:7b", "planner"))

    assert resolve(written).policy.fallback == (
        Choice("b"),
        Choice("c", "x:7b"),
        Choice("claude-code", "opus", {"max_turns": 3}),
    )
    acp = resolve(agent("a", fallback=("acp", "acp:gemini", "acp:gemini:flash"))).policy.fallback
    assert acp == (Choice("acp"), Choice("acp:gemini"), Choice("acp:gemini", "flash"))
    assert resolve(agent("a", role="planner")).policy.fallback[0] == Choice("codex")
    assert resolve(agent(role="planner", fallback=())).policy.fallback == ()
    assert [c.name for c in resolve(model(role="cheap")).policy.fallback] == ["m/other", "m/big"]


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (agent(role="planer"), "there is no role 'planer'"),
        (agent(role=("planer", "x")), "there is none of the roles 'planer', 'x'"),
        (model(role="default2"), "there is no role 'default2' with a model"),
    ],
)
def test_a_role_that_is_not_there_names_nobody(request_: StepRequest, why: str) -> None:
    assert unresolved(resolve(request_)) == why
    assert not unresolved(resolve(agent("a", role="planer")))


def test_what_a_step_reads_is_what_came_of_its_role() -> None:
    by_role = resolve(agent(role="planner", fallback=("x",)))
    by_hand = resolve(
        agent("claude-code", model="opus", permissions="read", options={"max_turns": 3}), []
    )

    assert fingerprint.reads(by_role) == fingerprint.reads(by_hand)


@pytest.mark.parametrize("roles", [ROLES, []])
@pytest.mark.parametrize("written", [{}, {"agent": "gemini"}, {"model": "mini"}])
def test_a_role_that_may_be_missing_changes_nothing_where_it_is(
    written: dict[str, Any], roles: list[Role]
) -> None:
    before = resolve(agent(**written), roles)
    now = resolve(agent(**written, role=("reviewer", "default")), roles)

    assert fingerprint.reads(now) == fingerprint.reads(before)
    assert now.policy == before.policy


@pytest.mark.parametrize("role", [[], ["a", ""], 7])
def test_what_is_no_role_is_refused_with_what_to_write(role: Any) -> None:
    @workflow
    async def odd(run: Run) -> str:
        return str(await run.agent("do", "Do it", role=role))

    with pytest.raises(WorkflowError, match=r"of 'do' is no role and no list of them\. Write: "):
        print(Player(odd).output)


def test_resolving_again_follows_the_new_roles() -> None:
    written = agent(role="planner")

    assert doer(resolve(written)) == "claude-code:opus"
    assert doer(resolve(written, [Role("planner", "pi")])) == "pi"


def test_whoever_is_at_a_place_gets_the_task_as_it_suits_him() -> None:
    request = resolve(agent(role="planner"))

    assert acting(request, 0) is request
    assert doer(acting(request, 1)) == "codex"
    assert acting(request, 1).call.options == {}  # type: ignore[union-attr]
    assert doer(acting(request, 9)) == "claude-code:opus"
    assert doer(acting(resolve(model(role="cheap")), 2)) == "m/big"


def test_a_sandbox_is_the_role_s_unless_the_step_says_otherwise() -> None:
    confined = [Role("default", "codex", sandbox="bubblewrap")]

    def sandbox(request: StepRequest) -> str | None:
        call = resolve(request, confined).call
        assert isinstance(call, AgentCall)
        return call.sandbox

    assert sandbox(agent()) == "bubblewrap"
    assert sandbox(agent(sandbox="none")) == "none"
    assert sandbox(agent("gemini")) is None
    assert changes_of_roles([], confined) == ["default: nobody -> codex (sandbox bubblewrap)"]


def test_a_change_of_roles_is_told_by_role() -> None:
    after = [Role("default", "codex", "gpt-5"), Role("planner", "pi", options=raw({})), ROLES[2]]

    assert changes_of_roles(ROLES, after) == [
        "big: m/big -> nobody",
        "planner: claude-code:opus (read; options; else codex, cheap) -> pi (options)",
    ]


def test_a_role_of_a_foreign_log_with_odd_options_does_no_harm() -> None:
    call = resolve(agent(role="odd"), [Role("odd", "a", options=raw(7))]).call

    assert isinstance(call, AgentCall)
    assert call.options == {}
