"""Every route says who may ask, and nothing is reached without being asked for a key."""

from typing import Any

import pytest
from fastapi.routing import APIRoute

from paperdesk.api.codec import ExactRoute, slice_router
from paperdesk.api.scopes import Scope
from paperdesk.app import ROUTERS, create_app
from paperdesk.settings import Settings
from paperdesk.users.access import OPEN_PATHS

SCOPES = {scope.value for scope in Scope}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app(Settings(database_url="unused.db")).openapi()


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith(tuple(f"{each}/" for each in OPEN_PATHS))


def test_every_operation_says_which_scope_it_needs(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        said = operation.get("security", [])
        if is_open(path):
            assert said == [], (method, path)
            continue
        anybody, key, pair = said
        assert anybody == {}
        (needed,) = key["key"]
        assert needed in SCOPES, (method, path)
        assert (needed == "read") <= (method == "get"), (method, path)
        assert pair == {"alpaca_key_id": [needed], "alpaca_secret_key": [needed]}
        assert {"401", "403", "429"} <= operation["responses"].keys(), (method, path)


def test_what_security_refers_to_is_described(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]

    assert schemes.keys() == {"key", "alpaca_key_id", "alpaca_secret_key"}


def test_every_route_of_a_slice_checks_its_scope() -> None:
    for router in ROUTERS:
        for route in router.routes:
            if not isinstance(route, ExactRoute):
                # It checks none: so it has to be one that anybody may ask.
                assert isinstance(route, APIRoute)
                assert is_open(route.path), route.path
                continue
            assert route.is_keyless is is_open(route.path), route.path
            assert (route.needs is None) is route.is_keyless


def test_a_router_that_forgets_to_say_what_its_changes_need_cannot_be_made() -> None:
    router = slice_router(tags=["x"])

    @router.get("/reading")
    async def read() -> None:  # pyright: ignore[reportUnusedFunction]
        """Nothing."""

    with pytest.raises(TypeError, match="changes="):

        @router.post("/changing")
        async def change() -> None:  # pyright: ignore[reportUnusedFunction]
            """Nothing."""


def test_a_route_needs_what_its_router_says() -> None:
    router = slice_router(tags=["x"], reads=Scope.webhook, changes=Scope.admin)
    keyless = slice_router(prefix="/hooks", tags=["x"], keyless=True)

    @router.get("/a")
    @router.put("/a")
    @keyless.post("/a")
    async def route() -> None:  # pyright: ignore[reportUnusedFunction]
        """Nothing."""

    found = {
        (route.path, *sorted(route.methods or ())): route.needs
        for each in (router, keyless)
        for route in each.routes
        if isinstance(route, APIRoute) and isinstance(route, ExactRoute)
    }
    assert found == {
        ("/api/a", "GET"): Scope.webhook,
        ("/api/a", "PUT"): Scope.admin,
        ("/hooks/a", "POST"): None,
    }
