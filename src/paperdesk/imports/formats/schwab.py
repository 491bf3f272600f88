"""Charles Schwab: the history of an account.

A dividend that is reinvested is a pair of rows, the cash and the purchase. `02/07/2024 as of
02/05/2024` happened on the second day. A split says by how many shares the holding grew. A title
may stand before the header, a row of totals behind the last.
"""

from decimal import Decimal
from typing import Final

from paperdesk.imports.formats.format import Format
from paperdesk.imports.formats.words import fold
from paperdesk.imports.model import ActivityKind, Code, Instrument
from paperdesk.imports.rows import Row, Said, Skip, not_held, not_imported

_ACTIONS: Final = {
    ActivityKind.buy: ("buy", "reinvestshares", "buytocover"),
    ActivityKind.sell: ("sell", "sellshort"),
    ActivityKind.dividend: (
        *("cashdividend", "qualifieddividend", "nonqualifieddiv", "specialdividend", "prioryrdiv"),
        *("specialnonqualdiv", "specialqualdiv", "pryrcashdiv", "pryrdivreinvest"),
        *("pryrspecialdiv", "pryrnonqualdiv", "reinvestdividend", "qualdivreinvest"),
        *("longtermcapgain", "longtermcapgainreinvest", "shorttermcapgain"),
        *("shorttermcapgainreinvest", "returnofcapital", "substitutedividend", "cashmutualfund"),
    ),
    ActivityKind.interest: ("bankinterest", "creditinterest", "marginterest", "margininterest"),
    ActivityKind.fee: ("servicefee", "adrmgmtfee", "foreigntransactionfee", "advisoryfee"),
    ActivityKind.tax: ("foreigntaxpaid", "nrataxadj", "nrawithholding", "taxwithholding"),
    ActivityKind.cash_in_lieu: ("cashinlieu",),
    ActivityKind.stock_split: ("stocksplit", "reversesplit"),
}
_BY_ACTION: Final = {action: kind for kind, actions in _ACTIONS.items() for action in actions}
_MOVED: Final = frozenset(
    {
        *("moneylinktransfer", "moneylinkdeposit", "moneylinkadj", "wirefunds", "wirereceived"),
        *("wirefundsreceived", "wiresent", "wirefundsadj", "fundsreceived", "fundspaid"),
        *("journal", "journaledcash", "internaltransfer", "misccashentry", "visapurchase"),
        *("atmwithdrawal", "billpay", "checkreceived", "promotionalaward", "miscdeposits"),
    }
)
_SHARES: Final = frozenset(
    {"journaledshares", "securitytransfer", "journal", "internaltransfer", "stockplanactivity"}
)
_OPTIONS: Final = frozenset(
    {
        *("buytoopen", "buytoclose", "selltoopen", "selltoclose", "expired", "assigned"),
        *("exchangeorexercise", "exercised"),
    }
)
_AS_OF: Final = " as of "
_TOTAL: Final = "transactions total"


def _read(row: Row) -> Said | Skip:
    day = row.text("at")
    if day.lower().startswith(_TOTAL):
        return Skip(Code.SUBTOTAL, "is the total of the rows")
    action = fold(row.text("action"))
    if action in _OPTIONS:
        return not_held(Instrument.option)
    ticker, quantity, net = row.text("ticker"), row.number("quantity"), row.number("net")
    kind = _kind(row, action, quantity, net)
    if kind in {ActivityKind.deposit, ActivityKind.withdrawal}:
        ticker = ""
    return Said(
        kind,
        row.moment("at", day.rpartition(_AS_OF)[2].strip()),
        ticker,
        quantity,
        row.number("price"),
        row.cost("fee"),
        net=net,
        account=row.text("account"),
        note=row.text("note"),
    )


def _kind(row: Row, action: str, quantity: Decimal | None, net: Decimal | None) -> ActivityKind:
    if action in _BY_ACTION:
        return _BY_ACTION[action]
    if action in _MOVED and net:
        return ActivityKind.deposit if net > 0 else ActivityKind.withdrawal
    if action in _SHARES and quantity:
        return ActivityKind.transfer_in if quantity > 0 else ActivityKind.transfer_out
    raise not_imported(row.text("action"), "action")


SCHWAB: Final = Format(
    name="schwab",
    title="Charles Schwab, history (CSV)",
    needs=frozenset(
        {
            *("date", "action", "symbol", "description", "quantity", "price"),
            *("feescomm", "amount"),
        }
    ),
    columns={
        "at": ("date",),
        "action": ("action",),
        "ticker": ("symbol",),
        "note": ("description",),
        "quantity": ("quantity",),
        "price": ("price",),
        "fee": ("feescomm",),
        "net": ("amount",),
        "account": ("account",),
    },
    read=_read,
    decimal=".",
    date_order="month_first",
)
