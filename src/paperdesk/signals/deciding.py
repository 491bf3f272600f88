"""From what an alert says and what is held to what is to be done. Pure.

Shares have 9 places, prices 9, US dollars 6; a product or quotient is rounded once.
"""

from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from paperdesk.errors import InvalidRequest, NotFound
from paperdesk.ledger.booking import EXACT, PRICE_PLACES, percent_of, shares_for
from paperdesk.models import OrderClass, OrderType, Side, TimeInForce
from paperdesk.orders.terms import StopLoss, Terms
from paperdesk.signals.limits import worst_price
from paperdesk.signals.reading.model import Exit, Intent, Quantity, QuantityKind, Understood

_ZERO: Final = Decimal(0)
_HUNDRED: Final = Decimal(100)
_ENTERS: Final = {Intent.enter_long: Side.buy, Intent.enter_short: Side.sell}
_PLAIN: Final = {Intent.buy: Side.buy, Intent.sell: Side.sell}


@dataclass(frozen=True, slots=True)
class Situation:
    """What an alert finds: shares held (less than 0: sold short), a price, what all is worth."""

    held: Decimal
    price: Decimal
    equity: Decimal
    default: Quantity | None = None
    """How much is traded where the alert does not say it."""
    may_short: bool = True
    """Whether more may be sold than is held."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The order to place, if any.

    `cancels` says that all open orders of the ticker are canceled, and nothing is ordered. `notes`
    are sentences on what was done otherwise than asked.
    """

    terms: Terms | None = None
    cancels: bool = False
    notes: tuple[str, ...] = ()


def decide(said: Understood, now: Situation) -> Decision:
    """Return what to do. Raises InvalidRequest or NotFound where it cannot be done."""
    return _without_shorting(said, now, _decide(said, now))


def _without_shorting(said: Understood, now: Situation, decision: Decision) -> Decision:
    """Have a reversal only close where nothing may be sold short: better flat than the wrong way.

    A plain sale of more than is held is left to be refused, unless the alert says that the strategy
    is short or flat after it.
    """
    terms = decision.terms
    reverses = said.intent is not Intent.sell or said.market_position in {"short", "flat"}
    if now.may_short or terms is None or terms.quantity is None or not reverses:
        return decision
    if terms.side is Side.buy or not 0 < now.held < terms.quantity:
        return decision
    closing = replace(
        terms,
        quantity=now.held,
        order_class=OrderClass.simple,
        take_profit=None,
        stop_loss=None,
    )
    note = "The account sells nothing short, so it only closes."
    return Decision(closing, notes=(*decision.notes, note))


def _decide(said: Understood, now: Situation) -> Decision:
    match said.intent:
        case Intent.cancel:
            return Decision(cancels=True)
        case Intent.target:
            return _toward(said, now)
        case Intent.close | Intent.exit_long | Intent.exit_short:
            return _leave(said, now)
        case Intent.reverse:
            return _reverse(said, now)
        case Intent.buy | Intent.sell | Intent.enter_long | Intent.enter_short:
            return _trade(said, now)


def _toward(said: Understood, now: Situation) -> Decision:
    assert said.target is not None  # noqa: S101 - what makes it a target
    away = said.target - now.held
    if not away:
        return Decision(notes=(f"The position is already {_text(said.target)}; nothing to do.",))
    side = Side.buy if away > 0 else Side.sell
    return _with_exits(said, now, _terms(said, side, abs(away)))


def _leave(said: Understood, now: Situation) -> Decision:
    wrong = (said.intent is Intent.exit_long and now.held <= 0) or (
        said.intent is Intent.exit_short and now.held >= 0
    )
    if wrong or not now.held:
        kind = {Intent.exit_long: "long ", Intent.exit_short: "short "}.get(said.intent, "")
        raise NotFound(f"There is no {kind}position in {said.ticker} to leave.")
    held = abs(now.held)
    side = Side.sell if now.held > 0 else Side.buy
    if said.quantity is None:
        return Decision(_terms(said, side, held))
    shares = _shares(said, said.quantity, side, now)
    return Decision(_terms(said, side, min(shares, held)))


def _reverse(said: Understood, now: Situation) -> Decision:
    if not now.held:
        raise NotFound(f"There is no position in {said.ticker} to reverse.")
    held = abs(now.held)
    side = Side.sell if now.held > 0 else Side.buy
    opened = held if said.quantity is None else _shares(said, said.quantity, side, now)
    return _with_exits(said, now, _terms(said, side, held + opened))


def _trade(said: Understood, now: Situation) -> Decision:
    enters = said.intent in _ENTERS
    side = (_ENTERS if enters else _PLAIN)[said.intent]
    against = abs(now.held) if closes(now.held, side) else _ZERO
    quantity = said.quantity or now.default
    if quantity is None:
        if against and not enters:
            return Decision(_terms(said, side, against))
        raise InvalidRequest(
            "The alert does not say how much to trade. Send a quantity, or give the webhook a "
            "default_quantity."
        )
    exits = said.take_profit is not None or said.stop_loss is not None
    in_cash = quantity.kind is QuantityKind.cash
    if in_cash and said.order_type is OrderType.market and not exits and not (enters and against):
        return Decision(_terms(said, side, None, notional=quantity.amount))
    shares = _shares(said, quantity, side, now)
    opened = _never_short(said, shares, now)
    decision = _with_exits(said, now, _terms(said, side, opened + (against if enters else _ZERO)))
    if opened == shares:
        return decision
    note = "Nothing was sold short here, so it buys only what it opens."
    return replace(decision, notes=(*decision.notes, note))


def _never_short(said: Understood, shares: Decimal, now: Situation) -> Decimal:
    """Return what a purchase opens, where the account could not go short with the strategy.

    What the strategy buys back was never sold there. Raises NotFound where that is all of it.
    """
    went_along = now.may_short or now.held < 0
    if went_along or said.intent is not Intent.buy or said.prev_market_position != "short":
        return shares
    if said.market_position == "short":
        raise NotFound(f"There is no short position in {said.ticker} to leave.")
    if said.market_position_size is not None:
        opened = abs(said.market_position_size)
    else:
        opened = shares - abs(said.prev_market_position_size or _ZERO)
    return opened if 0 < opened < shares else shares


def closes(held: Decimal, side: Side) -> bool:
    """Say whether a side trades against what is held."""
    return held > 0 if side is Side.sell else held < 0


def _shares(said: Understood, quantity: Quantity, side: Side, now: Situation) -> Decimal:
    """Return a quantity in shares, never one too many. Raises InvalidRequest for none."""
    price = worst_price(side, said.limit_price, said.stop_price, now.price)
    match quantity.kind:
        case QuantityKind.shares:
            shares = quantity.amount
        case QuantityKind.cash:
            shares = shares_for(quantity.amount, price)
        case QuantityKind.percent_of_equity:
            part = EXACT.divide(EXACT.multiply(now.equity, quantity.amount), _HUNDRED)
            shares = shares_for(part, price)
        case QuantityKind.percent_of_position:
            shares = percent_of(abs(now.held), quantity.amount)
    if shares <= 0:
        raise InvalidRequest(
            f"{_text(quantity.amount)} {quantity.kind.replace('_', ' ')} is not a single share of "
            f"{said.ticker} here. Ask for more."
        )
    return shares


def _terms(
    said: Understood, side: Side, shares: Decimal | None, *, notional: Decimal | None = None
) -> Terms:
    return Terms(
        ticker=said.ticker,
        side=side,
        type=said.order_type,
        time_in_force=said.time_in_force or TimeInForce.day,
        quantity=shares,
        notional=notional,
        limit_price=said.limit_price,
        stop_price=said.stop_price,
        trail_price=said.trail_price,
        trail_percent=said.trail_percent,
    )


def _with_exits(said: Understood, now: Situation, terms: Terms) -> Decision:
    """Give an order that opens something the exits that the alert names."""
    if said.take_profit is None and said.stop_loss is None:
        return Decision(terms)
    assert terms.quantity is not None  # noqa: S101 - with exits there are shares
    direction = 1 if terms.side is Side.buy else -1
    opened = direction * now.held + terms.quantity
    if opened <= 0:
        return Decision(terms, notes=("It opens nothing, so it has no exits.",))
    notes: list[str] = []
    base = terms.limit_price or terms.stop_price or now.price
    gain = loss = None
    if said.take_profit is not None:
        gain = _exit_price(said.take_profit, base, terms.quantity, direction)
    if said.stop_loss is not None:
        if said.stop_loss.trail_price is not None or said.stop_loss.trail_percent is not None:
            notes.append("The stop stays where the trail begins; it does not follow the price.")
        stop = _exit_price(said.stop_loss, base, terms.quantity, -direction)
        loss = StopLoss(stop, said.stop_loss.limit_price)
    linked = replace(
        terms,
        # An exit lasts as long as its entry: until it is filled or canceled, if nobody says else.
        time_in_force=said.time_in_force or TimeInForce.gtc,
        order_class=OrderClass.bracket if gain and loss else OrderClass.oto,
        take_profit=gain,
        stop_loss=loss,
    )
    return Decision(linked, notes=tuple(notes))


def _exit_price(leaving: Exit, base: Decimal, shares: Decimal, direction: int) -> Decimal:
    """Return where an exit is: away from where the order begins. Raises InvalidRequest."""
    if leaving.price is not None:
        return leaving.price
    if (percent := leaving.percent or leaving.trail_percent) is not None:
        away = EXACT.divide(EXACT.multiply(base, percent), _HUNDRED)
    elif leaving.trail_price is not None:
        away = leaving.trail_price
    elif leaving.amount is not None:
        of_share = leaving.amount_of != "total"
        away = leaving.amount if of_share else EXACT.divide(leaving.amount, shares)
    elif leaving.limit_price is not None:
        return leaving.limit_price
    else:
        raise InvalidRequest("An exit of the alert has no price. Send its price or percent.")
    price = (base + direction * away).quantize(PRICE_PLACES, ROUND_HALF_EVEN, EXACT)
    if price <= 0:
        raise InvalidRequest(
            f"An exit of the alert would be at {_text(price)}. Bring it closer to {_text(base)}."
        )
    return price


def _text(amount: Decimal) -> str:
    return f"{amount.normalize():f}"
