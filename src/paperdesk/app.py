"""The composition root: the only place that knows all parts and puts them together."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cache
from typing import Annotated, Any, Literal

import structlog
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline
from pydantic import Field
from sqlalchemy import text
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute

from paperdesk import __version__
from paperdesk.accounts import routes as account_routes
from paperdesk.api import problems
from paperdesk.api.codec import Answer, Moment, Reply
from paperdesk.api.direct import DirectRoutes
from paperdesk.api.security import Gate
from paperdesk.audit import routes as audit_routes
from paperdesk.clock import Clock, SystemClock
from paperdesk.corporate import routes as corporate_routes
from paperdesk.desk import Desk
from paperdesk.errors import RateLimited, Unauthenticated
from paperdesk.jobs.routes import files as job_files
from paperdesk.jobs.routes import following as job_following
from paperdesk.jobs.routes import jobs as job_routes
from paperdesk.jobs.routes import making as job_making
from paperdesk.jobs.routes import uploading as job_uploading
from paperdesk.ledger import routes as ledger_routes
from paperdesk.ledger.proof import routes as proof_routes
from paperdesk.ledger.proof.standing import ReadOnlyGuard
from paperdesk.logs import configure_logging
from paperdesk.market import routes as market_routes
from paperdesk.market.quotes import PriceSource
from paperdesk.orders import position_routes
from paperdesk.orders import routes as order_routes
from paperdesk.portfolio import routes as portfolio_routes
from paperdesk.portfolio.performance import routes as performance_routes
from paperdesk.research import routes as research_routes
from paperdesk.settings import Settings, is_loopback
from paperdesk.signals.routes import hooks, killswitch
from paperdesk.signals.routes import signals as signal_routes
from paperdesk.signals.routes import webhooks as webhook_routes
from paperdesk.users import feed_routes
from paperdesk.users import routes as key_routes
from paperdesk.users.access import Guard
from paperdesk.users.requests import RequestIds
from paperdesk.watchlist import routes as watchlist_routes

DESCRIPTION = """
A self-hosted paper-trading desk: pretend money, live or simulated prices, and books that prove
themselves. An acknowledged trade is durable and booked exactly once.

Amounts in answers are JSON numbers, exact to the last digit; requests take numbers or strings.
Times are RFC 3339 in UTC. Lists are plain arrays, newest first; a `Link` header leads to the next
page. Errors are `application/problem+json` with a stable `code` and a sentence on what to do.
"""


ROUTERS = (
    portfolio_routes.router,
    performance_routes.router,
    order_routes.router,
    position_routes.router,
    account_routes.router,
    corporate_routes.router,
    ledger_routes.router,
    proof_routes.router,
    watchlist_routes.router,
    market_routes.router,
    research_routes.router,
    feed_routes.router,
    audit_routes.router,
    key_routes.router,
    hooks.router,
    webhook_routes.router,
    signal_routes.router,
    killswitch.router,
    job_making.router,
    job_routes.router,
    job_following.router,
    job_files.router,
)


_DOCS = ("/docs", "/openapi.json")
"""What needs no key either, where only this machine can ask."""

_SECURITY_SCHEMES: dict[str, Any] = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "pd_…",
        "description": "An API key with the scope that the operation names.",
    },
    "alpaca_key_id": {"type": "apiKey", "in": "header", "name": "APCA-API-KEY-ID"},
    "alpaca_secret_key": {"type": "apiKey", "in": "header", "name": "APCA-API-SECRET-KEY"},
}


class DatabaseHealth(Answer):
    """Which database the desk stands on."""

    dialect: Literal["sqlite", "postgresql"]
    journal_mode: Annotated[str | None, Field(description="wal on SQLite, null on PostgreSQL")]
    revision: Annotated[str, Field(examples=["0007"])]


class MarketHealth(Answer):
    """Where prices come from, and when the last one came."""

    source: Annotated[str, Field(examples=["simulator"])]
    as_of: Moment | None


class Health(Answer):
    """Whether the desk is well."""

    status: Annotated[
        Literal["ok", "degraded"],
        Field(
            description="degraded: the books, prices, a task or the schema are in trouble",
            examples=["ok"],
        ),
    ]
    version: str
    leader: Annotated[
        bool, Field(description="Whether this process makes prices and snapshots for all.")
    ]
    read_only: Annotated[
        str | None, Field(description="Why the desk takes no changes; null while it does")
    ]
    database: DatabaseHealth
    market: MarketHealth


def create_app(
    settings: Settings | None = None,
    clock: Clock | None = None,
    source: PriceSource | None = None,
) -> FastAPI:
    """Return the desk as an ASGI app. The database is opened when the app starts.

    The settings are read here once and stay the same for the life of the app; `source` is where
    prices come from, if not from what the settings say.
    """
    desk = Desk(settings or Settings.load(), clock or SystemClock(), source)
    if not structlog.is_configured():
        # Started by another server: structlog's own defaults would print every local variable.
        configure_logging(desk.settings.log_level)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with desk.running(app.state):
            yield

    app = FastAPIOffline(
        title="Paperdesk",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        redoc_url=None,
        static_url="/docs/static",
        routes=list(_routes()),
        license_info={"name": "MIT", "identifier": "MIT"},
        # Looked up in each request, whether anybody collects it or not.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.settings = desk.settings
    app.state.desk = desk
    problems.install(app)
    app.add_middleware(DirectRoutes, routers=ROUTERS)
    app.add_middleware(ReadOnlyGuard)
    app.add_middleware(Guard, also_open=_DOCS if is_loopback(desk.settings.host) else ())
    app.add_middleware(problems.CrashBarrier)
    app.add_middleware(
        Gate,
        allowed_hosts=(*desk.settings.allowed_hosts, desk.settings.host),
        body_limits={
            order_routes.BATCH_PATH: order_routes.BATCH_BODY_LIMIT,
            job_making.PATH: job_making.BODY_LIMIT,
        },
        form_limits={job_making.PATH: job_uploading.BODY_LIMIT},
    )
    app.add_middleware(RequestIds)
    _document_problems(app)
    return app


@cache
def _routes() -> tuple[BaseRoute, ...]:
    """Return the routes of every desk, analysed once: FastAPI takes 0.2 s for each app's own."""
    everything = APIRouter(
        responses=problems.problems(*problems.EVERYWHERE),
        # Clients are generated from these: a route's own name, not FastAPI's name with the path.
        generate_unique_id_function=_route_name,
    )
    everything.add_api_route("/api/health", read_health, response_model=Health, tags=["desk"])
    everything.add_api_route("/api/health", read_health, methods=["HEAD"], include_in_schema=False)
    everything.add_api_route("/", show_docs, include_in_schema=False)
    for router in ROUTERS:
        everything.include_router(router, responses=problems.problems(Unauthenticated, RateLimited))
    return tuple(everything.routes)


def _route_name(route: APIRoute) -> str:
    return route.name


async def read_health(request: Request) -> Response:
    """Say whether the desk is well, which database it stands on and how old its prices are."""
    desk: Desk = request.app.state.desk
    market, database = desk.market, desk.database
    async with database.read() as session:
        journal_mode = (
            await session.scalar(text("PRAGMA journal_mode"))
            if database.dialect == "sqlite"
            else None
        )
        revision = await session.scalar(text("SELECT version_num FROM alembic_version"))
    read_only = await desk.standing.reason()
    in_trouble = market.outage or desk.in_trouble() or read_only
    well = revision == desk.head and not in_trouble
    health = Health(
        status="ok" if well else "degraded",
        version=__version__,
        leader=desk.leadership.leads,
        read_only=read_only,
        database=DatabaseHealth(
            dialect=database.dialect,
            journal_mode=journal_mode,
            revision=str(revision),
        ),
        market=MarketHealth(
            source=market.source.name,
            as_of=market.as_of,
        ),
    )
    return Reply(health)


async def show_docs() -> Response:
    """Lead a browser to the documentation."""
    return RedirectResponse("/docs")


def _document_problems(app: FastAPI) -> None:
    """Put the schema of a problem, which every route refers to, into the OpenAPI document."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas.setdefault(
            "Problem",
            problems.Problem.model_json_schema(ref_template="#/components/schemas/{model}"),
        )
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        document["components"]["securitySchemes"] = _SECURITY_SCHEMES
        return document

    app.openapi = openapi
