"""What can go wrong, as classes. Each carries the stable code and the status of its HTTP answer.

The message is a sentence for a person that says what to do next. No web framework here: the
command line and the Python API raise and catch the same classes.
"""

from typing import ClassVar


class PaperdeskError(Exception):
    """Base of everything that Paperdesk raises on purpose."""

    code: ClassVar[str] = "INTERNAL"
    title: ClassVar[str] = "Something went wrong"
    status: ClassVar[int] = 500
    retry_after: int | None = None
    """Seconds to wait before asking again, where waiting helps."""


class Refused(PaperdeskError):
    """The request was understood and refused; nothing was written."""


class InvalidRequest(Refused):
    """The request is not of the documented form."""

    code = "INVALID_REQUEST"
    title = "The request is not valid"
    status = 422


class NotUnderstood(Refused):
    """The body of an alert is of no form that the desk knows; it was kept."""

    code = "NOT_UNDERSTOOD"
    title = "The alert is not understood"
    status = 400


class Unauthenticated(Refused):
    """No valid key came with the request."""

    code = "UNAUTHENTICATED"
    title = "An API key is needed"
    status = 401


class Forbidden(Refused):
    """The request may not be made from here, or not by this key."""

    code = "FORBIDDEN"
    title = "Not allowed"
    status = 403


class NotFound(Refused):
    """There is no such thing."""

    code = "NOT_FOUND"
    title = "Not found"
    status = 404


class MethodNotAllowed(Refused):
    """The path exists, but not with this method."""

    code = "METHOD_NOT_ALLOWED"
    title = "Method not allowed"
    status = 405


class UnknownTicker(Refused):
    """The price source does not know the ticker."""

    code = "UNKNOWN_TICKER"
    title = "Unknown ticker"
    status = 404


class InsufficientCash(Refused):
    """The account cannot pay for the order."""

    code = "INSUFFICIENT_CASH"
    title = "Not enough cash"
    status = 409


class InsufficientShares(Refused):
    """The account does not hold that many shares."""

    code = "INSUFFICIENT_SHARES"
    title = "Not enough shares"
    status = 409


class PriceUnavailable(Refused):
    """There is no price fresh enough to trade at."""

    code = "PRICE_UNAVAILABLE"
    title = "No current price"
    status = 409
    retry_after = 2


class IdempotencyMismatch(Refused):
    """The key was used before, for another command."""

    code = "IDEMPOTENCY_MISMATCH"
    title = "The key was used for another request"
    status = 409


class InvalidState(Refused):
    """The thing exists but is not in a state that allows this."""

    code = "INVALID_STATE"
    title = "Not possible in this state"
    status = 409


class BodyTooLarge(Refused):
    """The request body is over the limit."""

    code = "BODY_TOO_LARGE"
    title = "The body is too large"
    status = 413


class UnsupportedMediaType(Refused):
    """The body is not JSON."""

    code = "UNSUPPORTED_MEDIA_TYPE"
    title = "The body must be JSON"
    status = 415


class RateLimited(Refused):
    """Too many requests, or too many keys that are not valid, in too short a time."""

    code = "RATE_LIMITED"
    title = "Too many requests"
    status = 429
    retry_after = 1

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Busy(PaperdeskError):
    """The desk cannot take more work now; nothing was written."""

    code = "BUSY"
    title = "The desk is busy"
    status = 503
    retry_after = 1


class ReadOnly(PaperdeskError):
    """A proof of the books failed: the desk takes no more changes until an operator decides."""

    code = "READ_ONLY"
    title = "The desk is read-only"
    status = 503


class UnknownOutcome(PaperdeskError):
    """The commit broke off: the command may or may not have been booked."""

    code = "UNKNOWN_OUTCOME"
    title = "The outcome is not known"
    status = 503
    retry_after = 1


class SettingsError(PaperdeskError):
    """A setting has a value that cannot be used."""


class DatabaseUnusable(PaperdeskError):
    """The database cannot be opened or migrated; it was left as it is."""


class DatabaseHeld(PaperdeskError):
    """Another process owns the SQLite file."""
