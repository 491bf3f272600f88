"""What holds for every body whatever."""

import json
import string
from decimal import Decimal
from typing import Any

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from paperdesk.signals.reading.body import read_body
from paperdesk.signals.reading.dedupe import dedupe_key
from paperdesk.signals.reading.model import Delivery, NotUnderstood, Understood

WORDS = (
    *("buy", "sell", "long", "close", "flat", "reduce", "cancel", "AAPL", "NASDAQ:AAPL", "NQ1!"),
    *("limit", "stop", "MKT", "trailing_stop", "10", "5%", "-3", "1,000", "NaN", "", "{{close}}"),
    *("2026-11-22T14:30:00Z", "1795357800", "percent_of_equity", "cash", "risk", "true", "…"),
)
NAMES = (
    *("ticker", "symbol", "instrument", "action", "side", "data", "type", "signal", "order"),
    *("quantity", "contracts", "amount", "position_size", "market_position", "sentiment", "price"),
    *("orderType", "limit_price", "stopPrice", "trailPercent", "takeProfit", "sl", "dollar_tp"),
    *("time", "max_lag", "signal_id", "order_id", "strategy", "note", "token", "secret", "volume"),
    *(
        "multiple_accounts",
        "quantity_multiplier",
        "risk_percentage",
        "isBuy",
        "quantityType",
        "bar",
    ),
)
scalars = (
    st.sampled_from(WORDS)
    | st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=8), inner, max_size=6)
    ),
    max_leaves=12,
)
alerts = st.dictionaries(st.sampled_from(NAMES), values, max_size=10).map(
    lambda more: {"ticker": "AAPL", "action": "buy", **more}
)
pieces = st.sampled_from(
    [*WORDS, *NAMES, *'{}[]():;,|=&#"\\\n \t', "b=long", "s=AAPL", "q=1", "market(", "%7B", "\x00"]
)
texts = st.lists(pieces, max_size=30).map("".join)
bodies = (
    st.binary(max_size=200)
    | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))
    | texts.map(str.encode)
    | alerts.map(lambda said: json.dumps(said).encode())
    | st.lists(alerts, max_size=3).map(lambda said: json.dumps(said).encode())
)


def check(delivery: Delivery) -> None:
    assert 1 <= len(delivery.signals) <= 100
    for index, signal in enumerate(delivery.signals):
        key = dedupe_key(delivery, index)
        assert len(key.key) < 100
        shown = signal.model_dump_json()
        assert type(signal).model_validate_json(shown) == signal
        assert type(signal).model_validate(json.loads(shown)) == signal
        if isinstance(signal, NotUnderstood):
            assert signal.reason
        elif signal.quantity is not None:
            assert signal.quantity.amount > 0


@settings(max_examples=400, deadline=1000)
@given(bodies)
def test_nothing_raises_and_everything_is_kept_exactly(raw: bytes) -> None:
    check(read_body(raw))


def is_text(raw: bytes) -> bool:
    try:
        raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return False
    return True


@settings(max_examples=200, deadline=1000)
@example(b"\x80\n\x00")
@given(bodies)
def test_what_is_kept_reads_to_the_same_again(raw: bytes) -> None:
    delivery = read_body(raw)
    again = read_body(delivery.redacted)

    assert again.redacted == delivery.redacted
    if raw.startswith(b"\x1f\x8b") or not is_text(raw):
        # What made it unreadable may be hidden along with a secret: then another reason is told.
        assert not any(isinstance(each, Understood) for each in again.signals)
    else:
        assert again.signals == delivery.signals


@settings(max_examples=200, deadline=1000)
@given(
    alerts,
    st.text(string.ascii_letters + string.digits + '-"\\é\U0001f680', min_size=12, max_size=40),
    st.sampled_from(["token", "secret", "api_key", "passphrase", "key", "signalToken"]),
    st.sampled_from(["note", "strategy", "anything"]),
    st.sampled_from(["escaped", "plain"]),
)
def test_secret_is_never_kept(
    said: dict[str, Any], secret: str, name: str, copied: str, escapes: str
) -> None:
    # A secret that stands in an amount as well would be no secret.
    assume(secret not in json.dumps(said))
    planted = {**said, copied: f"a {secret} b", name: secret, "multiple": [{name: secret}]}
    delivery = read_body(json.dumps(planted, ensure_ascii=escapes == "escaped").encode())

    assert secret in delivery.secrets
    kept = delivery.redacted.decode()
    assert secret not in kept
    assert json.dumps(secret)[1:-1] not in kept
    assert secret not in str(delivery.payload)
    for signal in delivery.signals:
        assert secret not in signal.model_dump_json()


@given(
    st.decimals(
        min_value=Decimal("0.000000001"), max_value=1_000_000_000, places=9, allow_nan=False
    )
)
def test_amounts_are_exact(amount: Decimal) -> None:
    raw = f'{{"ticker":"AAPL","action":"buy","quantity":{amount:f}}}'.encode()
    (signal,) = read_body(raw).signals

    assert isinstance(signal, Understood)
    assert signal.quantity is not None
    assert signal.quantity.amount == amount
    assert Understood.model_validate_json(signal.model_dump_json()) == signal


@given(st.permutations(["ticker", "action", "quantity", "note", "time"]))
def test_order_of_the_fields_is_nothing(names: list[str]) -> None:
    said = {"ticker": "AAPL", "action": "buy", "quantity": 1, "note": "x", "time": 1795357800}
    one = read_body(json.dumps(said).encode())
    other = read_body(json.dumps({name: said[name] for name in names}, indent=2).encode())

    assert other.signals == one.signals
    assert dedupe_key(other) == dedupe_key(one)
