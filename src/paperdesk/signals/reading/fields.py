"""The fields of one alert, by any of their names, with what was wrong with them."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, TypeVar, cast

from paperdesk.redaction import names_a_secret
from paperdesk.signals.reading.amounts import Blank, Number, Unreadable, read_number
from paperdesk.signals.reading.texts import clean, fold

T = TypeVar("T")

_OPENED: Final = {"strategy": "strategy", "strategyinfo": "", "order": "order", "bar": "bar"}
"""Objects whose members are read as if they stood beside them, and what goes before the names."""

_UNSAID: Final = frozenset({"", "0", "false", "no", "none", "null"})
_MOST_NAMED: Final = 20
_LONGEST_NAME: Final = 64

INFORMATIVE: Final = frozenset(
    fold(name)
    for name in (
        *("interval", "timeframe", "open", "high", "low", "volume", "time_now", "bar_time"),
        *("bar_open", "bar_high", "bar_low", "bar_close", "bar_volume", "syminfo", "currency"),
        *("base_currency", "tv_exchange", "exchange", "platform", "connection_name"),
    )
)
"""Fields that say what the sender saw. Not acting on them is nothing to warn about."""


class _BlankValue:
    """Stands where a placeholder came out empty, which is not the same as a field left out."""


BLANK: Final = _BlankValue()


class Fields:
    """What one alert says, field by field.

    Reading collects problems instead of raising: the sender is told all of them at once. A value
    under several names must be the same under each.
    """

    def __init__(self, said: Mapping[str, Any], blank: Iterable[str] = ()) -> None:
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self._blank = frozenset(blank)
        self._values: dict[str, tuple[str, Any]] = {}
        self._twice: set[str] = set()
        self._used: set[str] = set()
        self._open(said, "")

    def _open(self, said: Mapping[str, Any], prefix: str) -> None:
        for name, value in said.items():
            folded = prefix + (fold(name) or name)
            if not prefix and isinstance(value, dict) and folded in _OPENED:
                self._open(cast("dict[str, Any]", value), _OPENED[folded])
            else:
                blank = value is None and fold(name) in self._blank
                self._put(folded, name, BLANK if blank else value)

    def _put(self, folded: str, name: str, value: Any) -> None:
        if folded in self._values and self._values[folded][1] != value:
            self._twice.add(folded)
        self._values[folded] = (name, value)

    def has(self, *names: str) -> bool:
        """Say whether one of the fields is there, whatever it says."""
        return not self._values.keys().isdisjoint(names)

    def values(self, *names: str) -> list[tuple[str, Any]]:
        """Return what is said under the names, in their order: the field as written, its value."""
        if self._values.keys().isdisjoint(names):
            # Nearly always: there are many names, and an alert has few of them.
            return []
        found = [self._values[name] for name in names if name in self._values]
        self._used.update(names)
        for name in self._twice.intersection(names):
            self._twice.discard(name)
            self.problem(self._values[name][0], "is said twice, differently")
        return [(name, value) for name, value in found if value is not None]

    def value(self, *names: str) -> Any:
        """Return the first value under the names, or None. Empty counts as not said."""
        if self._values.keys().isdisjoint(names):
            return None
        return next((v for _, v in self.values(*names) if v is not BLANK and v != ""), None)

    def text(self, *names: str) -> str | None:
        """Return the first text under the names, cleaned."""
        if self._values.keys().isdisjoint(names):
            return None
        found = (clean(value) for _, value in self.values(*names) if value is not BLANK)
        return next((text for text in found if text is not None), None)

    def flag(self, *names: str) -> bool:
        """Say whether a yes-or-no field says yes."""
        value = self.value(*names)
        return value is True or (isinstance(value, str) and fold(value) in {"true", "yes"})

    def same(self, read: Callable[[Any], T], *names: str) -> T | None:
        """Return what all the names say, as `read` understands it. None where none is there."""
        if self._values.keys().isdisjoint(names):
            return None
        found: dict[str, T] = {}
        for name, value in self.values(*names):
            if value is BLANK or value == "":
                self.problem(name, "is empty; its placeholder had no value")
                continue
            try:
                found[name] = read(value)
            except Unreadable as error:
                self.problem(name, str(error))
        first = next(iter(found.values()), None)
        for name, value in found.items():
            if value != first:
                self.problems.append(
                    f"{_shown(next(iter(found)))} and {_shown(name)} differ. Send one of them."
                )
                break
        return first

    def number(self, *names: str) -> Number | None:
        """Return a number that matters: what is empty under its name is a problem."""
        return self.same(read_number, *names)

    def price(self, *names: str) -> Decimal | None:
        """Return the first price under the names; 0 and empty mean none."""
        for name, value in self.values(*names):
            if value is BLANK:
                self.problem(name, "is empty; its placeholder had no value")
                continue
            try:
                number = read_number(value)
            except Blank:
                continue
            except Unreadable as error:
                self.problem(name, str(error))
                continue
            if number.percent or number.value < 0:
                self.problem(name, "must be a price in US dollars, more than 0")
            elif number.value:
                return number.value
        return None

    def seen(self, *names: str) -> Decimal | None:
        """Return a number that only informs. What cannot be read is a warning."""
        for name, value in self.values(*names):
            try:
                if value is BLANK:
                    raise Blank("is empty; its placeholder had no value")
                return read_number(value).value
            except Unreadable as error:
                self.warn(f"{_shown(name)}: {error}. It was left aside.")
        return None

    def problem(self, name: str, what: str) -> None:
        """Note what is wrong with a field."""
        self.problems.append(f"{_shown(name)}: {what}.")

    def warn(self, sentence: str) -> None:
        """Note what was said and is not acted on, once."""
        if sentence not in self.warnings:
            self.warnings.append(sentence)

    def left(self) -> list[str]:
        """Return the names of the fields that say something and were not read."""
        return [
            _shown(name)
            for folded, (name, value) in self._values.items()
            if folded not in self._used
            and folded not in INFORMATIVE
            and not folded.startswith("plot")
            and not names_a_secret(name)
            and _says_something(value)
        ][:_MOST_NAMED]


def _shown(name: str) -> str:
    return clean(name, _LONGEST_NAME) or "a field without a name"


def _says_something(value: Any) -> bool:
    if value is None or value is False or value is BLANK:
        return False
    if isinstance(value, (int, Decimal)):
        return bool(value)
    return not isinstance(value, str) or value.strip().lower() not in _UNSAID
