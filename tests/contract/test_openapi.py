"""The OpenAPI document: complete, and true under a fuzz of every route of a desk that serves."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from paperdesk import errors
from support.program import Program
from support.served import serving

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "15"))
"""Requests to each operation."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
ENDLESS = {"/api/stream/prices", "/api/stream/events", "/api/jobs/{job_id}/stream"}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("fuzz")
    program = Program(folder, {"DATABASE_URL": str(folder / "desk.db")})
    with serving(program) as served:
        yield served.url


@pytest.fixture(scope="module")
def document(url: str) -> dict[str, Any]:
    return httpx2.get(f"{url}/openapi.json").json()


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


@pytest.mark.timeout(120 + 2 * EXAMPLES)
def test_no_input_gets_an_answer_that_is_not_documented(url: str) -> None:
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    fuzzed: list[str] = []
    for found in schema.get_all_operations():
        operation: Any = found.ok()  # pyright: ignore[reportAttributeAccessIssue] - or raises
        if operation.path in ENDLESS:
            continue

        @given(case=operation.as_strategy())
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=False,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        )
        def fuzz(case: Any) -> None:
            case.call_and_validate(checks=CHECKS)

        fuzz()
        fuzzed.append(operation.label)

    assert len(fuzzed) >= 11
    assert httpx2.get(f"{url}/api/health").json()["status"] == "ok"


def test_every_route_says_what_it_does_and_what_can_go_wrong(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        assert operation.get("summary"), (method, path)
        assert operation.get("description"), (method, path)
        assert operation.get("tags"), (method, path)
        problems = {
            status
            for status, answer in operation["responses"].items()
            if "application/problem+json" in answer.get("content", {})
        }
        assert {"403", "503"} <= problems, (method, path)


def test_every_body_and_every_answer_has_an_example(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for name, schema in schemas.items():
        if "properties" in schema:
            examples = [
                field
                for field, described in schema["properties"].items()
                if "examples" in described or "example" in described
            ]
            assert examples or "examples" in schema, name


def test_every_problem_points_to_its_schema(document: dict[str, Any]) -> None:
    problem = document["components"]["schemas"]["Problem"]

    assert set(problem["required"]) == {"type", "title", "status", "detail", "code", "error"}


def test_every_refusal_has_a_code_of_its_own() -> None:
    def leaves(kind: type[errors.PaperdeskError]) -> list[type[errors.PaperdeskError]]:
        return [kind, *(leaf for child in kind.__subclasses__() for leaf in leaves(child))]

    refusals = [kind for kind in leaves(errors.Refused) if kind is not errors.Refused]
    codes = [kind.code for kind in refusals]

    assert len(set(codes)) == len(codes)
    assert all(400 <= kind.status < 500 for kind in refusals)
