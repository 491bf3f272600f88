"""Old snapshots go, and the curve keeps its shape: on both databases, a few at a time, once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from sqlalchemy import event, insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from paperdesk.clock import ManualClock, SystemClock
from paperdesk.db.engine import Database
from paperdesk.errors import Busy
from paperdesk.ids import new_id
from paperdesk.models import PortfolioSnapshot, UserProfile
from paperdesk.portfolio import thinner as thinners
from paperdesk.portfolio.history import history
from paperdesk.portfolio.retention import Point, spans, thin
from paperdesk.portfolio.thinner import CHUNK, PAGE, SnapshotThinner
from paperdesk.runtime import leader
from paperdesk.runtime.leader import Leadership
from support.databases import START
from support.desk import open_desk
from support.electing import candidate, until

DAY = timedelta(days=1)
HALF_MINUTE = timedelta(seconds=30)

Row = dict[str, Any]


def half_minutes(
    start: datetime, count: int, *, account: str = "default", seed: int = 1, unsure: float = 0.0
) -> list[Row]:
    """Return a walk of one row each half minute; a part of them is incomplete."""
    random, total, made = Random(seed), 10_000_000_000, list[Row]()
    for n in range(count):
        total += random.randint(-5_000_000, 5_000_000)
        made.append(
            row(start + n * HALF_MINUTE, total, account, incomplete=random.random() < unsure)
        )
    return made


def row(at: datetime, units: int, account: str = "default", *, incomplete: bool = False) -> Row:
    total = Decimal(units) / 10**6
    return {
        "id": new_id(),
        "user_id": account,
        "total_value": total,
        "cash_balance": total,
        "positions_value": Decimal(0),
        "incomplete": incomplete,
        "recorded_at": at,
    }


async def put(database: Database, rows: Sequence[Row]) -> None:
    async with database.write() as session:
        for account in sorted({row["user_id"] for row in rows} - {"default"}):
            session.add(UserProfile(id=account))
        await session.flush()
        await session.execute(insert(PortfolioSnapshot), rows)


async def stored(database: Database, account: str = "default") -> list[Row]:
    table = PortfolioSnapshot.__table__
    query = select(table).where(table.c.user_id == account)
    async with database.read() as session:
        rows = await session.execute(query.order_by(table.c.recorded_at, table.c.id))
        return [dict(row) for row in rows.mappings()]


def by_the_rule(rows: Sequence[Row], now: datetime) -> list[Row]:
    """Return what should stay of one account's rows."""
    points = [
        Point(r["id"], r["recorded_at"], int(r["total_value"] * 10**6), r["incomplete"])
        for r in sorted(rows, key=lambda row: (row["recorded_at"], row["id"]))
    ]
    gone: set[str] = set()
    for start, end, width in spans(now, None):
        gone |= set(thin([p for p in points if start <= p.at < end], width)[0])
    ids = [point.id for point in points if point.id not in gone]
    found = {row["id"]: row for row in rows}
    return [found[each] for each in ids]


def max_drawdown(rows: Sequence[Row]) -> Fraction:
    deepest, peak = Fraction(0), Fraction(0)
    for each in rows:
        total = Fraction(each["total_value"])
        peak = max(peak, total)
        deepest = max(deepest, 1 - total / peak)
    return deepest


class Watched(Leadership):
    """A leadership that counts how many rows each of its transactions deletes."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        super().__init__(database, clock)
        self.deleted: list[int] = []

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        async with self._database.write() as session:
            before = await _count(session)
            yield session
            self.deleted.append(before - await _count(session))


async def _count(session: AsyncSession) -> int:
    return (await session.execute(text("SELECT count(*) FROM portfolio_snapshots"))).scalar_one()


@pytest.fixture
def leadership(database: Database, clock: ManualClock) -> Watched:
    return Watched(database, clock)


@pytest.fixture
def thinner(database: Database, clock: ManualClock) -> SnapshotThinner:
    return SnapshotThinner(database, clock)


async def test_old_snapshots_go_and_the_shape_of_the_curve_stays(
    database: Database, thinner: SnapshotThinner, leadership: Watched
) -> None:
    ages = (400, 200, 20, 5)
    before = [row for days in ages for row in half_minutes(START - days * DAY, 1200, seed=days)]
    await put(database, before)

    await thinner.thin(leadership)

    after = await stored(database)
    assert len(after) < 0.4 * len(before)
    assert [row for row in before if row in after] == after
    assert (after[0], after[-1]) == (before[0], before[-1])
    for days in ages:
        whole, stays = (
            [r for r in rows if START - days * DAY <= r["recorded_at"] < START - (days - 1) * DAY]
            for rows in (before, after)
        )
        assert (stays[0], stays[-1]) == (whole[0], whole[-1])
        for extreme in (min, max):
            assert extreme(r["total_value"] for r in stays) == extreme(
                r["total_value"] for r in whole
            )
        assert max_drawdown(stays) == max_drawdown(whole)
    assert max_drawdown(after) == max_drawdown(before)


async def test_the_history_shows_the_same_peaks_as_before(
    database: Database, thinner: SnapshotThinner, leadership: Watched
) -> None:
    rows = half_minutes(START - 20 * DAY, 5000)
    rows[1234] |= {"total_value": Decimal(20_000)}
    rows[4321] |= {"total_value": Decimal(1)}
    await put(database, rows)

    async def shown() -> list[Any]:
        async with database.read() as session:
            return await history(session, "default", start=None, end=None, points=2000)

    before = await shown()
    await thinner.thin(leadership)
    after = await shown()

    assert (after[0], after[-1]) == (before[0], before[-1])
    for extreme in (min, max):
        assert extreme(after, key=lambda r: r.total_value) == extreme(
            before, key=lambda r: r.total_value
        )


async def test_the_last_two_days_stay_as_they_are(
    database: Database, thinner: SnapshotThinner, leadership: Watched
) -> None:
    recent = half_minutes(START - 2 * DAY, 2 * 2880)
    await put(database, recent)

    await thinner.thin(leadership)

    assert await stored(database) == recent
    assert leadership.deleted == []


async def test_pages_and_accounts_do_not_mix(
    database: Database, thinner: SnapshotThinner, leadership: Watched, clock: ManualClock
) -> None:
    """What stays is what the rule says, also where a page ends within an instant."""
    one = half_minutes(START - 399 * DAY, 2 * PAGE + 500, unsure=0.3)
    other = half_minutes(START - 399 * DAY, 2 * PAGE, account="other", seed=2, unsure=0.3)
    for first, second in pairwise(one[1:]):
        if Random(second["id"]).random() < 0.5:
            second["recorded_at"] = first["recorded_at"]
    one[PAGE]["recorded_at"] = one[PAGE - 1]["recorded_at"]
    await put(database, [*one, *other])

    await thinner.thin(leadership)

    now = clock.now()
    assert await stored(database) == by_the_rule(one, now)
    assert await stored(database, "other") == by_the_rule(other, now)


async def test_a_second_run_deletes_nothing_and_reads_nothing_again(
    database: Database, thinner: SnapshotThinner, leadership: Watched, clock: ManualClock
) -> None:
    await put(database, half_minutes(START - 10 * DAY, 1500))
    await thinner.thin(leadership)
    stays, leadership.deleted = await stored(database), []
    asked: list[str] = []

    def note(_c: Any, _k: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    event.listen(database.reader.sync_engine, "before_cursor_execute", note)
    await thinner.thin(leadership)
    event.remove(database.reader.sync_engine, "before_cursor_execute", note)
    await SnapshotThinner(database, clock).thin(leadership)

    assert not any("portfolio_snapshots" in statement for statement in asked)
    assert await stored(database) == stays
    assert leadership.deleted == []


async def test_what_grows_older_ends_as_if_it_had_been_thinned_at_once(
    database: Database, thinner: SnapshotThinner, leadership: Watched, clock: ManualClock
) -> None:
    rows = half_minutes(START - 3 * DAY, 2880, unsure=0.1)
    await put(database, rows)

    left: list[int] = []
    for days in (0, 1, 9, 40, 365, 1):
        clock.advance(days * DAY)
        await thinner.thin(leadership)
        left.append(len(await stored(database)))

    assert left == sorted(left, reverse=True)
    assert left[0] > left[2] > left[3] > left[-1]
    assert await stored(database) == by_the_rule(rows, clock.now())


async def test_a_transaction_deletes_few_and_nothing_is_deleted_outside(
    database: Database, thinner: SnapshotThinner, leadership: Watched
) -> None:
    rows = half_minutes(START - 399 * DAY, 2000)
    await put(database, rows)

    await thinner.thin(leadership)

    assert sum(leadership.deleted) == len(rows) - len(await stored(database))
    assert len(leadership.deleted) >= 4
    assert max(leadership.deleted) <= CHUNK


async def test_a_desk_that_is_read_only_deletes_nothing_until_it_is_open(
    database: Database, leadership: Watched, clock: ManualClock
) -> None:
    rows = half_minutes(START - 399 * DAY, 3 * PAGE)
    await put(database, rows)
    answers = iter([False, True, False])

    async def is_open() -> bool:
        return next(answers, True)

    thinner = SnapshotThinner(database, clock, is_open)
    await thinner.thin(leadership)
    assert leadership.deleted == []
    await thinner.thin(leadership)
    assert PAGE - 50 < sum(leadership.deleted) <= PAGE
    await thinner.thin(leadership)
    assert await stored(database) == by_the_rule(rows, clock.now())


async def test_a_process_that_follows_deletes_nothing(
    postgres_url: str, postgresql: Database, clock: ManualClock
) -> None:
    rows = half_minutes(START - 10 * DAY, 500)
    await put(postgresql, rows)
    thinner = SnapshotThinner(postgresql, clock)
    async with (
        candidate(postgres_url, SystemClock()) as first,
        candidate(postgres_url, SystemClock()) as second,
    ):
        await first.elect()
        await second.elect()

        with pytest.raises(Busy):
            await thinner.thin(second)
        assert await stored(postgresql) == rows

        await thinner.thin(first)
        assert await stored(postgresql) == by_the_rule(rows, clock.now())


async def test_a_desk_thins_soon_after_it_began_to_lead_and_not_before(
    postgres_url: str, postgresql: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thinners, "SETTLING", 0.0)
    monkeypatch.setattr(leader, "ROUND", 0.05)
    now = SystemClock().now()
    rows = half_minutes(now - 10 * DAY, 500)
    await put(postgresql, rows)
    counts: list[int] = []

    async def count() -> int:
        async with postgresql.read() as session:
            counts.append(await _count(session))
        return counts[-1]

    async with candidate(postgres_url, SystemClock()) as other:
        await other.elect()
        async with open_desk(postgres_url) as desk:
            tasks = desk.app.state.desk.leadership._tasks._tasks
            await until(lambda: "prices" in tasks)
            assert "thinning" not in tasks
            assert await count() >= 500
            await other.close()
            async with asyncio.timeout(20):
                while await count() > 400:  # noqa: ASYNC110 - another task deletes
                    await asyncio.sleep(0.05)


async def test_a_desk_thins_by_itself(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thinners, "SETTLING", 0.0)
    database = Database(database_url)
    await put(database, half_minutes(SystemClock().now() - 10 * DAY, 500))
    await database.close()
    async with open_desk(database_url) as desk:
        database = desk.app.state.database
        async with asyncio.timeout(20):
            while len(await stored(database)) > 400:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.05)
        assert desk.app.state.desk.in_trouble() == []


async def test_a_page_is_read_through_the_index(
    database: Database, thinner: SnapshotThinner, leadership: Watched
) -> None:
    for n in range(20):
        await put(database, half_minutes(START - 40 * DAY, 500, account=f"account-{n:02}", seed=n))
    async with database.write() as session:
        await session.execute(text("ANALYZE"))
    asked: list[tuple[str, Any]] = []

    def note(_c: Any, _k: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "LIMIT" in statement:
            asked.append((statement, parameters))

    event.listen(database.reader.sync_engine, "before_cursor_execute", note)
    await thinner.thin(leadership)
    event.remove(database.reader.sync_engine, "before_cursor_execute", note)

    explain = "EXPLAIN QUERY PLAN " if database.dialect == "sqlite" else "EXPLAIN "
    async with database.read() as session:
        connection = await session.connection()
        assert asked
        for statement, parameters in asked:
            lines = await connection.exec_driver_sql(explain + statement, parameters)
            plan = "\n".join(str(line[-1]) for line in lines)
            assert "ix_portfolio_snapshots_user_id_recorded_at" in plan
            assert "SCAN portfolio_snapshots" not in plan
            assert "Seq Scan" not in plan
