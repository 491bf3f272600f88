"""Keys: what a row is known by, when the same file or a longer one is imported again.

A row with an id of its own is known by account and id. Any other is known by what it says and by
how many rows of the file said the same before it. Rows that say the same are interchangeable, so
the keys of a file do not depend on its order, nor on the rows between. The key of such a row begins
with its time: what is stored under such keys lies in the order of time.
"""

import hashlib
from datetime import UTC, datetime
from typing import Final

from paperdesk.imports.dates import Moment
from paperdesk.imports.rows import Said

LEAD: Final = 10
"""Digits at the beginning of a key that may be its time."""
_EARLIEST: Final = 1 << 32
"""Seconds before 1970 from which times are counted, so that none is below 0."""


class Keys:
    """Gives the rows of one file their keys, in any order. About 90 bytes a row are kept."""

    def __init__(self, format_name: str) -> None:
        self._format = format_name
        self._seen: set[int] = set()
        self._repeats: dict[int, int] = {}

    def key_of(self, said: Said, ticker: str | None, currency: str | None) -> str:
        """Return 64 hexadecimal digits; `currency` is None where it is the desk's money."""
        if said.external_id:
            text = f"id\0{self._format}\0{said.account}\0{said.external_id}"
            return hashlib.sha256(text.encode()).hexdigest()
        # `!s` is worth it: formatting a Decimal takes four times as long as its text.
        text = (
            f"{said.account}\0{said.kind!s}\0{said.moment.said}\0{ticker}\0{said.quantity!s}\0"
            f"{said.price!s}\0{said.fee!s}\0{said.taxes!s}\0{said.net!s}\0{said.ratio}\0"
            f"{currency}"
        )
        digest = hashlib.sha256(text.encode()).hexdigest()
        short = int(digest[-15:], 16)
        if short in self._seen:
            repeat = self._repeats[short] = self._repeats.get(short, 0) + 1
            digest = hashlib.sha256(f"{text}\0{repeat}".encode()).hexdigest()
        else:
            self._seen.add(short)
        return _lead(said.moment) + digest[LEAD:]


def _lead(moment: Moment) -> str:
    """Return what says when: of a day its beginning, since its end may not have come yet."""
    at = datetime.fromisoformat(moment.said).replace(tzinfo=UTC) if moment.date_only else moment.at
    return f"{int(at.timestamp()) + _EARLIEST:0{LEAD}x}"
