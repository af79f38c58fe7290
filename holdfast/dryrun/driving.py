"""A driver that notes where in the workflow each request was made: in which loop, branch or workspace."""

from collections.abc import Coroutine
from typing import Any, Literal

from holdfast.reducer import CeilingRequest, Driver, Request, StepRequest, Workflow
from holdfast.reducer.driver import Load
from holdfast.reducer.tasks import Future, Scope, Spawn

from .nodes import Node, describe


class PlacingDriver(Driver):
    """Puts a node for all that the workflow asks for below `root`. `nodes` has them by key."""

    def __init__(self, workflow: Workflow, load: Load, root: Node) -> None:
        super().__init__(workflow, load)
        self.nodes: dict[str, Node] = {}
        self._root = root
        self._loops: dict[str, Node] = {}
        self._places: dict[str, Node] = {}
        # A task whose branch has no name shares its prefix with the task around it.
        self._own: dict[Coroutine[Any, Any, Any], tuple[str, Node]] = {}

    def ask(self, request: Request, scope: Scope) -> Future:
        if isinstance(request, CeilingRequest):
            self.nodes[request.key] = self._loops[request.key]
            return super().ask(request, scope)
        prefix, name = _parted(request.key)
        node = Node(name, "", request.key)
        describe(node, request, self.now)  # again when it begins: by then the roles are known
        self._place(prefix).children.append(node)
        self.nodes[request.key] = node
        if isinstance(request, StepRequest) and request.kind == "workspace":
            self._places[f"{request.key}/"] = node
        return super().ask(request, scope)

    def enter_loop(self, key: str, max: int) -> None:
        prefix, name = _parted(key)
        node = Node(name, "loop", key, max=max, status="done")
        self._place(prefix).children.append(node)
        self._loops[key] = node

    def gather(
        self, kind: Literal["all", "race"], spawns: list[Spawn], limit: int | None
    ) -> Future:
        assert self.current is not None, "called from a workflow"
        prefix = self.current.scope.prefix
        notes = [f"{limit} at a time"] if limit is not None and limit < len(spawns) else []
        node = Node("", "race" if kind == "race" else "parallel", notes=notes, status="done")
        if spawns:
            self._place(prefix).children.append(node)
        return super().gather(kind, [self._placed(each, node, prefix) for each in spawns], limit)

    def _placed(self, spawn: Spawn, group: Node, prefix: str) -> Spawn:
        def placed() -> tuple[Coroutine[Any, Any, Any], Scope]:
            coroutine, scope = spawn()
            place = group
            if scope.prefix != prefix:
                name = scope.prefix.removeprefix(prefix).rstrip("/")
                place = Node(name, "branch", scope.prefix.rstrip("/"), status="done")
                group.children.append(place)
                self._places[scope.prefix] = place
            self._own[coroutine] = (scope.prefix, place)
            return coroutine, scope

        return placed

    def _place(self, prefix: str) -> Node:
        """Return the node that what has this prefix belongs below."""
        if self.current is not None and self.current.coroutine in self._own:
            own, place = self._own[self.current.coroutine]
            if prefix == own:
                return place
        if not prefix:
            return self._root
        if prefix not in self._places:
            loop, _, number = prefix.removesuffix("]/").rpartition("[")
            iteration = Node(f"[{number}]", "iteration", prefix.rstrip("/"), status="done")
            self._loops[loop].children.append(iteration)
            self._places[prefix] = iteration
        return self._places[prefix]


def _parted(key: str) -> tuple[str, str]:
    prefix, slash, name = key.rpartition("/")
    return prefix + slash, name
