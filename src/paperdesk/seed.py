"""The first data of a desk: one account, its watchlist, and the stocks of the ranker.

Seeded once, in the transaction and under the lock of the migrations. A marker in `desk_meta` says
that it was done, so what the user changed or removed since is never brought back.
"""

from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Session

from paperdesk.audit.trail import Action, Line, note
from paperdesk.clock import Clock
from paperdesk.db.types import format_utc
from paperdesk.ledger.accounts import open_account
from paperdesk.models import DEFAULT_ACCOUNT, PRIMARY_LIST, DeskMeta, Domain, Stock, WatchlistEntry

MARKER = "seeded_at"
OPENING_BALANCE = Decimal(10_000)
WATCHLIST = ("AAPL", "GOOGL", "MSFT", "AMZN", "TSLA", "NVDA", "META", "JPM", "V", "NFLX")
DOMAINS = {
    "AI/Tech": {
        "AAPL": "Apple Inc.",
        "MSFT": "Microsoft Corp.",
        "NVDA": "NVIDIA Corp.",
        "AMD": "Advanced Micro Devices",
        "GOOGL": "Alphabet Inc.",
    },
    "EV": {"TSLA": "Tesla Inc.", "RIVN": "Rivian Automotive"},
    "Finance": {"JPM": "JPMorgan Chase", "GS": "Goldman Sachs"},
}


async def seed(connection: AsyncConnection, clock: Clock) -> bool:
    """Seed on a connection of `migrate.guarded`; say whether there was anything to do."""
    return await connection.run_sync(lambda sync: _seed(Session(sync), clock))


def _seed(session: Session, clock: Clock) -> bool:
    with session:
        if session.get(DeskMeta, MARKER):
            return False
        now = clock.now()
        open_account(session, "Default", OPENING_BALANCE, now, account_id=DEFAULT_ACCOUNT)
        for ticker in WATCHLIST:
            session.add(WatchlistEntry(list_id=PRIMARY_LIST, ticker=ticker, added_at=now))
        for name, stocks in DOMAINS.items():
            domain = Domain(name=name)
            session.add(domain)
            session.flush()
            for ticker, company in stocks.items():
                session.add(Stock(ticker=ticker, name=company, domain_id=domain.id))
        session.add(DeskMeta(key=MARKER, value=format_utc(now)))
        after = {"account": DEFAULT_ACCOUNT, "watchlist": WATCHLIST, "domains": list(DOMAINS)}
        note(session, Line(Action.desk_seeded, "The desk got its first data.", after=after), now)
        session.flush()
        return True
