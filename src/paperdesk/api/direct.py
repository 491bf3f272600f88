"""Routes that are called directly: those that take the request, perhaps a body, and nothing else.

Before FastAPI calls a route it asks every router, opens three exit stacks, and solves dependencies:
of an order it took more time than the order. A route without path, query and dependencies needs
nothing of that. It is found by its path, its body is validated by the same model, and its errors
are told in the same words; FastAPI documents it as it does the others.
"""

import inspect
import re
from collections.abc import Iterable
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from paperdesk.api.codec import ExactRoute, check_media_type, check_query, parse_json
from paperdesk.api.problems import answer_to
from paperdesk.api.scopes import check_scope
from paperdesk.errors import PaperdeskError

_NEEDS_FASTAPI: Final = (
    "dependencies",
    "path_params",
    "query_params",
    "header_params",
    "cookie_params",
    "response_param_name",
    "background_tasks_param_name",
    "security_scopes_param_name",
)
"""What FastAPI knows of a route, and must do for it."""

_PARAMETER: Final = re.compile(r"(?<=/)\{[a-z_]+\}$")
"""A parameter at the end of a path."""


class DirectRoutes:
    """Middleware that answers the direct routes of some routers, and passes everything else on."""

    def __init__(self, app: ASGIApp, routers: Iterable[APIRouter]) -> None:
        self.app = app
        self._routes = {
            (method, _PARAMETER.sub("", route.path)): _DirectRoute(route)
            for router in routers
            for route in router.routes
            if isinstance(route, ExactRoute) and is_direct(route)
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] == "http" and not scope.get("root_path"):
            method, path = scope["method"], scope["path"]
            route = self._routes.get((method, path))
            if route is None:
                head, slash, last = path.rpartition("/")
                route = self._routes.get((method, head + slash)) if last else None
            if route is not None:
                await route(scope, receive, send)
                return
        await self.app(scope, receive, send)


def is_direct(route: ExactRoute) -> bool:
    """Say whether a route takes the request, perhaps a JSON body, and nothing else.

    Its path may end in a parameter, which it reads from the request's path by itself; with a slash
    at the end it would be taken for such a one.
    """
    dependant: Dependant = route.dependant
    return (
        dependant.request_param_name is not None
        and inspect.iscoroutinefunction(route.endpoint)
        and inspect.signature(route.endpoint).return_annotation is Response
        and not any(getattr(dependant, need, None) for need in _NEEDS_FASTAPI)
        and "{" not in _PARAMETER.sub("", route.path)
        and not route.path.endswith("/")
        and (route.body_field is None or _model_of(dependant) is not None)
    )


def _model_of(dependant: Dependant) -> type[BaseModel] | None:
    """Return the model of a route's body, if one model is all of it."""
    if len(dependant.body_params) != 1:
        return None
    kind: Any = dependant.body_params[0].field_info.annotation
    return kind if inspect.isclass(kind) and issubclass(kind, BaseModel) else None


class _DirectRoute:
    """One of them, as an application of its own."""

    def __init__(self, route: ExactRoute) -> None:
        dependant: Dependant = route.dependant
        self._endpoint = route.endpoint
        self._needs = route.needs
        self._query_names = route.query_names
        self._request = str(dependant.request_param_name)
        self._model = _model_of(dependant)
        self._body = dependant.body_params[0].name if self._model else ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the route, and send what it returns, or the problem that it raises."""
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except (PaperdeskError, RequestValidationError) as error:
            response = answer_to(error)
        except ClientDisconnect:
            # It went away while it sent its body: nobody is there to be answered.
            return
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        check_scope(request.scope, self._needs)
        check_query(request, self._query_names)
        given: dict[str, Any] = {self._request: request}
        if self._model is not None:
            check_media_type(request.headers.get("content-type"))
            given[self._body] = _validated(self._model, await _body(request.receive))
        return await self._endpoint(**given)


async def _body(receive: Receive) -> bytes:
    """Return the whole body. Raises ClientDisconnect."""
    body, has_more = b"", True
    while has_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        has_more = message.get("more_body", False)
    return body


def _validated(model: type[BaseModel], body: bytes) -> BaseModel:
    """Return the body as its model. Raises what FastAPI raises where it is not that."""
    if not body:
        raise RequestValidationError([{"type": "missing", "loc": ("body",), "msg": "missing"}])
    try:
        return model.model_validate(parse_json(body))
    except ValidationError as error:
        raise RequestValidationError(
            [
                {**problem, "loc": ("body", *problem["loc"])}
                for problem in error.errors(include_url=False)
            ]
        ) from error
