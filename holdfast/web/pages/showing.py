"""The pages that are looked at: each asks the tools, and gives a template what they answer."""

from typing import Any

from starlette.responses import Response

from holdfast.cli.form import outline as form_outline

from .call import Call
from .outline import DEEPEST, outline

STEPS = 50  # on a page
AROUND = 6  # events before a frame's own, and after it
EVENT_FIELDS = ("seq", "offset", "time", "actor", "type")
STATUSES = ("running", "waiting", "succeeded", "failed", "cancelled")
TEXT_CHARACTERS = 20_000
MOST_CUTS = 20  # that an answer names
HEAD_CHARACTERS = 4000  # of a step's input on its page


async def runs(call: Call) -> Response:
    """Show what waits for people, and the runs, newest first."""
    newest = await call.newest()
    asked = call.given("status", "start")
    wanted = asked.get("status")
    found = await call.use(
        "list_runs", status=[wanted] if wanted else None, start=asked.get("start"), limit=25
    )
    inbox = await call.use("inbox", limit=10)
    return await call.page(
        "runs.html", live=newest, found=found, inbox=inbox, status=wanted, statuses=STATUSES
    )


async def run(call: Call) -> Response:
    """Show a run as it is now, or as it was at a frame."""
    newest = await call.newest()
    asked = call.given("run", "at", "start")
    found = await call.use("frame", **asked, limit=STEPS)
    name, at, is_now = asked["run"], found["now"]["offset"], "at" not in asked
    first = max(0, at - AROUND)
    around = await call.use("timeline", run=name, start=first, limit=2 * AROUND)
    last = await call.use("timeline", run=name, start=max(0, at - 1), limit=1)
    event = last["items"][0] if at else None
    return await call.page(
        "run.html",
        live=newest if is_now else None,
        live_run=name,
        run=name,
        at=at,
        is_now=is_now,
        is_old="@" in name,  # a history that the run has left
        found=found,
        start=int(asked.get("start", 0)),  # the tool has taken it
        last=max(0, found["total"] - STEPS),
        now=found["now"],
        is_cut=_is_cut(found["cut"]),
        gates=[_with_form(gate) for gate in found["now"]["gates"]],
        lines=outline(found["items"]),
        around=around["items"],
        event=_parted(event) if event else None,
    )


def _is_cut(places: list[str]) -> bool:
    """Tell whether something of a gate may have been shortened: of many places not all are named."""
    return len(places) == MOST_CUTS or any(place.startswith("now.gates") for place in places)


def _with_form(gate: dict[str, Any]) -> dict[str, Any]:
    """Return a gate with what is to be filled in, in a line; `plain` where that is any text."""
    form: dict[str, Any] | None = gate["form"]
    if form is None:
        return {**gate, "wanted": None, "plain": None}
    is_text = form.get("type") == "string" and "enum" not in form
    return {**gate, "wanted": form_outline(form), "plain": 1 if is_text else None}


def _parted(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event with its own fields apart from those that all have, and without empty ones."""
    own = {name: value for name, value in event.items() if name not in EVENT_FIELDS}
    told = {name: value for name, value in own.items() if value not in (None, "", [], {})}
    return {**{name: event[name] for name in EVENT_FIELDS}, "fields": told}


async def timeline(call: Call) -> Response:
    """Show what happened in a run, event by event."""
    asked = call.given("run", "start")
    found = await call.use("timeline", **asked, limit=50)
    start = int(asked.get("start", 0))  # the tool has taken it
    events = [_parted(event) for event in found["items"]]
    return await call.page(
        "timeline.html", run=asked["run"], found=found, events=events, start=start
    )


async def step(call: Call) -> Response:
    """Show a step: how it stands, and one of its texts, or the beginning of what it was given."""
    asked = call.given("run", "step", "part", "start")
    part = asked.pop("part", None)
    limit = TEXT_CHARACTERS if part else HEAD_CHARACTERS
    found = await call.use("get_step", **asked, part=part or "prompt", limit=limit)
    start = int(asked.get("start", 0))
    return await call.page("step.html", run=asked["run"], part=part, found=found, start=start)


async def files(call: Call) -> Response:
    """Show the files of a run at a frame, or what is in one of them."""
    asked = call.given("run", "at", "path", "workspace", "start")
    found = await call.use("files_at", **asked, limit=TEXT_CHARACTERS)
    return await call.page("files.html", found=found, asked=asked)


async def tree(call: Call) -> Response:
    """Show the families of runs: who was forked from whom."""
    asked = call.given("run", "start")
    found = await call.use("tree", **asked, limit=30)
    return await call.page("tree.html", found=found, run=asked.get("run"), deepest=DEEPEST)


async def diff(call: Call) -> Response:
    """Compare two runs, or one at two frames; without them, ask which."""
    asked = call.given("a", "b", "at_a", "at_b", "start")
    both = "a" in asked and "b" in asked
    found = await call.use("diff", **asked) if both else None
    return await call.page("diff.html", found=found, asked=asked)


async def rewind(call: Call) -> Response:
    """Tell what going back would do, and ask once more."""
    asked = call.given("run", "at", "start")
    found = await call.use("plan", **asked, action="rewind")
    return await call.page("rewind.html", found=found, asked=asked)


async def cancel(call: Call) -> Response:
    """Ask once more before a run is cancelled."""
    found = await call.use("why", **call.given("run"))
    return await call.page("cancel.html", found=found)
