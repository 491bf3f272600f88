"""Plain trades are read as any other row is: the short way comes to what the long way does."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from hypothesis import example, given
from hypothesis import strategies as st

from paperdesk.clock import SystemClock
from paperdesk.db.exact_json import written
from paperdesk.errors import Refused
from paperdesk.imports.model import Activity, ActivityKind
from paperdesk.jobs.data import storable
from paperdesk.jobs.history.plain_trades import stored
from paperdesk.jobs.history.rows import activity_of
from paperdesk.ledger.booking import money

PLAIN: Final[dict[str, Any]] = {
    "kind": "buy",
    "at": "2026-03-02T15:00:00.000000Z",
    "ticker": "AAPL",
    "quantity": 3,
    "price": Decimal("10.5"),
    "net": Decimal("-31.5"),
    "key": "0169a4d300" + "0" * 54,
}
amounts = st.one_of(
    st.integers(-5, 5),
    st.decimals(-100, 100, allow_nan=False, allow_infinity=False, places=11),
    st.sampled_from([Decimal("1E-9"), Decimal("1E+9"), 10**9 + 1, "3", " 3", "1_0", "NaN", None]),
)
others = {
    "kind": st.sampled_from(["sell", "Buy", "dividend", "transfer_in", None]),
    "at": st.sampled_from(
        ["2026-03-02T15:00:00Z", "2026-03-02T15:00:00.000000", "2026-13-02T15:00:00.000000Z",
         "1850-03-02T15:00:00.000000Z", "9999-03-02T15:00:00.000000Z", 5, None]
    ),
    "ticker": st.sampled_from(["aapl", "BRK-B", "BRK.B", "BTC-USD", "SPY 260619C500", "", None]),
    "quantity": amounts,
    "price": amounts,
    "net": amounts,
    "fee": amounts,
    "taxes": amounts,
    "date_only": st.sampled_from([True, False, None]),
    "currency": st.sampled_from(["USD", "EUR", "GBX"]),
    "rate": amounts,
    "ratio": st.just("2:1"),
    "account": st.sampled_from(["A", "a\nb", ""]),
    "external_id": st.sampled_from(["T-1", "x" * 200]),
    "note": st.just("of the file"),
    "instrument": st.sampled_from(["stock", "option"]),
    "key": st.sampled_from(["5", None, "g" * 64]),
    "else": st.just(1),
}  # fmt: skip
changes = st.lists(
    st.sampled_from(sorted(others)).flatmap(lambda name: st.tuples(st.just(name), others[name])),
    max_size=3,
)


def checked(data: Any) -> Activity | None:
    try:
        return activity_of(data, {}, SystemClock())
    except Refused:
        return None


@example([])
@example([("fee", 1), ("net", Decimal("-32.5"))])
@example([("ticker", "BRK-B")])
@example([("quantity", Decimal("1.00000000051"))])
@given(changes)
def test_a_row_that_was_checked_says_the_same_the_short_way(
    changed: list[tuple[str, Any]],
) -> None:
    data = storable(PLAIN | dict(changed))
    said, short = checked(data), stored(written(data))
    if said is None or short is None:
        # What was refused once goes the long way, whatever it looks like.
        return
    assert said.kind in {ActivityKind.buy, ActivityKind.sell}
    assert said.quantity is not None
    assert said.price is not None
    assert said.net_amount is not None
    at = datetime.fromisoformat(short.at).astimezone(UTC)
    told = (short.kind, at, short.ticker, abs(short.quantity), short.price, short.key)
    assert told == (said.kind, said.at, said.ticker, said.quantity, said.price, said.key)
    assert money(short.net) == money(said.net_amount)
    assert money(short.fee + short.taxes) == money(said.fee + said.taxes)


def test_most_rows_of_files_are_plain() -> None:
    for more in ({}, {"date_only": True}, {"account": "A", "external_id": "T-1", "note": "n"}):
        assert stored(written(PLAIN | more)) is not None
