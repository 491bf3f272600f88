"""The bodies of the market's routes. Prices are US dollars."""

from functools import lru_cache
from typing import Annotated

from pydantic import Field

from paperdesk.api.codec import Amount, Answer, Moment, Written, written
from paperdesk.market.bars import Timeframe
from paperdesk.market.quotes import Quote


class PriceAnswer(Answer):
    """The last known price of a ticker; `timestamp` says how old it is."""

    ticker: Annotated[str, Field(examples=["AAPL"])]
    price: Annotated[Amount, Field(examples=[190.25])]
    previous_price: Annotated[Amount, Field(examples=[190.1])]
    change: Annotated[Amount, Field(description="Against the previous tick.", examples=[0.15])]
    change_percent: Annotated[Amount, Field(examples=[0.0789])]
    timestamp: Moment


@lru_cache(maxsize=16_384)
def price_written(quote: Quote) -> Written:
    """Write a price once, until it moves."""
    return written(PriceAnswer.model_validate(quote))


class BarAnswer(Answer):
    """Open, high, low and close from `start` on; `volume` in shares, 0 if the source has none."""

    ticker: Annotated[str, Field(examples=["AAPL"])]
    timeframe: Timeframe
    start: Moment
    open: Annotated[Amount, Field(examples=[190.1])]
    high: Annotated[Amount, Field(examples=[190.42])]
    low: Annotated[Amount, Field(examples=[190.02])]
    close: Annotated[Amount, Field(examples=[190.25])]
    volume: Annotated[Amount, Field(examples=[0])]
