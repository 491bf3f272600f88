"""Cash and the journal over HTTP: shapes, keys, filters, pages and what is refused."""

import asyncio
import hashlib
import json
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import event

from paperdesk.ledger.journal import FIRST_HASH, canonical_bytes, chained_hash
from paperdesk.models import (
    CashMovement,
    PositionAdjustment,
    PositionAdjustmentKind,
    Trade,
    UserProfile,
)
from support.databases import START
from support.desk import DeskClient
from support.trading import row_counts

MOVED = ["id", "kind", "amount", "cash_balance", "created_at"]


def exact(text: str) -> Any:
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


async def move(desk: DeskClient, kind: str, amount: object, **rest: Any) -> Any:
    key = rest.pop("key", None)
    return await desk.post(
        "/api/cash",
        json={"kind": kind, "amount": amount, **rest},
        headers={"Idempotency-Key": key} if key else {},
    )


async def adjust(desk: DeskClient) -> None:
    """Put a split into the journal, as a later version will."""
    async with desk.app.state.database.write() as session:
        account = await session.get_one(UserProfile, "default", with_for_update=True)
        split = PositionAdjustment(
            id="split-1",
            user_id="default",
            kind=PositionAdjustmentKind.stock_split,
            ticker="AAPL",
            numerator=4,
            denominator=1,
            quantity=Decimal(3),
            cost_basis=Decimal(0),
            amount=Decimal(0),
            key="paperdesk:split:AAPL",
            effective_at=START,
            created_at=START,
            sequence=account.head_sequence + 1,
        )
        split.hash = chained_hash(account.head_hash, split)
        account.head_sequence, account.head_hash = split.sequence, split.hash
        session.add(split)


async def test_a_deposit_and_a_withdrawal_answer_in_the_documented_shape(
    desk: DeskClient,
) -> None:
    into = await move(desk, "deposit", "0.000001", note="found")
    out = await move(desk, "withdrawal", 2500.5)

    assert (into.status_code, out.status_code) == (201, 201)
    first, second = exact(into.text), exact(out.text)
    assert list(first) == list(second) == MOVED
    assert (first["kind"], first["amount"], first["cash_balance"]) == (
        "deposit",
        Decimal("0.000001"),
        Decimal("10000.000001"),
    )
    assert (second["kind"], second["amount"], second["cash_balance"]) == (
        "withdrawal",
        Decimal("2500.5"),
        Decimal("7499.500001"),
    )
    assert second["created_at"].endswith("Z")
    assert '"cash_balance":7499.500001' in (await desk.get("/api/portfolio")).text
    # The curve of the account knows at once.
    (*_, last) = (await desk.get("/api/portfolio/history")).json()
    assert last["cash_balance"] in {7499.500001, 10000.000001}


async def test_a_key_gives_the_first_movement_again_and_the_cash_of_now(desk: DeskClient) -> None:
    first = await move(desk, "withdrawal", 200, key="rent-11")
    await desk.trade("AAPL", "buy", 1)
    again = await move(desk, "withdrawal", "200.00", key="rent-11")
    other = await move(desk, "deposit", 200, key="rent-11")
    order = await desk.trade("AAPL", "buy", 1, client_order_id="rent-11")

    assert (first.status_code, again.status_code) == (201, 201)
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json() == first.json() | {"cash_balance": 9609.75}
    assert (other.status_code, other.json()["code"]) == (409, "IDEMPOTENCY_MISMATCH")
    assert (order.status_code, order.json()["code"]) == (409, "IDEMPOTENCY_MISMATCH")


async def test_a_key_of_an_order_is_refused_for_cash(desk: DeskClient) -> None:
    await desk.trade("AAPL", "buy", 1, client_order_id="november")
    deposit = await move(desk, "deposit", 5, key="november")

    assert (deposit.status_code, deposit.json()["code"]) == (409, "IDEMPOTENCY_MISMATCH")


async def test_duplicates_in_flight_wait_for_the_first_answer(desk: DeskClient) -> None:
    answers = await asyncio.gather(*(move(desk, "deposit", 5, key="k") for _ in range(20)))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1


REFUSED: list[tuple[dict[str, Any], dict[str, str], int, str]] = [
    ({"amount": "10000.000001", "kind": "withdrawal"}, {}, 409, "INSUFFICIENT_CASH"),
    ({"amount": 0}, {}, 422, "INVALID_REQUEST"),
    ({"amount": -5}, {}, 422, "INVALID_REQUEST"),
    ({"amount": "0.0000001"}, {}, 422, "INVALID_REQUEST"),
    ({"amount": 1_000_000_001}, {}, 422, "INVALID_REQUEST"),
    ({"amount": 999_990_001}, {}, 422, "INVALID_REQUEST"),
    ({"amount": "1e3"}, {}, 422, "INVALID_REQUEST"),
    ({"amount": True}, {}, 422, "INVALID_REQUEST"),
    ({"amount": None}, {}, 422, "INVALID_REQUEST"),
    ({"kind": "dividend"}, {}, 422, "INVALID_REQUEST"),
    ({"kind": "DEPOSIT"}, {}, 422, "INVALID_REQUEST"),
    ({"note": "x" * 1025}, {}, 422, "INVALID_REQUEST"),
    ({"surprise": 1}, {}, 422, "INVALID_REQUEST"),
    ({}, {"Idempotency-Key": "opening"}, 422, "INVALID_REQUEST"),
    ({}, {"Idempotency-Key": "paperdesk:x"}, 422, "INVALID_REQUEST"),
    ({}, {"Idempotency-Key": "x" * 129}, 422, "INVALID_REQUEST"),
    ({}, {"X-Account": "nobody"}, 404, "NOT_FOUND"),
]


async def test_bad_input_is_refused_with_a_sentence_and_nothing_is_written(
    sqlite_desk: DeskClient,
) -> None:
    answers: list[tuple[dict[str, Any], dict[str, str], int, str]] = []
    for change, headers, _, _ in REFUSED:
        body = {"amount": 1, "kind": "deposit", **change}
        answer = await sqlite_desk.post("/api/cash", json=body, headers=headers)
        assert answer.json()["detail"].endswith(".")
        answers.append((change, headers, answer.status_code, answer.json()["code"]))

    assert answers == REFUSED
    assert (await row_counts(sqlite_desk.app.state.database))["cash_movements"] == 1


async def test_two_keys_are_one_too_many(sqlite_desk: DeskClient) -> None:
    answer = await sqlite_desk.post(
        "/api/cash",
        json={"amount": 1, "kind": "deposit"},
        headers=[("Idempotency-Key", "a"), ("Idempotency-Key", "b")],
    )

    assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_REQUEST")


async def test_movements_are_newest_first_with_their_sign_and_can_be_filtered(
    desk: DeskClient,
) -> None:
    await move(desk, "deposit", 1, key="mine", note="n")
    await move(desk, "withdrawal", "0.5")
    await move(desk, "deposit", 3)

    async def amounts(query: str = "") -> list[float]:
        return [row["amount"] for row in (await desk.get(f"/api/cash{query}")).json()]

    rows = (await desk.get("/api/cash")).json()
    assert [row["amount"] for row in rows] == [3, -0.5, 1, 10_000]
    assert list(rows[2]) == [
        "id",
        "kind",
        "amount",
        "key",
        "note",
        "ticker",
        "effective_at",
        "created_at",
        "sequence",
        "hash",
    ]
    assert (rows[2]["key"], rows[2]["note"], rows[2]["sequence"]) == ("mine", "n", 2)
    assert await amounts("?kind=withdrawal") == [-0.5]
    assert await amounts("?kind=dividend") == []
    assert await amounts("?until=2026-11-20T15:00:00.000001Z") == [10_000]
    assert await amounts("?since=2026-11-20T15:00:00.000001Z") == [3, -0.5, 1]


async def test_the_journal_is_every_entry_and_proves_its_chain(desk: DeskClient) -> None:
    await desk.trade("AAPL", "buy", 1, strategy="a")
    await move(desk, "deposit", 1)
    await desk.trade("MSFT", "buy", "0.5")
    await adjust(desk)

    entries = (await desk.get("/api/journal")).json()

    assert [entry["sequence"] for entry in entries] == [5, 4, 3, 2, 1]
    assert [entry["table"] for entry in entries] == [
        "position_adjustments",
        "trades",
        "cash_movements",
        "trades",
        "cash_movements",
    ]
    assert entries[-1]["previous_hash"] == FIRST_HASH
    async with desk.app.state.database.read() as session:
        for entry in entries:
            model = {m.__tablename__: m for m in (Trade, CashMovement, PositionAdjustment)}
            booked = await session.get_one(model[entry["table"]], entry["id"])
            chained = entry["previous_hash"].encode() + canonical_bytes(booked)
            assert entry["hash"] == hashlib.sha256(chained).hexdigest()


JOURNAL_QUERIES = {
    "table=trades": [4, 2],
    "table=cash_movements": [3, 1],
    "ticker=aapl": [5, 2],
    "ticker=AAPL&table=cash_movements": [],
    "side=buy": [4, 2],
    "strategy=a": [2],
    "source=api": [4, 2],
    "source=api&table=position_adjustments": [],
    "until=2026-11-20T15:00:00.000001Z": [5, 1],
    "since=2026-11-20T15:00:00.000001Z": [4, 3, 2],
}


async def test_the_journal_can_be_filtered_and_still_names_the_hash_before(
    desk: DeskClient,
) -> None:
    await desk.trade("AAPL", "buy", 1, strategy="a")
    await move(desk, "deposit", 1)
    await desk.trade("MSFT", "buy", "0.5")
    await adjust(desk)
    hashes = {e["sequence"]: e["hash"] for e in (await desk.get("/api/journal")).json()}
    found = {query: (await desk.get(f"/api/journal?{query}")).json() for query in JOURNAL_QUERIES}

    sequences = {query: [e["sequence"] for e in entries] for query, entries in found.items()}
    assert sequences == JOURNAL_QUERIES
    for entries in found.values():
        for entry in entries:
            assert entry["previous_hash"] == hashes.get(entry["sequence"] - 1, FIRST_HASH)


@pytest.mark.parametrize("path", ["/api/journal", "/api/cash"])
async def test_lists_are_paged_to_the_end(desk: DeskClient, path: str) -> None:
    for n in range(6):
        await move(desk, "deposit", n + 1)
        await desk.trade("MSFT", "buy", "0.1")
    whole = (await desk.get(path)).json()

    seen: list[dict[str, Any]] = []
    link: str | None = f"{path}?limit=3"
    while link:
        answer = await desk.get(link)
        seen += answer.json()
        link = answer.links.get("next", {}).get("url")

    assert seen == whole
    assert len(seen) == (13 if path == "/api/journal" else 7)


async def test_a_page_of_the_journal_reads_no_more_than_it_shows(sqlite_desk: DeskClient) -> None:
    """Wherever it begins: each table is entered by its index, and nothing is sorted."""
    asked: list[tuple[str, Any]] = []

    def note(_c: Any, _k: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    database = sqlite_desk.app.state.database
    event.listen(database.reader.sync_engine, "before_cursor_execute", note)
    await sqlite_desk.get("/api/journal?limit=2&cursor=1000000")
    event.remove(database.reader.sync_engine, "before_cursor_execute", note)

    plans: list[str] = []
    async with database.read() as session:
        connection = await session.connection()
        for statement, parameters in asked:
            if "sequence <" in statement:  # the desk's own tasks read meanwhile
                plan = await connection.exec_driver_sql(
                    f"EXPLAIN QUERY PLAN {statement}", parameters
                )
                plans += [line for *_, line in plan]
    assert len(plans) == 3
    for line in plans:
        assert line.startswith("SEARCH")
        assert "(user_id=? AND sequence<?)" in line


async def test_a_bad_query_is_refused(sqlite_desk: DeskClient) -> None:
    for path in (
        "/api/journal?table=orders",
        "/api/journal?limit=0",
        "/api/journal?cursor=abc",
        "/api/journal?ticker=a%00b",
        "/api/journal?since=2026-01-01T00:00:00",
        "/api/cash?kind=nothing",
        "/api/cash?limit=501",
        "/api/cash?cursor=-1",
    ):
        answer = await sqlite_desk.get(path)
        assert (path, answer.status_code, answer.json()["code"]) == (path, 422, "INVALID_REQUEST")
