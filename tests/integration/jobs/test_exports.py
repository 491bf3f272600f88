"""Exports: exact, harmless, of one snapshot, whole or not there at all."""

import asyncio
import csv
import hashlib
import io
import json
import os
import re
import zipfile
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import httpx2
import pytest
from sqlalchemy import insert, select

from paperdesk.clock import utc_now
from paperdesk.db.engine import Database
from paperdesk.ids import new_id
from paperdesk.imports.model import Activity, ReadOptions
from paperdesk.imports.reading import read
from paperdesk.jobs.export.schemas import ExportRow, ExportTable
from paperdesk.jobs.export.tables import AT_ONCE, Content
from paperdesk.models import PortfolioSnapshot, Side, Trade
from support.desk import DeskClient, open_desk
from support.jobs import ask, assert_counted, ended, job, rows
from support.keys import bearer, make_admin, make_key

MANY = 60_000
"""Snapshots that take longer to export than to ask for a stop."""
BEGIN = utc_now() - timedelta(days=365)


@pytest.fixture
async def desk(database_url: str, tmp_path: Path) -> AsyncIterator[DeskClient]:
    async with open_desk(database_url, export_folder=tmp_path / "exports") as client:
        await client.app.state.worker.started.wait()
        yield client
        await assert_counted(client.app.state.database)


async def make_export(desk: DeskClient, table: str, **rest: Any) -> dict[str, Any]:
    body = {"kind": "export", "mode": "auto", "rows": [{"table": table, **rest}]}
    answer = await desk.post("/api/jobs", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def export(desk: DeskClient, table: str, **rest: Any) -> httpx2.Response:
    """Export a table, and return the download."""
    done = await ended(desk, (await make_export(desk, table, **rest))["id"])
    assert done["status"] == "completed", done
    answer = await desk.get(f"/api/jobs/{done['id']}/file")
    assert answer.status_code == 200, answer.text
    return answer


def table_of(answer: httpx2.Response) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


def sheet_of(content: bytes) -> list[list[tuple[str, str]]]:
    """Return the cells of the first sheet: the type (n: a number) and the text of each."""
    space = {"x": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        root = ET.fromstring(book.read("xl/worksheets/sheet1.xml"))  # noqa: S314 - ours
    found: list[list[tuple[str, str]]] = []
    for row in root.iterfind(".//x:row", space):
        cells: list[tuple[str, str]] = []
        for cell in row.iterfind("x:c", space):
            text = "".join(part.text or "" for part in cell.iter() if part.text)
            cells.append((cell.get("t", "n"), text))
        found.append(cells)
    return found


async def trade_a_little(desk: DeskClient) -> None:
    await desk.trade("BRK.B", "buy", "0.123456789", strategy="=1+1", client_order_id="-k")
    await desk.trade("AAPL", "buy", 3, strategy="'quoted")
    await desk.trade("AAPL", "sell", "1.5", strategy='plain, with "quotes"\r\nand lines')
    await desk.trade("TSLA", "buy", "500000000", strategy="\uff1dwide")


async def many_snapshots(desk: DeskClient, count: int = MANY) -> None:
    database: Database = desk.app.state.database
    value = {"user_id": "default", "positions_value": Decimal(0), "cash_balance": Decimal(10_000)}
    made = [
        {
            **value,
            "id": new_id(),
            "total_value": Decimal(10_000) + number,
            "recorded_at": BEGIN + timedelta(seconds=number),
        }
        for number in range(count)
    ]
    for first in range(0, count, 10_000):
        async with database.write() as session:
            await session.execute(insert(PortfolioSnapshot), made[first : first + 10_000])


def files(tmp_path: Path) -> list[str]:
    folder = tmp_path / "exports"
    return sorted(each.name for each in folder.iterdir()) if folder.is_dir() else []


async def test_trades_come_back_from_the_generic_reader(desk: DeskClient) -> None:
    rules = {"fill_model": {"commission_minimum": "1.25"}}
    assert (await desk.patch("/api/accounts/default", json=rules)).status_code == 200
    await trade_a_little(desk)
    answer = await export(desk, "trades", bom=True)
    assert answer.content.startswith(b"\xef\xbb\xbf")

    reading = read(io.BytesIO(answer.content), ReadOptions(now=utc_now()))
    back = [each for each in reading.rows() if isinstance(each, Activity)]

    assert reading.format == "generic"
    async with desk.app.state.database.read() as session:
        booked = list(await session.scalars(select(Trade).order_by(Trade.sequence)))
    assert len(back) == len(booked) == 4
    assert {trade.fee for trade in booked} == {Decimal("1.25")}
    for trade, activity in zip(booked, back, strict=True):
        net = (trade.value if trade.side is Side.sell else -trade.value) - trade.fee
        assert (activity.kind.value, activity.at, activity.ticker) == (
            trade.side.value,
            trade.executed_at,
            trade.ticker,
        )
        assert (activity.quantity, activity.price) == (trade.quantity, trade.price)
        assert (activity.fee, activity.net_amount) == (trade.fee, net)
        assert activity.external_id == trade.id
        assert activity.difference == 0


async def test_amounts_are_digit_for_digit_in_every_format(desk: DeskClient) -> None:
    await trade_a_little(desk)
    as_csv = table_of(await export(desk, "trades"))
    lines = (await export(desk, "trades", format="jsonl")).text.splitlines()
    as_json = [json.loads(line) for line in lines]
    shown = (await desk.get("/api/trades")).text

    for first, second in zip(as_csv, as_json, strict=True):
        assert first["quantity"] == second["quantity"]
        assert f'"quantity":{first["quantity"]},' in shown
        assert isinstance(second["value"], str)
        assert first["executed_at"] == second["executed_at"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", first["executed_at"])
    assert as_csv[3]["price"] == "0.000000001"
    assert as_json[0]["opened_at"] is None
    assert as_json[0]["sequence"] == 2


async def test_what_looks_like_a_formula_is_harmless_and_comes_back(desk: DeskClient) -> None:
    await trade_a_little(desk)
    said = ["=1+1", "'quoted", 'plain, with "quotes"\r\nand lines', "\uff1dwide"]
    marked = ["'=1+1", "''quoted", said[2], "'\uff1dwide"]

    as_csv = table_of(await export(desk, "trades"))
    assert [row["strategy"] for row in as_csv] == marked
    assert [row["strategy"].removeprefix("'") for row in as_csv] == said
    # A number is none, whatever it begins with.
    assert as_csv[0]["net_amount"].startswith("-")

    as_json = (await export(desk, "trades", format="jsonl")).text.splitlines()
    assert [json.loads(line)["strategy"] for line in as_json] == said

    sheet = sheet_of((await export(desk, "trades", format="xlsx")).content)
    texts = [text for row in sheet for kind, text in row if kind != "n"]
    assert set(marked[:2]) <= set(texts)
    assert not {"=1+1", "'quoted"} & set(texts)


async def test_a_number_that_a_workbook_cannot_hold_is_text_there(desk: DeskClient) -> None:
    desk.prices.prices["AAPL"] = "123456789.123456789"
    desk.prices.prices["MSFT"] = "190.25"
    async with asyncio.timeout(20):
        while "123456789.123456789" not in (await desk.get("/api/prices/AAPL")).text:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    await desk.trade("AAPL", "buy", "0.00001")
    await desk.trade("MSFT", "buy", "0.1")
    [header, first, second] = sheet_of((await export(desk, "trades", format="xlsx")).content)
    names = [text for _, text in header]
    price = names.index("price")
    assert first[price][0] != "n"
    assert first[price][1] == "123456789.123456789"
    assert second[price] == ("n", "190.25")
    assert second[names.index("quantity")] == ("n", "0.1")


async def test_the_ledger_has_every_entry_in_its_order(desk: DeskClient) -> None:
    await trade_a_little(desk)
    body = {"amount": 70, "kind": "deposit", "note": "@note"}
    await desk.post("/api/cash", json=body, headers={"Idempotency-Key": "c"})
    action = {"kind": "split", "key": "s", "ticker": "AAPL", "numerator": 2}
    assert (await desk.post("/api/corporate-actions", json=action)).status_code == 200

    found = table_of(await export(desk, "ledger"))

    assert [int(row["sequence"]) for row in found] == list(range(1, len(found) + 1))
    assert {row["table"] for row in found} == {
        "trades",
        "cash_movements",
        "position_adjustments",
    }
    assert [row["note"] for row in found if row["kind"] == "deposit"][-1] == "'@note"
    cash = sum((Decimal(row["amount"]) for row in found), Decimal(0))
    portfolio = (await desk.get("/api/portfolio")).text
    assert f'"cash_balance":{format(cash.normalize(), "f")}' in portfolio
    [split] = [row for row in found if row["kind"] == "stock_split"]
    assert (split["ticker"], split["numerator"], split["denominator"]) == ("AAPL", "2", "1")
    journal = (await desk.get("/api/journal", params={"limit": 500})).json()
    assert [row["hash"] for row in found] == [entry["hash"] for entry in reversed(journal)]


async def test_positions_and_snapshots_are_as_the_desk_has_them(desk: DeskClient) -> None:
    await trade_a_little(desk)
    held = table_of(await export(desk, "positions"))
    assert [(row["ticker"], row["quantity"]) for row in held] == [
        ("AAPL", "1.5"),
        ("BRK.B", "0.123456789"),
        ("TSLA", "500000000"),
    ]
    await many_snapshots(desk, 3)
    found = table_of(
        await export(desk, "snapshots", until=(BEGIN + timedelta(seconds=2)).isoformat())
    )
    assert [(row["total_value"], row["incomplete"]) for row in found] == [
        ("10000", "false"),
        ("10001", "false"),
    ]


async def test_only_what_was_asked_for_is_exported(desk: DeskClient) -> None:
    await trade_a_little(desk)
    assert len(table_of(await export(desk, "trades", ticker="aapl"))) == 2
    assert table_of(await export(desk, "trades", until="2020-01-01T00:00:00Z")) == []
    assert len(table_of(await export(desk, "trades", since="2020-01-01T00:00:00Z"))) == 4


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"table": "users"},
        {"table": "trades", "format": "pdf"},
        {"table": "trades", "since": "yesterday"},
        {"table": "trades", "since": "2026-01-01T00:00:00"},
        {"table": "trades", "ticker": "../x"},
        {"table": "trades", "path": "/etc/passwd"},
        {"table": "positions", "since": "2026-01-01T00:00:00Z"},
        {"table": "snapshots", "ticker": "AAPL"},
        {"table": "trades", "format": "jsonl", "bom": True},
        {"table": "trades", "since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"},
        "trades",
        7,
    ],
)
async def test_what_cannot_be_exported_fails_and_says_why(desk: DeskClient, row: Any) -> None:
    body = {"kind": "export", "mode": "auto", "rows": [row]}
    made = await desk.post("/api/jobs", json=body)
    assert made.status_code == 201, made.text
    done = await ended(desk, made.json()["id"])
    assert (done["status"], done["error_code"]) == ("failed", "INVALID_REQUEST")
    assert done["error_message"]
    assert (await desk.get(f"/api/jobs/{done['id']}/file")).status_code == 404


async def test_an_export_has_one_row(desk: DeskClient) -> None:
    for given in (None, [{"table": "trades"}] * 2):
        answer = await desk.post("/api/jobs", json={"kind": "export", "rows": given})
        assert (answer.status_code, "rows" in answer.text) == (422, True)


async def test_the_download_says_what_it_is(desk: DeskClient) -> None:
    await trade_a_little(desk)
    for suffix, media in (
        ("csv", "text/csv; charset=utf-8"),
        ("jsonl", "application/x-ndjson"),
        ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ):
        answer = await export(desk, "trades", format=suffix)
        assert answer.headers["content-type"] == media
        name = r'attachment; filename="default-trades-\d{8}T\d{6}Z\.' + suffix + '"'
        assert re.fullmatch(name, answer.headers["content-disposition"])
        assert answer.headers["etag"] == f'"{hashlib.sha256(answer.content).hexdigest()}"'
        assert int(answer.headers["content-length"]) == len(answer.content)


async def test_a_range_gets_the_whole(desk: DeskClient) -> None:
    answer = await export(desk, "positions")
    for asked in ("bytes=0-3", "bytes=9999999-", "nonsense"):
        again = await desk.get(answer.request.url.path, headers={"Range": asked})
        assert (again.status_code, again.content) == (200, answer.content)


async def test_other_jobs_have_no_file(desk: DeskClient) -> None:
    made = (await desk.post("/api/jobs", json={"kind": "verify", "mode": "auto"})).json()
    await ended(desk, made["id"])
    answer = await desk.get(f"/api/jobs/{made['id']}/file")
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


async def test_a_trader_exports_the_account_of_the_key(desk: DeskClient) -> None:
    admin = await make_admin(desk)
    body = {"name": "other", "cash_balance": 77}
    other = (await desk.post("/api/accounts", json=body, headers=bearer(admin))).json()["id"]
    key = bearer((await make_key(desk, "trade", by=admin, account_id=other))["key"])
    asked = {"kind": "export", "mode": "auto", "rows": [{"table": "ledger"}]}
    made = await desk.post("/api/jobs", json=asked, headers=key)
    assert made.status_code == 201, made.text
    path = f"/api/jobs/{made.json()['id']}"
    async with asyncio.timeout(20):
        while not (await desk.get(path, headers=key)).json()["completed_at"]:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    [opening] = table_of(await desk.get(f"{path}/file", headers=key))
    assert (opening["kind"], opening["amount"]) == ("deposit", "77")
    elsewhere = bearer((await make_key(desk, "read", by=admin, account_id="default"))["key"])
    assert (await desk.get(f"{path}/file", headers=elsewhere)).status_code == 404


async def test_an_export_is_of_one_snapshot(desk: DeskClient) -> None:
    await many_snapshots(desk, 3 * AT_ONCE)
    database: Database = desk.app.state.database
    content = Content("default", ExportRow(table=ExportTable.snapshots))
    with database.long_read() as session:
        total = content.count(session)
        # Between two statements: a cursor alone sees one snapshot whatever the transaction does.
        await many_snapshots(desk, 10)
        with content.rows(session) as given:
            assert sum(1 for _ in given) == total


async def test_progress_is_told_and_a_pause_leaves_nothing_half(
    desk: DeskClient, tmp_path: Path
) -> None:
    await many_snapshots(desk)
    made = await make_export(desk, "snapshots", format="xlsx")
    async with asyncio.timeout(60):
        while not (found := await job(desk, made["id"]))["steps_done"]:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert 0 < found["steps_done"] < found["steps_total"]
    assert found["steps_total"] >= MANY
    await ask(desk, made["id"], "pause")
    async with asyncio.timeout(30):
        while (await rows(desk, made["id"]))[0]["status"] != "pending":  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert files(tmp_path) == []
    [row] = await rows(desk, made["id"])
    assert (row["attempts"], row["effect"]) == (0, None)

    await ask(desk, made["id"], "resume")
    done = await ended(desk, made["id"])
    assert done["steps_done"] == done["steps_total"] >= MANY
    assert files(tmp_path) == [f"{made['id']}.xlsx"]
    answer = await desk.get(f"/api/jobs/{made['id']}/file")
    assert len(sheet_of(answer.content)) == done["steps_total"] + 1


async def test_a_cancelled_export_leaves_no_file(desk: DeskClient, tmp_path: Path) -> None:
    await many_snapshots(desk)
    made = await make_export(desk, "snapshots")
    async with asyncio.timeout(30):
        while not files(tmp_path):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    assert files(tmp_path)[0].startswith("unfinished-")
    await ask(desk, made["id"], "cancel")
    async with asyncio.timeout(30):
        while files(tmp_path):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert (await desk.get(f"/api/jobs/{made['id']}/file")).status_code == 404


async def test_a_desk_that_stops_meanwhile_begins_anew_at_the_next_start(
    database_url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "exports"
    async with open_desk(database_url, export_folder=folder) as desk:
        await many_snapshots(desk)
        made = await make_export(desk, "snapshots")
        async with asyncio.timeout(30):
            while not files(tmp_path):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
    assert files(tmp_path) == []
    async with open_desk(database_url, export_folder=folder) as desk:
        done = await ended(desk, made["id"])
        assert done["status"] == "completed"
        assert files(tmp_path) == [f"{made['id']}.csv"]


async def test_a_file_is_private_and_goes_with_its_job(desk: DeskClient, tmp_path: Path) -> None:
    first, second = await export(desk, "trades"), await export(desk, "ledger", format="xlsx")
    folder = tmp_path / "exports"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {each.stat().st_mode & 0o777 for each in folder.iterdir()} == {0o600}
    job_id = first.request.url.path.split("/")[3]
    assert (await desk.delete(f"/api/jobs/{job_id}")).status_code == 204
    assert files(tmp_path) == [f"{second.request.url.path.split('/')[3]}.xlsx"]


async def test_old_files_go_and_others_stay(desk: DeskClient, tmp_path: Path) -> None:
    old, new = await export(desk, "trades"), await export(desk, "trades")
    folder = tmp_path / "exports"
    ids = [each.request.url.path.split("/")[3] for each in (old, new)]
    (folder / "mine.txt").touch()
    (folder / "unfinished-x").mkdir()
    long_ago = (utc_now() - timedelta(days=8)).timestamp()
    for name in (f"{ids[0]}.csv", "mine.txt", "unfinished-x"):
        os.utime(folder / name, (long_ago, long_ago))
    desk.app.state.exports.prune()
    assert files(tmp_path) == sorted([f"{ids[1]}.csv", "mine.txt"])
    gone = await desk.get(old.request.url.path)
    assert (gone.status_code, "Export once more" in gone.text) == (404, True)


async def test_a_folder_that_cannot_be_written_fails_the_job(
    database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    async with open_desk(database_url, export_folder=tmp_path / "file" / "exports") as desk:
        done = await ended(desk, (await make_export(desk, "trades"))["id"])
    assert (done["status"], done["error_code"]) == ("failed", "INVALID_STATE")
