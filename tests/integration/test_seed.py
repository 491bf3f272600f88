"""The first data, exactly as the design lists it, once and never again."""

from sqlalchemy import select

from paperdesk.db.engine import Database
from paperdesk.models import UserProfile


async def test_default_account_opens_with_ten_thousand_dollars(database: Database) -> None:
    async with database.read() as session:
        accounts = (await session.scalars(select(UserProfile))).all()
    assert [(a.id, a.cash_balance) for a in accounts] == [("default", 10_000)]
