"""Windows that recognise no alert any more go, a few at a time; what may yet decide stays."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from paperdesk.clock import ManualClock, SystemClock
from paperdesk.db.engine import Database
from paperdesk.models import SignalWindow, Webhook, WebhookMode
from paperdesk.runtime.leader import Leadership
from paperdesk.signals import windows
from paperdesk.signals.windows import CHUNK, KEPT, WindowPruner
from support.desk import DeskClient, open_desk
from support.hooks import PATIENCE, buying, make_hook, pass_time, rows

SECOND = timedelta(seconds=1)


class Watched(Leadership):
    """A leadership that counts how many windows each of its transactions deletes."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        super().__init__(database, clock)
        self.deleted: list[int] = []
        self.renewed: str | None = None
        """The webhook whose windows begin anew just before."""

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        async with self._database.write() as session:
            its_own = SignalWindow.webhook_id == self.renewed
            anew = update(SignalWindow).where(its_own).values(first_arrival=self._clock.now())
            await session.execute(anew)
            before = await session.scalar(select(func.count()).select_from(SignalWindow)) or 0
            yield session
            after = await session.scalar(select(func.count()).select_from(SignalWindow)) or 0
            self.deleted.append(before - after)


async def put(database: Database, arrivals: Sequence[datetime], hooks: int = 2) -> None:
    """Store windows that began then, each of another body, of some webhooks in turn."""
    async with database.write() as session:
        session.add_all(
            Webhook(id=f"w{n}", name="w", mode=WebhookMode.record, token_hash=f"{n}", limits={})
            for n in range(hooks)
        )
        await session.flush()
        kept = [
            {"webhook_id": f"w{n % hooks}", "dedupe_key": f"{n:064d}", "first_arrival": at}
            for n, at in enumerate(arrivals)
        ]
        await session.execute(insert(SignalWindow), kept)


async def left(database: Database) -> list[datetime]:
    async with database.read() as session:
        query = select(SignalWindow.first_arrival).order_by(SignalWindow.dedupe_key)
        return list(await session.scalars(query))


async def test_only_what_is_over_whatever_window_is_set_goes(
    database: Database, clock: ManualClock
) -> None:
    now = clock.now()
    ages = [KEPT + SECOND, KEPT, timedelta(days=1), timedelta(0), 400 * KEPT, -SECOND]
    await put(database, [now - age for age in ages])
    await WindowPruner(database, clock).prune(Watched(database, clock))
    assert await left(database) == [now - age for age in ages if age <= KEPT]


async def test_many_go_a_few_at_a_time(database: Database, clock: ManualClock) -> None:
    now = clock.now()
    old = now - 2 * KEPT
    await put(database, [old if n % 3 else now for n in range(6 * CHUNK)], hooks=5)
    leadership = Watched(database, clock)
    await WindowPruner(database, clock).prune(leadership)
    assert await left(database) == [now] * (2 * CHUNK)
    assert leadership.deleted == [CHUNK] * 4


async def test_nothing_goes_while_the_desk_is_read_only(
    database: Database, clock: ManualClock
) -> None:
    await put(database, [clock.now() - 2 * KEPT])

    async def is_open() -> bool:
        return False

    await WindowPruner(database, clock, is_open).prune(Watched(database, clock))
    assert len(await left(database)) == 1


async def test_a_window_that_begins_anew_meanwhile_stays(
    database: Database, clock: ManualClock
) -> None:
    now = clock.now()
    await put(database, [now - 2 * KEPT] * 2)
    leadership = Watched(database, clock)
    leadership.renewed = "w0"
    await WindowPruner(database, clock).prune(leadership)
    assert await left(database) == [now]


async def test_alerts_are_recognised_as_before_after_a_round(timed: DeskClient) -> None:
    hook = await make_hook(timed, mode="record")
    for _ in range(2):
        await hook.send(buying())
    await pass_time(timed, KEPT.total_seconds() + 1)
    await hook.send(buying(2))
    database: Database = timed.app.state.database
    now = timed.prices.clock.now()
    clock = ManualClock(now)
    await WindowPruner(database, clock).prune(Watched(database, clock))
    assert await left(database) == [now]
    for _ in range(2):
        await hook.send(buying())
        await hook.send(buying(2))
    assert [row.duplicates for row in await rows(timed)] == [1, 2, 1]


async def test_a_desk_that_runs_deletes_what_is_over(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "SETTLING", 0.0)
    database = Database(database_url)
    await put(database, [SystemClock().now() - 2 * KEPT])
    await database.close()
    async with open_desk(database_url) as desk, asyncio.timeout(PATIENCE):
        while await left(desk.app.state.database):  # noqa: ASYNC110 - it asks
            await asyncio.sleep(0.01)
