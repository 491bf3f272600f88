"""GET /api/audit: paged and filtered, newest first; a key of one account sees that one's alone."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from paperdesk.audit.actor import Actor, ActorKind
from paperdesk.audit.trail import Action, Line, note
from paperdesk.models import AuditLog, Job, LogLevel, UserProfile
from support.databases import START
from support.desk import DeskClient, open_desk
from support.keys import bearer, make_admin, make_key
from support.trail import asked_by

KEY = Actor(ActorKind.key, "key-1")


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[DeskClient]:
    """A desk with lines of two accounts, of the desk itself, and of a job."""
    async with open_desk(database_url) as client:
        async with client.app.state.database.write() as session:
            session.add(UserProfile(id="other"))
            for number, (actor, line) in enumerate(
                [
                    (KEY, Line(Action.order_placed, "one", "default", "order-1")),
                    (KEY, Line(Action.order_canceled, "two", "default", "order-1")),
                    (Actor(ActorKind.job, "job-1"), Line(Action.order_placed, "three", "other")),
                    (KEY, Line(Action.key_revoked, "four", None, "key-2", level=LogLevel.WARNING)),
                ]
            ):
                with asked_by(actor, f"request-{number}"):
                    note(session, line, START + timedelta(minutes=number))
            jobs = [Job(name="mine"), Job(name="another's", user_id="default")]
            for job in jobs:
                job.logs = [
                    AuditLog(level="INFO", event_type="row_event", message=f"of {job.name}")
                ]
            session.add_all(jobs)
        client.headers["X-Job"] = jobs[0].id
        yield client


async def messages(desk: DeskClient, **wanted: Any) -> list[str]:
    answer = await desk.get("/api/audit", params=wanted)
    assert answer.status_code == 200, answer.text
    return [line["message"] for line in answer.json()]


async def test_lines_come_newest_first_with_all_that_they_say(desk: DeskClient) -> None:
    first, *_ = (await desk.get("/api/audit")).json()
    assert first == first | {
        "timestamp": "2026-11-20T15:03:00Z",
        "level": "WARNING",
        "event_type": "state_change",
        "action": "key.revoked",
        "account_id": None,
        "actor": "key",
        "actor_id": "key-1",
        "subject": "key-2",
        "request_id": "request-3",
        "message": "four",
        "details": None,
        "job_id": None,
    }
    assert await messages(desk, limit=4) == ["four", "three", "two", "one"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"action": "order.placed"}, ["three", "one"]),
        ({"action": "order."}, ["three", "two", "one"]),
        ({"action": "order"}, []),
        ({"action": "o%."}, []),
        ({"actor": "key"}, ["four", "two", "one"]),
        ({"actor_id": "job-1"}, ["three"]),
        ({"account": "other"}, ["three"]),
        ({"subject": "order-1"}, ["two", "one"]),
        ({"subject": "order-1", "action": "order.canceled"}, ["two"]),
        ({"request_id": "request-1"}, ["two"]),
        ({"level": "WARNING"}, ["four"]),
        ({"since": "2026-11-20T15:01:00Z", "until": "2026-11-20T15:03:00Z"}, ["three", "two"]),
    ],
)
async def test_filters_leave_the_rest_out(
    desk: DeskClient, wanted: dict[str, str], expected: list[str]
) -> None:
    assert [m for m in await messages(desk, **wanted) if m.isalpha()] == expected


async def test_a_jobs_log_is_shown_where_it_is_asked_for(desk: DeskClient) -> None:
    assert await messages(desk, job_id=desk.headers["X-Job"]) == ["of mine"]
    assert "of mine" not in await messages(desk)


async def test_pages_are_all_of_it_once(desk: DeskClient) -> None:
    found: list[str] = []
    target = "/api/audit?limit=1&action=order."
    while target and len(found) < 9:
        answer = await desk.get(target)
        found += [line["message"] for line in answer.json()]
        target = answer.links.get("next", {}).get("url", "")
    assert found == ["three", "two", "one"]


@pytest.mark.parametrize(
    "wanted",
    [{"cursor": "é"}, {"actor": "nobody"}, {"level": "LOUD"}, {"since": "today"}, {"x": 1}],
)
async def test_what_makes_no_sense_is_refused(desk: DeskClient, wanted: dict[str, Any]) -> None:
    assert (await desk.get("/api/audit", params=wanted)).status_code == 422


@pytest.mark.parametrize(
    ("bound_to", "wanted", "expected"),
    [
        ("other", {"until": "2026-11-21T00:00:00Z"}, ["three"]),
        ("other", {"account": "default"}, []),
        ("other", {"action": "key.", "until": "2026-11-21T00:00:00Z"}, []),
        (None, {"limit": "4", "until": "2026-11-21T00:00:00Z"}, ["four", "three", "two", "one"]),
    ],
)
async def test_a_key_of_one_account_sees_that_ones_lines_alone(
    desk: DeskClient, bound_to: str | None, wanted: dict[str, str], expected: list[str]
) -> None:
    admin = await make_admin(desk)
    more = {} if bound_to is None else {"account_id": bound_to}
    key = (await make_key(desk, "admin", by=admin, **more))["key"]
    answer = await desk.get("/api/audit", params=wanted, headers=bearer(key))
    assert [line["message"] for line in answer.json()] == expected
    job = f"/api/audit?job_id={desk.headers['X-Job']}"
    of_job = (await desk.get(job, headers=bearer(key))).json()
    assert bool(of_job) is (bound_to is None)
    trader = (await make_key(desk, "trade", by=admin))["key"]
    assert (await desk.get("/api/audit", headers=bearer(trader))).status_code == 403
