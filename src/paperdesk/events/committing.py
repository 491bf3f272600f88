"""What is said in a session's transaction, and holds only once that has committed."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

from paperdesk.events.event import Event

_SAID: Final = "paperdesk_said"

Publish = Callable[..., None]
"""Takes the events that were committed, in their order."""


def when_committed(session: Session, events: Sequence[Event], publish: Publish) -> None:
    """Publish events when the session's transaction has committed; never if it is taken back.

    A savepoint that is rolled back takes what was said within it along.
    """
    if _SAID not in session.info:
        session.info[_SAID] = []
        event.listen(session, "after_commit", _publish)
        event.listen(session, "after_soft_rollback", _take_back)
    within = session.get_nested_transaction()
    session.info[_SAID].append((within, events, publish))


def _publish(session: Session) -> None:
    savepoint = session.get_nested_transaction()
    said: list[tuple[Any, Sequence[Event], Publish]] = session.info[_SAID]
    if savepoint is not None:
        # Released, not committed: what was said in it belongs to what is around it.
        session.info[_SAID] = [
            (savepoint.parent if within is savepoint else within, events, publish)
            for within, events, publish in said
        ]
        return
    session.info[_SAID] = []
    for _, events, publish in said:
        publish(*events)


def _take_back(session: Session, ended: SessionTransaction) -> None:
    said: list[tuple[Any, Sequence[Event], Publish]] = session.info[_SAID]
    session.info[_SAID] = [each for each in said if ended.nested and each[0] is not ended]
