"""Resting orders as the documents describe them, in exact fractions: what the desk is held to.

Built on `reference`, written from the rules alone, one thing at a time, with a look at every order
where the desk has an index. Prices are exact; what is rounded is rounded as there.
"""

from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from support.reference import CAP, ZERO, Account, Entry, ReferenceDesk, rounded

CUSHION = Fraction(103, 100)
LEAST = Fraction(1, 10**9)
OPEN = {"new", "partially_filled", "held"}


def cut(amount: Fraction) -> Fraction:
    """Cut shares off after 9 places."""
    return Fraction(amount.numerator * 10**9 // amount.denominator, 10**9)


@dataclass(frozen=True)
class Costs:
    """A fill model, by the names of the API."""

    spread_bps: Fraction = ZERO
    slippage_bps: Fraction = ZERO
    commission_per_share: Fraction = ZERO
    commission_percent: Fraction = ZERO
    commission_minimum: Fraction = ZERO
    volume_percent: Fraction | None = None
    short_selling: bool = False
    margin_percent: Fraction = Fraction(50)

    def margin(self, value: Fraction) -> Fraction:
        return rounded(value * self.margin_percent / 100, 6)

    def away(self, side: str, price: Fraction, bps: Fraction) -> Fraction:
        factor = 1 + (bps if side == "buy" else -bps) / 10_000
        return max(rounded(price * factor, 9), LEAST) if bps else price

    def touch(self, side: str, price: Fraction) -> Fraction:
        return self.away(side, price, self.spread_bps / 2)

    def market(self, side: str, price: Fraction) -> Fraction:
        return self.away(side, price, self.spread_bps / 2 + self.slippage_bps)

    def commission(self, shares: Fraction, value: Fraction) -> Fraction:
        if not (self.commission_per_share or self.commission_percent or self.commission_minimum):
            return ZERO
        whole = shares * self.commission_per_share + value * self.commission_percent / 100
        return max(rounded(whole, 6), self.commission_minimum)


@dataclass
class Ordered:
    """An order: what was asked for, and what became of it."""

    key: str
    account: str
    ticker: str
    side: str
    kind: str
    time_in_force: str
    quantity: Fraction | None
    notional: Fraction | None
    limit: Fraction | None
    stop: Fraction | None
    age: int
    ends: datetime | None
    status: str = "new"
    triggered: bool = False
    watermark: Fraction | None = None
    trail: Fraction | None = None
    fills: list[tuple[Fraction, Fraction, Fraction]] = field(
        default_factory=list[tuple[Fraction, Fraction, Fraction]]
    )
    """Shares, price and fee."""
    cash: Fraction = ZERO
    shares: Fraction = ZERO
    """What it sets aside."""

    @property
    def filled(self) -> Fraction:
        return sum((q for q, _, _ in self.fills), ZERO)

    @property
    def stop_now(self) -> Fraction | None:
        if self.trail is None:
            return self.stop
        assert self.watermark is not None
        return self.watermark + self.trail * (1 if self.side == "buy" else -1)


Orders = list[tuple[str, str, Fraction, Fraction, Fraction]]


class ReferenceBroker(ReferenceDesk):
    """Accounts with open orders."""

    def __init__(self, now: datetime, day_ends: datetime) -> None:
        super().__init__(now)
        self.orders: list[Ordered] = []
        self.costs: dict[str, Costs] = {}
        self.volume: dict[str, Fraction | None] = {}
        self.day_ends = day_ends

    def of(self, account: str) -> list[Ordered]:
        return [order for order in self.orders if order.account == account]

    def find(self, account: str, key: str) -> Ordered:
        return next(o for o in self.orders if (o.account, o.key) == (account, key))

    def unreserved_cash(self, name: str) -> Fraction:
        return self.accounts[name].cash - sum((o.cash for o in self.of(name)), ZERO)

    def free_cash(self, name: str) -> Fraction:
        """Return the cash that neither orders nor short positions need."""
        account = self.accounts[name]
        short = sum((max(ZERO, -account.cost(ticker)) for ticker in account.held), ZERO)
        return self.unreserved_cash(name) - short - self.costs.get(name, Costs()).margin(short)

    def free_shares(self, name: str, ticker: str) -> Fraction:
        aside = sum((o.shares for o in self.of(name) if o.ticker == ticker), ZERO)
        return abs(self.accounts[name].shares(ticker)) - aside

    def closes(self, order: Ordered) -> bool:
        held = self.accounts[order.account].shares(order.ticker)
        return held > 0 if order.side == "sell" else held < 0

    def closable(self, order: Ordered) -> Fraction:
        """Return the shares that an order may close, with those that it set aside itself."""
        if not self.closes(order):
            return ZERO
        return self.free_shares(order.account, order.ticker) + order.shares

    def states(self, account: str) -> Orders:
        """Return key, status, shares filled, and what is set aside, of every order by age."""
        return [(o.key, o.status, o.filled, o.cash, o.shares) for o in self.of(account)]

    def set_price(self, ticker: str, price: Decimal, volume: Decimal | None) -> None:
        self.price(ticker, price)
        self.volume[ticker] = None if volume is None else Fraction(volume)

    def place(self, order: Ordered) -> str | None:  # noqa: C901, PLR0911 - one rule after another
        """Place an order; return the code that it is refused with, if it is."""
        price = self.current_price(order.ticker)
        if order.kind == "market" and price is None:
            return "PRICE_UNAVAILABLE"
        if order.trail is not None:
            order.watermark = self.quotes[order.ticker][0]
        rules = self._rules(order)
        at = None if price is None else self._fill_price(order, price)
        code: str | None = None
        extent = ZERO
        if at is not None:
            wanted = self._wanted(order, at)
            if not 0 < wanted <= CAP:
                return "INVALID_REQUEST"
            extent = min(wanted, self._share(order, rules))
            if extent == wanted:
                code = self._book(order, extent, at)
                if code is None:
                    self.orders.append(order)
                return code
        at_once = order.time_in_force in {"ioc", "fok"}
        if at_once and (not extent or order.time_in_force == "fok"):
            order.status = "canceled"
            self.orders.append(order)
            return None
        cash, shares = self._aside(order, order.quantity)
        if cash > self.free_cash(order.account):
            return "INSUFFICIENT_CASH"
        held = abs(self.accounts[order.account].shares(order.ticker))
        closable = self.closable(order)
        if shares > closable or (cash and self.closes(order) and closable < held):
            return "INSUFFICIENT_SHARES"
        order.cash, order.shares = cash, shares
        self.orders.append(order)
        if extent and price is not None:
            self._fill(order, price)
        if at_once and order.status in OPEN:
            self._end(order, "canceled")
        return None

    def cancel(self, order: Ordered) -> str | None:
        if order.status not in OPEN:
            return "INVALID_STATE"
        self._end(order, "canceled")
        return None

    def replace(self, old: Ordered, new: Ordered) -> str | None:
        """Put an order in the place of another: with what that one set aside."""
        if old.status not in OPEN:
            return "INVALID_STATE"
        assert new.quantity is not None
        if new.quantity <= old.filled:
            return "INVALID_REQUEST"
        new.quantity -= old.filled
        new.triggered = old.triggered if new.stop == old.stop else False
        kept = (old.cash, old.shares)
        # As if it were gone already; if the new one is refused, it is back.
        old.cash = old.shares = ZERO
        code = self.place(new)
        if code is not None:
            old.cash, old.shares = kept
            return code
        self._end(old, "replaced")
        return None

    def split(self, name: str, ticker: str, new: int, old: int) -> str | None:
        """Put `new` shares of a ticker in the place of `old`, and adjust the orders for it."""
        account = self.accounts[name]
        waiting = [o for o in self.of(name) if o.status in OPEN and o.ticker == ticker]
        entry = Entry(account.next, "split", ZERO, self.now, ticker, Fraction(new), Fraction(old))
        if ticker not in account.held and not waiting:
            return None
        if ticker in account.held and not account.after_split(entry):
            return "INVALID_REQUEST"
        account.enter(entry)
        ratio = Fraction(new, old)
        for order in waiting:
            order.shares = cut(order.shares * ratio)
            if order.quantity is not None:
                before = order.quantity - order.filled
                left = cut(before * ratio)
                order.shares = min(order.shares, left)
                order.quantity = order.filled + left
                if not 0 < left <= CAP:
                    self._end(order, "canceled")
                    continue
                more = self._rules(order).commission_per_share * (left - before)
                if order.cash and more:
                    # So many more shares cost a commission too, or fewer less.
                    there = max(ZERO, self.free_cash(name) + order.cash)
                    order.cash = max(ZERO, min(rounded(order.cash + more, 6), there))
            for price in ("limit", "stop", "trail", "watermark"):
                was = getattr(order, price)
                if was is not None:
                    setattr(order, price, rounded(was / ratio, 9))
        return None

    def dividend(self, name: str, ticker: str, per_share: Fraction) -> str | None:
        account = self.accounts[name]
        amount = rounded(account.shares(ticker) * per_share, 6)
        if self.unreserved_cash(name) + amount < 0:
            return "INSUFFICIENT_CASH"
        if amount:
            account.enter(Entry(account.next, "dividend", amount, self.now))
        return None

    def fee(self, name: str, amount: Fraction) -> str | None:
        if self.free_cash(name) < amount:
            return "INSUFFICIENT_CASH"
        account = self.accounts[name]
        account.enter(Entry(account.next, "fee", -amount, self.now))
        return None

    def reset(self, name: str, cash: Fraction) -> None:
        """Begin an account anew: orders, positions and cash go, the new balance comes."""
        account = self.accounts[name]
        for order in self.of(name):
            if order.status in OPEN:
                self._end(order, "canceled")
        for ticker in sorted(account.held):
            account.enter(Entry(account.next, "reset", ZERO, self.now, ticker))
        account.enter(Entry(account.next, "adjustment", -account.cash, self.now))
        account.enter(Entry(account.next, "deposit", cash, self.now))

    def match(self, ticker: str) -> None:
        """Do what the present price of a ticker means, and end the orders whose time is over."""
        for order in [o for o in self.orders if o.status in OPEN]:
            if order.ends is not None and order.ends <= self.now:
                self._end(order, "expired")
        price = self.current_price(ticker)
        if price is None:
            return
        waiting = [o for o in self.orders if o.status in OPEN and o.ticker == ticker]
        for order in sorted(waiting, key=self._turn):
            if order.watermark is not None and not order.triggered:
                best = min if order.side == "buy" else max
                order.watermark = best(order.watermark, price)
            self._fill(order, price)

    def _turn(self, order: Ordered) -> tuple[int, Fraction, int]:
        """Say when it is an order's turn: market orders, then by price, then by age."""
        if order.trail is not None and not order.triggered:
            return (3 if order.side == "buy" else 4, ZERO, order.age)
        waits = order.stop is not None and not order.triggered
        at = order.stop if waits else order.limit
        if at is None:
            return (0, ZERO, order.age)
        rises = (order.side == "buy") == waits
        return (2, at, order.age) if rises else (1, -at, order.age)

    def _rules(self, order: Ordered) -> Costs:
        return self.costs.get(order.account, Costs())

    def _fill(self, order: Ordered, price: Fraction) -> None:
        at = self._fill_price(order, price)
        if at is None:
            if self._is_triggered(order, price) and order.stop_now is not None:
                order.triggered = True
            return
        wanted = self._wanted(order, at)
        shares = min(wanted, self._share(order, self._rules(order)))
        if not 0 < wanted <= CAP:
            self._end(order, "canceled" if order.fills else "rejected")
            return
        if not shares:
            # Nothing is traded; but a stop that was reached stays so.
            order.triggered = order.triggered or order.stop_now is not None
        elif self._book(order, shares, at) is not None:
            self._end(order, "canceled" if order.fills else "rejected")

    def _is_triggered(self, order: Ordered, price: Fraction) -> bool:
        stop = order.stop_now
        if order.triggered or stop is None:
            return True
        return price >= stop if order.side == "buy" else price <= stop

    def _fill_price(self, order: Ordered, price: Fraction) -> Fraction | None:
        if not self._is_triggered(order, price):
            return None
        rules = self._rules(order)
        market = rules.market(order.side, price)
        if order.limit is None:
            return market
        touch = rules.touch(order.side, price)
        if order.side == "buy":
            return min(order.limit, market) if touch <= order.limit else None
        return max(order.limit, market) if touch >= order.limit else None

    def _wanted(self, order: Ordered, at: Fraction) -> Fraction:
        if order.quantity is not None:
            return order.quantity - order.filled
        assert order.notional is not None
        spent = sum((rounded(q * p, 6) for q, p, _ in order.fills), ZERO)
        return cut((order.notional - spent) / at)

    def _share(self, order: Ordered, rules: Costs) -> Fraction:
        volume = self.volume.get(order.ticker)
        if rules.volume_percent is None or volume is None:
            return Fraction(10**30)
        return cut(volume * rules.volume_percent / 100)

    def _aside(self, order: Ordered, left: Fraction | None) -> tuple[Fraction, Fraction]:
        last = self.quotes[order.ticker][0] if order.ticker in self.quotes else ZERO
        sells, rules = order.side == "sell", self._rules(order)
        # What the price may be when it is filled.
        if order.limit is not None:
            dear = order.limit * CUSHION if sells else order.limit
        else:
            dear = (last if order.stop_now is None else order.stop_now) * CUSHION
        by_notional = left is None
        if left is None:
            assert order.notional is not None
            left = cut(order.notional / (last / CUSHION if sells else last))
        closing = left if sells and not rules.short_selling else min(left, self.closable(order))
        opening = left - closing
        if not opening:
            return ZERO, closing
        value = rounded(opening * max(ZERO, min(dear, Fraction(CAP))), 6)
        if by_notional and not sells and not closing:
            assert order.notional is not None
            value = order.notional
        commission = rules.commission(opening, value)
        return (rules.margin(value) if sells else value) + commission, closing

    def _book(self, order: Ordered, shares: Fraction, at: Fraction) -> str | None:
        """Book a fill; return the code that it is refused with, if it is."""
        account = self.accounts[order.account]
        wanted = self._wanted(order, at)
        closing = min(shares, abs(account.shares(order.ticker))) if self.closes(order) else ZERO
        parts = [shares]
        if 0 < closing < shares and self._rules(order).short_selling:
            # Through zero: a close and an open, both or neither.
            parts = [closing, shares - closing]
        before, fills = deepcopy(account), list(order.fills)
        for part in parts:
            code = self._book_part(account, order, part, at)
            if code is not None:
                self.accounts[order.account], order.fills = before, fills
                return code
        order.triggered = order.triggered or order.stop_now is not None
        left = wanted - shares
        if not left:
            self._end(order, "filled")
            return None
        order.status = "partially_filled"
        remaining = None if order.quantity is None else left
        cash, aside = self._aside(order, remaining)
        there = max(ZERO, self.free_cash(order.account) + order.cash)
        aside = min(aside, order.shares, self.closable(order))
        order.cash, order.shares = min(cash, order.cash, there), aside
        return None

    def _book_part(
        self, account: Account, order: Ordered, shares: Fraction, at: Fraction
    ) -> str | None:
        value = rounded(shares * at, 6)
        whole = self._rules(order).commission(
            order.filled + shares, value + sum((rounded(q * p, 6) for q, p, _ in order.fills), ZERO)
        )
        fee = max(ZERO, whole - sum((f for _, _, f in order.fills), ZERO))
        code, realized = self._allowed(account, order, shares, value, fee)
        held = account.shares(order.ticker)
        if code is None and not value and held + (shares if order.side == "buy" else -shares):
            # It would leave shares that cost nothing.
            code = "INVALID_REQUEST"
        if code is None:
            enter_with_fee(account, order, shares, at, value, realized, fee, self.now)
            order.fills.append((shares, at, fee))
        return code

    def _allowed(
        self, account: Account, order: Ordered, shares: Fraction, value: Fraction, fee: Fraction
    ) -> tuple[str | None, Fraction]:
        buys, rules = order.side == "buy", self._rules(order)
        if not self.closes(order) and (buys or rules.short_selling):
            if value + fee > CAP:
                return "INVALID_REQUEST", ZERO
            free = self.free_cash(order.account) + order.cash
            cost = fee + (value if buys else rules.margin(value))
            short = cost > (min(free, account.cash) if buys else free)
            return ("INSUFFICIENT_CASH" if short else None), ZERO
        if shares > min(self.closable(order), abs(account.shares(order.ticker))):
            return "INSUFFICIENT_SHARES", ZERO
        gone = account.removed_cost(order.ticker, shares)
        if buys:
            # What the short sale brought pays for it.
            short = value + fee > self.unreserved_cash(order.account) + order.cash
            return ("INSUFFICIENT_CASH" if short else None), -value - gone
        if fee > value and self.free_cash(order.account) + value - fee < 0:
            return "INSUFFICIENT_CASH", ZERO
        return None, value - gone

    def _end(self, order: Ordered, status: str) -> None:
        order.status = status
        order.cash = order.shares = ZERO


def enter_with_fee(
    account: Account,
    order: Ordered,
    shares: Fraction,
    at: Fraction,
    value: Fraction,
    realized: Fraction,
    fee: Fraction,
    now: datetime,
) -> None:
    """Enter a trade; its fee leaves the cash, and is no part of what was realised."""
    # The account's own check knows no fees: to it they are cash that went.
    account.cash -= fee
    account.moved -= fee
    account.enter(
        Entry(
            sequence=account.next,
            kind=order.side,
            value=value,
            at=now,
            ticker=order.ticker,
            quantity=shares,
            price=at,
            realized=realized,
        )
    )
