"""Alertatron's language: `Keys(SYMBOL) { market(side=buy, amount=100); }`."""

import re
from collections.abc import Mapping
from typing import Any, Final

from paperdesk.signals.reading.texts import clean, fold

_BLOCK: Final = re.compile(
    r"\s*+(?:#\S*+\s*+)*+[^\s(){};]{1,256}\s*\(\s*(?P<symbol>[^\s(){};]{1,64})\s*\)\s*"
    r"\{(?P<body>[^{}]*)\}"
)
_COMMAND: Final = re.compile(r"\s*(?P<name>[A-Za-z]{1,32})\s*\((?P<arguments>[^()]*)\)\s*;?")
_TAGS: Final = re.compile(r"\s*+(?:#\S*+\s*+)*+")
_ORDERS: Final = {
    "market": "market",
    "limit": "limit",
    "stop": "stop",
    "stoporder": "stop",
    "stopmarket": "stop",
}
_CLOSES: Final = frozenset({"close", "closeposition"})
_HARMLESS: Final = frozenset({"wait", "exchangesettings", "notify"})
_KNOWN: Final = frozenset(
    {"side", "amount", "position", "offset", "price", "reduceonly", "tag", "id", "time"}
)

_KEPT: Final = ("tag", "id", "time")

Alerts = list[Mapping[str, Any] | str]


def read(text: str) -> Alerts | None:
    """Return the alerts of one or more blocks, or None where the text is not in this language.

    Its commands build on each other: where one is not known, none is read.
    """
    alerts: Alerts = []
    at = 0
    while block := _BLOCK.match(text, at):
        at = block.end()
        found = _commands(block["symbol"], block["body"])
        if isinstance(found, str):
            return [found]
        alerts += found
    if not at:
        return None
    if _TAGS.fullmatch(text, at) is None:
        return ["The commands end with something else. Send Keys(SYMBOL) { market(…); } alone."]
    return alerts or ["The alert has no command. Send one, such as market(side=buy, amount=10);."]


def _commands(symbol: str, body: str) -> Alerts | str:
    alerts: Alerts = []
    ignored: list[str] = []
    at = 0
    while command := _COMMAND.match(body, at):
        at = command.end()
        name = command["name"]
        arguments = _arguments(command["arguments"])
        if fold(name) in _HARMLESS:
            ignored.append(name)
            continue
        if arguments is None:
            return f"{name}: its arguments must be like side=buy, amount=100."
        said = _alert(name, arguments)
        if isinstance(said, str):
            return said
        alerts.append({"symbol": symbol, **said})
    if body[at:].strip(" ;\t\r\n"):
        return f"{clean(body[at:], 32)}: is no command such as market(side=buy, amount=100);."
    extra = dict.fromkeys(ignored, True)
    return [{**alert, **extra} if isinstance(alert, Mapping) else alert for alert in alerts]


def _alert(name: str, arguments: dict[str, str]) -> dict[str, Any] | str:
    command = fold(name)
    if command == "cancel":
        return {"action": "cancel", **{f"cancel_{key}": v for key, v in arguments.items()}}
    if unknown := _unknown(name, arguments):
        return unknown
    said = _size(arguments)
    if command in _CLOSES:
        return {**said, "action": "close"}
    said |= {"type": _ORDERS[command], **_way(arguments)}
    if command == "market":
        return said
    offset = arguments.get("offset", "")
    if "price" not in arguments and not offset.startswith("@"):
        return f"{name}: offset must be a price, such as offset=@190.50."
    price = arguments.get("price") or offset.removeprefix("@")
    return {**said, "limit_price" if said["type"] == "limit" else "stop_price": price}


def _unknown(name: str, arguments: Mapping[str, str]) -> str | None:
    if fold(name) not in {*_ORDERS, *_CLOSES}:
        return (
            f"{name}: is a command that the desk does not know, so none of the alert was acted on. "
            "Send market, limit, stop, close or cancel."
        )
    unknown = sorted(arguments.keys() - _KNOWN)
    return f"{name}: the desk does not know {clean(unknown[0], 32)} in it." if unknown else None


def _size(arguments: Mapping[str, str]) -> dict[str, Any]:
    said: dict[str, Any] = {key: arguments[key] for key in _KEPT if key in arguments}
    if (amount := arguments.get("amount")) is not None:
        of_position = amount.endswith("%p")
        said["quantity"] = amount.removesuffix("p") if of_position else amount
        if of_position:
            said["quantity_type"] = "percent_of_position"
    return said


def _way(arguments: Mapping[str, str]) -> dict[str, Any]:
    side = arguments.get("side")
    if (position := arguments.get("position")) is not None:
        return {"action": side, "position_size": position}
    if fold(arguments.get("reduceonly", "")) == "true":
        exits = {"buy": "exit_short", "sell": "exit_long"}
        return {"action": exits.get(fold(side or ""), "close")}
    return {"action": side}


def _arguments(text: str) -> dict[str, str] | None:
    found: dict[str, str] = {}
    for part in text.split(","):
        if not part.strip():
            continue
        name, equals, value = part.partition("=")
        if not equals or fold(name) in found:
            return None
        found[fold(name)] = value.strip().strip("\"'")
    return found
