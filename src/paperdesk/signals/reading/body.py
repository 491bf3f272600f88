"""The raw body of an alert, whatever its content type, and what was understood of it."""

import hashlib
import re
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote, unquote_plus

from paperdesk.redaction import names_a_secret
from paperdesk.signals.reading.alerts import Reading
from paperdesk.signals.reading.model import Delivery, NotUnderstood, Understood
from paperdesk.signals.reading.parsing import NotJson, canonical, mend, parse
from paperdesk.signals.reading.secrets import HIDDEN, Redaction
from paperdesk.signals.reading.several import MOST, read_value
from paperdesk.signals.reading.text_forms.hiding import hide
from paperdesk.signals.reading.text_forms.reading import read_text
from paperdesk.signals.reading.texts import harmless

LARGEST_BODY: Final = 65_536
_GZIP: Final = b"\x1f\x8b"
_NO_SYMBOLS: Final[Mapping[str, str]] = MappingProxyType({})
_FORM: Final = re.compile(r"[^\s=&{}|()<>;\"']+=[^\s{}\"<>]*")
_MOST_FIELDS: Final = 200
_SCALAR: Final = re.compile(r'"[\s\S]*"|null|true|false|-?[0-9][0-9.eE+-]*')


def read_body(
    raw: bytes, *, symbols: Mapping[str, str] = _NO_SYMBOLS, known_secrets: Collection[str] = ()
) -> Delivery:
    """Return what a body says. Never raises: what cannot be understood says so.

    `symbols` maps the names that the sender uses to tickers. `known_secrets`, such as the token in
    the address, are hidden wherever they stand.
    """
    if len(raw) > LARGEST_BODY:
        return _unreadable(raw, f"The body is larger than {LARGEST_BODY} bytes. Send less.")
    if raw.startswith(_GZIP):
        return _unreadable(raw, "The body is compressed. Send it plain, without gzip.")
    redaction = Redaction(known_secrets)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return _not_text(raw, redaction)
    return _Body(raw, text, Reading(symbols), redaction).read()


class _Body:
    """One body that is text."""

    def __init__(self, raw: bytes, text: str, reading: Reading, redaction: Redaction) -> None:
        self._raw = raw
        self._text = text
        self._reading = reading
        self._redaction = redaction

    def read(self) -> Delivery:
        """Read it as JSON, as a form, or as one of the text forms."""
        bare = self._text.strip()
        if not bare:
            return self._delivery("", None, [NotUnderstood(reason="The body is empty.")])
        if bare[0] in "{[" or _SCALAR.fullmatch(bare):
            return self._json(self._redaction.of(self._text))
        if _FORM.fullmatch(bare) or bare.startswith(("%7B", "%7b", "%5B", "%5b")):
            return self._form(bare)
        hidden = self._redaction.of(hide(self._text, self._redaction))
        return self._delivery(hidden, None, _capped(read_text(hidden, self._reading)))

    def _json(self, hidden: str, shown: str | None = None) -> Delivery:
        payload: Any = None
        blank: frozenset[str] = frozenset()
        try:
            payload = value = parse(hidden)
        except NotJson as error:
            mended = mend(hidden)
            try:
                if mended is None:
                    raise
                value, blank = parse(mended[0]), mended[1]
            except NotJson as still:
                reason = str(still if mended else error)
                return self._delivery(shown or hidden, None, [NotUnderstood(reason=reason)])
        reading = Reading(self._reading.symbols, blank=blank)
        signals, shares_id = read_value(value, reading)
        return self._delivery(
            shown or hidden,
            payload,
            signals,
            said=f"json:{canonical(value)}",
            shares_id=shares_id,
        )

    def _form(self, text: str) -> Delivery:
        """Read fields as in the address of a page, one of which may hold all as JSON."""
        pieces = text.split("&", _MOST_FIELDS)
        if len(pieces) > _MOST_FIELDS:
            reason = f"The body has more than {_MOST_FIELDS} fields. Send less."
            return self._delivery(HIDDEN, None, [NotUnderstood(reason=reason)])
        given = [_pair(piece) for piece in pieces if piece]
        for name, value in given:
            if names_a_secret(name):
                self._redaction.note(value)
            else:
                # Finds what is secret within it, before any of its copies is looked for.
                self._redaction.of(value)
        fields = [
            (
                self._redaction.of(name),
                HIDDEN if value and names_a_secret(name) else self._redaction.of(value),
            )
            for name, value in given
        ]
        whole = self._text if fields == given else "&".join(_quoted(*pair) for pair in fields)
        documents = [value for _, value in fields if value.lstrip()[:1] in {"{", "["}]
        others = [
            name for name, value in fields if value not in documents and not names_a_secret(name)
        ]
        if len(documents) == 1 and not others:
            return self._json(documents[0], whole)
        said = {harmless(name): harmless(value) for name, value in fields}
        if len(said) != len(fields):
            reason = "The body has a field twice. Send each field once."
            return self._delivery(whole, None, [NotUnderstood(reason=reason)])
        signals, shares_id = read_value(said, self._reading)
        return self._delivery(
            whole, None, signals, said=f"form:{canonical(said)}", shares_id=shares_id
        )

    def _delivery(
        self,
        hidden: str,
        payload: Any,
        signals: list[Understood | NotUnderstood],
        *,
        said: str | None = None,
        shares_id: bool = False,
    ) -> Delivery:
        unchanged = hidden == self._text
        return Delivery(
            payload=payload,
            signals=tuple(signals),
            redacted=self._raw if unchanged else hidden.encode("utf-8", "replace"),
            canonical=said or f"text:{_spaced(hidden)}",
            secrets=tuple(self._redaction.found),
            shares_id=shares_id,
        )


def _pair(piece: str) -> tuple[str, str]:
    name, _, value = piece.partition("=")
    name, value = unquote_plus(name), unquote_plus(value)
    # A client that takes a whole JSON document for the name of a field leaves it without a value.
    return ("", name) if name[:1] in {"{", "["} and not value else (name, value)


def _quoted(name: str, value: str) -> str:
    return f"{quote(name)}={quote(value)}" if name else quote(value)


def _spaced(text: str) -> str:
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def _capped(signals: list[Understood | NotUnderstood]) -> list[Understood | NotUnderstood]:
    if len(signals) <= MOST:
        return signals
    return [NotUnderstood(reason=f"The body has more than {MOST} alerts. Send them in several.")]


def _unreadable(raw: bytes, reason: str) -> Delivery:
    """Return a delivery of which nothing is kept: there may be secrets where nobody looked."""
    return Delivery(
        payload=None,
        signals=(NotUnderstood(reason=reason),),
        redacted=HIDDEN.encode(),
        canonical=f"bytes:{hashlib.sha256(raw).hexdigest()}",
    )


def _not_text(raw: bytes, redaction: Redaction) -> Delivery:
    text = raw.decode("utf-8", "surrogateescape")
    hidden = redaction.of(hide(text, redaction))
    return Delivery(
        payload=None,
        signals=(NotUnderstood(reason="The body is not text in UTF-8. Send it in UTF-8."),),
        redacted=hidden.encode("utf-8", "surrogateescape"),
        canonical=f"bytes:{hashlib.sha256(raw).hexdigest()}",
        secrets=tuple(redaction.found),
    )
