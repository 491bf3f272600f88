"""A desk that stops does so in good order, whatever became of its database meanwhile."""

from paperdesk.db.engine import Database
from support.desk import open_desk
from support.electing import cut_off, holder


async def test_a_leader_that_was_cut_off_stops_without_a_complaint(
    postgresql: Database, postgres_url: str
) -> None:
    async with open_desk(postgres_url) as desk:
        await cut_off(postgresql, await holder(postgresql))
        # Leaves prices that are still to be stored when the desk ends.
        await desk.app.state.market.tick()
