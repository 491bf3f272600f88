"""Broker files in tests: reading them, and what is said of each row in a line."""

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from paperdesk.imports.model import Activity, Outcome, ReadOptions, Rejected
from paperdesk.imports.reading import Reading, read

SAMPLES = Path(__file__).parents[1] / "samples" / "imports"
ACTIVITIES = SAMPLES.parent / "activities"
NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


def opened(content: str | bytes | Path, **options: Any) -> Reading:
    """Return the reading of a text, of bytes or of a sample."""
    if isinstance(content, Path):
        content = content.read_bytes()
    source = io.BytesIO(content.encode() if isinstance(content, str) else content)
    return read(source, ReadOptions(**{"now": NOW, **options}))


def outcomes(content: str | bytes | Path, **options: Any) -> list[Outcome]:
    """Return what became of each row."""
    return list(opened(content, **options).rows())


def activities(content: str | bytes | Path, **options: Any) -> list[Activity]:
    """Return the activities of a file of which every row is one."""
    found = outcomes(content, **options)
    assert all(isinstance(each, Activity) for each in found), found
    return [each for each in found if isinstance(each, Activity)]


def told(outcome: Outcome) -> str:
    """Return a line that says all of an outcome that matters to whoever books it."""
    if not isinstance(outcome, Activity):
        field = f" {outcome.field}" if isinstance(outcome, Rejected) and outcome.field else ""
        return f"{outcome.line} {type(outcome).__name__.lower()} {outcome.code}{field}"
    at = f"{outcome.at:%Y-%m-%d}" if outcome.date_only else outcome.at.isoformat()[:-6] + "Z"
    parts = [
        f"{outcome.line} {outcome.kind} {at}",
        outcome.ticker,
        _said("q", outcome.quantity),
        _said("p", outcome.price),
        _said("fee", outcome.fee or None),
        _said("tax", outcome.taxes or None),
        _said("net", outcome.net_amount),
        _said("diff", outcome.difference or None),
        f"ratio={outcome.ratio[0]}:{outcome.ratio[1]}" if outcome.ratio else None,
        outcome.currency if outcome.currency != "USD" else None,
        _said("rate", outcome.rate),
        f"id={outcome.external_id}" if outcome.external_id else None,
        f"account={outcome.account}" if outcome.account else None,
    ]
    return " ".join(filter(None, parts))


def _said(name: str, value: Any) -> str | None:
    return None if value is None else f"{name}={value.normalize():f}"
