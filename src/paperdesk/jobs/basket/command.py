"""What a sentence such as "buy $500 of every ticker in my watchlist" asks for. Pure.

command   = trade | close | rebalance | equal
trade     = ("buy" | "sell") size ["of"] what ["each"]
close     = ("close" | "liquidate") what | "sell" what
rebalance = "rebalance" ["to"] (weight | "cash" number) …
equal     = ("equal" "weight" | "rebalance" "equally") what
size      = "$" number | number ("dollars" | "shares")? | number "%" | "half" | "all" | …
what      = tickers | "my watchlist" | "everything" | "all positions"
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from paperdesk.errors import InvalidRequest
from paperdesk.market.tickers import TICKER
from paperdesk.models import Side

EXAMPLES: Final = (
    "buy $500 of every ticker in my watchlist",
    "buy 10 of AAPL, MSFT and NVDA",
    "sell half of everything",
    "sell 25% of TSLA",
    "close all",
    "rebalance to AAPL 40 MSFT 30 cash 30",
    "equal weight AAPL, MSFT and NVDA",
)
LARGEST: Final = Decimal(1_000_000_000)
WHOLE: Final = Decimal(100)

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<number>\$?\d[\d,]*(?:\.\d+)?[km]?%?)(?![\w.])|(?P<word>[A-Za-z][A-Za-z0-9.-]*)|[,&+])"
)
_NUMBER: Final = re.compile(r"(\$?)(\d{1,3}(?:,\d{3})+|\d+)(\.\d{1,9})?([km]?)(%?)")
_TIMES: Final = {"": Decimal(1), "k": Decimal(1000), "m": Decimal(1_000_000)}
_PARTS: Final = {"half": Decimal(50), "quarter": Decimal(25), "all": WHOLE, "everything": WHOLE}
_FILL: Final = frozenset({"of", "the", "my", "a", "in", "from", "each", "every", "worth", "please"})
_AND: Final = frozenset({"and", "&", ",", "+", "plus"})
_THINGS: Final = frozenset({"ticker", "tickers", "stock", "stocks", "symbol", "symbols"})
_HELD: Final = frozenset({"everything", "positions", "position", "holdings", "portfolio", "all"})
_SHARES: Final = frozenset({"share", "shares"})
_DOLLARS: Final = frozenset({"dollar", "dollars", "usd", "bucks"})


class Measure(StrEnum):
    """What a size counts."""

    shares = "shares"
    dollars = "dollars"
    percent = "percent"


class Universe(StrEnum):
    """What a command is about, where it names no tickers."""

    watchlist = "watchlist"
    positions = "positions"


What = tuple[str, ...] | Universe


@dataclass(frozen=True, slots=True)
class TradeCommand:
    """Buy or sell some of each."""

    side: Side
    amount: Decimal
    measure: Measure
    what: What


@dataclass(frozen=True, slots=True)
class CloseCommand:
    """Close positions, long or short."""

    what: What


@dataclass(frozen=True, slots=True)
class RebalanceCommand:
    """Hold these percentages of what the account is worth, and nothing else."""

    weights: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class EqualCommand:
    """Hold the same value of each, and nothing else."""

    what: What


Command = TradeCommand | CloseCommand | RebalanceCommand | EqualCommand


def parse_command(text: str) -> Command:
    """Return what a command asks for. Raises InvalidRequest, with examples, where it is unclear."""
    words = _tokens(text)
    verb = words.pop(0).lower() if words else ""
    match verb:
        case "buy":
            return _trade(Side.buy, words)
        case "sell":
            return _trade(Side.sell, words)
        case "close" | "liquidate":
            return CloseCommand(_what(words))
        case "rebalance":
            return _rebalance(words)
        case "equal" | "equally":
            return EqualCommand(_what(_without(words, "weight", "weights", "weighted", "to")))
        case _:
            raise not_understood("It begins with buy, sell, close, rebalance or equal weight.")


def not_understood(why: str) -> InvalidRequest:
    """Return the refusal of a command, which shows what can be said."""
    return InvalidRequest(
        f"original_command: this is not understood. {why} Such as: {'; '.join(EXAMPLES)}."
    )


def _tokens(text: str) -> list[str]:
    words: list[str] = []
    rest = text.strip().rstrip(".!;")
    at = 0
    while at < len(rest):
        found = _TOKEN.match(rest, at)
        if found is None or not rest.isascii():
            raise not_understood(f"Nobody expects {rest[at : at + 12].strip()!r} here.")
        words.append(found[0].strip())
        at = found.end()
    return words


def _trade(side: Side, words: list[str]) -> Command:
    if not words:
        raise not_understood("It does not say what.")
    first = words[0].lower()
    if side is Side.sell and (first in _HELD - {"all"} or not _is_size(words)):
        # "sell everything", "sell TSLA": all of it.
        return TradeCommand(side, WHOLE, Measure.percent, _what(words))
    amount, measure = _size(words)
    if not words and side is Side.sell and first in _PARTS:
        return TradeCommand(side, amount, measure, Universe.positions)
    if side is Side.buy and measure is Measure.percent:
        raise not_understood("A purchase is for dollars or shares; a part of what, nobody knows.")
    return TradeCommand(side, amount, measure, _what(words))


def _is_size(words: list[str]) -> bool:
    first = words[0].lower()
    return first in _PARTS or first in {"a", "one"} or first[0] in "$0123456789"


def _size(words: list[str]) -> tuple[Decimal, Measure]:
    """Take a size off the front of the words."""
    first = words.pop(0).lower()
    if first in {"a", "one"} and words:
        first = words.pop(0).lower()
    if first == "third":
        return WHOLE / 3, Measure.percent
    if first in _PARTS:
        return _PARTS[first], Measure.percent
    dollars, amount, percent = _number(first)
    following = words[0].lower() if words else ""
    if percent or following == "percent":
        _drop(words, {"percent"})
        if not 0 < amount <= WHOLE:
            raise not_understood("A part is more than 0 % and at most 100 %.")
        return amount, Measure.percent
    if not 0 < amount <= LARGEST:
        raise not_understood("An amount is more than 0 and at most 1,000,000,000.")
    if following in _DOLLARS or dollars:
        _drop(words, _DOLLARS)
        return amount, Measure.dollars
    _drop(words, _SHARES)
    return amount, Measure.shares


def _number(text: str) -> tuple[bool, Decimal, bool]:
    """Return whether a number is of dollars, the number, and whether it is a percentage."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise not_understood(f"{text!r} is no amount.")
    dollars, whole, places, times, percent = found.groups()
    amount = Decimal(whole.replace(",", "") + (places or "")) * _TIMES[times]
    return bool(dollars), amount, bool(percent)


def _what(words: list[str]) -> What:
    plain = [word for word in words if word.lower() not in _FILL | _AND | _THINGS]
    lower = [word.lower() for word in plain]
    if "watchlist" in lower:
        if lower != ["watchlist"]:
            raise not_understood("Name a watchlist or tickers, not both.")
        return Universe.watchlist
    if lower and all(word in _HELD for word in lower):
        return Universe.positions
    tickers = list(dict.fromkeys(_ticker(word) for word in plain))
    if not tickers:
        raise not_understood("It does not say what: name tickers, my watchlist or everything.")
    return tuple(tickers)


def _rebalance(words: list[str]) -> Command:
    words = _without(words, "to")
    if words and words[0].lower() in {"equally", "equal"}:
        rest = _without(words[1:], "weight", "weights", "to", "across", "over", "between")
        return EqualCommand(_what(rest))
    words = [word for word in words if word.lower() not in _AND]
    weights: dict[str, Decimal] = {}
    while words:
        name = words.pop(0)
        if name[0].isdigit() and words:
            # "40% AAPL" as well as "AAPL 40%".
            name, words[0] = words[0], name
        if not words:
            raise not_understood(f"How much of {name}?")
        _, weight, _ = _number(words.pop(0).lower())
        _drop(words, {"percent"})
        ticker = "CASH" if name.lower() == "cash" else _ticker(name)
        if ticker in weights:
            raise not_understood(f"{ticker} is named twice.")
        weights[ticker] = weight
    total = sum(weights.values(), Decimal(0))
    if not weights or total > WHOLE or ("CASH" in weights and total != WHOLE):
        raise not_understood(
            f"The percentages add up to {total.normalize():f}: 100 with cash, at most 100 without."
        )
    weights.pop("CASH", None)
    return RebalanceCommand(weights)


def _ticker(word: str) -> str:
    ticker = word.upper()
    if not TICKER.fullmatch(ticker):
        raise not_understood(f"{word!r} is no ticker.")
    return ticker


def _without(words: list[str], *leading: str) -> list[str]:
    """Return words without some that may come first."""
    while words and words[0].lower() in leading:
        words = words[1:]
    return words


def _drop(words: list[str], names: frozenset[str] | set[str]) -> None:
    if words and words[0].lower() in names:
        words.pop(0)
