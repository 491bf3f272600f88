"""The built-in market: prices that walk at random, move together by sector, and never run away."""

from collections.abc import Collection, Mapping
from datetime import timedelta
from decimal import Decimal
from hashlib import blake2b
from math import cos, exp, log, pi, sqrt
from secrets import randbits
from struct import Struct

from paperdesk.clock import Clock
from paperdesk.market.listings import listing_of
from paperdesk.market.quotes import Tick
from paperdesk.market.tickers import TICKER

_TICKS_A_YEAR = 252 * 6.5 * 3600 * 2
_MARKET_SHARE = 0.3
_SECTOR_SHARE = 0.3
"""Parts of a ticker's variance that it has in common with all others, and with its sector."""

_JUMP_ONCE_IN = 40_000
_SMALLEST_JUMP, _LARGEST_JUMP = 0.02, 0.05
_MEMORY = 2_000_000
"""Ticks (about 11 days) after which a deviation from the start price has worn off to 37 %."""

_FURTHEST = 3.0
"""The log price never leaves start ± 3: a twentieth to twenty times the start price."""

_DOLLARS_A_TICK = 50_000.0
"""About what changes hands in half a second of a stock with ten billion dollars a day."""

_BELIEVABLE = (Decimal("0.01"), Decimal(10_000_000))
_MOST_PATHS, _PATHS_KEPT = 6_000, 4_000

_THREE_NUMBERS = Struct("<3Q")
_UNIT = 2.0**-64
_JUMPS_BELOW = 2**64 // _JUMP_ONCE_IN


class _Path:
    """Where one ticker is on its walk. Log prices are relative to `anchor`, in US dollars."""

    __slots__ = ("anchor", "deviation", "joined", "key", "last", "sector_key", "step", "taken")

    def __init__(self, key: bytes, sector_key: bytes, anchor: float, step: float) -> None:
        self.key = key
        self.sector_key = sector_key
        self.anchor = anchor
        self.step = step
        self.deviation = 0.0
        self.taken = 0
        self.joined = 0
        self.last = 0


class Simulator:
    """Geometric Brownian motion with jumps, drawn gently back to where each ticker began.

    With a seed the path of a ticker depends only on the seed, the ticker and how often it was
    asked for: every number is a hash of these, so neither other tickers nor time come into it.
    Without a seed a ticker that is first asked for later joins the market where it then is.
    """

    name = "simulator"
    interval = timedelta(milliseconds=500)

    def __init__(self, seed: int | None, clock: Clock) -> None:
        self._clock = clock
        self.repeats = seed is not None
        """Whether the run can be had again: then it does not go on from stored prices."""
        self._root = str(randbits(128) if seed is None else seed).encode()
        self._market_key = self._key("market", "")
        self._paths: dict[str, _Path] = {}
        self._starts: dict[str, Decimal] = {}
        self._ticks = 0
        self._fetches = 0

    def start_at(self, prices: Mapping[str, Decimal]) -> None:
        """Let tickers go on from these prices, in US dollars, wherever their paths were."""
        lowest, highest = _BELIEVABLE
        for ticker, price in prices.items():
            if lowest <= price <= highest:
                self._paths.pop(ticker, None)
                self._starts[ticker] = price

    async def fetch(self, tickers: Collection[str]) -> Mapping[str, Tick]:
        """Move each of these tickers by one tick (the first is its start) and give its price."""
        now = self._clock.now()
        self._fetches += 1
        paths = self._paths
        shared: dict[tuple[bytes, int], float] = {}
        ticks: dict[str, Tick] = {}
        for ticker in tickers:
            path = paths.get(ticker) or self._begin(ticker)
            if path:
                path.last = self._fetches
                self._move(path, shared)
                price = _rounded(path.anchor * exp(path.deviation))
                ticks[ticker] = Tick(price, now, self._volume(path, price))
        if len(paths) > _MOST_PATHS:
            self._forget_the_oldest()
        return ticks

    async def knows(self, ticker: str) -> bool:
        """Say whether it looks like a ticker: the simulator invents a price for every one."""
        return TICKER.fullmatch(ticker) is not None

    async def close(self) -> None:
        """Do nothing: there are no connections."""

    def _begin(self, ticker: str) -> _Path | None:
        if not TICKER.fullmatch(ticker):
            return None
        listing = listing_of(ticker)
        path = self._paths[ticker] = _Path(
            self._key("ticker", ticker),
            self._key("sector", listing.sector),
            float(listing.price),
            listing.volatility / sqrt(_TICKS_A_YEAR),
        )
        if not self.repeats:
            path.joined = self._ticks
        if (start := self._starts.pop(ticker, None)) is not None:
            path.deviation = log(float(start) / path.anchor)
            if abs(path.deviation) > 1:  # not a price of ours: another source made it
                path.anchor, path.deviation = float(start), 0.0
        return path

    def _forget_the_oldest(self) -> None:
        by_use = sorted(self._paths.items(), key=lambda item: item[1].last, reverse=True)
        in_use = self._fetches - 100
        self._paths = {
            ticker: path
            for rank, (ticker, path) in enumerate(by_use)
            if rank < _PATHS_KEPT or path.last > in_use
        }

    def _move(self, path: _Path, shared: dict[tuple[bytes, int], float]) -> None:
        index = path.joined + path.taken
        path.taken += 1
        self._ticks = max(self._ticks, index)
        if path.taken == 1:
            return
        own, jump = _noise(path.key, index)
        common: list[float] = []
        for factor in (self._market_key, path.sector_key):
            draw = shared.get((factor, index))
            if draw is None:
                draw = shared[factor, index] = _noise(factor, index)[0]
            common.append(draw)
        wave = (
            sqrt(_MARKET_SHARE) * common[0]
            + sqrt(_SECTOR_SHARE) * common[1]
            + sqrt(1 - _MARKET_SHARE - _SECTOR_SHARE) * own
        )
        deviation = path.deviation * (1 - 1 / _MEMORY) + path.step * wave + jump
        path.deviation = max(-_FURTHEST, min(_FURTHEST, deviation))

    def _volume(self, path: _Path, price: Decimal) -> Decimal:
        """Return how many shares change hands in a tick: more on some, fewer on others."""
        activity, _ = _noise(path.key[::-1], path.joined + path.taken)
        return Decimal(max(1, round(_DOLLARS_A_TICK / float(price) * exp(activity))))

    def _key(self, kind: str, name: str) -> bytes:
        text = b"\0".join((self._root, kind.encode(), name.encode()))
        return blake2b(text, digest_size=16).digest()


def _noise(key: bytes, index: int) -> tuple[float, float]:
    """Return a standard normal number and, mostly 0, a jump in the log price."""
    digest = blake2b(key + index.to_bytes(8), digest_size=24).digest()
    first, second, third = _THREE_NUMBERS.unpack(digest)
    normal = sqrt(-2 * log((first + 1) * _UNIT)) * cos(2 * pi * second * _UNIT)
    if third >= _JUMPS_BELOW:
        return normal, 0.0
    size = _SMALLEST_JUMP + (_LARGEST_JUMP - _SMALLEST_JUMP) * (third / _JUMPS_BELOW)
    return normal, size if third % 2 else -size


def _rounded(price: float) -> Decimal:
    """Return US dollars to the cent, below one dollar to the hundredth of a cent."""
    return Decimal(f"{price:.2f}" if price >= 1 else f"{max(price, 0.0001):.4f}")
