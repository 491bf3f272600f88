"""All formats that are known."""

from typing import Final

from paperdesk.imports.formats.alpaca import ALPACA
from paperdesk.imports.formats.degiro import DEGIRO
from paperdesk.imports.formats.fidelity import FIDELITY
from paperdesk.imports.formats.generic import GENERIC
from paperdesk.imports.formats.ghostfolio import GHOSTFOLIO_CSV, GHOSTFOLIO_JSON
from paperdesk.imports.formats.ibkr_activity import IBKR_ACTIVITY
from paperdesk.imports.formats.ibkr_flex import IBKR_FLEX_CASH, IBKR_FLEX_TRADES
from paperdesk.imports.formats.paperdesk import PAPERDESK
from paperdesk.imports.formats.portfolio_performance import PORTFOLIO_PERFORMANCE
from paperdesk.imports.formats.revolut import REVOLUT
from paperdesk.imports.formats.robinhood import ROBINHOOD
from paperdesk.imports.formats.schwab import SCHWAB
from paperdesk.imports.formats.trading212 import TRADING212
from paperdesk.imports.formats.wealthfolio import WEALTHFOLIO
from paperdesk.imports.formats.webull import WEBULL
from paperdesk.imports.formats.yahoo import YAHOO

FORMATS: Final = (
    ALPACA,
    DEGIRO,
    FIDELITY,
    GHOSTFOLIO_CSV,
    GHOSTFOLIO_JSON,
    IBKR_ACTIVITY,
    IBKR_FLEX_CASH,
    IBKR_FLEX_TRADES,
    PAPERDESK,
    PORTFOLIO_PERFORMANCE,
    REVOLUT,
    ROBINHOOD,
    SCHWAB,
    TRADING212,
    WEALTHFOLIO,
    WEBULL,
    YAHOO,
    GENERIC,
)
