"""Logs of every kind are free of secrets, whoever wrote them into a line."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from typing import Any

import pytest
import structlog

from paperdesk.logs import configure_logging
from paperdesk.redaction import REDACTED, without_secrets
from paperdesk.users.credentials import new_credential

CREDENTIAL = new_credential()
TOKEN = "dGhpcyBpcyBhIHRva2VuIG9mIDI1NiBiaXRzIQ-_AbC"  # noqa: S105 - planted
SIGNING = f"whsec_{'0123456789abcdef' * 4}"
PASSWORD = "hunter2%2F"  # noqa: S105 - planted
SAID = {
    "a key": (f"the key {CREDENTIAL.key}!", CREDENTIAL.secret),
    "a key in JSON": (json.dumps({"key": CREDENTIAL.key}), CREDENTIAL.secret),
    "half a key": (f"pd_{CREDENTIAL.key_id}_{CREDENTIAL.secret[:20]}", CREDENTIAL.secret[:20]),
    "a header": (f"{{'authorization': 'Bearer {TOKEN}'}}", TOKEN),
    "a short bearer": ("authorization: bEARER abc.def-123", "abc.def-123"),
    "a path": ("POST /hooks/short-token?x=1 HTTP/1.1", "short-token"),
    "a query": ("GET /api/webhook?x=1&token=short-token&y=2", "short-token"),
    "the first of a query": ("GET /api/webhook?token=short-token", "short-token"),
    "a token alone": (f"no webhook has {TOKEN}", TOKEN),
    "Alpaca's secret": (f"APCA-API-SECRET-KEY: {CREDENTIAL.secret}", CREDENTIAL.secret),
    "a signing secret": (f"signed with {SIGNING}", SIGNING),
    "a database's password": (f"postgresql+asyncpg://me:{PASSWORD}@db/x", PASSWORD),
}


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@contextmanager
def logging_to(stream: StringIO) -> Iterator[None]:
    """Write on a stream what the process would write on standard error, from debug on."""
    with redirect_stderr(stream):
        configure_logging("debug")
        yield
    configure_logging("warning")


@pytest.fixture
def written() -> Iterator[StringIO]:
    stream = StringIO()
    with logging_to(stream):
        yield stream


@pytest.mark.parametrize(("said", "secret"), SAID.values(), ids=SAID)
def test_a_text_is_free_of_what_looks_like_a_secret(said: str, secret: str) -> None:
    cleaned = without_secrets(said)

    assert secret not in cleaned
    assert REDACTED in cleaned
    assert without_secrets(cleaned) == cleaned


@pytest.mark.parametrize(
    "said",
    [
        "order 01a223cd-e83b-77b2-b8bb-3d3deae0fc38 was filled",
        f"signal {'0123456789abcdef' * 4} was executed",
        f"key pd_{CREDENTIAL.key_id} was revoked",
        "http://127.0.0.1:8000/api/portfolio and sqlite+aiosqlite:////data/desk.db",
        "at 14:30 bob@example.com bought 3:1@5",
        "postgresql+asyncpg://me@db:5432/x",
    ],
    # Not by what they say: a key is another one in each process that collects the tests.
    ids=["order", "signal", "key id", "addresses", "time and mail", "database"],
)
def test_what_is_no_secret_stays(said: str) -> None:
    assert without_secrets(said) == said


@pytest.mark.parametrize(("said", "secret"), SAID.values(), ids=SAID)
def test_no_line_of_the_log_has_a_secret(written: StringIO, said: str, secret: str) -> None:
    class Odd:
        def __repr__(self) -> str:
            return said

    log = structlog.get_logger()
    # Its repr escapes quotes; the text itself is what is looked for.
    fields: list[Any] = [said, [said], (said,), {said}, {"inner": {"x": said}}, {said: 1}, Odd()]
    for value in fields:
        log.info("an.event", value=value)
    log.info(said)
    library = logging.getLogger("a.library")
    library.debug("it said %s", said)
    library.debug("it said %r", {"x": said})
    structlog.contextvars.bind_contextvars(request=said)
    log.warning("bound")
    structlog.contextvars.clear_contextvars()
    for error in (ValueError(said), RuntimeError(said)):
        try:
            raise error  # noqa: TRY301 - to have a traceback
        except Exception as found:
            log.error("crashed", exc_info=found)  # noqa: TRY400 - as the desk does it
            library.exception("crashed")

    lines = written.getvalue()
    assert secret not in lines
    assert lines.count(REDACTED) >= 10
    assert lines.count("an.event") == len(fields)


@pytest.mark.parametrize("stream", [StringIO(), Terminal()], ids=["elsewhere", "terminal"])
def test_a_traceback_is_written_and_shows_no_local_variable(stream: StringIO) -> None:
    password = "a-secret-in-a-variable"  # noqa: S105 - planted
    with logging_to(stream):
        try:
            int(f"about {len(password)}")
        except ValueError as error:
            structlog.get_logger().error("crashed", exc_info=error)

    lines = stream.getvalue()
    assert "Traceback" in lines
    assert "about 22" in lines
    assert password not in lines


@pytest.mark.parametrize("name", ["sqlalchemy.engine.Engine", "sqlalchemy.pool", "httpx2"])
def test_statements_and_requests_are_not_written_at_any_level(written: StringIO, name: str) -> None:
    logging.getLogger(name).info("INSERT INTO x VALUES ('hunter2')")
    logging.getLogger(name).warning("broken")

    assert "hunter2" not in written.getvalue()
    assert "broken" in written.getvalue()


def test_a_line_that_cannot_be_written_is_not_printed_raw(written: StringIO) -> None:
    class Broken:
        def __str__(self) -> str:
            raise ValueError(TOKEN)

    # Handed over directly: pytest's own handlers fail the test.
    (handler,) = [
        each for each in logging.getLogger().handlers if getattr(each, "stream", None) is written
    ]
    for said, *arguments in (("%s and %s", Broken(), TOKEN), ("%d", TOKEN)):
        record = logging.LogRecord("x", 30, __file__, 7, said, tuple(arguments), None)
        handler.handle(record)

    lines = written.getvalue()
    assert TOKEN not in lines
    assert lines.count("could not be written") == 2
