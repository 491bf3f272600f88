"""One body, several alerts: an array, or one alert for several accounts."""

from collections.abc import Mapping
from typing import Any, Final, cast

from paperdesk.signals.reading.alerts import Reading, understand
from paperdesk.signals.reading.amounts import Unreadable, read_number
from paperdesk.signals.reading.model import NotUnderstood, Understood
from paperdesk.signals.reading.sizes import SHARES, TARGETS, multiplied
from paperdesk.signals.reading.texts import fold

MOST: Final = 100
_MOST_FIELDS: Final = 200
_OBJECT: Final = 'Send an object such as {"ticker": "AAPL", "action": "buy", "quantity": 10}.'
_ACCOUNTS: Final = "multipleaccounts"
_SIZES: Final = frozenset({*SHARES, *TARGETS})

Signals = list[Understood | NotUnderstood]


def read_value(value: Any, reading: Reading) -> tuple[Signals, bool]:
    """Return what a JSON value says, and whether an id in it stands over several alerts."""
    if isinstance(value, list):
        elements = cast("list[Any]", value)
        if not elements:
            return [NotUnderstood(reason=f"The array is empty. {_OBJECT}")], False
        if len(elements) > MOST:
            return [_too_many()], False
        signals: Signals = []
        shared = False
        for element in elements:
            if not isinstance(element, dict):
                signals.append(NotUnderstood(reason=f"The element is no object. {_OBJECT}"))
                continue
            found, shares = _of_object(cast("dict[str, Any]", element), reading)
            signals += found
            shared = shared or shares
        return ([_too_many()], False) if len(signals) > MOST else (signals, shared)
    if isinstance(value, dict):
        return _of_object(cast("dict[str, Any]", value), reading)
    return [NotUnderstood(reason=f"The body is no object. {_OBJECT}")], False


def _of_object(said: dict[str, Any], reading: Reading) -> tuple[Signals, bool]:
    inner = [cast("dict[str, Any]", value) for value in said.values() if isinstance(value, dict)]
    if any(len(each) > _MOST_FIELDS for each in (said, *inner)):
        reason = f"The alert has more than {_MOST_FIELDS} fields. Send those that it needs."
        return [NotUnderstood(reason=reason)], False
    accounts = next((value for name, value in said.items() if fold(name) == _ACCOUNTS), None)
    if not accounts:
        return [understand(said, reading)], False
    base = {name: value for name, value in said.items() if fold(name) != _ACCOUNTS}
    if not isinstance(accounts, list):
        reason = "multiple_accounts: must be a list of objects."
        return [NotUnderstood(reason=reason, problems=(reason,))], False
    listed = cast("list[Any]", accounts)
    if len(listed) > MOST:
        return [_too_many()], False
    return [_for_account(base, account, reading) for account in listed], True


def _for_account(
    base: Mapping[str, Any], account: Any, reading: Reading
) -> Understood | NotUnderstood:
    if not isinstance(account, dict):
        return NotUnderstood(reason="multiple_accounts: each must be an object.")
    named = cast("dict[str, Any]", account)
    by_name = {fold(name): value for name, value in named.items()}
    factor = by_name.get("quantitymultiplier")
    risk = by_name.get("riskpercentage")
    special = {"quantitymultiplier", "riskpercentage"}
    said = {**base, **{name: v for name, v in named.items() if fold(name) not in special}}
    try:
        if risk not in (None, "") and read_number(risk).value:
            # The account's own share of its worth takes the place of a size that counts nothing.
            said = {name: v for name, v in said.items() if fold(name) != "riskpercentage"}
            said["risk_percentage"] = risk
            if factor not in (None, "") and not read_number(factor).value:
                said = {name: v for name, v in said.items() if fold(name) not in _SIZES}
                factor = None
        if factor not in (None, ""):
            said = {
                name: multiplied(value, factor) if fold(name) in _SIZES and value else value
                for name, value in said.items()
            }
    except Unreadable as error:
        reason = f"multiple_accounts: the size or its quantity_multiplier {error}."
        return NotUnderstood(reason=reason, problems=(reason,))
    return understand(said, reading)


def _too_many() -> NotUnderstood:
    return NotUnderstood(reason=f"The body has more than {MOST} alerts. Send them in several.")
