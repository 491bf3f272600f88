"""Headers and query parameters that a dependency reads from the request by itself.

FastAPI looks up, converts and checks each declared parameter in each request, given or not. What
every request may carry is read directly, and documented here.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from fastapi.dependencies.models import Dependant

LONGEST = 128
"""Characters of such a text."""

F = TypeVar("F", bound=Callable[..., Any])

_parameters: dict[Callable[..., Any], list[dict[str, Any]]] = {}


def reads(name: str, place: str, description: str) -> Callable[[F], F]:
    """Say of a dependency that it reads a text: in `path`, or an optional `header` or `query`."""

    def note(dependency: F) -> F:
        parameter = {
            "name": name,
            "in": place,
            "required": place == "path",
            "description": description,
            "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST},
        }
        _parameters.setdefault(dependency, []).append(parameter)
        return dependency

    return note


def parameters_read(dependant: Dependant) -> list[dict[str, Any]]:
    """Return what the dependencies of a route read, as OpenAPI has it."""
    found = list(_parameters.get(dependant.call, [])) if dependant.call else []
    for inner in dependant.dependencies:
        found += parameters_read(inner)
    return found


def query_parameters(dependant: Dependant) -> list[str]:
    """Return the query parameters that FastAPI looks up for a route and its dependencies."""
    found = [parameter.alias for parameter in dependant.query_params]
    for inner in dependant.dependencies:
        found += query_parameters(inner)
    return found


def documented(*readers: Callable[..., Any]) -> dict[str, Any]:
    """Return the `openapi_extra` of a route that calls readers itself, for the sake of speed."""
    return {"parameters": [one for reader in readers for one in _parameters[reader]]}
