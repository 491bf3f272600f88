"""The secrets of text forms, which stand at a place instead of under a name."""

import re
from typing import Final

from paperdesk.signals.reading.secrets import HIDDEN, Redaction
from paperdesk.signals.reading.words import word_of

_KEYS: Final = re.compile(
    r"(?<![^\s(){};])(?P<keys>[^\s(){};]++)"
    r"(?=\s{0,8}\(\s{0,8}[^\s(){};]{1,64}\s{0,8}\)\s{0,8}\{)"
)
"""What stands before `(SYMBOL) {`."""

_PIPES: Final = 2


def hide(text: str, redaction: Redaction) -> str:
    """Return a text without a password line, a key before pipes, and names of keys."""
    text = _password_line(text, redaction)
    first, *others = text.split("|", _PIPES)
    if len(others) == _PIPES and (key := first.strip()) and "\n" not in key:
        redaction.note(key)
        text = "|".join([HIDDEN, *others])

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
