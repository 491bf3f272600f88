"""`paperdesk cash`: what came and went other than by a trade, and the booking of it."""

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from cyclopts import App, Parameter

from paperdesk.cli.answers import Moved, Movement
from paperdesk.cli.client import Desk
from paperdesk.cli.options import REMOTE, Every, HowMany, Remote
from paperdesk.cli.output import OLDER, clean, instant, money, say, screen, show_json, signed, table
from paperdesk.ids import new_id

Kind = Literal["deposit", "withdrawal", "dividend", "interest", "fee", "adjustment"]
Amount = Annotated[str, Parameter(help="US dollars, such as 500 or 0.25.")]

cash = App(
    name="cash",
    help_epilogue="""\
Examples:
  paperdesk cash
  paperdesk cash deposit 500 --note "monthly savings"
  paperdesk cash withdraw 200
  paperdesk cash fee 5 --note "market data"
  paperdesk cash interest 3.20""",
)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class Details(Remote):
    """What may be said about a movement, and how to speak with the desk."""

    note: Annotated[str | None, Parameter(help="A remark that is kept with it.")] = None
    key: Annotated[
        str | None,
        Parameter(help="The idempotency key: the same key is booked once. Default: a new one."),
    ] = None


_PLAIN: Final = Details()
_TOLD: Final = {
    "deposit": "Deposited",
    "withdrawal": "Withdrew",
    "fee": "Booked a fee of",
    "interest": "Booked interest of",
}


@cash.default
def show_cash(
    *,
    kind: Annotated[Kind | None, Parameter(help="Only this kind.")] = None,
    limit: HowMany = 20,
    every: Every = False,
    options: Remote = REMOTE,
) -> None:
    """Show what cash came and went other than by a trade, newest first."""
    with Desk(options) as desk:
        answer = desk.rows("/api/cash", limit=None if every else limit, kind=kind)
        if options.json:
            show_json(answer.text)
            return
        movements = answer.read(list[Movement])
    if not movements:
        say("No movements match." if kind else "Nothing yet. Deposit: paperdesk cash deposit 500")
        return
    rows = table("Time (UTC)", "Kind", ">USD", "~Note")
    for movement in movements:
        rows.add_row(
            instant(movement.effective_at),
            clean(movement.kind),
            signed(movement.amount),
            clean(movement.note),
        )
    screen().print(rows)
    if answer.next_page:
        say(OLDER)


@cash.command
def deposit(amount: Amount, /, *, details: Details = _PLAIN) -> None:
    """Put cash into the account."""
    _move("deposit", amount, details)


@cash.command
def withdraw(amount: Amount, /, *, details: Details = _PLAIN) -> None:
    """Take cash out of the account."""
    _move("withdrawal", amount, details)


@cash.command
def fee(amount: Amount, /, *, details: Details = _PLAIN) -> None:
    """Book a fee that the account paid."""
    _move("fee", amount, details)


@cash.command
def interest(amount: Amount, /, *, details: Details = _PLAIN) -> None:
    """Book interest that the account earned."""
    _move("interest", amount, details)


def _move(kind: str, amount: str, details: Details) -> None:
    body = {"kind": kind, "amount": amount, "note": details.note}
    with Desk(details) as desk:
        # One key for all attempts: asking again after a lost answer moves nothing twice.
        key = new_id() if details.key is None else details.key
        answer = desk.post("/api/cash", body, key=key)
        if details.json:
            show_json(answer.text)
            return
        moved = answer.read(Moved)
    before = " (Booked before, with the same key.)" if answer.replayed else ""
    say(f"{_TOLD.get(moved.kind, clean(moved.kind))} {money(moved.amount)}.{before}")
    say(f"Cash {money(moved.cash_balance)}.")
