"""What people may ask of a desk: usual orders, and those at the edges of the arithmetic.

Every choice is made by a `random.Random`: one of Hypothesis, which shrinks what it chose, or a
seeded one, which is many times faster.
"""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from random import Random

from support.reference import CAP, ZERO, Ask, ReferenceDesk

TICKERS = ("AAPL", "BRK.B", "MSFT", "TSLA")
BALANCES = ("10000", "0.000001", "99.999999", "1000000000", "999999999.999999")
UNUSABLE_PRICES = ("0", "-1", "NaN", "Infinity", "0.0000000004", "1000000000.000000001")
CLOCK_JUMPS = (0.000001, 1, 9.999999, 10, 10.000001, 3600, 86_400 * 400)
LEAST_QUANTITY = Fraction(1, 10**9)


def price(rng: Random) -> Decimal:
    """Return a price: usual, awkward, or one that may never be used."""
    return rng.choice(_PRICES)(rng)


def ask(rng: Random, model: ReferenceDesk, earlier: list[Ask]) -> Ask:
    """Return an order: a new one, or an earlier one again, true to the first or not."""
    if earlier and rng.randrange(5) == 0:
        return _again(rng, earlier[-1 - rng.randrange(min(len(earlier), 50))])
    account = rng.choice(sorted(model.accounts))
    if rng.randrange(50) == 0:
        account = "nobody"
    ticker = rng.choice(TICKERS)
    side = rng.choice(("buy", "buy", "sell"))
    return Ask(
        account=account,
        ticker=ticker,
        side=side,
        quantity=_quantity(rng, model, account, ticker, side),
        # Few keys, so that they are often used again by chance, for another order.
        key=f"key-{rng.randrange(200)}" if rng.randrange(2) else None,
        strategy=rng.choice((None, None, None, "breakout")),
    )


def _again(rng: Random, first: Ask) -> Ask:
    match rng.randrange(8):
        case 0:
            return replace(first, quantity=first.quantity + _units(1, 9))
        case 1:
            return replace(first, side="sell" if first.side == "buy" else "buy")
        case 2:
            return replace(first, note="changed")
        case 3:
            # The same number written otherwise.
            return replace(first, quantity=first.quantity.normalize())
        case _:
            return first


def _quantity(rng: Random, model: ReferenceDesk, account: str, ticker: str, side: str) -> Decimal:
    if rng.randrange(3) == 0:
        return rng.choice(_QUANTITIES)(rng)
    # Of what is possible: all, a part, or a hair too much.
    known = model.accounts.get(account)
    price = model.current_price(ticker)
    if known is None or price is None:
        possible = ZERO
    elif side == "buy":
        possible = known.cash / price
    else:
        possible, _ = known.held.get(ticker, (ZERO, ZERO))
    part = rng.choice((1, 2, 3, 4, 7, 10, 1000))
    return _cut(possible / part + rng.choice((0, 0, 0, -1, 1)) * LEAST_QUANTITY)


def _cut(shares: Fraction) -> Decimal:
    """Return shares cut off after 9 places, kept within what may be ordered."""
    units = shares.numerator * 10**9 // shares.denominator
    return _units(min(max(units, 1), CAP * 10**9), 9)


def _units(number: int, places: int) -> Decimal:
    return Decimal(number).scaleb(-places)


def _capped(rng: Random) -> Decimal:
    return rng.choice((Decimal(CAP), Decimal(CAP) - _units(1, 9), Decimal(CAP // 2)))


_Choice = Callable[[Random], Decimal]

_PRICES: tuple[_Choice, ...] = (
    *[lambda rng: _units(rng.randrange(1, 100_000), 2)] * 4,
    *[lambda rng: _units(rng.randrange(1, 1000 * 10**9), 9)] * 4,
    # With half a share the product lies exactly between two micro-dollars.
    *[lambda rng: _units(2 * rng.randrange(500) + 1, 6)] * 3,
    # A thousand shares have an average cost exactly between two nano-dollars.
    lambda rng: _units(rng.randrange(1, 10), 9),
    # A source may give more places than a price has.
    lambda rng: _units(2 * rng.randrange(10**6) + 1, 10) * 5,
    lambda _: Decimal("3.333333333"),
    _capped,
    lambda rng: Decimal(rng.choice(UNUSABLE_PRICES)),
)

_QUANTITIES: tuple[_Choice, ...] = (
    *[lambda rng: _units(rng.randrange(1, 100), 0)] * 3,
    *[lambda rng: _units(2 * rng.randrange(10) + 1, 1) * 5] * 2,
    *[lambda rng: _units(rng.randrange(1, 5 * 10**9), 9)] * 2,
    lambda rng: _units(1000 * rng.randrange(1, 4), 0),
    lambda rng: _units(rng.randrange(1, 1000), 9),
    _capped,
)
