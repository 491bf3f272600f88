"""Every operation of the OpenAPI document that changes something leaves a line of who did it.

A new route needs an example here: a valid request, and what the line calls it.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, NamedTuple

import httpx2
import pytest
from sqlalchemy import text

from paperdesk.app import create_app
from paperdesk.clock import utc_now
from paperdesk.db.engine import Database
from paperdesk.ledger.proof.standing import REASON
from paperdesk.models import DeskMeta, Job, JobRow, JobStatus, RowStatus
from paperdesk.settings import Settings
from support.desk import DeskClient, open_desk
from support.jobs import until
from support.trail import asked_by, said, trail

Prepare = Callable[[DeskClient], Awaitable[str]]
LIMIT = {"ticker": "AAPL", "side": "buy", "quantity": 1, "type": "limit", "limit_price": 50}
ALERT = b'{"ticker": "AAPL", "action": "buy", "quantity": 1}'
SPAN = {"since": "2000-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}
SAFE = {"get", "head", "options"}
CHANGES_NOTHING = {
    # It proves the books; where it finds them wrong, the desk closes itself, which is a line.
    "POST /api/verify",
}


class Example(NamedTuple):
    """A request, after what `prepare` did, whose result goes in place of `{id}` in the path."""

    actions: set[str]
    body: Any = None
    path: str | None = None
    prepare: Prepare | None = None
    account: str | None = "default"
    actor: str = "local"
    content: bytes | None = None


async def order(desk: DeskClient) -> str:
    return (await desk.post("/api/orders", json=LIMIT)).json()["id"]


async def position(desk: DeskClient) -> str:
    await desk.trade("AAPL", "buy", 2)
    return "AAPL"


async def account(desk: DeskClient) -> str:
    answer = await desk.post("/api/accounts", json={"name": "momentum", "cash_balance": 100})
    return answer.json()["id"]


async def closed(desk: DeskClient) -> str:
    """Close the desk, as a proof does that failed."""
    database: Database = desk.app.state.database
    async with database.write() as session:
        session.add(DeskMeta(key=REASON, value="The desk is read-only."))
    desk.app.state.standing._looked_at = None
    return ""


async def api_key(desk: DeskClient) -> str:
    """Make a key that opens nothing by itself, so that the desk's first one does not close it."""
    answer = await desk.post("/api/keys", json={"name": "bot", "scopes": ["admin"]})
    desk.headers["Authorization"] = f"Bearer {answer.json()['key']}"
    return answer.json()["id"]


async def webhook(desk: DeskClient, mode: str = "propose") -> str:
    answer = await desk.post("/api/webhooks", json={"name": "alerts", "mode": mode})
    return answer.json()["id"]


async def token(desk: DeskClient) -> str:
    answer = await desk.post("/api/webhooks", json={"name": "alerts", "mode": "propose"})
    return answer.json()["token"]


async def header_token(desk: DeskClient) -> str:
    desk.headers["X-Webhook-Token"] = await token(desk)
    return ""


async def signal(desk: DeskClient) -> str:
    answer = await desk.post(f"/hooks/{await token(desk)}", content=ALERT)
    return answer.json()["signal_id"]


async def domain(desk: DeskClient) -> str:
    return (await desk.post("/api/domains", json={"name": "Oil/Gas"})).json()["name"]


async def job(desk: DeskClient) -> str:
    """Make a job that is estimated."""
    body = {"rows": [{"ticker": "AAPL", "side": "buy", "quantity": 1}]}
    job_id = (await desk.post("/api/jobs", json=body)).json()["id"]
    await until(desk, job_id, "previewed_at")
    return job_id


async def paused_job(desk: DeskClient) -> str:
    return await stored_job(desk, "paused")


async def running_job(desk: DeskClient) -> str:
    return await stored_job(desk, "running")


async def ended_job(desk: DeskClient) -> str:
    return await stored_job(desk, "completed")


async def stored_job(desk: DeskClient, status: str) -> str:
    """Store a job of which nothing becomes by itself: another worker has what there is to do."""
    far = utc_now() + timedelta(days=1)
    made = Job(name="a job", status=JobStatus(status), is_ordered=True, total_rows=3)
    made.lease, made.leased_until = "another", far
    held = {"status": RowStatus.processing, "lease": "another", "leased_until": far}
    made.rows = [
        JobRow(row_number=1, data={}, status=RowStatus.failed),
        JobRow(row_number=2, data={}, status=RowStatus.completed, effect={"order_id": "none"}),
        JobRow(row_number=3, data={}, **held),
    ]
    made.processed_rows, made.failed_rows, made.successful_rows = 2, 1, 1
    async with desk.app.state.database.write() as session:
        session.add(made)
    return made.id


NEW: str | None = "new"
"""The account that the operation opened, or that was opened before it."""

EXAMPLES: dict[str, Example] = {
    "POST /api/portfolio/trade": Example(
        {"order.placed"}, {"ticker": "AAPL", "side": "buy", "quantity": 1}
    ),
    "POST /api/orders": Example({"order.placed"}, LIMIT),
    "DELETE /api/orders": Example({"order.canceled"}, prepare=order),
    "POST /api/orders/batch": Example(
        {"order.placed"}, {"orders": [{"ticker": "AAPL", "side": "buy", "quantity": 1}]}
    ),
    "PATCH /api/orders/{order_id}": Example(
        {"order.replaced"}, {"limit_price": 60}, "/api/orders/{id}", order
    ),
    "DELETE /api/orders/{order_id}": Example(
        {"order.canceled"}, path="/api/orders/{id}", prepare=order
    ),
    "POST /api/positions/{ticker}/close": Example(
        {"position.closed"}, {}, "/api/positions/{id}/close", position
    ),
    "DELETE /api/positions": Example({"position.closed"}, prepare=position),
    "POST /api/accounts": Example(
        {"account.opened"}, {"name": "momentum", "cash_balance": 100}, account=NEW
    ),
    "PATCH /api/accounts/{account_id}": Example(
        {"account.changed"}, {"name": "other"}, "/api/accounts/{id}", account, NEW
    ),
    "POST /api/accounts/{account_id}/reset": Example(
        {"account.reset"}, {}, "/api/accounts/{id}/reset", account, NEW
    ),
    "POST /api/accounts/{account_id}/clone": Example(
        {"account.cloned"}, {"name": "twin"}, "/api/accounts/{id}/clone", account, NEW
    ),
    "POST /api/corporate-actions": Example(
        {"action.booked"},
        {"kind": "split", "key": "split", "ticker": "AAPL", "numerator": 2},
        prepare=position,
    ),
    "POST /api/cash": Example({"cash.moved"}, {"kind": "deposit", "amount": 5}),
    "POST /api/reopen": Example({"desk.reopened"}, {"accept": False}, prepare=closed, account=None),
    "POST /api/watchlist": Example({"watchlist.added"}, {"ticker": "BRK.B"}),
    "DELETE /api/watchlist/{ticker}": Example({"watchlist.removed"}, path="/api/watchlist/AAPL"),
    "POST /api/domains": Example({"domain.added"}, {"name": "Oil/Gas"}, account=None),
    "DELETE /api/domains/{domain}": Example(
        {"domain.removed"}, path="/api/domains/{id}", prepare=domain, account=None
    ),
    "POST /api/stocks": Example(
        {"stock.added"}, {"ticker": "BRK.B", "domain": "Finance"}, account=None
    ),
    "DELETE /api/stocks/{ticker}": Example(
        {"stock.removed"}, path="/api/stocks/AAPL", account=None
    ),
    "POST /api/keys": Example({"key.made"}, {"name": "bot", "scopes": ["read"]}, account=None),
    "DELETE /api/keys/{key_id}": Example(
        {"key.revoked"}, path="/api/keys/{id}", prepare=api_key, account=None, actor="key"
    ),
    "POST /api/keys/{key_id}/rotate": Example(
        {"key.rotated"}, {}, "/api/keys/{id}/rotate", api_key, None, "key"
    ),
    "POST /api/webhooks": Example({"webhook.made"}, {"name": "alerts", "mode": "record"}),
    "PATCH /api/webhooks/{webhook_id}": Example(
        {"webhook.changed"}, {"mode": "execute"}, "/api/webhooks/{id}", webhook
    ),
    "DELETE /api/webhooks/{webhook_id}": Example(
        {"webhook.removed"}, path="/api/webhooks/{id}", prepare=webhook
    ),
    "POST /api/webhooks/{webhook_id}/rotate": Example(
        {"webhook.rotated"}, path="/api/webhooks/{id}/rotate", prepare=webhook
    ),
    "POST /api/webhooks/{webhook_id}/signing-secret": Example(
        {"webhook.rotated"}, {}, "/api/webhooks/{id}/signing-secret", webhook
    ),
    "POST /hooks/{token}": Example(
        {"signal.received"}, path="/hooks/{id}", prepare=token, actor="webhook", content=ALERT
    ),
    "POST /api/webhook": Example(
        {"signal.received"}, prepare=header_token, actor="webhook", content=ALERT
    ),
    "POST /api/signals/{signal_id}/approve": Example(
        {"signal.approved"}, path="/api/signals/{id}/approve", prepare=signal
    ),
    "POST /api/signals/{signal_id}/decline": Example(
        {"signal.dismissed"}, path="/api/signals/{id}/decline", prepare=signal
    ),
    "POST /api/signals/{signal_id}/replay": Example(
        {"signal.replayed"}, path="/api/signals/{id}/replay", prepare=signal
    ),
    "POST /api/signals/replay": Example({"signal.replayed"}, SPAN, prepare=signal),
    "POST /api/jobs": Example(
        {"job.made"}, {"rows": [{"ticker": "AAPL", "side": "buy", "quantity": 1}]}
    ),
    "PATCH /api/jobs/{job_id}/rows/{row_number}": Example(
        {"job.changed"},
        {"data": {"ticker": "AAPL", "side": "buy", "quantity": 2}},
        "/api/jobs/{id}/rows/1",
        ended_job,
    ),
    "DELETE /api/jobs/{job_id}": Example({"job.removed"}, path="/api/jobs/{id}", prepare=job),
    "POST /api/jobs/{job_id}/start": Example(
        {"job.changed"}, path="/api/jobs/{id}/start", prepare=job
    ),
    "POST /api/jobs/{job_id}/cancel": Example(
        {"job.changed"}, path="/api/jobs/{id}/cancel", prepare=job
    ),
    "POST /api/jobs/{job_id}/pause": Example(
        {"job.changed"}, path="/api/jobs/{id}/pause", prepare=running_job
    ),
    "POST /api/jobs/{job_id}/resume": Example(
        {"job.changed"}, path="/api/jobs/{id}/resume", prepare=paused_job
    ),
    "POST /api/jobs/{job_id}/retry": Example(
        {"job.changed"}, path="/api/jobs/{id}/retry", prepare=ended_job
    ),
    "POST /api/jobs/{job_id}/undo": Example(
        {"job.changed"}, path="/api/jobs/{id}/undo", prepare=ended_job
    ),
    "POST /api/killswitch": Example({"killswitch.engaged"}, {"on": True}, account=None),
}


def operations() -> list[str]:
    """Return every operation of the document that may change something."""
    document = create_app(Settings(database_url="unused.db")).openapi()
    return [
        f"{method.upper()} {path}"
        for path, methods in document["paths"].items()
        for method in methods
        if method not in SAFE
    ]


@pytest.fixture
async def acting_desk(database_url: str) -> Any:
    async with open_desk(database_url, secret="s" * 32) as desk:
        await desk.app.state.worker.started.wait()
        yield desk


@pytest.mark.parametrize("operation", sorted(operations()))
async def test_every_change_leaves_a_line_of_who_made_it(
    acting_desk: DeskClient, operation: str
) -> None:
    if operation in CHANGES_NOTHING:
        return
    assert operation in EXAMPLES, f"{operation} has no example here of the line that it leaves"
    example = EXAMPLES[operation]
    method, path = operation.split()
    desk, database = acting_desk, acting_desk.app.state.database
    made = await example.prepare(desk) if example.prepare else ""
    *_, last = await trail(database)

    target = (example.path or path).replace("{id}", made)
    headers = {"X-Request-ID": "request-1"}
    with asked_by():
        answer = await desk.request(
            method, target, json=example.body, content=example.content, headers=headers
        )

    assert answer.is_success, answer.text
    lines = await trail(database, last)
    assert {line.action for line in lines} == example.actions
    expected = _expected_account(example, answer, made)
    asked_in = answer.headers.get("X-Request-ID", "request-1")
    for line in lines:
        assert (line.actor, line.request_id, line.user_id) == (
            example.actor,
            asked_in,
            expected,
        )
        assert line.message


def _expected_account(example: Example, answer: httpx2.Response, made: str) -> str | None:
    if example.account is not NEW:
        return example.account
    return answer.json()["id"] or made


async def test_a_refused_request_leaves_no_line(acting_desk: DeskClient) -> None:
    database = acting_desk.app.state.database
    *_, last = await trail(database)
    requests: list[tuple[str, str, Any]] = [
        ("POST", "/api/portfolio/trade", {"ticker": "AAPL", "side": "buy", "quantity": 10_000}),
        ("POST", "/api/cash", {"kind": "withdrawal", "amount": 999_999}),
        ("DELETE", "/api/watchlist/PYPL", None),
        ("POST", "/api/stocks", {"ticker": "AAPL", "domain": "none"}),
        ("DELETE", "/api/stocks/PYPL", None),
        ("DELETE", "/api/domains/AI/Tech", None),
        ("DELETE", "/api/orders/none", None),
        ("PATCH", "/api/accounts/none", {"name": "other"}),
        ("POST", "/api/accounts/none/reset", {}),
        ("POST", "/api/accounts/none/clone", {"name": "twin"}),
    ]
    for method, path, body in requests:
        answer = await acting_desk.request(method, path, json=body)
        assert answer.is_client_error, answer.text
    assert await trail(database, last) == []


async def test_what_changes_nothing_leaves_no_line(acting_desk: DeskClient) -> None:
    database = acting_desk.app.state.database
    key = {"Idempotency-Key": "once"}
    opened = {"name": "momentum", "cash_balance": 100}
    requests: list[tuple[str, str, Any]] = [
        ("POST", "/api/portfolio/trade", {"ticker": "AAPL", "side": "buy", "quantity": 1}),
        ("POST", "/api/accounts", opened),
    ]
    for method, path, body in requests:
        await acting_desk.request(method, path, json=body, headers=key)
    *_, last = await trail(database)
    for method, path, body in [
        *requests,
        ("POST", "/api/watchlist", {"ticker": "AAPL"}),
        ("POST", "/api/domains", {"name": "AI/Tech"}),
        ("POST", "/api/stocks", {"ticker": "AAPL", "domain": "AI/Tech"}),
        ("PATCH", "/api/accounts/default", {"name": "Default"}),
        ("POST", "/api/verify", None),
        ("POST", "/api/reopen", {"accept": True}),
    ]:
        answer = await acting_desk.request(method, path, json=body, headers=key)
        assert answer.is_success, answer.text
    assert await trail(database, last) == []


async def test_a_proof_that_fails_closes_the_desk_of_its_own_accord(sqlite_url: str) -> None:
    async with open_desk(sqlite_url) as desk:
        database: Database = desk.app.state.database
        async with database.write() as session:
            await session.execute(text("UPDATE users_profile SET cash_balance = cash_balance + 1"))
        *_, last = await trail(database)
        with asked_by():
            await desk.post("/api/verify")
            await desk.post("/api/reopen", json={"accept": True})

        lines = await trail(database, last)
        assert [(line.action, line.actor) for line in lines] == [
            ("desk.closed", "system"),
            ("proof.accepted", "local"),
            ("desk.reopened", "local"),
        ]
        assert said(lines[0])["after"]["problems"]
