"""What was understood, as it is stored, answered and documented."""

import json
from datetime import UTC, datetime

from paperdesk.api.codec import Reply
from paperdesk.signals.reading.model import NotUnderstood, Understood
from support.alerts import AT, understood

FULL = {
    "ticker": "NASDAQ:AAPL",
    "action": "buy",
    "quantity": "0.000000001",
    "type": "limit",
    "limit_price": 1e2,
    "tp": "5%",
    "time": AT,
    "leverage": 5,
}


def test_stored_form_is_read_back_exactly() -> None:
    signal = understood(FULL)
    stored = json.loads(json.dumps(signal.model_dump(mode="json")))

    assert stored["quantity"] == {"amount": "0.000000001", "kind": "shares"}
    assert stored["sent_at"] == "2026-11-22T14:30:00Z"
    assert Understood.model_validate(stored) == signal
    assert Understood.model_validate(stored).sent_at == datetime(2026, 11, 22, 14, 30, tzinfo=UTC)


def test_answer_has_amounts_as_numbers() -> None:
    answer = bytes(Reply(understood(FULL)).body)

    assert b'"quantity":{"amount":0.000000001,"kind":"shares"}' in answer
    assert b'"limit_price":100,' in answer
    assert b'"sent_at":"2026-11-22T14:30:00Z"' in answer
    assert b'"warnings":["Not acted on: leverage."]' in answer


def test_documentation_says_what_is_answered() -> None:
    for model in (Understood, NotUnderstood):
        for mode in ("validation", "serialization"):
            assert model.model_json_schema(mode=mode)["properties"]
    schema = Understood.model_json_schema(mode="serialization")
    assert {"type": "number"} in schema["properties"]["limit_price"]["anyOf"]
    assert schema["$defs"]["Quantity"]["properties"]["amount"]["type"] == "number"
