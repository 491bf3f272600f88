"""What is said of a webhook on the command line, as the body that the desk takes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
from cyclopts import Parameter

from paperdesk.cli.failures import CommandFailed, Exit
from paperdesk.cli.options import Remote

NONE: Final = "none"
"""The word that takes a limit off again."""

_NULL: Final = msgspec.Raw(b"null")
"""What the desk takes for no limit: written, where what was not said is left out."""
_KINDS: Final = ("shares", "cash", "percent_of_equity", "percent_of_position")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookTerms(Remote):
    """What the signals of a webhook may do, and how it takes its alerts."""

    strategy: Annotated[
        str | None, Parameter(help="What its orders are said to be of. Default: the alert's own.")
    ] = None
    tickers: Annotated[
        str | None, Parameter(help="The only stocks that it trades, such as AAPL,MSFT.")
    ] = None
    sides: Annotated[
        str | None, Parameter(help="The only sides that it trades: buy, sell or buy,sell.")
    ] = None
    max_notional_per_order: Annotated[
        str | None, Parameter(help="US dollars that one order may open.")
    ] = None
    max_notional_per_day: Annotated[
        str | None, Parameter(help="US dollars that the orders of a day may open.")
    ] = None
    max_position: Annotated[
        str | None, Parameter(help="Shares of a stock that may be held, long or short.")
    ] = None
    max_position_notional: Annotated[
        str | None, Parameter(help="US dollars that a position may be worth.")
    ] = None
    stale_after: Annotated[
        str | None, Parameter(help="Seconds after which an alert that says its time is too old.")
    ] = None
    quiet_hours: Annotated[
        list[str] | None,
        Parameter(
            negative="",
            help="When nothing is opened: 22:00-08:00, or 22:00-08:00@mon,tue. May be repeated.",
        ),
    ] = None
    rate: Annotated[
        str | None, Parameter(help="Deliveries that it takes in a minute. Default: the desk's.")
    ] = None
    window: Annotated[
        str | None,
        Parameter(
            help="Seconds within which equal alerts without a time are one. Default: 30, at least "
            "15."
        ),
    ] = None
    default_quantity: Annotated[
        str | None,
        Parameter(
            help='Of an alert that says none: 10, "500 cash", "5 percent_of_equity" or '
            '"50 percent_of_position".'
        ),
    ] = None
    symbol: Annotated[
        list[str] | None,
        Parameter(
            negative="", help="The ticker for a name: NQ1!=QQQ. May be repeated; replaces all."
        ),
    ] = None
    allow_address: Annotated[
        list[str] | None,
        Parameter(
            negative="", help="An address or network that may send. May be repeated; replaces all."
        ),
    ] = None
    require_signature: Annotated[
        bool | None,
        Parameter(show_default=False, help="Whether every delivery has to be signed."),
    ] = None

    def body(self) -> dict[str, Any]:
        """Return what was said, for the desk. Raises CommandFailed for what cannot be read."""
        plain: dict[str, Any] = {
            "strategy": self.strategy,
            "max_notional_per_order": self.max_notional_per_order,
            "max_notional_per_day": self.max_notional_per_day,
            "max_position": self.max_position,
            "max_position_notional": self.max_position_notional,
            "stale_after_seconds": _whole("--stale-after", self.stale_after),
            "rate_per_minute": _whole("--rate", self.rate),
            "window_seconds": _whole("--window", self.window),
            "tickers": _list(self.tickers),
            "sides": _list(self.sides),
            "allowed_addresses": _addresses(self.allow_address),
            "default_quantity": _quantity(self.default_quantity),
            "signature_required": self.require_signature,
        }
        said = {name: _NULL if value == NONE else value for name, value in plain.items()}
        if self.quiet_hours is not None:
            said["quiet_hours"] = [_hours(each) for each in _but_none(self.quiet_hours)]
        if self.symbol is not None:
            said["symbols"] = dict(_symbol(each) for each in _but_none(self.symbol))
        return {name: value for name, value in said.items() if value is not None}


def _but_none(texts: Iterable[str]) -> list[str]:
    return [text for text in texts if text != NONE]


def _whole(option: str, text: str | None) -> int | str | None:
    """Return a whole number, or the word that stands for no limit."""
    if text is None or text == NONE:
        return text
    if not (text.isascii() and text.isdigit()):
        raise CommandFailed(f"{option}: give a whole number, or {NONE} for no limit.", Exit.USAGE)
    return int(text)


def _list(text: str | None) -> list[str] | str | None:
    if text is None or text == NONE:
        return text
    return [each.strip() for each in text.split(",") if each.strip()]


def _addresses(texts: list[str] | None) -> list[str] | str | None:
    if texts is None or texts == [NONE]:
        return None if texts is None else NONE
    return [each.strip() for text in texts for each in text.split(",") if each.strip()]


def _quantity(text: str | None) -> Mapping[str, str] | str | None:
    if text is None or text == NONE:
        return text
    amount, _, kind = text.strip().partition(" ")
    kind = kind.strip() or "shares"
    if kind not in _KINDS:
        raise CommandFailed(
            f'--default-quantity: give an amount and one of {", ".join(_KINDS)}, such as "500 '
            'cash".',
            Exit.USAGE,
        )
    return {"amount": amount, "kind": kind}


def _hours(text: str) -> dict[str, Any]:
    span, at, days = text.partition("@")
    since, dash, until = span.partition("-")
    if not dash or (at and not days):
        raise CommandFailed(
            "--quiet-hours: give a span such as 22:00-08:00, or 22:00-08:00@mon,tue for days.",
            Exit.USAGE,
        )
    hours: dict[str, Any] = {"since": since.strip(), "until": until.strip()}
    if days:
        hours["days"] = [day.strip().lower() for day in days.split(",")]
    return hours


def _symbol(text: str) -> tuple[str, str]:
    name, equals, ticker = text.rpartition("=")
    if not equals or not name.strip() or not ticker.strip():
        raise CommandFailed(
            "--symbol: give the name in the alerts and the ticker, such as NQ1!=QQQ.", Exit.USAGE
        )
    return name.strip(), ticker.strip()
