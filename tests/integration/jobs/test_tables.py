"""Files of orders and of tickers, uploaded: jobs as if their rows had been sent."""

from typing import Any, Final

import pytest

from support.desk import DeskClient
from support.jobs import ended, previewed, rows
from support.uploads import open_spools

ORDERS: Final = "ticker,side,quantity\nAAPL,buy,2\nMSFT,hold,1\nAAPL,sell,0.5\n"


async def send(desk: DeskClient, content: str | bytes, key: str = "", **fields: str) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    files = {"file": ("rows.csv", content)}
    return await desk.post("/api/jobs", files=files, data=fields, headers=headers)


async def test_a_basket_is_uploaded_estimated_and_booked(desk: DeskClient) -> None:
    made = await send(desk, ORDERS, kind="basket", name="Monday")
    assert made.status_code == 201, made.text
    job = await previewed(desk, made.json()["id"])
    assert (job["name"], job["file_name"], job["total_rows"]) == ("Monday", "rows.csv", 3)
    assert (len(job["file_sha256"]), job["options"]) == (64, None)
    assert job["total_cost_cents"] > 0

    await desk.post(f"/api/jobs/{job['id']}/start")
    job = await ended(desk, job["id"])
    statuses = [row["status"] for row in await rows(desk, job["id"])]
    assert statuses == ["completed", "failed", "completed"]
    shown = (await desk.get("/api/portfolio")).json()
    assert [float(each["quantity"]) for each in shown["positions"]] == [1.5]


async def test_a_basket_is_uploaded_once_under_a_key(desk: DeskClient) -> None:
    first, again = [
        await send(desk, ORDERS, "monday", kind="basket", mode="auto") for _ in range(2)
    ]
    assert first.json()["id"] == again.json()["id"]
    assert again.headers["Idempotent-Replayed"] == "true"
    other = await send(desk, ORDERS + "JPM,buy,1\n", "monday", kind="basket", mode="auto")
    assert (other.status_code, other.json()["code"]) == (409, "IDEMPOTENCY_MISMATCH")
    assert await ended(desk, first.json()["id"])
    assert len((await desk.get("/api/trades")).json()) == 2


async def test_all_of_a_file_or_nothing(desk: DeskClient) -> None:
    made = await send(desk, ORDERS, kind="basket", mode="auto", atomicity="all")
    job = await ended(desk, made.json()["id"])
    assert (job["status"], job["successful_rows"]) == ("failed", 0)
    assert (await desk.get("/api/trades")).json() == []


@pytest.mark.parametrize(
    "content", ["symbol,exchange\nAAPL,NASDAQ\nMSFT,NASDAQ\n", "AAPL, MSFT\n", '["AAPL", "MSFT"]']
)
async def test_a_watchlist_is_uploaded(desk: DeskClient, content: str) -> None:
    for each in (await desk.get("/api/watchlist")).json():
        await desk.delete(f"/api/watchlist/{each['ticker']}")
    made = await send(desk, content, kind="import_watchlist", mode="auto")
    assert made.status_code == 201, made.text
    job = await ended(desk, made.json()["id"])
    assert job["successful_rows"] == 2
    watched = [each["ticker"] for each in (await desk.get("/api/watchlist")).json()]
    assert watched == ["AAPL", "MSFT"]


@pytest.mark.parametrize(
    ("content", "fields", "field"),
    [
        (b"\x80", {}, "file: is no UTF-8 text"),
        (b"", {}, "file: has no rows"),
        (
            b"ticker,side\n" + b"AAPL,buy\n" * 100_001,
            {},
            "file: one for basket may have 100,000 rows",
        ),
        (b" " * (16 * 1024 * 1024 + 1), {}, "file: one for basket may have 16 MiB"),
        (b"ticker\nAAPL\n", {"columns": '{"at": "Datum"}'}, "columns: says how"),
        (b"ticker\nAAPL\n", {"kind": "export"}, "file: a job of the kind export takes none"),
        (b"\n", {"kind": "import_watchlist"}, "file: names no tickers"),
    ],
)
async def test_a_file_that_is_refused_is_let_go_of(
    desk: DeskClient, content: bytes, fields: dict[str, str], field: str
) -> None:
    before = open_spools()
    answer = await send(desk, content, **{"kind": "basket", **fields})
    assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_REQUEST")
    assert field in answer.json()["detail"]
    assert (await desk.get("/api/jobs")).json() == []
    assert open_spools() == before
