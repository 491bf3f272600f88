"""Accounts as they are now, whoever booked on them: one look for all who ask at the same time."""

import asyncio
from collections.abc import Callable, Collection, Mapping

from sqlalchemy import select

from paperdesk.db.engine import Database
from paperdesk.errors import NotFound
from paperdesk.ledger.views import AccountView, rows_of, view_from
from paperdesk.models import UserProfile


class CurrentViews:
    """Reads accounts where another process may have booked since they were last published.

    Who asks while a look is under way waits for the next one, which begins after it asked.
    """

    def __init__(
        self,
        database: Database,
        published: Mapping[str, AccountView],
        publish: Callable[[AccountView], AccountView],
    ) -> None:
        self._database = database
        self._published = published
        self._publish = publish
        self._asked: dict[str, asyncio.Future[AccountView | None]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def view_of(self, account_id: str) -> AccountView:
        """Return an account as it is now. Raises NotFound if there is none."""
        asked = self._asked.get(account_id)
        if asked is None:
            asked = self._asked[account_id] = asyncio.get_running_loop().create_future()
        if self._looking is None:
            self._looking = asyncio.create_task(self._look_for_all(), name="paperdesk-views")
        # Shielded: one who goes away must not take the answer from the others.
        view = await asyncio.shield(asked)
        if view is None:
            raise NotFound("There is no such account.")
        return view

    async def _look_for_all(self) -> None:
        while self._asked:
            asked, self._asked = self._asked, {}
            try:
                views = await self._look(asked)
            except Exception as error:  # noqa: BLE001 - each of those who asked is told
                for answer in asked.values():
                    answer.set_exception(error)
            else:
                for account_id, answer in asked.items():
                    answer.set_result(views.get(account_id))
        self._looking = None

    async def _look(self, account_ids: Collection[str]) -> dict[str, AccountView]:
        views: dict[str, AccountView] = {}
        async with self._database.read() as session:
            heads = await session.execute(
                select(UserProfile.id, UserProfile.head_sequence).where(
                    UserProfile.id.in_(account_ids)
                )
            )
            for account_id, sequence in heads.all():
                view = self._published.get(account_id)
                if view is None or view.sequence < sequence:
                    rows = await session.execute(rows_of(account_id))
                    view = self._publish(view_from(rows.all()))
                views[account_id] = view
        return views
