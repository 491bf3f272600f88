"""The running parts of a desk: made, started in order, and stopped in reverse."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection
from starlette.datastructures import State

from paperdesk.api.codec import written
from paperdesk.bootstrap import open_database
from paperdesk.clock import Clock
from paperdesk.db.engine import Database
from paperdesk.db.migrate import head_revision
from paperdesk.events.feed import Feed
from paperdesk.events.wire import CHANNEL as EVENTS
from paperdesk.jobs.backfill import Backfill
from paperdesk.jobs.basket.kind import Basket
from paperdesk.jobs.changing import JobChanges
from paperdesk.jobs.export.folder import ExportFolder
from paperdesk.jobs.export.kind import Export
from paperdesk.jobs.history.kind import ImportTrades
from paperdesk.jobs.history.loading import Loader
from paperdesk.jobs.kinds import Kinds
from paperdesk.jobs.rescore import Rescore
from paperdesk.jobs.tasks import Backup, Verify
from paperdesk.jobs.telling import CHANNEL as JOBS
from paperdesk.jobs.watchlist import ImportWatchlist
from paperdesk.jobs.worker import Worker
from paperdesk.ledger.lane.books import Batch
from paperdesk.ledger.lane.writer import Ledger
from paperdesk.ledger.proof.keeper import Keeper
from paperdesk.ledger.proof.standing import Standing
from paperdesk.margin.watch import MarginWatch
from paperdesk.market.feed import Market
from paperdesk.market.past import BARS
from paperdesk.market.quotes import PriceSource
from paperdesk.market.sources import hours_for, source_for
from paperdesk.orders.matching.matcher import ORDERS, Matcher, tell_of
from paperdesk.orders.telling import Teller
from paperdesk.orders.venue import Venue
from paperdesk.portfolio.performance.service import Performance
from paperdesk.portfolio.performance.warming import keep_warm
from paperdesk.portfolio.snapshots import SnapshotRecorder
from paperdesk.portfolio.statement import Statements
from paperdesk.portfolio.thinner import SnapshotThinner
from paperdesk.research.fetcher import ResearchFetcher
from paperdesk.research.sources import stock_source_for
from paperdesk.research.stock_source import StockSource
from paperdesk.runtime.leader import Leadership, leadership_of
from paperdesk.runtime.tasks import Supervisor
from paperdesk.settings import Settings, data_folder, sqlite_path
from paperdesk.signals.doors import Doors
from paperdesk.signals.executor import Executor
from paperdesk.signals.inbox import SIGNALS, Inbox
from paperdesk.signals.intake import Intake
from paperdesk.signals.signing import Signer
from paperdesk.signals.telling import SignalTeller
from paperdesk.signals.windows import WindowPruner
from paperdesk.users.access import Access
from paperdesk.users.addresses import networks


class Desk:
    """The running parts of an app, started in order and stopped in reverse."""

    def __init__(self, settings: Settings, clock: Clock, source: PriceSource | None) -> None:
        self.settings = settings
        self.clock = clock
        self.source = source
        self.database: Database
        self.leadership: Leadership
        self.access: Access
        self.market: Market
        self.ledger: Ledger
        self.feed: Feed
        self.stock_source: StockSource
        self.inbox: Inbox
        self.executor: Executor
        self.worker: Worker
        self.loader: Loader
        self.venue: Venue
        self.matcher: Matcher
        self.standing: Standing
        self.keeper: Keeper
        self.supervisor = Supervisor(clock)
        self._performance: Performance | None = None
        # Read from the revisions' files, so once, and not whenever somebody asks for the health.
        self.head = head_revision()

    @asynccontextmanager
    async def running(self, state: State) -> AsyncGenerator[None]:
        """Start everything; on the way out, or when a start fails, stop what had started.

        `state` gets what the routes ask for; `state.phase` says what is being done, for whoever
        waits for a slow start.
        """
        async with AsyncExitStack() as stack:
            state.phase = "opening and migrating the database"
            self.database = await open_database(self.settings.database_url, self.clock)
            stack.push_async_callback(self.database.close)
            state.phase = "looking over the books"
            await self._look_over_books(stack)
            state.phase = "asking for the first prices"
            await self._open_market(stack)
            self._open_ledger(stack, state)
            self._open_inbox(stack, state)
            self._open_jobs(state)
            stack.push_async_callback(self.loader.close)
            stack.push_async_callback(self.leadership.stop)
            self.leadership.start()
            stack.push_async_callback(self.supervisor.stop)
            self._supervise(state.performance)
            stack.callback(self.stop_streams)
            for name in (
                "database",
                "market",
                "stock_source",
                "ledger",
                "feed",
                "venue",
                "standing",
                "keeper",
                "access",
                "inbox",
                "executor",
                "worker",
            ):
                setattr(state, name, getattr(self, name))
            yield

    def in_trouble(self) -> list[str]:
        """Return the names of the background tasks that failed lately."""
        return self.supervisor.in_trouble() + self.leadership.in_trouble()

    def stop_streams(self) -> None:
        """End every open stream: a server would wait for them for ever."""
        self.market.stream.close()
        self.feed.close()

    async def _look_over_books(self, stack: AsyncExitStack) -> None:
        self.standing = Standing(self.database, self.clock)
        self.keeper = Keeper(self.database, self.clock, self.standing, self.settings.timezone)
        stack.push_async_callback(self.keeper.close)
        await self.keeper.look()
        await self.standing.reason()

    async def _open_market(self, stack: AsyncExitStack) -> None:
        """Find out who leads, and have prices."""
        self.leadership = leadership_of(self.database, self.clock)
        # Last of all: what is stored while stopping is stored by the one that leads.
        stack.push_async_callback(self.leadership.close)
        self.access = Access(
            self.database,
            self.clock,
            self.settings.auth,
            trusted_proxies=self.settings.trusted_proxies,
            key_rate=self.settings.key_rate_per_second,
        )
        stack.push_async_callback(self.access.close)
        source = self.source or source_for(self.settings, self.clock)
        self.market = Market(self.database, source, self.clock, self.leadership)
        stack.push_async_callback(self.market.close)
        self.stock_source = stock_source_for(self.settings, self.market)
        self.venue = Venue(self.market.board, self.clock, hours_for(self.settings))
        self.matcher = Matcher(self.database, self.venue)
        self.market.tell(self.matcher.heard_prices)
        self.leadership.listen(ORDERS, self.matcher.heard_of)
        self.leadership.listen(SIGNALS, self._heard_of_signals)
        self.leadership.listen(JOBS, self._heard_of_jobs)
        self.leadership.listen(BARS, self._heard_of_bars, missed=self._heard_of_bars)
        self.feed = Feed(lambda data: bytes(written(data)), shared=self.leadership.shared)
        self.leadership.listen(EVENTS, self.feed.heard, missed=self.feed.begin_anew)
        await self.leadership.elect()
        await self.market.load(follows=not self.leadership.leads)

    def _open_ledger(self, stack: AsyncExitStack, state: State) -> None:
        self._teller = Teller(self.feed, self.database)
        statements = Statements(self.market.board)
        snapshots = SnapshotRecorder(statements, self.clock, self.standing.is_open)
        self.ledger = Ledger(
            self.database,
            hooks=[snapshots.after_batch, self._tell_leader, self._teller.after_batch],
            listeners=[self.matcher.heard_orders, self._teller.heard],
            check=self.standing.check,
            clock=self.clock,
        )
        stack.push_async_callback(self.ledger.close)
        self._performance = performance = Performance(
            self.database, self.ledger, self.market.board, self.clock, self.settings.timezone
        )
        stack.push_async_callback(performance.close)
        self._share_out(snapshots)
        state.statements = statements
        state.performance = performance

    def _open_inbox(self, stack: AsyncExitStack, state: State) -> None:
        """Have signals come in, and be executed by the one process that leads."""
        settings = self.settings
        self.executor = Executor(
            self.database,
            self.leadership,
            self.ledger,
            self.market,
            self.venue,
            settings.timezone,
            lambda: self.inbox.waiting,
        )
        self.leadership.while_leading("signals", self.executor.run)
        teller = SignalTeller(self.feed, self.leadership, self.clock)
        self.inbox = Inbox(
            self.database,
            kept=[teller.after_batch],
            heard=[self.executor.heard, teller.heard],
            check=self.standing.check,
        )
        stack.push_async_callback(self.inbox.close)
        database_file = sqlite_path(settings.database_url)
        state.intake = Intake(
            Doors(self.database, self.clock),
            self.inbox,
            Signer(settings.secret, database_file and _beside(database_file)),
            self.clock,
            settings.webhook_rate_per_minute,
            networks(settings.trusted_proxies),
            self.access.count_failure,
            self.access.check_failures,
        )

    def _open_jobs(self, state: State) -> None:
        """Have jobs worked on, in every process."""
        settings = self.settings
        folder = settings.export_folder or _exports_of(settings.database_url)
        kept = timedelta(days=settings.exports_kept_days)
        exports = ExportFolder(folder, kept, self.clock)
        self._export = Export(self.database, exports, self.clock)
        kinds = Kinds(
            [
                Basket(self.database, self.ledger, self.market, self.venue),
                ImportTrades(self.clock),
                ImportWatchlist(self.market),
                Rescore(self.database, self.stock_source, self.clock, self.standing),
                Backfill(
                    self.database,
                    self.market.source,
                    self.clock,
                    self.standing,
                    self._heard_of_bars,
                ),
                Verify(self.keeper),
                Backup(self.database, settings.backup_folder, settings.backups_kept),
                self._export,
            ]
        )
        self.worker = Worker(self.database, self.ledger, kinds, self.clock, self.feed)
        self.loader = Loader(self.database, self.clock, self.feed, self.worker.heard)
        state.loader = self.loader
        state.exports = exports
        state.job_kinds = kinds
        state.job_changes = JobChanges(kinds)

    def _share_out(self, snapshots: SnapshotRecorder) -> None:
        """Say what the one process does that leads, and what the others do."""
        leadership, market = self.leadership, self.market
        thinner = SnapshotThinner(self.database, self.clock, self.standing.is_open)
        windows = WindowPruner(self.database, self.clock, self.standing.is_open)
        margin = MarginWatch(
            self.database,
            self.ledger,
            self.venue,
            leadership,
            self.settings.timezone,
            self.standing.is_open,
        )
        research = ResearchFetcher(
            self.database,
            self.stock_source,
            leadership,
            self.clock,
            timedelta(minutes=self.settings.fetch_interval_minutes),
            self.standing.is_open,
        )
        leadership.while_leading("feed", market.lead)
        leadership.while_leading("recorder", market.run_recorder)
        leadership.while_leading("snapshots", lambda: snapshots.run(leadership))
        leadership.while_leading("thinning", lambda: thinner.run(leadership))
        leadership.while_leading("windows", lambda: windows.run(leadership))
        leadership.while_leading("matching", lambda: self.matcher.run(self.ledger))
        leadership.while_leading("margin", margin.run)
        leadership.while_leading("research", research.run)
        leadership.while_leading("proof", self.keeper.run)
        leadership.while_following("prices", market.follow)
        leadership.while_following("demand", market.tell_demand)

    def _supervise(self, performance: Performance) -> None:
        """Start what every process does."""
        start = self.supervisor.start
        start("election", self.leadership.run)
        start("performance", lambda: keep_warm(performance, self.database, self.clock))
        start("jobs", self.worker.run)
        start("exports", self._export.prune)
        start("heartbeat", lambda: self.feed.beat(self.clock))
        if self.feed.shared:
            start("events", lambda: self._teller.receive(self.ledger))

    def _tell_leader(self, connection: Connection, batch: Batch) -> None:
        """Tell the process that matches of the orders that a batch of this one changed."""
        if self.leadership.shared and not self.leadership.leads:
            tell_of(connection, batch.orders)

    def _heard_of_signals(self, _message: str) -> None:
        self.executor.heard()

    def _heard_of_jobs(self, _message: str) -> None:
        self.worker.heard()

    def _heard_of_bars(self, ticker: str | None = None) -> None:
        if self._performance is not None:  # it is told before the ledger is open, too
            self._performance.forget(ticker)


def _exports_of(database_url: str) -> Path:
    """Return where exports are kept: beside a SQLite database, else in the user's data folder."""
    database = sqlite_path(database_url)
    return (database.parent if database else data_folder()) / "exports"


def _beside(database: Path) -> Path:
    return database.with_name(f"{database.name}.key")
