"""Alerts as senders post them, and what the desk made of them."""

import json
from decimal import Decimal
from typing import Any

from paperdesk.signals.reading.body import read_body
from paperdesk.signals.reading.model import NotUnderstood, Understood

AT = "2026-11-22T14:30:00Z"


def body(said: Any) -> bytes:
    if isinstance(said, bytes):
        return said
    return (said if isinstance(said, str) else json.dumps(said)).encode()


def understood(said: Any, **symbols: str) -> Understood:
    (signal,) = read_body(body(said), symbols=symbols).signals
    assert isinstance(signal, Understood), signal
    return signal


def refused(said: Any, **symbols: str) -> NotUnderstood:
    (signal,) = read_body(body(said), symbols=symbols).signals
    assert isinstance(signal, NotUnderstood), signal
    return signal


def brief(signal: Understood) -> dict[str, Any]:
    """Return what an alert says, without what it leaves open and what hangs on every alert."""
    shown = signal.model_dump(exclude_defaults=True, exclude={"form", "carries_time"})
    return {name: str(v) if isinstance(v, Decimal) else v for name, v in shown.items()}


def shares(amount: str, kind: str = "shares") -> dict[str, Any]:
    return {"amount": Decimal(amount)} | ({} if kind == "shares" else {"kind": kind})
