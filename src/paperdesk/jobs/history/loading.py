"""From a file to the rows of a job, in the order of time, in bounded memory.

Rows are numbered in the order in which things happened, which is the order of booking: most files
have the newest first. A file in order is read once. Of any other only the times are kept, 12 bytes
a row, and it is read a second time. What is no activity stays behind the row before it.
"""

import asyncio
from array import array
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Any, BinaryIO, Final

import structlog

from paperdesk.clock import Clock
from paperdesk.db.engine import Database
from paperdesk.errors import InvalidRequest, PaperdeskError
from paperdesk.events.feed import Feed
from paperdesk.imports.model import Activity, ActivityKind, Outcome, Rejected
from paperdesk.imports.reading import Reading, read
from paperdesk.jobs.data import storable
from paperdesk.jobs.history.rows import begun, data_of, message_of, names_of
from paperdesk.jobs.history.schemas import ImportOptions, read_options
from paperdesk.jobs.loading import STRETCH, Load
from paperdesk.jobs.making import MOST_OF_ALL, new_row, too_many_of_all
from paperdesk.jobs.telling import event_of
from paperdesk.models import Atomicity, Job, JobRow, RowStatus

BEAT: Final = 1.0
"""Seconds between two signs of life."""
_SCANNED: Final = 2_000
"""Rows whose times are read in one go."""
_RANKS: Final = {
    ActivityKind.stock_split: 0,
    ActivityKind.transfer_in: 1,
    ActivityKind.deposit: 1,
    ActivityKind.dividend: 2,
    ActivityKind.interest: 2,
    ActivityKind.buy: 3,
    ActivityKind.sell: 3,
    ActivityKind.cash_in_lieu: 4,
    ActivityKind.fee: 5,
    ActivityKind.tax: 5,
    ActivityKind.withdrawal: 6,
    ActivityKind.transfer_out: 6,
}
"""Of what happened at the same time, what comes first: what brings cash or shares."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST: Final = -(1 << 62)
_AT_ONCE: Final = 2
"""Files that are loaded at the same time; others wait for their turn."""

Ready = Callable[[], None]

logger = structlog.get_logger()


class HistoryFile:
    """A file that was uploaded, and how it is read."""

    def __init__(self, file: BinaryIO, size: int, told: ImportOptions, now: datetime) -> None:
        """Find out what it is, from its beginning. Raises Question or UnreadableFile."""
        self.size = size
        self._file = file
        self._options = read_options(told, now)
        self._told = told
        self._now = now
        self._rises = 0
        self._reading = self._begun()
        # The rows of sections have columns of their own each.
        is_one_table = self._reading.columns and not self._reading.has_sections
        self._names = names_of(self._reading.columns) if is_one_table else []

    @property
    def position(self) -> int:
        """How many bytes of it are read."""
        return self._reading.position

    @property
    def is_newest_first(self) -> bool:
        """Whether its times fall rather than rise, once they were all given."""
        return self._rises < 0

    def options(self) -> dict[str, Any]:
        """Return what was told of the file and what was found out, in plain values."""
        reading = self._reading
        told = self._told.model_dump(mode="json", exclude_none=True)
        found = {
            "format": reading.format,
            "date_order": reading.date_order,
            "decimal": reading.decimal,
            "encoding": reading.encoding,
            "header": [storable(name) for name in self._names],
            "is_json": not reading.columns,
        }
        return told | {name: value for name, value in found.items() if value is not None}

    def in_order(self) -> Iterator[JobRow]:
        """Give its rows, numbered as they stand there. Raises OutOfOrder at the first that is not.

        Then it is at its end, for nobody.
        """
        before = _EARLIEST
        for number, outcome in enumerate(self._again().rows(), 1):
            if isinstance(outcome, Activity):
                key = _order(outcome)
                if key < before:
                    raise OutOfOrder
                before = key
            yield self._row(number, outcome)

    def times(self) -> Iterator[int]:
        """Give of each row what it is ordered by."""
        before, at = _EARLIEST, None
        self._rises = 0
        for outcome in self._again().rows():
            if isinstance(outcome, Activity):
                before = _order(outcome)
                # By the times alone: ranks within a day say nothing of the file's direction.
                if at is not None:
                    self._rises += (outcome.at > at) - (outcome.at < at)
                at = outcome.at
            yield before

    def numbered(self, numbers: "array[int]") -> Iterator[JobRow]:
        """Give its rows under those numbers."""
        for number, outcome in zip(numbers, self._again().rows(), strict=True):
            yield self._row(number, outcome)

    def close(self) -> None:
        """Let go of it."""
        self._file.close()

    def _begun(self) -> Reading:
        self._file.seek(0)
        return read(self._file, self._options)

    def _again(self) -> Reading:
        self._reading = self._begun()
        return self._reading

    def _row(self, number: int, outcome: Outcome) -> JobRow:
        row = new_row(number, data_of(outcome, self._names), self._now, outcome.line)
        if not isinstance(outcome, Activity):
            is_bad = isinstance(outcome, Rejected)
            vars(row).update(
                status=RowStatus.failed if is_bad else RowStatus.skipped,
                error_code=outcome.code.value,
                # It may name a column, and that may have what no database keeps.
                error_message=storable(message_of(outcome) if is_bad else f"It {outcome.reason}."),
                processed_at=self._now,
            )
        return row


class OutOfOrder(Exception):
    """A row happened before the one above it."""


class Loader:
    """Loads files into jobs, beside everything else; what is not loaded at the end is given up."""

    def __init__(self, database: Database, clock: Clock, feed: Feed, ready: Ready) -> None:
        """`ready` is called when a job is loaded: then somebody may work on it."""
        self._database = database
        self._clock = clock
        self._feed = feed
        self._ready = ready
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, job: Job, file: HistoryFile) -> None:
        """Load a file into a job that was begun, by and by; the file is closed then."""
        task = asyncio.create_task(self._load(job, file), name="paperdesk-jobs-load")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Give up what is being loaded: whoever sent it sends it again."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _load(self, job: Job, file: HistoryFile) -> None:
        load = Load(self._database, self._clock, job)
        beating = asyncio.create_task(self._beat(job, load, file), name="paperdesk-jobs-load-beat")
        try:
            async with load.or_give_up(), self._turns:
                await self._store(job, load, file)
        except PaperdeskError as error:
            logger.info("jobs.not_loaded", job=job.id, error=str(error))
        except Exception:
            logger.exception("jobs.load_failed", job=job.id)
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
            await asyncio.to_thread(file.close)
            await self._tell(job)
        self._ready()

    async def _store(self, job: Job, load: Load, file: HistoryFile) -> None:
        try:
            await self._add(job, load, file, file.in_order())
        except OutOfOrder:
            await load.clear()
            numbers = await self._numbers(file)
            await self._add(job, load, file, file.numbered(numbers))

    async def _add(self, job: Job, load: Load, file: HistoryFile, rows: Iterator[JobRow]) -> None:
        stretch = await asyncio.to_thread(_next, rows)
        if not stretch:
            raise InvalidRequest("The file has a header and no rows.")
        while stretch:
            if job.atomicity is Atomicity.all and job.total_rows + len(stretch) > MOST_OF_ALL:
                raise too_many_of_all("more")
            following = await asyncio.to_thread(_next, rows)
            is_last = not following
            changes = {"options": file.options()} if is_last else {}
            await load.add(stretch, is_last=is_last, **changes)
            stretch = following

    async def _numbers(self, file: HistoryFile) -> "array[int]":
        """Return the number of each row of a file by the order of time."""
        times, following = array("q"), file.times()
        while some := await asyncio.to_thread(lambda: list(islice(following, _SCANNED))):
            times.extend(some)
        places = partial(_places, times, is_newest_first=file.is_newest_first)
        return await asyncio.to_thread(places)

    async def _beat(self, job: Job, load: Load, file: HistoryFile) -> None:
        while True:
            await self._clock.sleep(BEAT)
            try:
                await load.tell(file.position, file.size)
                await self._tell(job)
            except PaperdeskError:
                # Deleted or cancelled: whoever adds rows finds that out, too.
                return
            except Exception:
                logger.exception("jobs.load_gave_no_sign")

    async def _tell(self, job: Job) -> None:
        with suppress(Exception):
            async with self._database.write() as session:
                await session.run_sync(self._feed.tell, event_of(job))


def _next(rows: Iterator[JobRow]) -> list[JobRow]:
    return list(islice(rows, STRETCH))


def _order(activity: Activity) -> int:
    """Return what an activity is ordered by: its time, then its rank."""
    since = begun(activity).at - _EPOCH
    microseconds = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return microseconds * len(_RANKS) + _RANKS[activity.kind]


def _places(times: "array[int]", *, is_newest_first: bool) -> "array[int]":
    """Return the number of each row, from 1, by the order of time.

    Of what happened at the same time the order of the file stays, or its reverse where the file has
    the newest first.
    """
    rows = range(len(times))
    places = array("q", bytes(8 * len(times)))
    ordered = sorted(reversed(rows) if is_newest_first else rows, key=times.__getitem__)
    for number, row in enumerate(ordered, 1):
        places[row] = number
    return places
