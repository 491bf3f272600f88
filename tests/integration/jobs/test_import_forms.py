"""Forms with a file, whole and broken: each is a job or a problem, and its file is let go of."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from paperdesk.jobs.routes.uploading import BODY_LIMIT
from support.desk import DeskClient
from support.jobs import ask, previewed
from support.uploads import assert_refused, open_spools, table

B: Final = b"--limit"
END: Final = B + b"--\r\n"
FORM: Final = "multipart/form-data; boundary=limit"
CSV: Final = table("2026-03-04,AAPL,buy,1,10,,,").encode()


def part(name: str | bytes, value: bytes, filename: str | bytes | None = None) -> bytes:
    said = b'Content-Disposition: form-data; name="' + _bytes(name) + b'"'
    if filename is not None:
        said += b'; filename="' + _bytes(filename) + b'"'
    return b"\r\n".join([B, said, b"", value, b""])


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


FILE: Final = part("file", CSV, "a.csv")
LARGE: Final = part("file", CSV * 40_000, "large.csv")
"""One that goes to the disk."""


async def post(desk: DeskClient, content: bytes, media: str = FORM) -> Any:
    return await desk.post("/api/jobs", content=content, headers={"Content-Type": media})


_REFUSED: Final[dict[str, tuple[str, bytes, str, str]]] = {
    "nothing": (FORM, b"", "INVALID_REQUEST", "breaks off"),
    "no part": (FORM, END, "INVALID_REQUEST", "file: is missing"),
    "no form": (FORM, b"garbage", "INVALID_REQUEST", "form"),
    "another boundary": (FORM + "s", FILE + END, "INVALID_REQUEST", "form"),
    "no boundary": ("multipart/form-data", FILE + END, "INVALID_REQUEST", "boundary"),
    "an empty boundary": ("multipart/form-data; boundary=", FILE, "INVALID_REQUEST", "form"),
    "a long boundary": (FORM + "x" * 9_000, FILE + END, "INVALID_REQUEST", "form"),
    "no end": (FORM, FILE, "INVALID_REQUEST", "breaks off"),
    "half a file": (FORM, FILE[:-20], "INVALID_REQUEST", "breaks off"),
    "half a large file": (FORM, LARGE[:-20], "INVALID_REQUEST", "breaks off"),
    "half a header": (FORM, FILE[:40], "INVALID_REQUEST", "breaks off"),
    "a broken header": (FORM, B + b"\r\na b\0: c\r\n\r\n\r\n" + END, "INVALID_REQUEST", "form"),
    "a part without a name": (FORM, B + b"\r\nA: b\r\n\r\nc\r\n" + END, "INVALID_REQUEST", "name"),
    "a charset of nothing": (
        FORM + "; charset=undefined",
        FILE + END,
        "INVALID_REQUEST",
        "charset",
    ),
    "a charset of hosts": (FORM + "; charset=punycode", FILE + END, "INVALID_REQUEST", "charset"),
    "a charset of halves": (
        FORM + "; charset=unicode_escape",
        part("columns", b"\\ud800") + FILE + END,
        "INVALID_REQUEST",
        "columns",
    ),
    "two files": (FORM, FILE + FILE + END, "INVALID_REQUEST", "files"),
    "a large file twice": (FORM, LARGE + FILE + END, "INVALID_REQUEST", "files"),
    "a file and a text": (FORM, FILE + part("file", b"x") + END, "INVALID_REQUEST", "file: was"),
    "a text and a file": (FORM, part("file", b"x") + FILE + END, "INVALID_REQUEST", "file: was"),
    "a file as text": (FORM, part("file", CSV) + END, "INVALID_REQUEST", "with a filename"),
    "another part": (FORM, part("data", CSV, "a.csv") + END, "INVALID_REQUEST", "data: send"),
    "a strange field": (FORM, part("rows", b"[]") + FILE + END, "INVALID_REQUEST", "rows: is not"),
    "a field twice": (FORM, part("mode", b"auto") * 2 + FILE + END, "INVALID_REQUEST", "twice"),
    "many fields": (FORM, part("a", b"1") * 33 + FILE + END, "INVALID_REQUEST", "fields"),
    "a large field": (FORM, part("name", b"1" * 70_000) + FILE + END, "INVALID_REQUEST", "64KB"),
    "a long name": (FORM, part("name", b"1" * 129) + FILE + END, "INVALID_REQUEST", "name: must"),
    "NUL": (FORM, part("name", b"a\0b") + FILE + END, "INVALID_REQUEST", "name: must"),
    "an export": (FORM, part("kind", b"export") + FILE + END, "INVALID_REQUEST", "file: "),
    "a task": (FORM, part("kind", b"verify") + FILE + END, "INVALID_REQUEST", "file: "),
    "no kind": (FORM, part("kind", b"nope") + FILE + END, "INVALID_REQUEST", "kind: must"),
    "no JSON": (FORM, part("columns", b"{") + FILE + END, "INVALID_REQUEST", "columns: must"),
    "a field of it twice": (
        FORM,
        part("columns", b'{"at":"a","at":"b"}') + FILE + END,
        "INVALID_REQUEST",
        "columns: must",
    ),
    "deep JSON": (FORM, part("columns", b"[" * 50_000) + FILE + END, "INVALID_REQUEST", "columns"),
    "a list": (FORM, part("columns", b"[1]") + FILE + END, "INVALID_REQUEST", "columns: "),
    "a number": (FORM, part("columns", b'{"at":1}') + FILE + END, "INVALID_REQUEST", "columns.at"),
    "no such field": (FORM, part("columns", b'{"x":"date"}') + FILE + END, "QUESTION", "columns"),
    "no such column": (FORM, part("columns", b'{"at":"x"}') + FILE + END, "QUESTION", "columns"),
    "an order": (FORM, part("date_order", b"x") + FILE + END, "INVALID_REQUEST", "date_order"),
    "a mark": (FORM, part("decimal", b";") + FILE + END, "INVALID_REQUEST", "decimal"),
    "a currency": (FORM, part("currency", b"euro") + FILE + END, "INVALID_REQUEST", "currency"),
    "a zone": (FORM, part("zone", b"Mars") + FILE + END, "INVALID_REQUEST", "zone"),
    "a path": (FORM, part("zone", b"../../etc/passwd") + FILE + END, "INVALID_REQUEST", "zone"),
    "a folder": (FORM, part("zone", b"Europe") + FILE + END, "INVALID_REQUEST", "zone"),
    "no answer": (FORM, part("fund", b"maybe") + FILE + END, "INVALID_REQUEST", "fund"),
    "no format": (FORM, part("format", b"x") + FILE + END, "QUESTION", "format"),
    "another format": (FORM, part("format", b"schwab") + FILE + END, "QUESTION", "columns"),
    "an empty file": (FORM, part("file", b"", "a.csv") + END, "UNREADABLE_FILE", "empty"),
    "a mark alone": (FORM, part("file", b"\xef\xbb\xbf\n", "a") + END, "UNREADABLE_FILE", "empty"),
    "zeros": (FORM, part("file", b"\0" * 2_000_000, "a") + END, "UNREADABLE_FILE", "empty"),
    "an archive": (FORM, part("file", b"PK\3\4" + CSV, "a") + END, "UNREADABLE_FILE", "archive"),
    "no columns": (FORM, part("file", b"text\n" * 9, "a") + END, "QUESTION", "columns"),
    "other JSON": (FORM, part("file", b"{}", "a") + END, "UNREADABLE_FILE", "activities"),
    "broken JSON": (FORM, part("file", b'[{"a":', "a") + END, "UNREADABLE_FILE", "JSON"),
    "large JSON": (FORM, part("file", b'[["' + CSV * 300_000, "a") + END, "UNREADABLE_FILE", "16"),
}
"""By what is wrong of it: a form, the code of its refusal, and what that says."""


async def test_forms_that_are_none_are_refused(sqlite_desk: DeskClient) -> None:
    before = open_spools()
    for name, (media, content, code, says) in _REFUSED.items():
        detail = assert_refused(await post(sqlite_desk, content, media), 422, code)
        assert says in detail, name
        assert open_spools() == before, name
    assert (await sqlite_desk.get("/api/jobs")).json() == []


_NAMES: Final[dict[bytes, str | None]] = {
    b"../../etc/passwd": "passwd",
    b"C:\\\\Users\\\\me\\\\b.csv": "b.csv",
    b"/": None,
    b"": None,
    b"C:": None,
    "Ums\u00e4tze \u2603.csv".encode(): "Ums\u00e4tze \u2603.csv",
    b"a\x01\x1b[31m.csv": "a[31m.csv",
    "a\u202egpj.csv".encode(): "agpj.csv",
    b"\xff.csv": "\u00ff.csv",
    b"x" * 1_000: "x" * 128,
}


async def test_a_file_has_the_last_part_of_its_name(desk: DeskClient) -> None:
    for sent, kept in _NAMES.items():
        answer = await post(desk, part("file", CSV, sent) + END)
        assert answer.status_code == 201, answer.text
        made = answer.json()
        assert made["file_name"] == kept
        assert made["name"] == (kept or f"An import of {len(CSV)} bytes")
        await previewed(desk, made["id"])


async def test_a_large_file_is_streamed_and_closed(desk: DeskClient) -> None:
    before = open_spools()

    async def pieces() -> AsyncIterator[bytes]:
        content = LARGE + END
        for at in range(0, len(content), 65_521):
            yield content[at : at + 65_521]

    answer = await desk.post("/api/jobs", content=pieces(), headers={"Content-Type": FORM})
    assert answer.status_code == 201, answer.text
    assert open_spools() == before + 1
    await ask(desk, answer.json()["id"], "cancel")
    async with asyncio.timeout(10):
        while open_spools() > before:  # noqa: ASYNC110 - the system tells nobody
            await asyncio.sleep(0.02)


class Sent:
    """A request piece by piece, and what is answered."""

    def __init__(self, desk: DeskClient, *pieces: bytes, **headers: str) -> None:
        self.left = list(pieces)
        self.answers: list[Any] = []
        self._desk = desk
        given = {"host": "127.0.0.1", "content-type": FORM, **headers}
        self._scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "path": "/api/jobs",
            "raw_path": b"/api/jobs",
            "root_path": "",
            "query_string": b"",
            "scheme": "http",
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8000),
            "headers": [
                (name.replace("_", "-").encode(), said.encode()) for name, said in given.items()
            ],
        }

    async def run(self) -> None:
        """Send it, and go away after the last piece."""
        await self._desk.app(self._scope, self._receive, self._send)

    async def _receive(self) -> Any:
        if self.left:
            piece = self.left.pop(0)
            return {"type": "http.request", "body": piece, "more_body": piece != END}
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        self.answers.append(message)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.9, 1.0])
async def test_a_client_that_goes_away_leaves_nothing(desk: DeskClient, share: float) -> None:
    before = open_spools()
    content = LARGE[: int(share * len(LARGE))]
    sent = Sent(desk, *(content[at : at + 65_536] for at in range(0, len(content), 65_536)))
    await sent.run()
    assert (sent.answers, open_spools()) == ([], before)
    assert (await desk.get("/api/jobs")).json() == []


async def test_a_body_over_the_limit_is_refused_before_it_is_read(desk: DeskClient) -> None:
    sent = Sent(desk, FILE, END, content_length=str(BODY_LIMIT + 1))
    await sent.run()
    assert sent.left == [FILE, END]
    start, body = sent.answers
    assert start["status"] == 413
    assert (b"content-type", b"application/problem+json") in start["headers"]
    assert b'"BODY_TOO_LARGE"' in body["body"]
    least = Sent(desk, FILE, END, content_length=str(BODY_LIMIT))
    await least.run()
    assert least.answers[0]["status"] == 201
