"""Keys as their owners meet them: made, listed, used, rotated, revoked."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from paperdesk.models import ApiKey
from support.desk import DeskClient, open_desk
from support.keys import bearer, make_admin, make_key
from support.pricing import SleeplessClock

NEVER = "0" * 36


async def test_the_first_key_closes_the_desk_and_says_so_and_the_next_says_nothing(
    desk: DeskClient,
) -> None:
    assert (await desk.get("/api/portfolio")).status_code == 200
    first = await desk.post("/api/keys", json={"name": "me", "scopes": ["admin"]})
    key = first.json()["key"]

    assert first.status_code == 201
    assert first.headers["cache-control"] == "no-store"
    assert "The desk was open until now" in first.json()["notice"]
    assert (await desk.get("/api/portfolio")).status_code == 401
    assert (await desk.get("/api/portfolio", headers=bearer(key))).status_code == 200
    assert (await make_key(desk, "read", by=key))["notice"] is None


async def test_a_first_key_that_cannot_make_others_says_how_to_come_by_one_that_can(
    desk: DeskClient,
) -> None:
    assert "paperdesk key create" in (await make_key(desk, "trade"))["notice"]


async def test_a_key_has_two_forms_that_do_the_same(desk: DeskClient) -> None:
    made = await make_key(desk, "read")
    pair = {
        "APCA-API-KEY-ID": made["alpaca_key_id"],
        "APCA-API-SECRET-KEY": made["alpaca_secret_key"],
    }

    assert made["key"].startswith(f"pd_{made['key_id']}_{made['alpaca_secret_key']}_")
    for headers in (bearer(made["key"]), pair, bearer(made["key"]) | pair):
        assert (await desk.get("/api/portfolio", headers=headers)).status_code == 200


async def test_only_a_hash_of_the_secret_is_kept(desk: DeskClient) -> None:
    made = await make_key(desk, "admin")

    async with desk.app.state.database.read() as session:
        row = await session.scalar(select(ApiKey))
    listed = await desk.get("/api/keys", headers=bearer(made["key"]))

    assert len(row.secret_hash) == 64
    assert made["alpaca_secret_key"] not in f"{vars(row)}"
    assert made["alpaca_secret_key"] not in listed.text
    assert row.secret_hash not in listed.text


async def test_every_key_that_does_not_open_gets_the_same_answer(timed: DeskClient) -> None:
    admin = await make_admin(timed)
    clock: SleeplessClock = timed.app.state.desk.clock
    soon = (clock.now() + timedelta(minutes=5)).isoformat()
    expired = (await make_key(timed, "read", by=admin, expires_at=soon))["key"]
    revoked = await make_key(timed, "read", by=admin)
    path = f"/api/keys/{revoked['id']}"
    assert (await timed.delete(path, headers=bearer(admin))).status_code == 204
    assert (await timed.get("/api/portfolio", headers=bearer(expired))).status_code == 200
    clock.advance(timedelta(minutes=5))
    secret = revoked["alpaca_secret_key"]
    headers = [
        {},
        bearer("no key"),
        bearer(expired),
        bearer(revoked["key"]),
        bearer(revoked["key"][:-1] + "!"),
        {"APCA-API-KEY-ID": revoked["key_id"], "APCA-API-SECRET-KEY": secret[::-1]},
        {"APCA-API-KEY-ID": admin[3:13], "APCA-API-SECRET-KEY": secret},
        {"APCA-API-KEY-ID": "0123456789", "APCA-API-SECRET-KEY": secret},
        bearer(admin) | {"APCA-API-KEY-ID": revoked["key_id"], "APCA-API-SECRET-KEY": secret},
    ]

    answers = [await timed.get("/api/portfolio", headers=each) for each in headers]

    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert {answer.headers["www-authenticate"] for answer in answers} == {"Bearer"}


@pytest.mark.parametrize("query", ["api_key", "key", "token", "access_token"])
async def test_a_key_in_the_address_opens_nothing(sqlite_desk: DeskClient, query: str) -> None:
    key = await make_admin(sqlite_desk)

    assert (await sqlite_desk.get(f"/api/portfolio?{query}={key}")).status_code == 401


async def test_a_key_ends_at_its_very_instant(timed: DeskClient) -> None:
    clock: SleeplessClock = timed.app.state.desk.clock
    admin = await make_admin(timed)
    end = clock.now() + timedelta(milliseconds=300)
    made = await make_key(timed, "read", by=admin, expires_at=end.isoformat())
    assert (await timed.get("/api/prices", headers=bearer(made["key"]))).status_code == 200

    clock.advance(timedelta(milliseconds=300))

    assert (await timed.get("/api/prices", headers=bearer(made["key"]))).status_code == 401


async def test_a_key_that_was_revoked_opens_nothing_more_and_stays_revoked(
    desk: DeskClient,
) -> None:
    admin = await make_admin(desk)
    made = await make_key(desk, "trade", by=admin)
    path = f"/api/keys/{made['id']}"
    assert (await desk.get("/api/portfolio", headers=bearer(made["key"]))).status_code == 200

    assert (await desk.delete(path, headers=bearer(admin))).status_code == 204
    assert (await desk.get("/api/portfolio", headers=bearer(made["key"]))).status_code == 401
    revoked = (await desk.get("/api/keys", headers=bearer(admin))).json()[0]["revoked_at"]
    assert (await desk.delete(path, headers=bearer(admin))).status_code == 204

    assert revoked is not None
    again = (await desk.get("/api/keys", headers=bearer(admin))).json()[0]
    assert again["revoked_at"] == revoked
    assert (await desk.delete(f"/api/keys/{NEVER}", headers=bearer(admin))).status_code == 404


async def test_a_key_that_was_used_just_now_opens_nothing_once_it_is_revoked_or_rotated_away(
    timed: DeskClient,
) -> None:
    """Time stands: nothing that is remembered for a moment runs out."""
    admin = bearer(await make_admin(timed))
    for method, path, body in (("DELETE", "", None), ("POST", "/rotate", {"grace_seconds": 0})):
        made = await make_key(timed, "read", by=admin["Authorization"].split()[1])
        key = bearer(made["key"])
        assert (await timed.get("/api/portfolio", headers=key)).status_code == 200
        where = f"/api/keys/{made['id']}{path}"
        assert (await timed.request(method, where, json=body, headers=admin)).is_success
        assert (await timed.get("/api/portfolio", headers=key)).status_code == 401


async def test_rotated_both_keys_open_until_the_grace_is_over(timed: DeskClient) -> None:
    clock: SleeplessClock = timed.app.state.desk.clock
    admin = await make_admin(timed)
    old = await make_key(timed, "trade", by=admin, account_id="default")
    answer = await timed.post(
        f"/api/keys/{old['key_id']}/rotate", json={"grace_seconds": 60}, headers=bearer(admin)
    )
    new = answer.json()

    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    same = ("name", "scopes", "account_id", "expires_at")
    assert [new[each] for each in same] == [old[each] for each in same]
    for key, status in ((old, 200), (new, 200)):
        found = await timed.get("/api/portfolio", headers=bearer(key["key"]))
        assert found.status_code == status
    clock.advance(timedelta(seconds=60))
    for key, status in ((old, 401), (new, 200)):
        found = await timed.get("/api/portfolio", headers=bearer(key["key"]))
        assert found.status_code == status


async def test_rotated_without_grace_the_old_key_ends_at_once_and_by_default_in_a_day(
    desk: DeskClient,
) -> None:
    admin = await make_admin(desk)
    one, other = [await make_key(desk, "read", by=admin) for _ in range(2)]
    rotated = await desk.post(
        f"/api/keys/{one['id']}/rotate", json={"grace_seconds": 0}, headers=bearer(admin)
    )
    await desk.post(f"/api/keys/{other['id']}/rotate", headers=bearer(admin))

    listed = {key["id"]: key for key in (await desk.get("/api/keys", headers=bearer(admin))).json()}
    assert (await desk.get("/api/prices", headers=bearer(one["key"]))).status_code == 401
    assert (await desk.get("/api/prices", headers=bearer(rotated.json()["key"]))).status_code == 200
    assert listed[other["id"]]["expires_at"][:10] > other["created_at"][:10]
    again = await desk.post(f"/api/keys/{one['id']}/rotate", headers=bearer(admin))
    assert (again.status_code, again.json()["code"]) == (409, "INVALID_STATE")


async def test_a_rotation_lengthens_no_life(desk: DeskClient) -> None:
    admin = await make_admin(desk)
    end = "2027-01-01T00:00:00Z"
    old = await make_key(desk, "read", by=admin, expires_at=end)

    new = await desk.post(f"/api/keys/{old['id']}/rotate", headers=bearer(admin))

    assert new.json()["expires_at"] == end


async def test_keys_are_listed_page_by_page_with_when_they_were_used(desk: DeskClient) -> None:
    admin = await make_admin(desk)
    made = [(await make_key(desk, "read", by=admin))["id"] for _ in range(4)]

    first = await desk.get("/api/keys?limit=3", headers=bearer(admin))
    rest = await desk.get(first.links["next"]["url"], headers=bearer(admin))

    assert [key["id"] for key in first.json()] == made[:0:-1]
    assert rest.json()[0]["id"] == made[0]
    assert len(rest.json()) == 2
    await desk.app.state.access.keyring.close()
    last = (await desk.get(first.links["next"]["url"], headers=bearer(admin))).json()[-1]
    assert last["last_used_at"] is not None


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "x", "scopes": []}, 422),
        ({"name": "x", "scopes": ["everything"]}, 422),
        ({"name": "", "scopes": ["read"]}, 422),
        ({"name": "x", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"}, 422),
        ({"name": "x", "scopes": ["read"], "expires_at": "2027-01-01T00:00:00"}, 422),
        ({"name": "x", "scopes": ["read"], "account_id": "nobody"}, 404),
        ({"name": "x", "scopes": ["read"], "secret": "mine"}, 422),
    ],
    ids=repr,
)
async def test_what_is_no_key_to_make_is_refused_and_leaves_the_desk_open(
    desk: DeskClient, body: dict[str, object], status: int
) -> None:
    assert (await desk.post("/api/keys", json=body)).status_code == status
    assert (await desk.get("/api/keys")).json() == []


async def test_a_key_is_counted_against_its_rate(sqlite_url: str) -> None:
    async with open_desk(sqlite_url, key_rate_per_second=1) as desk:
        headers = bearer(await make_admin(desk))
        answers = [await desk.get("/api/prices", headers=headers) for _ in range(4)]

    assert [answer.status_code for answer in answers][:2] == [200, 200]
    assert (answers[3].status_code, answers[3].json()["code"]) == (429, "RATE_LIMITED")
    assert answers[3].headers["retry-after"] == "1"


async def test_after_ten_wrong_keys_an_address_waits_longer_each_time_but_valid_keys_do_not(
    sqlite_url: str,
) -> None:
    async with open_desk(sqlite_url, trusted_proxies="127.0.0.1") as desk:
        admin = await make_admin(desk)
        behind = {"x-forwarded-for": "198.51.100.1"}
        wrong = [await desk.get("/api/prices", headers=bearer("wrong") | behind) for _ in range(13)]
        without = await desk.get("/api/prices", headers=behind)
        valid = await desk.get("/api/prices", headers=bearer(admin) | behind)
        neighbour = await desk.get(
            "/api/prices", headers=bearer("wrong") | {"x-forwarded-for": "198.51.100.2"}
        )

    assert [answer.status_code for answer in wrong] == [401] * 10 + [429] * 3
    assert [answer.headers["retry-after"] for answer in wrong[10:]] == ["2", "4", "8"]
    assert (without.status_code, valid.status_code, neighbour.status_code) == (401, 200, 401)


async def test_an_open_desk_asks_nobody_for_anything(desk: DeskClient) -> None:
    for _ in range(12):
        answer = await desk.get("/api/portfolio", headers=bearer("of another desk"))
        assert answer.status_code == 200
