"""The description of the API: valid, whole, and of what there really is."""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from holdfast.mcp.server import TOOLS
from holdfast.web.openapi import description
from holdfast.web.routes import EVENTS, VERBS
from tests.web.conftest import Site

METHODS = {"get", "post"}


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return json.loads(json.dumps(description()))


def operations(described: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def parts(value: Any) -> Iterator[dict[str, Any]]:
    """Yield all objects in a document."""
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, dict | list):
            yield from parts(item)


def test_every_route_and_every_tool_is_in_it(described: dict[str, Any]) -> None:
    found = {(path, method) for path, method, _ in operations(described)}

    assert found == {(v.template, v.method.lower()) for v in VERBS} | {(EVENTS, "get")}
    assert {o["operationId"] for *_, o in operations(described)} == TOOLS.keys() | {"events"}


def test_it_is_an_openapi_document(described: dict[str, Any]) -> None:
    assert described["openapi"] == "3.1.0"
    assert {"title", "version"} <= described["info"].keys()
    assert described["security"] == [{"token": []}]
    assert described["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    ids = [(o["operationId"], path) for path, _, o in operations(described)]
    assert len({name for name, _ in ids}) >= len(ids) - 1
    for path, method, operation in operations(described):
        assert method in METHODS
        assert operation["summary"]
        assert operation["description"]
        assert {"default"} < operation["responses"].keys()
        assert ("requestBody" in operation) == (method == "post")
        in_path = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
        assert in_path == {word[1:-1] for word in path.split("/") if word.startswith("{")}
        assert all(p["required"] for p in operation["parameters"] if p["in"] == "path")
        names = [(p["in"], p["name"]) for p in operation["parameters"]]
        assert len(set(names)) == len(names)


def test_its_schemas_are_valid_and_each_reference_leads_somewhere(
    described: dict[str, Any],
) -> None:
    validator = jsonschema.Draft202012Validator
    schemas = described["components"]["schemas"]
    for schema in schemas.values():
        validator.check_schema(schema)
    for _, _, operation in operations(described):
        for part in parts(operation):
            if "schema" in part:
                validator.check_schema(part["schema"])
    references = {part["$ref"] for part in parts(described) if "$ref" in part}
    assert references <= {f"#/components/schemas/{name}" for name in schemas}
    assert {f"#/components/schemas/{name}" for name in schemas} <= references


def test_a_body_takes_what_is_not_in_the_path_and_nothing_else(described: dict[str, Any]) -> None:
    operation = described["paths"]["/api/v1/runs/{run}/decide"]["post"]
    body = operation["requestBody"]["content"]["application/json"]["schema"]

    assert operation["requestBody"]["required"]
    assert body["required"] == ["by", "decision"]
    assert body["additionalProperties"] is False
    assert "run" not in body["properties"]
    assert not described["paths"]["/api/v1/runs/{run}/resume"]["post"]["requestBody"]["required"]


async def test_it_is_served(site: Site, described: dict[str, Any]) -> None:
    assert (await site.tell("GET", "/openapi.json")).json() == described
