"""Physical lines of a file of unknown encoding, in bounded memory."""

import codecs
import io
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from paperdesk.imports.model import UnreadableFile

SAMPLE: Final = 1 << 20
"""Bytes from the beginning of a file by which it is judged."""
LONGEST_ROW: Final = 1 << 20
"""Characters of a row; a longer one is rejected."""

_BLOCK: Final = 1 << 18
_SHOWN: Final = 200
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NOTHING: Final = codecs.BOM_UTF8 + codecs.BOM_UTF16 + b"\0 \t\r\n"
_NO_TEXT: Final = {
    b"PK\x03\x04": "a spreadsheet or an archive",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet",
    b"%PDF": "a PDF",
    b"\x1f\x8b": "compressed",
}


class Line(NamedTuple):
    """A line without its end. Of one that is `too_long`, only the beginning is kept."""

    number: int
    text: str
    too_long: bool = False


class TextFile:
    """A file as text: `position` is how many bytes were read, `head` the first of them.

    Bytes that are wrong in its encoding become U+FFFD. Raises UnreadableFile where it is no text.
    """

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self.head = _read_fully(source, SAMPLE)
        self.position = len(self.head)
        if not self.head.strip(_NOTHING):
            raise UnreadableFile("The file is empty.")
        for magic, what in _NO_TEXT.items():
            if self.head.startswith(magic):
                raise UnreadableFile(f"The file is {what}. Save it as CSV and import that.")
        self.encoding = _encoding_of(self.head, whole=len(self.head) < SAMPLE)

    def beginning(self) -> str:
        """Return the head as text."""
        return codecs.getincrementaldecoder(self.encoding)("replace").decode(self.head)

    def whole(self, largest: int) -> str | None:
        """Return all of the text, None if it has more than `largest` bytes."""
        rest = _read_fully(self._source, largest + 1 - len(self.head))
        self.position += len(rest)
        if self.position > largest:
            return None
        return (self.head + rest).decode(self.encoding, "replace")

    def lines(self) -> Iterator[Line]:
        """Give each line, once."""
        number, carry, dropping = 1, "", False
        for text in self._texts():
            *ended, rest = text.split("\n")
            for part in ended:
                line = carry + part
                if dropping or len(line) > LONGEST_ROW:
                    yield Line(number, line[:_SHOWN], too_long=True)
                else:
                    yield Line(number, line)
                number, carry, dropping = number + 1, "", False
            carry += rest
            if len(carry) > LONGEST_ROW:
                carry, dropping = carry[:_SHOWN], True
        if carry:
            yield Line(number, carry, dropping)

    def _texts(self) -> Iterator[str]:
        codec = codecs.getincrementaldecoder(self.encoding)("replace")
        decoder = io.IncrementalNewlineDecoder(codec, translate=True)
        block = self.head
        while block:
            yield decoder.decode(block)
            block = self._source.read(_BLOCK)
            self.position += len(block)
        yield decoder.decode(b"", final=True)


def _read_fully(source: BinaryIO, size: int) -> bytes:
    """Return that many bytes, fewer only at the end: a pipe gives what it has."""
    blocks: list[bytes] = []
    while size > 0 and (block := source.read(min(size, _BLOCK))):
        blocks.append(block)
        size -= len(block)
    return b"".join(blocks)


def marked_encoding(head: bytes) -> str | None:
    """Return the encoding that a file's byte order mark says; None without one."""
    return next((name for bom, name in _BOMS if head.startswith(bom)), None)


def _encoding_of(head: bytes, *, whole: bool) -> str:
    if marked := marked_encoding(head):
        return marked
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(head, final=whole)
    wrong = text.count("\ufffd")
    # One broken character in a file of UTF-8 must not make all its letters those of Windows.
    if not wrong or wrong < sum(1 for character in text if character > "\x7f") - wrong:
        return "utf-8"
    try:
        head.decode("cp1252")
    except UnicodeDecodeError:
        return "latin-1"
    return "cp1252"
