"""What the audit trail says of cash, rules and amounts."""

from dataclasses import asdict
from decimal import Decimal
from typing import Any

from paperdesk.audit.trail import Action, Line
from paperdesk.ledger.lane.books import Books
from paperdesk.ledger.rules import Rules
from paperdesk.models import CashMovement


def plain(value: Any) -> Any:
    """Return a value as a line has it: a decimal in as few digits as say it."""
    return f"{value.normalize():f}" if isinstance(value, Decimal) else value


def note_cash(books: Books, action: Action, movement: CashMovement, before: Decimal) -> None:
    """Note that cash was moved; `before` is what was there."""
    amount = plain(movement.amount)
    after = {
        "cash_balance": plain(before + movement.amount),
        "kind": movement.kind,
        "amount": amount,
        "note": movement.note,
    }
    message = f"{movement.kind} of ${amount.lstrip('-')}."
    account_id = movement.user_id
    cash = {"cash_balance": plain(before)}
    books.note(Line(action, message, account_id, movement.id, cash, after))


def difference(before: Rules, after: Rules) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what two sets of rules say where they differ."""
    old, new = asdict(before), asdict(after)
    names = [name for name, value in new.items() if old[name] != value]
    return {n: plain(old[n]) for n in names}, {n: plain(new[n]) for n in names}
