"""What the callers of a batch are told when it was not booked, or when nobody knows."""

from collections.abc import Sequence

import structlog

from paperdesk.db.failures import is_lock_timeout, is_unavailable
from paperdesk.errors import Busy, PaperdeskError, Refused, UnknownOutcome
from paperdesk.ledger.lane.waiting import Pending

log = structlog.get_logger()


class Spoiled(Exception):
    """A refused command left changes behind: the batch must be taken back."""


class OutcomeUnknown(Exception):
    """A COMMIT failed, and may have been made all the same; the cause says how it failed."""


class TransactionLost(Exception):
    """The transaction ended before its COMMIT."""


class AccountHeld(Busy):
    """Another process, or a person, keeps the row of one account locked."""


def refused_by_the_database(batch: Sequence[Pending]) -> Busy | None:
    """Return the refusal if the database took nothing of a batch: what waits need not wait for it.

    Else each batch of a long queue would wait out the same lock, or the same connection.
    """
    first = batch[0].error
    if isinstance(first, Busy) and all(pending.error is first for pending in batch):
        return first
    return None


def fail(batch: Sequence[Pending], error: BaseException) -> None:
    """Note for each command of a batch what it ended with."""
    for pending in batch:
        pending.error = error


def leave_open(batch: Sequence[Pending], error: OutcomeUnknown) -> None:
    """Say of those that may have been committed that it is not known; the others were refused."""
    unknown = _unknown(error.__cause__ or error)
    fail([pending for pending in batch if pending.error is None], unknown)


def given_up(
    batch: Sequence[Pending], waiting: Sequence[Pending], error: BaseException
) -> list[Pending]:
    """Say of a batch that ended its lane that it is not known, and refuse what waited behind it."""
    fail(batch, _unknown(error))
    fail(waiting, Busy("The desk met an error of its own. Nothing was booked; ask again."))
    return [*batch, *waiting]


def is_nobodys_fault(error: BaseException) -> bool:
    """Say whether the database was the trouble, so that trying each command alone only waits."""
    return isinstance(error, Busy) or is_unavailable(error)


def explained(error: BaseException) -> BaseException:
    """Return what to tell the caller of a command that was rolled back."""
    if isinstance(error, PaperdeskError):
        return error
    if isinstance(error, Spoiled) and isinstance(error.__cause__, Refused):
        log.error("ledger.refusal_left_changes", exc_info=error.__cause__)
        return error.__cause__
    if is_lock_timeout(error):
        log.warning("ledger.account_held", error=str(error).partition("\n")[0])
        return AccountHeld(
            "Another process keeps this account busy; nothing was booked. Ask again."
        )
    if is_unavailable(error):
        log.warning("ledger.database_unavailable", error=str(error).partition("\n")[0])
        return Busy("The database cannot be reached or is busy; nothing was booked. Ask again.")
    log.error("ledger.command_failed", exc_info=error)
    return error


def _unknown(error: BaseException) -> UnknownOutcome:
    log.error("ledger.commit_failed", exc_info=error)
    return UnknownOutcome(
        "The database failed during the commit. Ask again with the same key: "
        "you get the booking if it was made, and it is made now if it was not."
    )
