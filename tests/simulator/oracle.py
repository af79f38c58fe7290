"""What a program comes to, by its text alone: without engine, log, driver and time."""

from typing import Any

from tests.simulator.programs import ALWAYS, Node, Program


class Fails(Exception):
    """The program, or a part of it, ends with an exception."""


def expected(program: Program) -> tuple[str, Any]:
    """Return the status and the output that a run of the program must end with."""
    try:
        return "succeeded", _play(program)
    except Fails:
        return "failed", None


def _play(program: Program) -> list[Any]:
    return [_node(node) for node in program]


def _node(node: Node) -> Any:
    match node:
        case ["agent", _, {"left": _}]:
            return "done"  # another agent does it
        case ["step" | "agent", name, plan]:
            if ALWAYS in (plan.get("fails"), plan.get("hangs")):
                raise Fails
            return "done"
        case ["effect", name, _]:
            return name
        case ["pure", _]:
            return "done"
        case ["gate", name, _, _, deny]:
            approved = name.startswith("yes")
            if deny == "raise" and not approved:
                raise Fails
            return [name, approved]
        case ["wait", name]:
            return f"payload of {name}"
        case ["sleep" | "note", *_]:
            return None
        case ["raise"]:
            raise Fails
        case _:
            return _branch(node)


def _branch(node: Node) -> Any:
    match node:
        case ["all", _, branches]:
            return [_play(branch) for branch in branches]
        case ["map", _, items, _, body]:
            return [_play(body) for _ in items]
        case ["race", _]:
            return "raced"
        case ["loop", _, most, until, rest, body]:
            rounds = until or most
            found = [_play(body) for _ in range(rounds)]
            if not until and rest == "raise":
                raise Fails
            return found
        case ["try", body, handler, last]:
            try:
                return _guarded(body, handler)
            finally:
                _play(last)
        case ["child", _, body]:
            return _play(body)
        case _:
            raise AssertionError(f"no such node: {node!r}")


def _guarded(body: Program, handler: Program) -> Any:
    try:
        return _play(body)
    except Fails:
        return ["caught", _play(handler)]
