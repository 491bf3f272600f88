"""A job of rows that are at hand: made, told of, and begun."""

from typing import Any

from paperdesk.clock import Clock
from paperdesk.jobs.making import Asked, Made, make
from paperdesk.jobs.telling import event_of


async def make_and_tell(state: Any, asked: Asked, rows: list[Any]) -> Made:
    """Make a job; have streams told and a worker look, where it is new. Raises what `make` does."""
    clock: Clock = state.market.clock
    made = await make(state.database, clock, asked, rows)
    if not made.replayed:
        async with state.database.write() as session:
            await session.run_sync(state.feed.tell, event_of(made.job))
        state.worker.heard()
    return made
