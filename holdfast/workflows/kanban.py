"""Kanban: tickets from files, worked on side by side in worktrees, merged by turns into your branch.

Copy this file into .holdfast/workflows/ and change it: it is written to be read.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct, to_builtins

from holdfast import (
    ApprovalDenied,
    Budget,
    Conflict,
    Merged,
    Run,
    StepFailed,
    Workspace,
    workflow,
)
from holdfast.workflows.common import (
    Agent,
    Model,
    Options,
    Report,
    TestCommand,
    doer,
    find_tests,
    line,
    money,
    said,
)
from holdfast.workflows.implement import coding_prompt
from holdfast.workflows.tickets import Ticket, read_tickets, waves

# Prints the branch that the tickets are merged into; says early what would stop every merge.
TARGET = """
git rev-parse -q --verify HEAD > /dev/null || {
    echo 'there is no commit to begin with: make a git repository and commit to it' >&2; exit 1; }
git symbolic-ref -q --short HEAD || {
    echo 'no branch is checked out to merge into: git switch BRANCH' >&2; exit 1; }
git diff --quiet HEAD -- || {
    echo 'there are uncommitted changes, upon which nothing is merged: commit or stash them' >&2
    exit 1; }
"""
LINES = 15
FAILURES = (StepFailed, ApprovalDenied)


class Card(Struct):
    """What came of a ticket. Where it is not merged, `why` says so."""

    ticket: str
    title: str
    why: str = ""
    commit: str = ""
    branch: str = ""
    rounds: int = 0
    summary: str = ""
    cost_usd: float = 0.0


class Board(Report, kw_only=True):
    """What came of all tickets."""

    cards: list[Card]


@workflow(budget=Budget(usd=50, each_usd=0.25))
async def kanban(
    run: Run,
    tickets: Annotated[
        str,
        Meta(description="A folder of Markdown files, one a ticket; or a file with a JSON list."),
    ],
    test: TestCommand = "",
    role: Annotated[
        str, Meta(description="The role of holdfast.toml that codes; else implementer.")
    ] = "",
    agent: Agent = "",
    model: Model = None,
    options: Options = {},  # noqa: B006
    on_conflict: Annotated[
        Literal["agent", "ask", "leave"],
        Meta(description="Who settles a conflict: an agent, a person, or nobody."),
    ] = "agent",
    limit: Annotated[int, Meta(description="How many tickets at once.", ge=1)] = 4,
    max_rounds: Annotated[int, Meta(description="How many rounds for a ticket.", ge=1)] = 5,
    budget: Annotated[
        float, Meta(description="No further round of a ticket after so many dollars; 0: any.", ge=0)
    ] = 0.0,
) -> Board:
    """Work on tickets side by side, each until its tests are green, and merge them by turns."""
    todo = await run.step("read tickets", read_tickets, tickets)
    target = (await run.shell("target", TARGET)).stdout.strip()
    test = await find_tests(run, test)
    who = doer(agent, model, options, role)
    cards: dict[str, Card] = {}

    async def work(ticket: Ticket) -> Card:
        """See to a ticket. Whatever becomes of it, the others go on."""
        card = Card(ticket.name, ticket.title)
        missing = [name for name in ticket.after if cards[name].why]
        if missing:
            card.why = f"It comes after {', '.join(missing)}, which is not merged."
        else:
            ws = run.workspace("work")
            try:
                await develop(ticket, card, ws)
            except FAILURES as failure:
                card.why = str(failure)
            card.cost_usd = ws.usage.cost_usd
        await run.note(told(card), **to_builtins(card))
        return card

    async def develop(ticket: Ticket, card: Card, ws: Workspace) -> None:
        """Code in a worktree until the tests are green, then merge; else leave it on its branch."""
        message = f"{ticket.title}\n\nTicket: {ticket.name}"
        async with ws:
            card.branch = (await run.shell("branch", "git branch --show-current")).stdout.strip()
            try:
                await code(ticket, card, ws)
            except FAILURES as failure:
                card.why = str(failure)
            if card.why:
                await ws.commit(f"Unfinished: {message}")
                return
            found = await ws.merge(message=message)
            if isinstance(found, Conflict):
                found = await settle(found, ticket, card, ws)
            if isinstance(found, Merged):
                card.commit = found.commit if found.source != ws.base else ""
            else:
                files = ", ".join(file.path for file in found.files)
                card.why = f"It is in conflict with what was merged before: {files}\n{card.why}"

    async def code(ticket: Ticket, card: Card, ws: Workspace) -> None:
        """Let the agent work until the tests are green; else the card says why it ended before."""
        async for card.rounds in run.loop("round", max=max_rounds, on_exhausted="stop"):
            if is_spent(ws):
                card.why = f"Its budget of {money(budget)} is used up. {card.why}"
                return
            prompt = coding_prompt(ticket.text, test, card.why)
            card.summary = await run.agent("code", prompt, **who)
            if not await complaint(card):
                return

    async def settle(
        found: Conflict, ticket: Ticket, card: Card, ws: Workspace
    ) -> Merged | Conflict:
        """Let somebody settle a conflict; it is merged once the tests are green again."""
        message = f"{ticket.title}: settle conflicts\n\nTicket: {ticket.name}"

        async def check() -> str:
            return await complaint(card)

        if on_conflict == "ask":
            return await ws.ask(found, message=message, check=check)
        if on_conflict == "leave" or is_spent(ws):
            return found
        return await ws.resolve(found, message=message, check=check, **who)

    async def complaint(card: Card) -> str:
        """Run the tests, and put on the card what they say where they fail."""
        tests = await run.shell("test", test, check=False, timeout="1h")
        card.why = "" if tests.ok else f"The tests fail:\n{said(tests)}"
        return card.why

    def is_spent(ws: Workspace) -> bool:
        return 0 < budget <= ws.usage.cost_usd

    for wave in waves(todo):
        for card in await run.map(work, wave, key=lambda ticket: ticket.name, limit=limit):
            cards[card.ticket] = card
    left = [card for card in cards.values() if card.why]
    return Board(
        title=f"{len(cards) - len(left)} of {len(cards)} tickets are in {target}",
        done=table(list(cards.values())),
        evidence=[f"`{line(test)}` was green for each before it was merged"],
        left=[where_left(card, target) for card in left],
        usage=run.usage,
        cards=list(cards.values()),
    )


def told(card: Card) -> str:
    """Return a ticket's end in Markdown."""
    if not card.why:
        return f"**{card.ticket}**: {result(card)}"
    where = f"\n\nIts work is on the branch `{card.branch}`." if card.branch else ""
    return f"**{card.ticket}** is left:\n\n{quoted(card.why)}{where}"


def table(cards: list[Card]) -> str:
    """Return the tickets as a table in Markdown."""
    lines = ["| ticket | title | result | rounds | cost |", "|---|---|---|---|---|"]
    for card in cards:
        title, cost = card.title.replace("|", "\\|"), money(card.cost_usd)
        lines.append(f"| {card.ticket} | {title} | {result(card)} | {card.rounds} | {cost} |")
    return "\n".join(lines)


def where_left(card: Card, target: str) -> str:
    """Return why a ticket is left, and where its work is."""
    text = f"{card.ticket}\n\n{quoted(card.why)}"
    if card.branch:
        text += f"\n\nLook at it: `git log -p {target}..{card.branch}`"
        text += f"\n\nTake it over: `git merge {card.branch}`"
    return text


def result(card: Card) -> str:
    """Return what came of a ticket in a few words."""
    done = f"merged: {card.commit[:10]}" if card.commit else "nothing to change"
    return "**left**" if card.why else done


def quoted(text: str) -> str:
    """Return words of others as they are, indented; of many lines the first one and the last."""
    lines = text.strip().splitlines()
    shown = lines if len(lines) <= LINES else [lines[0], "...", *lines[-LINES:]]
    return "\n".join(f"    {line}".rstrip() for line in shown)
