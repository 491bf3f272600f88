"""Taking the secrets out of a body, before anything else looks at it."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from paperdesk.redaction import NAMED_BY, names_a_secret

HIDDEN: Final = "…"
"""What stands where a secret stood. It keeps the form of the body, so it can be read again."""

_TOKEN: Final = re.compile(
    r'(?P<string>"(?:[^"\\]|\\[\s\S])*+(?:"|\\?\Z))'
    r"|(?P<space>\s++)|(?P<mark>[{}\[\]:,])|(?P<bare>[^\s{}\[\]:,\"]++)"
)
"""What JSON, and what is nearly JSON, is made of. Each character is looked at once."""

_BARE: Final = r"[^\s,;&|(){}\[\]\"'\\]+"
_QUOTED: Final = r"\"[^\"\\\n]*\"|'[^'\\\n]*'"


_NAMED: Final = re.compile(r"(?<![A-Za-z0-9_-])([A-Za-z0-9_-]{1,64})'?\s{0,8}[=:]\s{0,8}")
"""Also in single quotes: what is nearly JSON is often written so."""
_IN_TEXT: Final = re.compile(f"{_QUOTED}|{_BARE}")
_IN_JSON: Final = re.compile(rf"'[^'\"\\\n]*'|{_BARE}")
"""In JSON a double quote ends the string that the pair stands in."""

_COPIED_FROM: Final = 8
"""A shorter secret is not looked for elsewhere: it may be a word like any other."""

_MOST: Final = 200
"""Of a body with more secrets nothing is kept, so that looking for their copies takes no time."""

_decoder: Final = json.JSONDecoder(strict=False)
_MAY_NAME_SECRET: Final = re.compile("|".join([*NAMED_BY, r"\\"]), re.IGNORECASE)
"""What a text must have for one of its fields to be secret: most alerts have none of it."""


class Token(NamedTuple):
    """A piece of nearly-JSON text, and where it stands."""

    kind: str
    text: str
    start: int
    end: int


def tokens(text: str) -> Iterator[Token]:
    """Give the pieces of a text, without its spaces."""
    for match in _TOKEN.finditer(text):
        if (kind := match.lastgroup) and kind != "space":
            yield Token(kind, match[0], match.start(), match.end())


def string_of(token: str) -> str:
    """Return what a string in JSON says, also where it is not valid."""
    if "\\" not in token and len(token) > 1 and token[-1] == '"':
        return token[1:-1]
    try:
        value = _decoder.decode(token)
    except (ValueError, RecursionError):
        return token.strip('"')
    return value if isinstance(value, str) else token


class Redaction:
    """A text without its secrets, and what they were."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known = [secret for secret in known if secret]
        self.found: dict[str, None] = {}
        """The secrets, each once, in their order."""

    def note(self, secret: str) -> None:
        """Remember a secret that was found."""
        if secret and secret != HIDDEN:
            self.found[secret] = None

    def of(self, text: str) -> str:
        """Return the text without the values of secret fields, and without their copies."""
        for secret in self._known:
            text = text.replace(secret, HIDDEN)
        if _MAY_NAME_SECRET.search(text):
            text = self._fields(text)
            text = self._pairs(text, _IN_JSON if _like_json(text) else _IN_TEXT)
        if len(self.found) > _MOST:
            return HIDDEN
        return self._copies(text)

    def _fields(self, text: str) -> str:
        """Hide the values of members of JSON objects, by their names."""
        pieces: list[str] = []
        kept = depth = 0
        previous = before = hiding = None
        for token in tokens(text):
            if hiding is not None:
                depth += (token.text in "{[") - (token.text in "}]") if token.kind == "mark" else 0
                if token.kind != "mark":
                    self.note(string_of(token.text) if token.kind == "string" else token.text)
                if depth <= 0:
                    kept, hiding = token.end, None
            elif (
                previous is not None
                and before is not None
                and previous.text == ":"
                and before.kind == "string"
                and names_a_secret(string_of(before.text))
            ):
                opens = token.kind == "mark" and token.text in "{["
                if opens or (token.kind != "mark" and token.text not in {'""', "null"}):
                    pieces += [text[kept : token.start], f'"{HIDDEN}"']
                    kept = len(text)
                    if opens:
                        hiding, depth = token, 1
                    else:
                        self.note(string_of(token.text) if token.kind == "string" else token.text)
                        kept = token.end
            before, previous = previous, token
        return "".join([*pieces, text[kept:]])

    def _pairs(self, text: str, value: re.Pattern[str]) -> str:
        """Hide the values of pairs such as `token=…` in a text."""
        pieces: list[str] = []
        kept = 0
        for named in _NAMED.finditer(text):
            if named.start() < kept or not names_a_secret(named[1]):
                continue
            said = value.match(text, named.end())
            bare = said[0].strip("\"'") if said else ""
            if said and bare and bare != HIDDEN:
                self.note(bare)
                pieces += [text[kept : said.start()], said[0].replace(bare, HIDDEN)]
                kept = said.end()
        return "".join([*pieces, text[kept:]])

    def _copies(self, text: str) -> str:
        """Hide the secrets where they stand again, in the strings of JSON or anywhere in a text."""
        copied = [secret for secret in self.found if len(secret) >= _COPIED_FROM]
        if not copied or ("\\" not in text and not any(secret in text for secret in copied)):
            return text
        if not _like_json(text):
            for secret in copied:
                text = text.replace(secret, HIDDEN)
            return text
        pieces: list[str] = []
        kept = 0
        for token in tokens(text):
            # A bare word is no JSON, so hiding in it spoils nothing; a number is left alone.
            if token.kind == "mark" or (token.kind == "bare" and token.text[0] in "-0123456789"):
                continue
            is_string = token.kind == "string"
            said = string_of(token.text) if is_string else token.text
            if any(secret in said for secret in copied):
                for secret in copied:
                    said = said.replace(secret, HIDDEN)
                shown = json.dumps(said, ensure_ascii=False) if is_string else said
                pieces += [text[kept : token.start], shown]
                kept = token.end
        return "".join([*pieces, text[kept:]])


def _like_json(text: str) -> bool:
    return text.lstrip()[:1] in {"{", "["}
