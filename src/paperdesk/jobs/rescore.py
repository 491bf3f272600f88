"""The kind `rescore`: the followed stocks fetched and scored now, not at the next interval."""

from collections import defaultdict
from typing import Annotated, Any, Final

from pydantic import Field

from paperdesk.api.codec import Ask
from paperdesk.clock import Clock
from paperdesk.db.engine import Database
from paperdesk.db.types import format_utc
from paperdesk.errors import PriceUnavailable
from paperdesk.jobs.kinds import Tell
from paperdesk.jobs.reading import read_row
from paperdesk.ledger.proof.standing import Standing
from paperdesk.market.quotes import SourceUnavailable
from paperdesk.models import Job
from paperdesk.research.rescoring import Done, rescore
from paperdesk.research.schemas import DomainName
from paperdesk.research.service import domain_named
from paperdesk.research.stock_source import StockSource

_MOST_NAMED: Final = 100
"""Stocks that are named for each reason why they were not scored."""


class RescoreRow(Ask):
    """What to score anew: a domain, or if none is named all of them, fetched in one call."""

    domain: Annotated[DomainName | None, Field(examples=["AI/Tech"])] = None


class Rescore:
    """Fetches and scores. Begun anew after it broke off, it sees the stocks once more."""

    name = "rescore"
    whole_desk = True
    most_rows = 100

    def __init__(
        self, database: Database, source: StockSource, clock: Clock, standing: Standing
    ) -> None:
        self._database = database
        self._source = source
        self._clock = clock
        self._standing = standing

    def check(self, data: Any, told: Any) -> RescoreRow:  # noqa: ARG002 - it has no file
        """Return which domain a row names. Raises InvalidRequest."""
        return read_row(RescoreRow, data)

    async def run(self, job: Job, said: RescoreRow, tell: Tell) -> dict[str, Any]:  # noqa: ARG002 - the stocks are the desk's, and fetched in one call
        """Do it, and return how many stocks were scored and which were not.

        Raises NotFound for a domain that there is not, PriceUnavailable where the source has
        nothing, ReadOnly where nothing may be stored.
        """
        await self._standing.check()
        domain_id = None
        if said.domain is not None:
            async with self._database.read() as session:
                domain_id = (await domain_named(session, said.domain)).id
        try:
            done = await rescore(self._database, self._source, self._clock, domain_id=domain_id)
        except SourceUnavailable as error:
            raise PriceUnavailable(str(error)) from error
        by_outcome: dict[Done, list[str]] = defaultdict(list)
        for outcome in done.outcomes:
            by_outcome[outcome.done].append(outcome.ticker)
        return {
            "domain": said.domain,
            "fetched_at": format_utc(done.fetched_at),
            "stocks": len(done.outcomes),
            "scored": len(by_outcome[Done.scored]),
            "no_price": by_outcome[Done.no_price][:_MOST_NAMED],
            "changed": by_outcome[Done.changed][:_MOST_NAMED],
        }
