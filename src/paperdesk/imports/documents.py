"""JSON, strictly and exactly: documents up to a size, and files with an object a line."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple, NoReturn, cast

from paperdesk.imports.lines import LONGEST_ROW, Line
from paperdesk.imports.model import Code, Rejected, UnreadableFile

LARGEST_DOCUMENT: Final = 16 << 20
"""Bytes of a JSON document. Larger files are JSON lines or CSV, which are not held in memory."""
DEEPEST: Final = 32

_SHOWN: Final = 200
_SPACE: Final = re.compile(r"[ \t\n\r]*")


class Element(NamedTuple):
    """A JSON object of a list, and the line that it begins on. Numbers are the text they were."""

    line: int
    fields: dict[str, Any]


def elements(text: str) -> list[Element | Rejected]:
    """Return the objects of a document: those of the list that it is, or of its `activities`.

    Raises UnreadableFile for what is not strict JSON (NaN, a field twice, nested too deep), or has
    no such list.
    """
    try:
        return _Document(text).elements()
    except RecursionError:
        raise UnreadableFile(f"The JSON is nested more than {DEEPEST} deep.") from None
    except ValueError as error:
        raise UnreadableFile(f"The file is no strict JSON: {error}.") from None


def object_lines(lines: Iterable[Line]) -> Iterator[Element | Rejected]:
    """Give the object of each line that is not blank, or why there is none."""
    for line in lines:
        if line.text and not line.text.isspace():
            if line.too_long:
                reason = f"is longer than {LONGEST_ROW} characters"
                yield Rejected(line.number, None, Code.ROW_TOO_LONG, reason, (line.text,))
            elif (fields := object_of(line.text)) is None:
                reason = "must be one JSON object, each field once"
                yield Rejected(line.number, None, Code.JSON, reason, (line.text,))
            else:
                yield Element(line.number, fields)


def object_of(text: str) -> dict[str, Any] | None:
    """Return the JSON object that a text is, None if it is no such thing."""
    try:
        value: Any = _decoder.decode(text)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) and _flat(value) else None


class _Document:
    """A document that is read piece by piece, so that each object's line is known."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._counted = (0, 1)

    def elements(self) -> list[Element | Rejected]:
        found: list[Element | Rejected] | None = None
        if self._next() == "[":
            found = self._list()
        else:
            self._expect("{")
            names: set[str] = set()
            while self._next() != "}":
                if names:
                    self._expect(",")
                    self._next()
                name = self._value()
                if not isinstance(name, str) or name in names:
                    raise ValueError(f"it has the field {name!r:.64} twice")
                names.add(name)
                self._next()
                self._expect(":")
                if self._next() == "[" and name == "activities":
                    found = self._list()
                else:
                    self._value()
            self._expect("}")
        if self._next():
            raise ValueError("there is more behind its end")
        if found is None:
            raise ValueError("it has no list `activities`, and is none")
        return found

    def _list(self) -> list[Element | Rejected]:
        self._expect("[")
        found: list[Element | Rejected] = []
        while self._next() != "]":
            if found:
                self._expect(",")
                self._next()
            line, begins = self._line(), self._at
            value = self._value()
            if isinstance(value, dict) and _flat(value):
                found.append(Element(line, cast("dict[str, Any]", value)))
            else:
                reason = "must be a JSON object that is not nested too deep"
                raw = (self._text[begins : min(self._at, begins + _SHOWN)],)
                found.append(Rejected(line, None, Code.JSON, reason, raw))
        self._expect("]")
        return found

    def _next(self) -> str:
        """Return the next character that is no space, an empty text at the end."""
        match = _SPACE.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._text[self._at : self._at + 1]

    def _expect(self, character: str) -> None:
        if self._text[self._at : self._at + 1] != character:
            raise ValueError(f"{character!r} is missing on line {self._line()}")
        self._at += 1

    def _value(self) -> Any:
        value, self._at = _decoder.raw_decode(self._text, self._at)
        return value

    def _line(self) -> int:
        since, line = self._counted
        line += self._text.count("\n", since, self._at)
        self._counted = (self._at, line)
        return line


def _flat(value: Any, depth: int = DEEPEST) -> bool:
    """Say whether a value is not nested deeper than that."""
    if not isinstance(value, (dict, list)):
        return True
    inner = cast("Iterable[Any]", value.values() if isinstance(value, dict) else value)
    return depth > 0 and all(_flat(each, depth - 1) for each in inner)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field stands twice in an object")
    return fields


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


_decoder: Final = json.JSONDecoder(
    parse_float=str, parse_int=str, parse_constant=_no_number, object_pairs_hook=_unique
)
