"""A file of trades becomes the books that the same trades make one by one, exactly once."""

import asyncio
import io
import itertools
import random
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select

from paperdesk.clock import ManualClock
from paperdesk.db.engine import Database
from paperdesk.ledger.accounts import open_account
from paperdesk.ledger.lane.writer import Ledger
from paperdesk.ledger.proof.proving import prove
from paperdesk.ledger.replay import running
from paperdesk.ledger.replay.past_trades import RowReader
from paperdesk.ledger.replay.running import Summary, replay
from paperdesk.ledger.replay.trade_file import Rejects, TradeFile
from paperdesk.models import Position, Trade
from support.databases import START
from support.trading import assert_books_hold, state_of, trading

HEADER = "ticker,side,quantity,price,executed_at,fee,account,strategy,id"


def row(side: str, quantity: object, second: int = 0, **more: str) -> str:
    said = {"ticker": "AAPL", "price": "100", "fee": "", "account": "", "strategy": "", "id": ""}
    said |= {"side": side, "quantity": str(quantity)} | more
    said["executed_at"] = (START - timedelta(days=9) + timedelta(seconds=second)).isoformat()
    return ",".join(said[name] for name in HEADER.split(","))


def walk(length: int, seed: int = 1) -> list[str]:
    """Trades that the account can pay for: each ticker bought, sold in part, and closed."""
    chance = random.Random(seed)
    rows: list[str] = []
    for n in range(length):
        price = f"{chance.randrange(1, 9)}.{chance.randrange(10**9):09}"
        ticker = f"T{n // 3 % 5}"
        side, quantity = (("buy", "3.1"), ("sell", "1.000000007"), ("sell", "2.099999993"))[n % 3]
        rows.append(
            row(side, quantity, n, ticker=ticker, price=price, fee="0.000011", strategy="é")
        )
    return rows


class Replayer:
    """Replays rows into one database, each time as a process of its own would."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        self.database = database
        self.clock = clock
        self.rejected = io.StringIO()

    async def __call__(
        self, *rows: str, skip_bad: bool = False, batch: str = "", header: str = HEADER
    ) -> Summary:
        text = "\n".join([header, *rows])
        file = TradeFile(io.BytesIO(text.encode()), RowReader("default", batch, self.clock.now()))
        self.rejected = io.StringIO()
        rejects = Rejects(self.rejected, file) if skip_bad else None
        ledger = Ledger(self.database)
        try:
            return await replay(ledger, file, lambda _: None, rejects)
        finally:
            await ledger.close()

    async def prices(self) -> list[Decimal]:
        """The prices that were booked, in the order of booking."""
        async with self.database.read() as session:
            query = select(Trade.price).order_by(Trade.sequence)
            return [price.normalize() for price in await session.scalars(query)]

    async def is_proven(self) -> None:
        await assert_books_hold(self.database)
        async with self.database.read() as session:
            verdict = await session.run_sync(lambda sync: prove(sync, lambda _: None))
        assert verdict.problems == []


@pytest.fixture
def replayer(database: Database, clock: ManualClock) -> Replayer:
    return Replayer(database, clock)


async def counted(database: Database) -> int:
    async with database.read() as session:
        return await session.scalar(select(func.count()).select_from(Trade)) or 0


async def test_a_replay_leaves_the_books_that_the_same_trades_make_one_by_one(
    replayer: Replayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "STRETCH", 64)
    rows = walk(400)

    summary = await replayer(*rows)

    assert summary == Summary(booked=400)
    await replayer.is_proven()
    async with replayer.database.read() as session:
        trades = (await session.scalars(select(Trade).order_by(Trade.sequence))).all()
        held = (await session.scalars(select(Position))).one()
    assert [",".join([t.ticker, t.side, str(t.quantity.normalize())]) for t in trades] == [
        ",".join([*said.split(",")[:2], str(Decimal(said.split(",")[2]).normalize())])
        for said in rows
    ]
    cash = Decimal(10000)
    for trade in trades:
        cash += (trade.value if trade.side == "sell" else -trade.value) - trade.fee
        assert trade.value == round(trade.quantity * trade.price, 6)
    assert (await state_of(replayer.database))["cash"] == cash
    assert {t.source for t in trades} == {"replay"}
    assert {t.strategy for t in trades} == {"é"}
    assert {t.order_id for t in trades} == {None}
    assert [t.executed_at for t in trades] == sorted(t.executed_at for t in trades)
    assert (held.ticker, held.quantity) == (trades[-1].ticker, Decimal("3.1"))
    assert held.opened_at == trades[-1].executed_at


async def test_a_desk_trades_on_after_a_replay(
    replayer: Replayer, database: Database, clock: ManualClock
) -> None:
    await replayer(row("buy", 3), row("sell", 1, 1))
    async with trading(database, clock) as desk:
        desk.price("AAPL", "110")
        booked = await desk.trade("sell", "2")

    assert booked.result.trade.realized_pnl == 20
    await replayer.is_proven()


async def test_the_same_file_again_adds_nothing_and_equal_rows_are_kept(
    replayer: Replayer,
) -> None:
    rows = [row("buy", 1), row("buy", 1), row("sell", 1), row("buy", 1)]

    first = await replayer(*rows)
    before = await state_of(replayer.database)
    again = await replayer(*rows)
    longer = await replayer(*rows, row("buy", 1), row("sell", 2))
    other_batch = await replayer(*rows, batch="b")

    assert (first.booked, again.booked, again.known) == (4, 0, 4)
    assert before["positions"]["AAPL"][0] == 2
    assert (longer.booked, longer.known) == (2, 4)
    assert (other_batch.booked, other_batch.known) == (4, 0)
    await replayer.is_proven()


async def test_a_replay_that_was_cut_off_anywhere_goes_on_where_it_was(
    replayer: Replayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "STRETCH", 7)
    rows = walk(60)

    counts = [(await replayer(*rows[:end])).booked for end in (1, 8, 9, 40, 60)]

    assert counts == [1, 7, 1, 31, 20]
    assert len(await replayer.prices()) == 60
    assert await replayer.prices() == [Decimal(said.split(",")[3]).normalize() for said in rows]
    await replayer.is_proven()


STOPPING: list[tuple[str, str | None, str]] = [
    (row("sell", 5, 2), None, "5 AAPL needs that many shares"),
    (row("buy", 100, 2), None, "costs"),
    (row("buy", 1, 2, fee="9999"), None, "costs"),
    (row("sell", "0.000001", 2, price="0.1", fee="9900"), None, "fee of this sale"),
    (row("buy", "0.000000001", 2, price="0.000000001"), None, "less than $0.000001"),
    (row("buy", 0, 2), "quantity", "must be more than 0"),
    ("AAPL,buy", None, "cells"),
]


@pytest.mark.parametrize(("bad", "field", "reason"), STOPPING, ids=repr)
async def test_a_row_that_cannot_be_booked_ends_the_replay_after_those_before_it(
    replayer: Replayer, bad: str, field: str | None, reason: str
) -> None:
    rows = [row("buy", 1), row("buy", 1, 1), bad, row("sell", 1, 3)]

    stopped = await replayer(*rows)

    assert stopped.stopped is not None
    assert (stopped.booked, stopped.stopped.line, stopped.stopped.field) == (2, 4, field)
    assert reason in stopped.stopped.reason
    assert await counted(replayer.database) == 2
    # Corrected where it stands, the file goes on from there.
    rows[2] = row("buy", 1, 2, price="7")
    assert await replayer(*rows) == Summary(booked=2, known=2)
    assert await replayer.prices() == [100, 100, 7, 100]
    await replayer.is_proven()


async def test_bad_rows_are_set_aside_with_their_reasons_and_spoil_no_other(
    replayer: Replayer,
) -> None:
    rows = [said for bad, _, _ in STOPPING for said in (row("buy", "0.5"), bad)]

    summary = await replayer(*rows, skip_bad=True)

    assert summary == Summary(booked=len(STOPPING), rejected=len(STOPPING))
    header, *rejected = replayer.rejected.getvalue().splitlines()
    assert header == f"{HEADER},identity,error"
    for line, (bad, field, reason) in zip(rejected, STOPPING, strict=True):
        assert line.startswith(bad.split(",", maxsplit=1)[0])
        assert reason in line
        assert field is None or f"{field}: " in line
    await replayer.is_proven()


async def test_rows_set_aside_can_be_replayed_and_then_belong_to_the_first_file_too(
    replayer: Replayer,
) -> None:
    rows = [row("buy", 1), row("sell", 5, 1), row("buy", 4, 2)]
    await replayer(*rows, skip_bad=True)

    header, rejected = replayer.rejected.getvalue().splitlines()
    later = await replayer(rejected, header=header)
    all_of_it = await replayer(*rows)

    assert later == Summary(booked=1)
    assert all_of_it == Summary(known=3)
    assert (await state_of(replayer.database))["positions"] == {}
    await replayer.is_proven()


async def test_rows_set_aside_stay_trades_of_their_own_whatever_is_corrected_in_them(
    replayer: Replayer,
) -> None:
    sale = row("sell", 4, 1)
    rows = [row("buy", 6), sale, sale, row("sell", "2", 2), row("sell", "4x", 1)]
    first = await replayer(*rows, skip_bad=True)
    header, as_it_is, unreadable = replayer.rejected.getvalue().splitlines()

    # Both now say what a row of the first file says that was booked.
    bought = await replayer(row("buy", 8, 3))
    corrected = (as_it_is, unreadable.replace("4x", "4"))
    later = await replayer(*corrected, header=header)
    again = await replayer(*corrected, header=header)
    all_of_it = await replayer(*rows, skip_bad=True)

    assert (first.booked, first.rejected, bought.booked) == (3, 2, 1)
    assert later == Summary(booked=2)
    assert again == Summary(known=2)
    assert all_of_it == Summary(known=4, rejected=1)
    assert (await state_of(replayer.database))["positions"] == {}
    await replayer.is_proven()


async def test_a_row_set_aside_is_one_trade_also_when_other_numbers_or_copies_of_it_are_tried(
    replayer: Replayer,
) -> None:
    await replayer(row("sell", 4, 1), skip_bad=True)
    header, rejected = replayer.rejected.getvalue().splitlines()
    right = rejected.replace("sell", "buy")

    copied = await replayer(right, right, header=header)
    other = await replayer(right.replace(",4,", ",5,"), header=header)
    elsewhere = await replayer(right.replace(",,,", ",growth,,"), header=header, skip_bad=True)
    in_place = await replayer(row("sell", 4, 1))

    assert (copied.booked, copied.stopped and copied.stopped.field) == (1, "identity")
    for summary in (other, in_place):
        assert summary.stopped is not None
        assert "booked before, and it was another one" in summary.stopped.reason
    assert elsewhere.rejected == 1
    assert await counted(replayer.database) == 1
    await replayer.is_proven()


async def test_an_id_of_its_own_is_booked_once_and_must_stay_the_same_trade(
    replayer: Replayer,
) -> None:
    first = await replayer(row("buy", 1, id="T1"), row("buy", 1, 1, id="T2"))
    overlap = await replayer(row("buy", 1, 1, id="T2"), row("buy", 1, 2, id="T3"))
    changed = await replayer(row("buy", 1, 5, id="T1"))
    within = await replayer(row("buy", 1, 6, id="T4"), row("buy", 1, 6, id="T4"))
    clash = await replayer(row("buy", 1, 7, id="T5"), row("buy", 2, 7, id="T5"))

    assert (first.booked, overlap.booked, overlap.known) == (2, 1, 1)
    assert within == Summary(booked=1, known=1)
    for summary, booked in ((changed, 0), (clash, 1)):
        assert summary.booked == booked
        assert summary.stopped is not None
        assert "booked before" in summary.stopped.reason
    assert await counted(replayer.database) == 5
    await replayer.is_proven()


async def test_a_row_may_name_its_account(replayer: Replayer, database: Database) -> None:
    async with database.write() as session:
        await session.run_sync(
            lambda sync: open_account(sync, "Growth", Decimal(500), START, account_id="growth")
        )
    turns = itertools.cycle(["", "growth"])
    rows = [row("buy", "0.1", n, account=next(turns)) for n in range(40)]

    summary = await replayer(*rows)

    assert summary == Summary(booked=40)
    for account in ("default", "growth"):
        assert (await state_of(database, account))["positions"]["AAPL"][0] == 2
        await assert_books_hold(database, account)


async def test_an_account_that_there_is_not_ends_the_replay_or_is_set_aside(
    replayer: Replayer,
) -> None:
    rows = [row("buy", 1), row("buy", 1, 1, account="nobody"), row("buy", 1, 2, account="nobody")]

    stopped = await replayer(*rows)
    skipped = await replayer(*rows, skip_bad=True)

    assert stopped.stopped is not None
    assert (stopped.booked, stopped.stopped.line, stopped.stopped.field) == (1, 3, "account")
    assert skipped == Summary(known=1, rejected=2)
    assert "no account 'nobody'" in replayer.rejected.getvalue()


async def test_on_postgresql_it_works_beside_a_desk_and_another_replay(
    postgresql: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "STRETCH", 16)
    one, two = Replayer(postgresql, clock), Replayer(postgresql, clock)
    rows = walk(120)
    async with trading(postgresql, clock) as desk:
        desk.price("MSFT", "1")
        summaries = asyncio.gather(one(*rows), two(*rows))
        live: list[Any] = [await desk.trade("buy", "0.5", "MSFT") for _ in range(20)]
        booked = sum(summary.booked for summary in await summaries)

    assert (len(live), booked) == (20, 120)
    assert await counted(postgresql) == 140
    await one.is_proven()
