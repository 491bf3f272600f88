"""What the simulator knows of stocks: start price, sector, and how much they move."""

from dataclasses import dataclass
from decimal import Decimal
from hashlib import blake2b

_OTHER = "other"
_CHEAPEST, _DEAREST = 2_000, 40_000


@dataclass(frozen=True, slots=True)
class Listing:
    """A stock as the simulator begins it.

    `price` in US dollars; `volatility` is the standard deviation of a year's return (0.3 is 30 %).
    """

    price: Decimal
    sector: str
    volatility: float


_KNOWN: dict[str, dict[str, tuple[str, float]]] = {
    "technology": {
        "AAPL": ("232.50", 0.24),
        "GOOGL": ("195.40", 0.28),
        "MSFT": ("445.20", 0.22),
        "AMZN": ("210.80", 0.30),
        "NVDA": ("176.30", 0.42),
        "META": ("612.70", 0.33),
        "NFLX": ("112.60", 0.35),
        "AMD": ("164.90", 0.46),
        "INTC": ("34.80", 0.45),
        "AVGO": ("318.50", 0.40),
        "ORCL": ("228.10", 0.34),
        "CRM": ("252.30", 0.31),
        "ADBE": ("351.60", 0.30),
        "CSCO": ("68.40", 0.21),
        "QCOM": ("158.20", 0.33),
        "IBM": ("268.90", 0.23),
        "PLTR": ("156.70", 0.60),
    },
    "vehicles": {
        "TSLA": ("305.40", 0.52),
        "RIVN": ("13.85", 0.65),
        "LCID": ("19.30", 0.70),
        "F": ("11.70", 0.33),
        "GM": ("57.20", 0.32),
        "TM": ("198.60", 0.24),
    },
    "finance": {
        "JPM": ("288.60", 0.22),
        "V": ("345.10", 0.19),
        "GS": ("715.40", 0.27),
        "BAC": ("48.30", 0.26),
        "MA": ("572.80", 0.20),
        "MS": ("146.20", 0.27),
        "WFC": ("79.50", 0.27),
        "C": ("95.70", 0.29),
        "BRK.B": ("489.30", 0.17),
        "COIN": ("310.20", 0.68),
    },
    "health": {
        "JNJ": ("176.40", 0.16),
        "UNH": ("312.50", 0.34),
        "LLY": ("742.90", 0.33),
        "PFE": ("24.80", 0.24),
        "MRK": ("84.60", 0.23),
    },
    "consumer": {
        "WMT": ("97.20", 0.20),
        "COST": ("944.10", 0.21),
        "KO": ("68.90", 0.15),
        "PEP": ("148.30", 0.18),
        "MCD": ("307.40", 0.17),
        "NKE": ("75.60", 0.35),
        "DIS": ("116.30", 0.28),
        "HD": ("404.70", 0.23),
    },
    "energy": {
        "XOM": ("112.80", 0.23),
        "CVX": ("155.40", 0.23),
        "COP": ("95.20", 0.29),
    },
    "funds": {
        "SPY": ("645.30", 0.15),
        "QQQ": ("573.90", 0.19),
        "VTI": ("317.80", 0.15),
        "IWM": ("233.60", 0.21),
    },
}

_LISTINGS = {
    ticker: Listing(Decimal(price), sector, volatility)
    for sector, stocks in _KNOWN.items()
    for ticker, (price, volatility) in stocks.items()
}


def listing_of(ticker: str) -> Listing:
    """Return how a ticker begins; one that nobody knows gets a price made from its letters."""
    if known := _LISTINGS.get(ticker):
        return known
    digest = blake2b(ticker.encode(), digest_size=8, person=b"listing").digest()
    cents = _CHEAPEST + int.from_bytes(digest) % (_DEAREST - _CHEAPEST)
    return Listing(Decimal(cents) / 100, _OTHER, 0.30)
