"""Tickets: an agent makes tickets of a goal, a person accepts or edits them; `kanban` can work on them.

Copy this file into .holdfast/workflows/ and change it: it is written to be read.
"""

from typing import Annotated

from msgspec import Meta, Struct

from holdfast import Budget, Run, workflow
from holdfast.workflows.common import (
    Agent,
    Approve,
    Goal,
    Model,
    Options,
    Report,
    Rounds,
    TestCommand,
    bullets,
    counted,
    line,
    named,
    read_goal,
    reader,
    spent,
    vacant,
    write_files,
)
from holdfast.workflows.kanban import kanban
from holdfast.workflows.tickets import Ticket, TicketsInvalid, check_tickets


class Draft(Struct):
    """A ticket as an agent writes it. `after` names the tickets that have to be done before."""

    name: str
    title: str
    description: str
    acceptance: list[str]
    after: list[str] = []


class Written(Report, kw_only=True):
    """The tickets, in the words of the files that `kanban` reads, and the folder of these."""

    tickets: list[Ticket]
    folder: str


@workflow(name="tickets", budget=Budget(usd=10, each_usd=0.25))
async def tickets(
    run: Run,
    goal: Goal,
    folder: Annotated[str, Meta(description="A new folder for the tickets.")] = ".holdfast/tickets",
    agent: Agent = "",
    model: Model = None,
    options: Options = {},  # noqa: B006
    max_tickets: Annotated[int, Meta(description="How many tickets at most.", ge=1)] = 12,
    max_rounds: Rounds = 3,
    approve: Approve = True,
    work: Annotated[bool, Meta(description="Have kanban work on them right away.")] = False,
    test: TestCommand = "",
) -> Written:
    """Make well-formed tickets of a goal, and have a person accept or edit them."""
    await run.step("free place", vacant, folder)
    wanted = await read_goal(run, goal)

    made, wrong = list[Ticket](), ""
    async for _ in run.loop("round", max=max_rounds):
        drafts = await run.agent(
            "draft",
            draft_prompt(wanted, max_tickets, made, wrong),
            output=list[Draft],
            **reader(agent, model, options),
        )
        made = [ticket_of(draft) for draft in drafts]
        wrong = complaint(made, max_tickets)
        if not wrong:
            break

    evidence: list[str] = []
    if approve:
        made, by = await accepted(run, made, max_tickets, max_rounds)
        evidence.append(f"accepted by {by}")
    files = {f"{folder}/{ticket.name}.md": file_text(ticket) for ticket in made}
    await run.step("write", write_files, files)
    evidence += [f"`{file}`" for file in files]

    done = "\n\n".join(map(told, made))
    left = [f"to be worked on: holdfast run kanban -i tickets={folder}"]
    boards: list[Report] = []
    if work:
        board = await run.child(
            kanban, {**named(agent, model, options), "test": test, "tickets": folder}
        )
        done, left = f"{done}\n\n{board.title}\n\n{board.done}", board.left
        evidence += board.evidence
        boards.append(board)
    return Written(
        title=f"{counted(len(made), 'ticket')}: {line(goal)}",
        done=done,
        evidence=evidence,
        left=left,
        usage=spent(run, *boards),
        tickets=made,
        folder=folder,
    )


async def accepted(
    run: Run, made: list[Ticket], max_tickets: int, max_rounds: int
) -> tuple[list[Ticket], str]:
    """Return the tickets as a person accepts them, edits included, and who that was."""
    wrong = ""
    async for _ in run.loop("acceptance", max=max_rounds):
        subject = {"tickets": made, **({"wrong with your edits": wrong} if wrong else {})}
        decision = await run.approve("accept the tickets", subject, edits=list[Ticket])
        made = made if decision.edits is None else decision.edits
        wrong = complaint(made, max_tickets)
        if not wrong:
            return made, decision.by
    raise AssertionError("the loop has raised LoopExhausted")


def complaint(made: list[Ticket], most: int) -> str:
    """Return what is wrong with tickets, as one who is to mend it needs to know; empty: nothing."""
    if not 0 < len(made) <= most:
        return f"There are {len(made)} tickets; there have to be 1 to {most}."
    try:
        check_tickets("these", made)
    except TicketsInvalid as error:
        return error.reason
    return ""


def ticket_of(draft: Draft) -> Ticket:
    """Return a draft as a ticket."""
    parts = [draft.description.strip()]
    if draft.acceptance:
        parts += ["## Done when", bullets(draft.acceptance)]
    return Ticket(draft.name, "\n\n".join(parts), line(draft.title), draft.after)


def file_text(ticket: Ticket) -> str:
    """Return a ticket as the Markdown file that `kanban` reads."""
    matter = f"---\nafter: [{', '.join(ticket.after)}]\n---\n" if ticket.after else ""
    return f"{matter}# {ticket.title or ticket.name}\n\n{ticket.text}"


def told(ticket: Ticket) -> str:
    after = f" (after {', '.join(ticket.after)})" if ticket.after else ""
    return f"## {ticket.name}: {ticket.title}{after}\n\n{ticket.text}"


def draft_prompt(goal: str, most: int, before: list[Ticket], wrong: str) -> str:
    """Return the task of writing tickets; what was wrong with those before comes last."""
    task = (
        f"Make tickets of this for the repository that you are in; change nothing:\n\n{goal}\n\n"
        f"At most {most}. Each is a change that can be made, tested and merged by itself by "
        "somebody who reads only that ticket. Give it a short name in lower case with hyphens, a "
        "title, a description that says what and why and where, what shows that it is done, and the "
        "names of the tickets that must be merged before; as few of these as possible."
    )
    if not wrong:
        return task
    return (
        f"{task}\n\nYour tickets so far:\n\n"
        + "\n\n".join(map(told, before))
        + f"\n\nWrong: {wrong}"
    )
