"""Logging: events with fields, through structlog, for the desk and for the libraries below it."""

import logging
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, TextIO, cast

import structlog

from paperdesk.redaction import without_secrets

_WRITES_EVERYTHING: Final = (
    "uvicorn.access",
    "aiosqlite",
    "alembic",
    "httpx2",
    "httpcore2",
    "asyncio",
)
"""Loggers that are heard from WARNING on, whatever the level."""


def configure_logging(level: str) -> None:
    """Send all logs of the process to standard error: coloured on a terminal, JSON elsewhere.

    uvicorn's access log stays off: it prints query strings, and webhook tokens travel there. What
    looks like a secret is taken out of every line, whoever writes it.
    """
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.types.Processor = (
        # Tracebacks are texts by then; its own rich ones would show local variables.
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if sys.stderr.isatty()
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = _Handler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _redact,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _WRITES_EVERYTHING:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


class _Handler(logging.StreamHandler[TextIO]):
    """Says that a line could not be written, and not, as logging does, all that was in it."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Name the place that wrote it."""
        with suppress(Exception):
            where = f"{record.pathname}:{record.lineno}"
            self.stream.write(f"A line of the log could not be written: {where}\n")


def _redact(
    _logger: Any, _method: str, event: structlog.types.EventDict
) -> structlog.types.EventDict:
    """Take secrets out of a line's fields; the last step, so that tracebacks are texts by then."""
    return {name: _redacted(value) for name, value in event.items()}


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, Mapping):
        pairs = cast("Mapping[Any, Any]", value).items()
        return {_redacted(name): _redacted(inner) for name, inner in pairs}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(each) for each in cast("list[Any]", value)]
    if value is None or isinstance(value, bool | int | float):
        return value
    # The renderer would write its repr.
    return without_secrets(repr(value))
