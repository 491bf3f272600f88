"""Which source of stock prices the settings ask for."""

from paperdesk.market.feed import Market
from paperdesk.research.desk_prices import DeskPrices
from paperdesk.research.stock_source import StockSource
from paperdesk.research.yahoo import Yahoo
from paperdesk.settings import Settings


def stock_source_for(settings: Settings, market: Market) -> StockSource:
    """Return yfinance where it is chosen, else the desk's own prices.

    Raises SettingsError where yfinance is chosen and not installed.
    """
    return Yahoo() if settings.research_source == "yfinance" else DeskPrices(market)
