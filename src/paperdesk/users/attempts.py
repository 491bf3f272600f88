"""How often somebody may ask: keys that are not valid, by address; requests, by key. In memory."""

from collections import OrderedDict, deque
from datetime import datetime, timedelta
from ipaddress import IPv6Address, IPv6Network
from math import ceil
from typing import Final

from paperdesk.users.addresses import Address

ALLOWED: Final = 10
"""Keys that are not valid that an address may send in a minute."""

MOST_ADDRESSES: Final = 4096
"""Addresses that are remembered: the one that failed longest ago is forgotten first."""

LONGEST_WAIT: Final = 300
_MINUTE: Final = timedelta(minutes=1)
_ONE_CUSTOMER: Final = 64
"""Bits of an IPv6 address that tell customers apart; one has all the others for himself."""


class _Failures:
    """The latest failures of an address, and how many came beyond what is allowed."""

    __slots__ = ("beyond", "times")

    def __init__(self) -> None:
        self.times: deque[datetime] = deque(maxlen=ALLOWED + 1)
        self.beyond = 0


class Attempts:
    """Counts the keys that are not valid, address by address."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, _Failures] = OrderedDict()

    def fail(self, address: Address | None, now: datetime) -> int | None:
        """Count one. Return how many seconds to wait, twice as long each time; None: not yet."""
        name = _group(address)
        failures = self._failures.get(name)
        if failures is None:
            failures = self._failures[name] = _Failures()
            if len(self._failures) > MOST_ADDRESSES:
                self._failures.popitem(last=False)
        self._failures.move_to_end(name)
        times = failures.times
        if times and not timedelta(0) <= now - times[-1] < _MINUTE:
            # A quiet minute, or a clock that was set back.
            times.clear()
        times.append(now)
        if len(times) <= ALLOWED or now - times[0] >= _MINUTE:
            failures.beyond = 0
            return None
        failures.beyond += 1
        return LONGEST_WAIT if failures.beyond > ALLOWED else min(LONGEST_WAIT, 2**failures.beyond)

    def wait(self, address: Address | None, now: datetime) -> int | None:
        """Return for how many seconds the next failure would be too many; None: it is not.

        Counts nothing.
        """
        failures = self._failures.get(_group(address))
        if failures is None or len(failures.times) < ALLOWED or now < failures.times[-1]:
            return None
        passed = now - failures.times[-ALLOWED]
        return ceil((_MINUTE - passed).total_seconds()) if passed < _MINUTE else None

    def __len__(self) -> int:
        return len(self._failures)


class Rates:
    """A bucket of requests for each key: it fills evenly, up to two seconds' worth."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._most = max(1.0, 2 * per_second)
        self._buckets: dict[str, tuple[float, datetime]] = {}

    def take(self, key: str, now: datetime) -> int | None:
        """Take one request of a key. Return how many seconds to wait; None: it may be made."""
        left, then = self._buckets.get(key, (self._most, now))
        passed = max(0.0, (now - then).total_seconds())
        left = min(self._most, left + passed * self._per_second)
        if left < 1:
            self._buckets[key] = (left, now)
            return max(1, ceil((1 - left) / self._per_second))
        self._buckets[key] = (left - 1, now)
        return None


def _group(address: Address | None) -> str:
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, _ONE_CUSTOMER), strict=False))
    return str(address)
