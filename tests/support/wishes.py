"""What people may ask of a desk: usual orders, and those at the edges of the arithmetic.

Every choice is made by a `random.Random`: one of Hypothesis, which shrinks what it chose, or a
seeded one, which is many times faster.
"""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from random import Random

from support.reference import CAP, OPENING, ZERO, Ask, Command, Move, ReferenceDesk

TICKERS = ("AAPL", "BRK.B", "MSFT", "TSLA")
BALANCES = ("10000", "0.000001", "99.999999", "1000000000", "999999999.999999")
UNUSABLE_PRICES = ("0", "-1", "NaN", "Infinity", "0.0000000004", "1000000000.000000001")
CLOCK_JUMPS = (0.000001, 1, 9.999999, 10, 10.000001, 3600, 86_400 * 400)
LEAST_QUANTITY = Fraction(1, 10**9)


def price(rng: Random) -> Decimal:
    """Return a price: usual, awkward, or one that may never be used."""
    return rng.choice(_PRICES)(rng)


def command(rng: Random, model: ReferenceDesk, earlier: list[Command]) -> Command:
    """Return a command: a new one, or an earlier one again, true to the first or not."""
    if earlier and rng.randrange(5) == 0:
        return _again(rng, earlier[-1 - rng.randrange(min(len(earlier), 50))])
    account = rng.choice(sorted(model.accounts)) if rng.randrange(50) else "nobody"
    # Few keys, so that they are often used again by chance, for another command.
    key = f"key-{rng.randrange(200)}" if rng.randrange(2) else None
    return (_ask if rng.randrange(6) else _move)(rng, model, account, key)


def _ask(rng: Random, model: ReferenceDesk, account: str, key: str | None) -> Ask:
    ticker = rng.choice(TICKERS)
    side = rng.choice(("buy", "buy", "sell"))
    return Ask(
        account=account,
        ticker=ticker,
        side=side,
        quantity=_quantity(rng, model, account, ticker, side),
        key=key,
        strategy=rng.choice((None, None, None, "breakout")),
    )


def _move(rng: Random, model: ReferenceDesk, account: str, key: str | None) -> Move:
    known = model.accounts.get(account)
    kind = rng.choice(("deposit", "withdrawal"))
    amount = rng.choice(_AMOUNTS)(rng)
    if known and rng.randrange(2):
        # All that is possible, a part, or a millionth too much.
        possible = known.cash if kind == "withdrawal" else CAP - known.cash
        part = rng.choice((1, 2, 1000))
        amount = _units(int(possible * 10**6 / part) + rng.choice((0, 0, -1, 1)), 6)
    return Move(account, kind, amount, key if rng.randrange(20) else OPENING)


def _again(rng: Random, first: Command) -> Command:
    if rng.randrange(2):
        return first
    if rng.randrange(3) == 0:
        return replace(first, note="changed")
    if isinstance(first, Move):
        # The same number written otherwise.
        return replace(first, amount=first.amount.normalize())
    match rng.randrange(3):
        case 0:
            return replace(first, quantity=first.quantity + _units(1, 9))
        case 1:
            return replace(first, side="sell" if first.side == "buy" else "buy")
        case _:
            return replace(first, quantity=first.quantity.normalize())


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
        possible = known.shares(ticker)
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
    # Of an odd number of micro-dollars, the cost of one lies exactly between two nano-dollars.
    *[lambda rng: Decimal(rng.choice((16, 80, 400, 2000)))] * 3,
    lambda rng: _units(rng.randrange(1, 1000), 9),
    _capped,
)

_AMOUNTS: tuple[_Choice, ...] = (
    *[lambda rng: _units(rng.randrange(1, 1_000_000), 2)] * 4,
    lambda rng: _units(rng.randrange(1, 1000), 6),
    lambda rng: _units(rng.randrange(1, 10**15), 6),
    # More places than money has, and amounts that are none.
    lambda rng: Decimal(rng.choice(("0.0000005", "0", "-1", "1000000000.000001"))),
)
