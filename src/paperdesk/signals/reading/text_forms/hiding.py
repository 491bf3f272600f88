"""The secrets of text forms, which stand at a place instead of under a name."""

import re
from typing import Final

from paperdesk.signals.reading.secrets import HIDDEN, Redaction
from paperdesk.signals.reading.words import word_of

_KEYS: Final = re.compile(
    r"(?P<keys>[^\s(){};]{1,256})(?=\s{0,8}\(\s{0,8}[^\s(){};]{1,64}\s{0,8}\)\s{0,8}\{)"
)
_FIRST_PART: Final = re.compile(r"\s*([^|\n]{1,256}?)\s*\|[^|]*\|")


def hide(text: str, redaction: Redaction) -> str:
    """Return a text without a password line, a key before pipes, and names of keys."""
    text = _password_line(text, redaction)
    if (first := _FIRST_PART.match(text)) and first[1].strip():
        redaction.note(first[1])
        text = f"{text[: first.start(1)]}{HIDDEN}{text[first.end(1) :]}"

    def hidden(match: re.Match[str]) -> str:
        redaction.note(match["keys"])
        return HIDDEN

    return _KEYS.sub(hidden, text)


def _password_line(text: str, redaction: Redaction) -> str:
    """Hide a first line of one word, where others follow and it says nothing of its own."""
    first, line_break, others = text.lstrip().partition("\n")
    word = first.strip()
    if not line_break or not others.strip() or len(word.split()) != 1:
        return text
    if "=" in word or "|" in word or "(" in word or word_of(word) is not None:
        return text
    redaction.note(word)
    return f"{HIDDEN}\n{others}"
