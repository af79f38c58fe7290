"""`holdfast run --dry-run`: the tree of what a workflow would do, as text and as JSON."""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from .place import Place
from .words import one_line, printable

if TYPE_CHECKING:
    from holdfast.dryrun import DryRun, Node
    from holdfast.reducer import Workflow

    from .tools import Tools

WIDTH = 60  # characters of what a step is asked, and of its result
MOST_LINES = 100
KINDS = {"iteration": "", "branch": "", "parallel": "at once", "race": "race, the first one counts"}


def show_dry_run(
    place: Place,
    reference: str,
    text: str | None,
    pairs: Sequence[str],
    samples: Sequence[str],
    *,
    as_json: bool,
) -> int:
    """Print what a run of a workflow would do; return 1 where it would fail."""
    from .inputs import given_input
    from .tools import tools
    from .values import print_json

    kit = tools(place.project())
    found = kit.load(reference)
    result = dry_run_of(kit, found, given_input(found, text, pairs), samples_of(samples))
    if as_json:
        print_json(dry_run_object(result))
    else:
        print_dry_run(result)
    return 0 if result.ok else 1


def refuse_together(**given: object) -> None:
    """Raise BadInput for options that mean nothing to a dry run."""
    from .errors import BadInput

    if names := [f"--{name}" for name, value in given.items() if value]:
        raise BadInput(f"--dry-run makes no run, so {' and '.join(names)} cannot go with it")


def dry_run_of(
    kit: "Tools", workflow: "Workflow", given: dict[str, Any], samples: dict[str, Any]
) -> "DryRun":
    """Play a workflow with the agents and roles of a project."""
    from holdfast.dryrun import dry_run
    from holdfast.settings import roles_of

    agents = kit.plugins.agents()
    return dry_run(
        workflow,
        given,
        kit.load,
        samples=samples,
        roles=roles_of(kit.config),
        knows_agent=lambda name: name in agents,
        permissions=kit.plugins.permissions,
    )


def samples_of(pairs: Sequence[str]) -> dict[str, Any]:
    """Return what --sample says; raise BadInput."""
    from .errors import BadInput
    from .inputs import parse

    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise BadInput(f"--sample {pair!r} is no pair. Write: --sample 'STEP=JSON'")
        found[name] = parse(value, f"--sample {name}", f"--sample '{name}=\"text\"'")
    return found


def dry_run_object(result: "DryRun") -> dict[str, Any]:
    """Return what `run --dry-run --json` prints."""
    import msgspec

    told: dict[str, Any] = {"ok": result.ok, **msgspec.to_builtins(result)}
    return {**told, "where": result.where or None}


def print_dry_run(result: "DryRun") -> None:
    """Print the tree, then how it ended and what to know about it."""
    click.echo(f"{result.workflow}: dry run, nothing is called or written")
    for name, value in result.input.items():
        made = "  (a sample: give one with -i)" if name in result.sampled else ""
        if made or value not in ("", None, [], {}):
            click.echo(f"  {name} = {one_line(_plain(value), WIDTH)}{made}")
    lines = [*tree_lines(result.tree)]
    for line in lines[:MOST_LINES]:
        click.echo(line)
    if len(lines) > MOST_LINES:
        click.echo(f"... {len(lines) - MOST_LINES} lines more; --json has all of them")
    _print_end(result)


def _print_end(result: "DryRun") -> None:
    if result.error is not None:
        where = f" ({result.where})" if result.where else ""
        click.echo(f"{click.style('fails', fg='red')}: {printable(result.error.message)}{where}")
        click.echo("the results are samples: give others with --sample 'STEP=JSON'", err=True)
    elif result.status == "cut":
        click.echo(f"goes on like this: cut off after {result.steps} steps")
    elif result.status == "continued":
        click.echo("goes on in a fresh history: continue_as_new")
    else:
        click.echo(f"succeeds with {one_line(_plain(result.output), 2 * WIDTH)}")
    for problem in result.problems:
        click.echo(
            f"{click.style('problem', fg='red')}: {problem.key}: {printable(problem.message)}"
        )
    click.echo(f"samples: {result.samples}; --sample 'STEP=JSON' gives others", err=True)
    for name in result.unused:
        click.echo(f"note: no step is called {name!r}, so its sample was not used", err=True)


def tree_lines(node: "Node", indent: str = "") -> Iterator[str]:
    """Yield the lines below a node; of several alike the first is shown, the others are counted."""
    children = [each for each in node.children if each.children or each.kind not in KINDS]
    groups = _alike(children)
    for place, (first, count) in enumerate(groups):
        is_last = place == len(groups) - 1
        below = indent + ("   " if is_last else "│  ")
        only = first.kind == "iteration" and len(children) == 1
        if not only:
            more = f"  (and {count - 1} more like it)" if count > 1 else ""
            yield f"{indent}{'└─ ' if is_last else '├─ '}{_line(first)}{more}"
        yield from tree_lines(first, indent if only else below)


def _alike(nodes: Sequence["Node"]) -> list[tuple["Node", int]]:
    groups: list[tuple[Node, int]] = []
    for node in nodes:
        if groups and _shape(groups[-1][0]) == _shape(node):
            groups[-1] = (groups[-1][0], groups[-1][1] + 1)
        else:
            groups.append((node, 1))
    return groups


def _shape(node: "Node") -> object:
    """Return what makes a node, such as an iteration or a branch, the same thing again."""
    name = node.name.partition("#")[0]
    own = None if node.kind in ("iteration", "branch") else (name, node.by, node.status)
    return node.kind, own, [_shape(child) for child in node.children]


def _line(node: "Node") -> str:
    kind = KINDS.get(node.kind, node.kind)
    if node.kind == "loop":
        kind = f"loop, up to {node.max} times; {len(node.children)} here"
    notes = [one_line(note, WIDTH) for note in node.notes]
    head = ", ".join(filter(None, [f"{kind} {one_line(node.by, WIDTH)}".strip(), *notes]))
    name, does = one_line(node.name, WIDTH), one_line(node.does, WIDTH)
    parts = [
        name and click.style(name, bold=True),
        head,
        does and click.style(does, dim=True),
        _result(node),
    ]
    return "  ".join(filter(None, parts))


def _result(node: "Node") -> str:
    if node.status in ("failed", "not needed"):
        return f"-> {node.status}"
    if node.status == "open":
        return "-> not answered"
    if node.kind == "shell" and node.sample:
        code, out = node.sample["code"], node.sample["stdout"]
        told = f"exit status {code}" if code else "ok"
        return f"-> {told}{f', {one_line(out, WIDTH)}' if out else ''}"
    return "" if node.sample is None else f"-> {one_line(_plain(node.sample), WIDTH)}"


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=repr)
