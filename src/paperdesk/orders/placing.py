"""Placing orders: a price first, outside any transaction, then the writer."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace

from paperdesk.errors import PriceUnavailable, UnknownTicker
from paperdesk.ledger.lane.writer import Booked, Ledger
from paperdesk.market.feed import Market
from paperdesk.orders.commands.place_order import Placed, PlaceOrder

NoPrice = UnknownTicker | PriceUnavailable


async def why_unpriced(market: Market, ticker: str) -> NoPrice | None:
    """Have a ticker priced, waiting up to 2 s; return why it has no current price, if so.

    Not raised: an order whose key was used before gets its first answer without any price.
    """
    try:
        await market.quote(ticker)
    except (UnknownTicker, PriceUnavailable) as refusal:
        return refusal
    return None


async def unknown_among(market: Market, tickers: Iterable[str]) -> dict[str, UnknownTicker]:
    """Have tickers priced, all at once; return why, of those that there are not."""
    wanted = sorted(set(tickers))
    refusals = await asyncio.gather(*(why_unpriced(market, each) for each in wanted))
    return {
        ticker: refusal
        for ticker, refusal in zip(wanted, refusals, strict=True)
        if isinstance(refusal, UnknownTicker)
    }


async def place(ledger: Ledger, order: PlaceOrder, unpriced: NoPrice | None) -> Booked[Placed]:
    """Place an order; `unpriced` is what `why_unpriced` said of its ticker.

    Raises what the order or `Ledger.submit` raises, and `unpriced` if that is what it lacks.
    """
    if isinstance(unpriced, UnknownTicker):
        order = replace(order, unknown=unpriced)
    try:
        return await ledger.submit(order)
    except PriceUnavailable as refusal:
        raise unpriced or refusal from None


async def place_all(
    market: Market, ledger: Ledger, orders: Sequence[PlaceOrder]
) -> list[Booked[Placed] | BaseException]:
    """Place orders side by side; return for each what came of it, or what it was refused with.

    Their tickers are priced at the same time, so in 2 s at most. Then all go into the queue at
    once and in their order: few commits, and a sale may use what an order before it bought.
    """
    tickers = list({order.terms.ticker: None for order in orders})
    refusals = await asyncio.gather(*(why_unpriced(market, ticker) for ticker in tickers))
    unpriced = dict(zip(tickers, refusals, strict=True))
    return await asyncio.gather(
        *(place(ledger, order, unpriced[order.terms.ticker]) for order in orders),
        return_exceptions=True,
    )
