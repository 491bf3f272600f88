"""JSON that is read strictly and exactly, and what TradingView makes of an empty placeholder."""

import json
import re
from collections import Counter
from decimal import Decimal, InvalidOperation
from typing import Any, Final, cast

from paperdesk.signals.reading.amounts import plain
from paperdesk.signals.reading.secrets import Token, string_of, tokens
from paperdesk.signals.reading.texts import clean, fold, harmless

DEEPEST: Final = 32
_LONGEST_NUMBER: Final = 64
_FARTHEST: Final = 64
_EMPTY: Final = frozenset({"nan", "na", "n/a", "infinity", "-infinity", "inf", "-inf", "∞"})
_BARE_WORD: Final = re.compile(r"[A-Za-z_{][^\n]*")
_JSON_WORDS: Final = frozenset({"true", "false", "null"})
_MOST_NAMED: Final = 20


class NotJson(ValueError):
    """A text that is no JSON of ours; the message says why and what to send."""


def parse(text: str) -> Any:
    """Return the value of a JSON text: whole numbers as int, others as Decimal, never a float.

    Raises NotJson for what is not strict: NaN, a field twice, numbers of absurd size, deep nesting.
    """
    if text.count("{") + text.count("[") > DEEPEST:
        _check_depth(text)
    try:
        return _harmless(_decoder.decode(text))
    except NotJson:
        raise
    except (ValueError, RecursionError) as error:
        raise NotJson(_why_not(text)) from error


def _check_depth(text: str) -> None:
    depth = 0
    for token in tokens(text):
        if token.kind == "mark":
            depth += (token.text in "{[") - (token.text in "}]")
            if depth > DEEPEST:
                raise NotJson(f"The body is nested more than {DEEPEST} deep. Send one flat object.")


def mend(text: str) -> tuple[str, frozenset[str]] | None:
    """Return a text that was JSON but for placeholders that came out empty, and their fields.

    TradingView writes `"price": NaN` or `"price": ,` where {{plot_0}} has no value. Such a field
    becomes null, and its folded name is returned, so that nobody takes it for left out. None where
    there is no such field.
    """
    pieces: list[str] = []
    blank: set[str] = set()
    kept = 0
    before: Token | None = None
    previous: Token | None = None
    for token in tokens(text):
        if (
            before is not None
            and previous is not None
            and before.kind == "string"
            and previous.text == ":"
            and previous.kind == "mark"
        ):
            if token.kind == "mark" and token.text in ",}":
                pieces += [text[kept : token.start], "null"]
                kept = token.start
                blank.add(fold(string_of(before.text)))
            elif token.kind == "bare" and token.text.lower() in _EMPTY:
                pieces += [text[kept : token.start], "null"]
                kept = token.end
                blank.add(fold(string_of(before.text)))
        before, previous = previous, token
    return ("".join([*pieces, text[kept:]]), frozenset(blank)) if blank else None


def canonical(value: Any) -> str:
    """Return the one text of a JSON value: keys sorted, numbers in their shortest form."""
    return json.dumps(_canonical(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        named = cast("dict[str, Any]", value)
        return {name: _canonical(inner) for name, inner in named.items()}
    if isinstance(value, list):
        return [_canonical(inner) for inner in cast("list[Any]", value)]
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return f"n{_shortest(Decimal(value))}"
    return f"s{value}" if isinstance(value, str) else value


def _shortest(value: Decimal) -> str:
    if not value:
        return "0"
    sign, digits, exponent = value.as_tuple()
    text = "".join(map(str, digits)).rstrip("0")
    return f"{'-' * sign}{text}e{int(exponent) + len(digits) - len(text)}"


def _harmless(value: Any) -> Any:
    if isinstance(value, str):
        return harmless(value)
    if isinstance(value, list):
        return [_harmless(inner) for inner in cast("list[Any]", value)]
    if isinstance(value, dict):
        named = cast("dict[str, Any]", value)
        return _unique_keys([(harmless(name), _harmless(inner)) for name, inner in named.items()])
    return value


def _why_not(text: str) -> str:
    """Say what is wrong with a text that looks like JSON, in the words of whoever wrote it."""
    before: Token | None = None
    previous: Token | None = None
    for token in tokens(text):
        if (
            before is not None
            and previous is not None
            and before.kind == "string"
            and previous.text == ":"
        ):
            name = clean(string_of(before.text), 64)
            if token.kind == "bare" and _BARE_WORD.fullmatch(token.text):
                if token.text.lower() in _EMPTY:
                    return f"{name}: has no value; its placeholder came out as {token.text}."
                if token.text not in _JSON_WORDS:
                    return f'{name}: put quotes around its value, as in "{name}": "…".'
            if token.kind == "mark" and token.text == "{" and "{{" in text[token.start :][:2]:
                return f"{name}: has a placeholder that was not filled in."
        before, previous = previous, token
    return (
        "The body is not valid JSON. Send one object in UTF-8, such as "
        '{"ticker": "AAPL", "action": "buy", "quantity": 10}.'
    )


def _decimal(text: str) -> Decimal:
    try:
        value = Decimal(_short_enough(text))
    except InvalidOperation as error:
        raise NotJson(_TOO_LONG) from error
    if value and abs(value.adjusted()) > _FARTHEST:
        raise NotJson(_TOO_LONG)
    return value or plain(value)


def _whole(text: str) -> int:
    return int(_short_enough(text))


_TOO_LONG: Final = "A number in the body is too long. Send at most 1000000000, to 9 places."


def _short_enough(text: str) -> str:
    if len(text) > _LONGEST_NUMBER:
        raise NotJson(_TOO_LONG)
    return text


def _constant(name: str) -> Any:
    raise ValueError(name)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        times = Counter(name for name, _ in pairs)
        twice = {clean(name, 64) or "" for name, count in times.items() if count > 1}
        raise NotJson(
            f"The body has a field twice: {', '.join(sorted(twice)[:_MOST_NAMED])}. "
            "Send each field once."
        )
    return value


_decoder = json.JSONDecoder(
    parse_float=_decimal,
    parse_int=_whole,
    parse_constant=_constant,
    object_pairs_hook=_unique_keys,
)
