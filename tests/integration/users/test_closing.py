"""What one process decides about keys the others know within a second, at no cost to requests."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import Engine, event, select

from paperdesk.models import ApiKey
from support.desk import DeskClient, open_desk
from support.keys import bearer, make_admin, make_key


@contextmanager
def counted() -> Iterator[list[str]]:
    """Give the statements that any engine executes."""
    statements: list[str] = []

    def note(*arguments: object) -> None:
        statements.append(str(arguments[2]))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def whole(folder: Path) -> bytes:
    """Return every byte of every file of a folder."""
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())


@pytest.fixture
async def two(postgres_url: str) -> AsyncIterator[tuple[DeskClient, DeskClient]]:
    """Two processes' desks on one database."""
    async with open_desk(postgres_url) as one, open_desk(postgres_url) as other:
        yield one, other


async def within_a_second(desk: DeskClient, headers: dict[str, str], status: int) -> None:
    answer = await desk.get("/api/prices", headers=headers)
    for _ in range(9):
        if answer.status_code == status:
            break
        await asyncio.sleep(0.1)
        answer = await desk.get("/api/prices", headers=headers)
    assert answer.status_code == status


async def test_a_first_key_closes_the_other_process_within_a_second_and_opens_it_at_once(
    two: tuple[DeskClient, DeskClient],
) -> None:
    one, other = two
    assert (await other.get("/api/prices")).status_code == 200

    made = await make_key(one, "read", account_id="default")

    with_key = await other.get(
        "/api/portfolio", headers=bearer(made["key"]) | {"X-Account": "nobody"}
    )
    assert with_key.status_code == 404
    await within_a_second(other, {}, 401)


async def test_a_key_that_one_process_revokes_opens_no_other_within_a_second(
    two: tuple[DeskClient, DeskClient],
) -> None:
    one, other = two
    admin = await make_admin(one)
    made = await make_key(one, "read", by=admin)
    headers = bearer(made["key"])
    assert (await other.get("/api/prices", headers=headers)).status_code == 200

    await one.delete(f"/api/keys/{made['id']}", headers=bearer(admin))

    assert (await one.get("/api/prices", headers=headers)).status_code == 401
    await within_a_second(other, headers, 401)


async def test_a_key_that_was_revoked_keeps_the_desk_closed_also_after_a_restart(
    database_url: str,
) -> None:
    async with open_desk(database_url) as desk:
        admin = await make_admin(desk)
        keys = (await desk.get("/api/keys", headers=bearer(admin))).json()
        await desk.delete(f"/api/keys/{keys[0]['id']}", headers=bearer(admin))
        assert (await desk.get("/api/prices")).status_code == 401

    async with open_desk(database_url) as desk:
        assert (await desk.get("/api/prices")).status_code == 401
        assert (await desk.get("/api/health")).status_code == 200


async def test_a_request_with_a_key_costs_no_look_into_the_database(desk: DeskClient) -> None:
    headers = bearer(await make_admin(desk))
    await desk.get("/api/prices", headers=headers)
    await desk.app.state.access.keyring.close()

    with counted() as statements:
        answers = await asyncio.gather(
            *(desk.get("/api/prices", headers=headers) for _ in range(20))
        )

    assert {answer.status_code for answer in answers} == {200}
    assert [each for each in statements if "api_keys" in each] == []


async def test_when_a_key_was_used_is_noted_once_a_minute_and_a_failure_to_is_nobodys(
    desk: DeskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = bearer(await make_admin(desk))
    keyring = desk.app.state.access.keyring

    with monkeypatch.context() as patch:
        patch.setattr(keyring._database, "write", None)
        assert (await desk.get("/api/prices", headers=headers)).status_code == 200
        await keyring.close()
    keyring._noted.clear()
    await asyncio.gather(*(desk.get("/api/prices", headers=headers) for _ in range(5)))
    await keyring.close()

    async with desk.app.state.database.read() as session:
        first = (await session.scalar(select(ApiKey))).last_used_at
    assert first is not None
    await desk.get("/api/prices", headers=headers)
    await keyring.close()
    async with desk.app.state.database.read() as session:
        assert (await session.scalar(select(ApiKey))).last_used_at == first


async def test_secrets_are_in_no_log_no_error_and_no_byte_of_the_database(
    sqlite_url: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("DEBUG")
    errors: list[httpx2.Response] = []
    async with open_desk(sqlite_url, log_level="debug") as desk:
        made = await make_key(desk, "read")
        key, secret = made["key"], made["alpaca_secret_key"]
        pair = {"APCA-API-KEY-ID": made["key_id"], "APCA-API-SECRET-KEY": secret}
        for headers in (bearer(key), pair, bearer(key[:-1]), bearer(key) | {"X-Account": key}):
            paths = ("/api/portfolio", "/api/keys", f"/api/x/{key}", f"/api/prices/{key}")
            errors += [await desk.get(path, headers=headers) for path in paths]
            errors.append(await desk.post("/api/orders", json={"ticker": key}, headers=headers))
        assert repr(desk.app.state.access.keyring._known).count(secret) == 0
        files = whole(tmp_path)

    out, err = capfd.readouterr()
    assert len(errors) == 20
    assert not [answer.text for answer in errors if secret in answer.text]
    assert secret not in out + err + caplog.text
    assert secret.encode() not in files
    assert made["key_id"].encode() in files


async def test_a_stream_ends_when_its_key_is_revoked(desk: DeskClient) -> None:
    admin = await make_admin(desk)
    made = await make_key(desk, "read", by=admin)

    async def follow() -> httpx2.Response:
        return await desk.get("/api/stream/prices", headers=bearer(made["key"]), timeout=20)

    following = asyncio.create_task(follow())
    await asyncio.sleep(0.3)
    assert not following.done()
    await desk.delete(f"/api/keys/{made['id']}", headers=bearer(admin))

    answer = await asyncio.wait_for(following, 10)
    assert answer.status_code == 200
    assert answer.text.endswith("\n\n")


@pytest.mark.parametrize("path", ["/api/stream/prices", "/api/stream/events"])
async def test_a_stream_of_an_open_desk_ends_when_the_first_key_is_made(
    desk: DeskClient, path: str
) -> None:
    following = asyncio.create_task(desk.get(path, timeout=20))
    await asyncio.sleep(0.3)
    assert not following.done()
    admin = await make_admin(desk)
    bought = await desk.post(
        "/api/portfolio/trade",
        json={"ticker": "AAPL", "side": "buy", "quantity": 1},
        headers=bearer(admin),
    )

    answer = await asyncio.wait_for(following, 10)
    assert bought.status_code < 300
    assert answer.status_code == 200
    assert answer.text.endswith("\n\n")
    assert "event: trade" not in answer.text
