"""A tool of the pages' own: a run at a frame and its steps, for which its history is read once."""

from typing import Any

from holdfast.cli.commands.show import state_at
from holdfast.cli.frames import check_frame
from holdfast.cli.shapes import pause_object, step_object
from holdfast.cli.values import decoded
from holdfast.mcp import shapes
from holdfast.mcp.arguments import Frame as Number
from holdfast.mcp.arguments import Limit, Run, Start
from holdfast.mcp.bounds import page
from holdfast.mcp.desk import Visit
from holdfast.mcp.standing import run_answer
from holdfast.mcp.tool import Asked, Tool


class Frame(Asked, frozen=True):
    run: Run
    at: Number = None
    start: Start = 0
    limit: Limit = 50


def frame(visit: Visit, asked: Frame) -> dict[str, Any]:
    """Tell how a run stood at a frame, as get_run does, with its steps, in the order in which they began."""
    with visit.desk.log() as log:
        row = log.run(asked.run)
        state = state_at(log, asked.run, row.branch, check_frame(asked.run, asked.at, row.head))
        steps = [*state.steps.values()][asked.start :]
        shown = ({**step_object(log, step), "result": None} for step in steps)
        return {
            "now": run_answer(visit, log, row, state),
            "input": decoded(log, state.input),
            "head": row.head,
            "paused": pause_object(state),
            "children": [
                {"key": child.key, "run": child.run, "status": child.status}
                for child in state.children.values()
            ],
            **page(shown, asked.start, asked.limit)._asdict(),
            "total": len(state.steps),
        }


FRAME = Tool("frame", Frame, shapes.Counted, "reads", frame)
