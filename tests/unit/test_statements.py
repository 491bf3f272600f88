"""A statement that is kept says what a new one would say."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from paperdesk.clock import ManualClock
from paperdesk.ledger.views import AccountView, Head, HeldPosition
from paperdesk.market.quotes import Quote, QuoteBoard
from paperdesk.portfolio.statement import Statements, statement_of
from support.databases import START

TICKERS = ("AAPL", "MSFT", "TSLA")
STEPS = st.one_of(
    st.tuples(st.just("clock"), st.sampled_from([-40, -10, -1, 0, 1, 9, 10, 11, 30])),
    st.tuples(st.just("price"), st.sampled_from(TICKERS), st.integers(1, 5), st.integers(-30, 30)),
    st.tuples(st.just("drop"), st.sampled_from(TICKERS)),
    st.tuples(st.just("trade"), st.integers(1, 5)),
)


def view(sequence: int, shares: int) -> AccountView:
    held = tuple(
        HeldPosition(ticker, ticker, Decimal(shares), Decimal(100), Decimal(100 / shares), START)
        for ticker in TICKERS
    )
    return AccountView(Head("default", sequence, "", Decimal(sequence), Decimal(0), 0), held)


@given(st.lists(STEPS, max_size=30))
@example([("price", "AAPL", 1, 0), ("clock", 10), ("clock", 11)])
@example([("price", "AAPL", 1, -10), ("clock", -1), ("clock", 1)])
def test_a_kept_statement_is_what_a_new_one_would_be(steps: list[tuple[Any, ...]]) -> None:
    clock = ManualClock(START)
    board = QuoteBoard(clock, timedelta(seconds=1))
    statements, account = Statements(board), view(1, 1)
    for kind, *what in steps:
        match kind:
            case "clock":
                clock.advance(timedelta(seconds=what[0]))
            case "price":
                ticker, price, age = what
                at = clock.now() - timedelta(seconds=age)
                board.restore(Quote(ticker, Decimal(price), Decimal(price), at, at, "test"))
            case "drop":
                board.drop(*what)
            case _:
                account = view(account.sequence + 1, *what)

        kept, new = statements.of(account), statement_of(account, board, clock.now())

        assert kept.account is account
        assert (kept.unpriced, kept.total_value) == (new.unpriced, new.total_value)
        assert [line.price for line in kept.lines] == [line.price for line in new.lines]
        assert statements.of(account) is kept
