"""What the fields of one alert mean together, whatever form they came in."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from paperdesk.models import OrderType
from paperdesk.signals.reading import exits
from paperdesk.signals.reading.amounts import Unreadable
from paperdesk.signals.reading.families import family_of
from paperdesk.signals.reading.fields import BLANK, Fields
from paperdesk.signals.reading.model import (
    Exit,
    Form,
    Intent,
    NotUnderstood,
    Position,
    Quantity,
    Understood,
)
from paperdesk.signals.reading.sizes import quantity_of, skip_quantity, target_of
from paperdesk.signals.reading.symbols import Instrument, read_symbol
from paperdesk.signals.reading.terms import OrderTerms, says_type, terms_of
from paperdesk.signals.reading.texts import clean, identity
from paperdesk.signals.reading.times import read_moment
from paperdesk.signals.reading.words import ACCEPTED, Decision, Word, decide, position_of, word_of

_SYMBOLS: Final = ("symbol", "ticker", "instrument", "tvinstrument", "pair", "s")
_ACTIONS: Final = ("action", "side", "direction", "orderaction", "strategyorderaction", "b")
_SOFT_ACTIONS: Final = ("signal", "type", "data", "typeofsignal", "order")
"""Where an action stands in some forms, and in others something else: read if it is a word of ours,
or if no other field says what to do."""

_POSITIONS: Final = ("sentiment", "marketposition", "strategymarketposition")
_PREVIOUS: Final = ("prevmarketposition", "strategyprevmarketposition")
_SIZES: Final = ("marketpositionsize", "strategymarketpositionsize")
_PREVIOUS_SIZES: Final = ("prevmarketpositionsize", "strategyprevmarketpositionsize")
_TIMES: Final = ("timenow", "timestamp", "sentat", "alerttime", "time", "date", "datetime")
_IDS: Final = ("signalid", "idempotencykey", "clientorderid", "alerttimestamp")
_ORDER_NAMES: Final = (
    *("orderid", "strategyorderid", "id", "ordername", "comment", "ordercomment"),
    "strategyordercomment",
)
_NOTES: Final = ("note", "message", "alertmessage", "strategyorderalertmessage", "text")
_SEEN: Final = ("signalprice", "close", "barclose", "strategyorderprice")
_REFERENCES: Final = (*_SEEN, "price", "orderprice", "triggerprice")
"""What informs of the price: that of a market order has no other meaning."""

_CHECKS: Final = {
    "isbuy": Word("trade", trade=1),
    "issell": Word("trade", trade=-1),
    "isclose": Word("exit"),
}
_WAYS: Final[dict[Position, int]] = {"long": 1, "short": -1, "flat": 0}
_ENDS: Final = frozenset({Intent.close, Intent.exit_long, Intent.exit_short, Intent.cancel})
_LONGEST_LAG: Final = Decimal(31_536_000)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a body says beside the alert: the map of the webhook, and what stands over all of it."""

    symbols: Mapping[str, str]
    form: Form | None = None
    sent_at: datetime | None = None
    blank: frozenset[str] = frozenset()


def understand(said: Mapping[str, Any], reading: Reading) -> Understood | NotUnderstood:
    """Return what an alert says, or why it cannot be understood. Never raises."""
    fields = Fields(said, reading.blank)
    form = reading.form or family_of(fields)
    explicit_id = next((key for _, v in fields.values(*_IDS) if (key := identity(v))), None)
    if explicit_id is None and fields.values(*_IDS):
        fields.warn("The id of the alert could not be used: it is empty or not filled in.")
    sent_at = _sent_at(fields) or reading.sent_at
    time_unread = sent_at is None and bool(fields.values(*_TIMES))
    instrument = _instrument(fields, reading.symbols)
    decision = _decision(fields, form)
    market = _position(fields, *_POSITIONS)
    intent, target = _intent(fields, decision, market)
    quantity = _quantity(fields, decision, intent, market, form)
    terms = OrderTerms() if intent is Intent.cancel else terms_of(fields)
    gain, loss = _exits(fields, form, ends=intent in _ENDS or target == 0)
    reference = fields.seen(*(_REFERENCES if terms.order_type is OrderType.market else _SEEN))
    max_lag = _max_lag(fields, says_time=sent_at is not None or time_unread)
    strategy = fields.text("strategy", "strategyname", "strategyid")
    order_name, note = fields.text(*_ORDER_NAMES), fields.text(*_NOTES, "comment")
    size, previous_size = fields.seen(*_SIZES), fields.seen(*_PREVIOUS_SIZES)
    previous = _position(fields, *_PREVIOUS)
    exchange = clean(fields.value("exchange", "tvexchange", "e"), 64)
    if fields.problems or instrument is None or intent is None:
        problems = tuple(dict.fromkeys(fields.problems))
        return NotUnderstood(
            reason=problems[0] if problems else "The alert could not be read.",
            problems=problems,
            carries_time=sent_at is not None,
            explicit_id=explicit_id,
        )
    if left := fields.left():
        fields.warn(f"Not acted on: {', '.join(left)}.")
    return Understood(
        intent=intent,
        ticker=instrument.ticker,
        exchange=instrument.exchange or (exchange.upper() if exchange else None),
        quantity=quantity,
        target=target,
        order_type=terms.order_type,
        limit_price=terms.limit_price,
        stop_price=terms.stop_price,
        trail_price=terms.trail_price,
        trail_percent=terms.trail_percent,
        time_in_force=terms.time_in_force,
        take_profit=gain,
        stop_loss=loss,
        reference_price=reference if reference and reference > 0 else None,
        sent_at=sent_at,
        carries_time=sent_at is not None,
        time_unread=time_unread,
        max_lag=max_lag,
        explicit_id=explicit_id,
        form=form,
        warnings=tuple(fields.warnings),
        strategy=strategy,
        order_name=order_name,
        note=note,
        market_position=market,
        market_position_size=size,
        prev_market_position=previous,
        prev_market_position_size=previous_size,
    )


def _sent_at(fields: Fields) -> datetime | None:
    """Return when the alert was sent: the most precise of what it says."""
    said = [(name, value) for name, value in fields.values(*_TIMES) if value not in ("", BLANK)]
    found = next((at for _, value in said if (at := read_moment(value)) is not None), None)
    if said and found is None:
        fields.warn(f"{said[0][0][:64]}: is no moment such as 2026-11-22T14:30:00Z.")
    return found


def _max_lag(fields: Fields, *, says_time: bool) -> Decimal | None:
    lag = fields.number("maxlag")
    if lag is None:
        return None
    if lag.percent or not 0 <= lag.value <= _LONGEST_LAG:
        fields.problem("max_lag", "must be a number of seconds")
    if not says_time:
        fields.warn("Not acted on: max_lag; the alert does not say when it was sent.")
    return lag.value


def _quantity(
    fields: Fields,
    decision: Decision | None,
    intent: Intent | None,
    market: Position | None,
    form: Form,
) -> Quantity | None:
    """Return how much of it; what needs no size may say any."""
    if intent in {Intent.target, Intent.cancel} or market == "flat":
        skip_quantity(fields)
        return None
    if intent is None:
        return None
    quantity = quantity_of(fields, intent, metaapi=form is Form.metaapi)
    if decision is not None and decision.part and quantity is None:
        fields.problem("quantity", 'is needed to reduce a position, such as 10 or "50%"')
    return quantity


def _exits(fields: Fields, form: Form, *, ends: bool) -> tuple[Exit | None, Exit | None]:
    in_points = form is Form.command_line
    gain = exits.take_profit(fields, in_points=in_points)
    loss = exits.stop_loss(fields, in_points=in_points)
    if ends and (gain or loss):
        fields.warn("Not acted on: take_profit, stop_loss; nothing is opened.")
        return None, None
    return gain, loss


def _instrument(fields: Fields, symbols: Mapping[str, str]) -> Instrument | None:
    before = len(fields.problems)
    found = fields.same(lambda value: read_symbol(value, symbols).ticker, *_SYMBOLS)
    if found is None:
        if len(fields.problems) == before:
            fields.problems.append("The alert names no ticker. Send one, such as ticker: AAPL.")
        return None
    if len(fields.problems) > before:
        return None
    said = [read_symbol(value, symbols) for _, value in fields.values(*_SYMBOLS)]
    return next((each for each in said if each.exchange), said[0])


def _decision(fields: Fields, form: Form) -> Decision | None:
    """Return what the words say; None where no field says what to do."""
    words = _words(fields)
    if not words:
        return None
    if fields.flag("reverseorderclose") and len(set(words)) == 1 and words[0].verb == "trade":
        words = [Word("enter", position=words[0].trade)]
    try:
        decision = decide(words)
    except Unreadable as error:
        fields.problem("action", f"the words for what to do {error}; send one of {ACCEPTED}")
        return None
    if decision.guessed:
        fields.warn("The alert does not say which way; it was read as long. Send side.")
    if form is Form.altrady and not fields.has("quantity", "amount", "size", "qty"):
        fields.warn("The alert says no size.")
    return decision


def _words(fields: Fields) -> list[Word]:
    """Return the words for what to do, from all the fields that may hold one."""
    words = [word for name, word in _CHECKS.items() if fields.flag(name)]
    unknown: list[tuple[str, Any]] = []
    for name, value in fields.values(*_ACTIONS):
        if (word := word_of(value)) is not None:
            words.append(word)
        elif value != "":
            fields.problem(name, f"{_shown(value)}; send one of {ACCEPTED}")
    for name, value in fields.values(*_SOFT_ACTIONS):
        if (word := word_of(value)) is not None:
            words.append(word)
        elif not says_type(value) and value != "" and not isinstance(value, (dict, list)):
            unknown.append((name, value))
    for name, value in unknown:
        if words:
            fields.warn(f"Not acted on: {name[:64]}.")
        else:
            fields.problem(name, f"{_shown(value)}; send one of {ACCEPTED}")
    return words


def _shown(value: Any) -> str:
    if isinstance(value, str) and "{{" in value:
        return "has a placeholder that was not filled in"
    return f"{clean(value, 64) or 'this'} is no action"


def _position(fields: Fields, *names: str) -> Position | None:
    for name, value in fields.values(*names):
        if value is BLANK or value == "":
            continue
        if (found := position_of(value)) is not None:
            return found
        fields.problem(name, "must be long, short or flat")
    return None


def _intent(
    fields: Fields, decision: Decision | None, market: Position | None
) -> tuple[Intent | None, Decimal | None]:
    """Return the intent: of a position to hold, of a position that is flat, of the words."""
    target = target_of(fields)
    intent = None if decision is None else decision.intent
    if target is not None:
        if intent is Intent.cancel:
            fields.problem("action", "cancel contradicts position_size; send one of them")
        way = (target > 0) - (target < 0)
        if market is not None and way != _WAYS[market]:
            fields.problem("position_size", f"contradicts market_position, which is {market}")
        return Intent.target, target
    if market == "flat":
        if intent in {Intent.enter_long, Intent.enter_short, Intent.reverse}:
            fields.problem("market_position", f"flat contradicts {intent}")
        if intent in {Intent.exit_long, Intent.exit_short, Intent.cancel}:
            return intent, None
        return Intent.close, None
    if market is not None and intent is None and not fields.problems:
        return (Intent.enter_long if market == "long" else Intent.enter_short), None
    if (intent, market) in {(Intent.enter_long, "short"), (Intent.enter_short, "long")}:
        fields.problem("market_position", f"{market} contradicts {intent}")
    if intent is None and not fields.problems:
        fields.problems.append(f"The alert does not say what to do. Send action: {ACCEPTED}.")
    return intent, None
