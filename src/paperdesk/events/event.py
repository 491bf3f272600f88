"""An event: something that happened on an account and was committed."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

Kind = Literal["order", "trade", "signal", "job", "chat", "account"]


class Event(NamedTuple):
    """Something that happened on an account.

    `kind` and `key` name the thing that it happened to, such as an order and its id: who is slow
    gets only the newest event of a thing. `data` is what it is like now: an answer model, a dict or
    a list of exact values, or bytes that are JSON already. Or a function that returns such, called
    at most once, in the event loop, and only if somebody follows the account.
    """

    account_id: str
    kind: Kind
    key: str
    data: Any | Callable[[], Any] = None
    version: Any = None
    """What never becomes less as the thing changes, where there is such: an event with less than
    the one before is an older one, and is not told any more."""
