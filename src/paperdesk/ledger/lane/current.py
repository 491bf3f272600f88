"""Accounts as they are now, whoever booked on them: one look for all who ask at the same time."""

import asyncio
from collections.abc import Callable, Collection, MutableMapping

from sqlalchemy import select

from paperdesk.db.engine import Database
from paperdesk.errors import Busy, NotFound
from paperdesk.ledger.views import AccountView, rows_of, view_from
from paperdesk.models import UserProfile


class CurrentViews:
    """Reads accounts where another process may have booked since they were last published.

    Who asks while a look is under way waits for the next one, which begins after it asked.
    """

    def __init__(
        self,
        database: Database,
        published: MutableMapping[str, AccountView],
        publish: Callable[[AccountView], AccountView],
    ) -> None:
        self._database = database
        self._published = published
        self._publish = publish
        self._asked: dict[str, asyncio.Future[AccountView | None]] = {}
        self._answering: dict[str, asyncio.Future[AccountView | None]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def view_of(self, account_id: str) -> AccountView:
        """Return an account as it is now. Raises NotFound if there is none."""
        asked = self._asked.get(account_id)
        if asked is None:
            asked = self._asked[account_id] = asyncio.get_running_loop().create_future()
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_for_all(), name="paperdesk-views")
            self._looking.add_done_callback(self._tell_the_rest)
        # Shielded: one who goes away must not take the answer from the others.
        view = await asyncio.shield(asked)
        if view is None:
            raise NotFound("There is no such account.")
        return view

    async def _look_for_all(self) -> None:
        while self._asked:
            self._answering, self._asked = self._asked, {}
            try:
                views = await self._look(self._answering)
            except Exception as error:  # noqa: BLE001 - each of those who asked is told
                for answer in self._answering.values():
                    answer.set_exception(error)
            else:
                for account_id, answer in self._answering.items():
                    answer.set_result(views.get(account_id))

    def _tell_the_rest(self, looking: asyncio.Task[None]) -> None:
        """Tell those who wait that nothing will come, where the task was cancelled."""
        if not looking.cancelled():
            return
        for answer in (*self._asked.values(), *self._answering.values()):
            if not answer.done():
                answer.set_exception(Busy("The desk is stopping. Ask again when it is back."))
        self._asked.clear()

    async def _look(self, account_ids: Collection[str]) -> dict[str, AccountView]:
        views, behind = await self._look_at(account_ids)
        if behind:
            # Booked since this look began; or the database was set back to an earlier time, which
            # a second look tells: it began after what was published.
            again, behind = await self._look_at(behind)
            for account_id in behind:
                self._published.pop(account_id, None)
            views |= again | (await self._look_at(behind))[0]
        return views

    async def _look_at(
        self, account_ids: Collection[str]
    ) -> tuple[dict[str, AccountView], list[str]]:
        """Return accounts as they are, and which of them are behind what was published."""
        views: dict[str, AccountView] = {}
        behind: list[str] = []
        async with self._database.read() as session:
            heads = await session.execute(
                select(
                    UserProfile.id,
                    UserProfile.head_sequence,
                    UserProfile.version,
                    UserProfile.head_hash,
                ).where(UserProfile.id.in_(account_ids))
            )
            for account_id, sequence, version, head_hash in heads.all():
                view = self._published.get(account_id)
                if view is None or view.point < (sequence, version):
                    rows = await session.execute(rows_of(account_id))
                    view = self._publish(view_from(rows.all()))
                elif view.head.hash != head_hash or view.point > (sequence, version):
                    behind.append(account_id)
                views[account_id] = view
        return views, behind
