"""Each request has an id, whatever becomes of it, and whoever acts in it is known."""

import pytest
from fastapi import Request

from paperdesk.audit.actor import SYSTEM, Actor, ActorKind, acting, request_id
from support.desk import DeskClient
from support.keys import bearer, make_key


@pytest.mark.parametrize("given", ["a", "9f8e-7", "trace:1.2_3", "x" * 64])
async def test_a_well_formed_id_is_taken_over(sqlite_desk: DeskClient, given: str) -> None:
    answer = await sqlite_desk.get("/api/prices", headers={"x-request-id": given})

    assert answer.headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "-a", "a b", "x" * 65, "a\u00e4", 'a"b'])
async def test_any_other_is_not(sqlite_desk: DeskClient, given: str) -> None:
    headers = {"x-request-id": given.encode("latin-1")}
    answer = await sqlite_desk.get("/api/prices", headers=headers)  # pyright: ignore[reportArgumentType]

    assert len(answer.headers["x-request-id"]) == 36


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/api/prices", {"host": "evil.com"}, 403),
        ("/api/nothing", {}, 404),
        ("/api/portfolio", {"x-account": "nobody"}, 404),
        ("/api/portfolio?x=1", {}, 422),
        ("/api/health", {}, 200),
    ],
)
async def test_refusals_name_it_too(
    sqlite_desk: DeskClient, path: str, headers: dict[str, str], status: int
) -> None:
    answer = await sqlite_desk.get(path, headers=headers | {"x-request-id": "mine"})

    assert (answer.status_code, answer.headers["x-request-id"]) == (status, "mine")


async def test_handlers_see_who_acts_and_nothing_of_it_is_left(sqlite_desk: DeskClient) -> None:
    seen: list[tuple[Actor, str | None]] = []

    @sqlite_desk.app.get("/probe/actor")
    @sqlite_desk.app.get("/hooks/probe")
    async def probe(request: Request) -> None:  # pyright: ignore[reportUnusedFunction]  # noqa: ARG001
        seen.append((acting.get(), request_id.get()))

    await sqlite_desk.get("/probe/actor", headers={"x-request-id": "one"})
    made = await make_key(sqlite_desk, "read", name="the bot")
    headers = bearer(made["key"]) | {"x-request-id": "two"}
    await sqlite_desk.get("/probe/actor", headers=headers)
    await sqlite_desk.get("/hooks/probe", headers={"x-request-id": "three"})

    key = Actor(ActorKind.key, made["id"], "the bot")
    assert seen == [(Actor(ActorKind.local), "one"), (key, "two"), (SYSTEM, "three")]
    assert (acting.get(), request_id.get()) == (SYSTEM, None)
