"""The bodies of the watchlist's routes."""

from typing import Annotated

from pydantic import Field

from paperdesk.api.codec import Amount, Answer, Ask, Moment


class WatchRequest(Ask):
    """A ticker to watch; lower case is accepted."""

    ticker: Annotated[str, Field(max_length=64, examples=["PYPL"])]


class WatchedTicker(Answer):
    """A watched ticker and its last known price; null until there is one."""

    ticker: Annotated[str, Field(examples=["AAPL"])]
    price: Annotated[Amount | None, Field(examples=[190.25])]
    previous_price: Annotated[Amount | None, Field(examples=[190.1])]
    change: Annotated[Amount | None, Field(examples=[0.15])]
    change_percent: Annotated[Amount | None, Field(examples=[0.0789])]
    added_at: Moment
