"""The words for what to do, and what several of them mean together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from paperdesk.signals.reading.amounts import Unreadable
from paperdesk.signals.reading.model import Intent, Position, QuantityKind
from paperdesk.signals.reading.texts import fold

ACCEPTED: Final = (
    "buy, sell, long, short, enter_long, enter_short, exit_long, exit_short, close, flat, cover, "
    "reverse, increase, reduce, cancel"
)

Verb = Literal["trade", "hold", "enter", "add", "exit", "reduce", "reverse", "cancel"]


@dataclass(frozen=True, slots=True)
class Word:
    """One word: what it does, and which way it trades or which position it is about."""

    verb: Verb
    trade: int = 0
    position: int = 0


_BUY, _SELL = Word("trade", trade=1), Word("trade", trade=-1)
_LONG, _SHORT = Word("hold", position=1), Word("hold", position=-1)
_IN_LONG, _IN_SHORT = Word("enter", position=1), Word("enter", position=-1)
_OUT_LONG, _OUT_SHORT = Word("exit", position=1), Word("exit", position=-1)

_WORDS: Final[dict[str, Word]] = {
    **dict.fromkeys(("buy", "ordertypebuy"), _BUY),
    **dict.fromkeys(("sell", "ordertypesell"), _SELL),
    **dict.fromkeys(("ordertypebuylimit", "ordertypebuystop", "ordertypebuystoplimit"), _BUY),
    **dict.fromkeys(("ordertypeselllimit", "ordertypesellstop", "ordertypesellstoplimit"), _SELL),
    **dict.fromkeys(("long", "bullish"), _LONG),
    **dict.fromkeys(("short", "bearish"), _SHORT),
    **dict.fromkeys(
        ("enterlong", "entrylong", "longentry", "openlong", "golong", "buytoopen"), _IN_LONG
    ),
    **dict.fromkeys(
        ("entershort", "entryshort", "shortentry", "openshort", "goshort", "selltoopen"), _IN_SHORT
    ),
    **dict.fromkeys(("sellshort", "positiontypesell"), _IN_SHORT),
    "positiontypebuy": _IN_LONG,
    **dict.fromkeys(("exitlong", "longexit", "closelong", "selltoclose"), _OUT_LONG),
    **dict.fromkeys(("exitshort", "shortexit", "closeshort", "buytoclose"), _OUT_SHORT),
    **dict.fromkeys(("cover", "buytocover", "covershort"), _OUT_SHORT),
    **dict.fromkeys(
        ("close", "exit", "flat", "flatten", "closeall", "closeposition"), Word("exit")
    ),
    **dict.fromkeys(("open", "enter", "entry"), Word("enter")),
    **dict.fromkeys(("increase", "add"), Word("add")),
    **dict.fromkeys(("reduce", "decrease"), Word("reduce")),
    **dict.fromkeys(("reverse", "flip"), Word("reverse")),
    **dict.fromkeys(("cancel", "cancelall", "cancelorders"), Word("cancel")),
}

_POSITIONS: Final[dict[str, Position]] = {
    **dict.fromkeys(("long", "bullish"), "long"),
    **dict.fromkeys(("short", "bearish"), "short"),
    **dict.fromkeys(("flat", "neutral"), "flat"),
}

_KINDS: Final[dict[str, QuantityKind]] = {
    **dict.fromkeys(
        ("shares", "share", "fixedquantity", "quantity", "base", "contract", "contracts", "units"),
        QuantityKind.shares,
    ),
    **dict.fromkeys(
        ("cash", "dollaramount", "amountperposition", "quote", "margin", "usd", "notional"),
        QuantityKind.cash,
    ),
    **dict.fromkeys(
        ("percentofequity", "percentageinvestment", "equitypercent"),
        QuantityKind.percent_of_equity,
    ),
    **dict.fromkeys(
        ("percentofposition", "percentageposition", "positionpercent"),
        QuantityKind.percent_of_position,
    ),
}
_EITHER_PERCENT: Final = frozenset({"percent", "percentage", "percentagebalance", "balancepercent"})


@dataclass(frozen=True, slots=True)
class Decision:
    """What the words mean: `part` is never all of it, `guessed` is long for want of a way."""

    intent: Intent
    part: bool = False
    guessed: bool = False


def word_of(value: object) -> Word | None:
    """Return what one word means, in any spelling, or None."""
    return _WORDS.get(fold(value)) if isinstance(value, str) else None


def position_of(value: object) -> Position | None:
    """Return the position that a word names, or None."""
    return _POSITIONS.get(fold(value)) if isinstance(value, str) else None


def kind_of(value: object) -> QuantityKind | None:
    """Return what a quantity counts; None for a percentage of what the intent is about.

    Raises Unreadable for what the desk cannot size by.
    """
    folded = fold(value) if isinstance(value, str) else ""
    if folded in _EITHER_PERCENT:
        return None
    if folded not in _KINDS:
        raise Unreadable(
            "must be one of shares, cash, percent_of_equity, percent_of_position; the desk does "
            "not size by risk or leverage"
        )
    return _KINDS[folded]


def decide(words: Sequence[Word]) -> Decision:
    """Return what words mean together. Raises Unreadable where they contradict each other."""
    trades = {word.trade for word in words if word.trade}
    positions = {word.position for word in words if word.position}
    verbs = {word.verb for word in words} - {"trade", "hold"}
    if max(len(trades), len(positions), len(verbs)) > 1:
        raise Unreadable("contradict each other")
    trade, position = next(iter(trades), 0), next(iter(positions), 0)
    match next(iter(verbs), None):
        case "cancel":
            return Decision(Intent.cancel)
        case "exit" | "reduce" as verb:
            # A sale closes a long position, so `exit` with `sell` is about that.
            if trade and position == trade:
                raise Unreadable("contradict each other")
            return Decision(_out(position or -trade), part=verb == "reduce")
        case verb:
            if trade and position and trade != position:
                raise Unreadable("contradict each other")
            way = position or trade
            if verb == "reverse" and not way:
                return Decision(Intent.reverse)
            if verb is None and not position:
                return Decision(Intent.buy if trade > 0 else Intent.sell)
            return Decision(Intent.enter_short if way < 0 else Intent.enter_long, guessed=not way)


def _out(position: int) -> Intent:
    return (Intent.close, Intent.exit_long, Intent.exit_short)[position]
